"""Keeps access tokens by their hash, and the assertions that were used, so that none is used twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from hub.storage.store import Unit
from hub.storage.tables import access_token, used_assertion


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token stands for."""

    subject_kind: str
    """``agency`` or ``admin``."""
    subject: str
    scope: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def use_assertion(unit: Unit, issuer: str, jti_hash: str, expires_at: datetime) -> bool:
    """Mark a client assertion as used; False if it was used before, by any process: the database decides."""
    try:
        with unit.begin_nested():
            unit.execute(used_assertion.insert().values(issuer=issuer, jti_hash=jti_hash, expires_at=expires_at))
    except IntegrityError:
        return False
    return True


def issue(
    unit: Unit, token_hash: str, subject_kind: str, subject: str, scope: str, at: datetime, expires_at: datetime
) -> None:
    """Keep a new token."""
    unit.execute(
        access_token.insert().values(
            token_hash=token_hash,
            subject_kind=subject_kind,
            subject=subject,
            scope=scope,
            issued_at=at,
            expires_at=expires_at,
            revoked_at=None,
        )
    )


def find(unit: Unit, token_hash: str) -> AccessToken | None:
    """What the token stands for, expired or revoked or not."""
    columns = [column for column in access_token.c if column.name != "token_hash"]
    row = unit.execute(select(*columns).where(access_token.c.token_hash == token_hash)).one_or_none()
    return None if row is None else AccessToken(**row._mapping)


def revoke_all(unit: Unit, subject_kind: str, subject: str, at: datetime) -> int:
    """End every token of a subject; return how many."""
    done = unit.execute(
        access_token.update()
        .where(
            access_token.c.subject_kind == subject_kind,
            access_token.c.subject == subject,
            access_token.c.revoked_at.is_(None),
        )
        .values(revoked_at=at)
    )
    return int(done.rowcount)


def forget_expired(unit: Unit, at: datetime) -> None:
    """Delete tokens and used assertions that expired before `at`."""
    unit.execute(delete(access_token).where(access_token.c.expires_at < at))
    unit.execute(delete(used_assertion).where(used_assertion.c.expires_at < at))
