"""Access tokens: opaque, random, short-lived; only their hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from hub.clock import Clock
from hub.errors import Forbidden, Unauthenticated
from hub.storage import tokens
from hub.storage.store import Store

LIFETIME: Final = timedelta(seconds=300)


class Role(StrEnum):
    """What an administrator may do."""

    OPERATOR = "operator"
    """Keeps the hub running; sees no personal data."""
    CONSENT_ADMIN = "consent-admin"
    """Records and ends consents, previews, explains."""
    CASE_WORKER = "case-worker"
    """Records facts, orders and matches."""
    AUDITOR = "auditor"
    """Reads who was told what."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they were granted."""

    kind: str
    """``agency``, ``officer`` (of an agency, ``<agency>/<officer>``) or ``admin``."""
    id: str
    scope: frozenset[str]
    """SMART scopes of an agency, roles of an administrator."""

    def require_agency(self, agency_id: str) -> None:
        """Raises :class:`hub.errors.Forbidden` unless this is that agency; it does not say whether it exists."""
        if self.kind != "agency" or self.id != agency_id:
            raise Forbidden("An agency may act only as itself.")

    def reads_for(self, agency_id: str) -> str:
        """Who reads the agency's inbox: "" the agency itself, else one of its officers. Raises `Forbidden`."""
        named, _, officer = self.id.partition("/")
        if self.kind == "officer" and named == agency_id:
            return officer
        self.require_agency(agency_id)
        return ""


def token_hash(token: str) -> str:
    """SHA-256 in hex; enough, because a token is 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def issue(store: Store, clock: Clock, kind: str, subject: str, scope: Iterable[str]) -> str:
    """A new token for `subject`, good for `LIFETIME`; forgets what expired."""
    token, at = secrets.token_urlsafe(32), clock.now()
    with store.write() as unit:
        tokens.forget_expired(unit, at - LIFETIME)
        tokens.issue(unit, token_hash(token), kind, subject, " ".join(sorted(scope)), at, at + LIFETIME)
    return token


def caller(store: Store, clock: Clock, token: str) -> Caller:
    """Who presents `token`. Raises :class:`hub.errors.Unauthenticated` if it is unknown, expired or revoked."""
    with store.read() as unit:
        found = tokens.find(unit, token_hash(token))
    if found is None or found.revoked_at is not None or clock.now() >= found.expires_at:
        raise Unauthenticated
    return Caller(found.subject_kind, found.subject, frozenset(found.scope.split()))
