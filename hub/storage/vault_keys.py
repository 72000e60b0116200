"""Wrapped keys of cases and intakes; see :mod:`hub.security.vault`, which alone can unwrap them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from hub.storage.store import Unit
from hub.storage.tables import vault_key


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """One key as it is stored."""

    id: str
    kind: str
    """``case`` or ``intake``."""
    wrapped: bytes | None
    """None once destroyed."""


def keep(unit: Unit, key: WrappedKey, at: datetime, expires: datetime | None) -> None:
    """Store a new wrapped key."""
    row = {"id": key.id, "kind": key.kind, "wrapped": key.wrapped, "created_at": at, "expires_at": expires}
    unit.execute(insert(vault_key).values(row))


def get(unit: Unit, key_id: str) -> WrappedKey | None:
    """The key as stored, or None if there never was one."""
    columns = (vault_key.c.id, vault_key.c.kind, vault_key.c.wrapped)
    row = unit.execute(select(*columns).where(vault_key.c.id == key_id)).one_or_none()
    return None if row is None else WrappedKey(row.id, row.kind, row.wrapped)


def erase(unit: Unit, key_id: str, at: datetime) -> None:
    """Forget the wrapped key for good; what it sealed can never be read again."""
    erased = update(vault_key).where(vault_key.c.id == key_id, vault_key.c.destroyed_at.is_(None))
    unit.execute(erased.values(wrapped=None, destroyed_at=at))


def expired(unit: Unit, at: datetime, limit: int = 500) -> list[str]:
    """Ids of keys whose time is up and that are not yet erased, at most `limit`."""
    due = select(vault_key.c.id).where(vault_key.c.expires_at <= at, vault_key.c.destroyed_at.is_(None)).limit(limit)
    return list(unit.scalars(due))
