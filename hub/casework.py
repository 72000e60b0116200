"""What people with a role do to a case: find a child, record facts, enter and verify orders, take and end consents, resolve matches.

Each function is one commit: the fact with its history, the case's next epoch, an audit row, and the current state offered
anew to whom the routes name. `actor` is an administrator's id, whose role the caller has checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.parts import Parts


@dataclass(frozen=True, slots=True)
class Found:
    """A child that a search named."""

    person: str
    case: str
    certain: bool
    """False while whose record it is has not been resolved."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One version of one fact, as now kept."""

    fact: str
    version: int
    epoch: int
    kind: str = ""
    current: bool = True
    at: datetime | None = None
    by: str = ""
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Withdrawing:
    """A withdrawal and its two instants; `effective_at` is None while something is under way."""

    id: str
    case: str
    consent: str
    recorded_at: datetime
    effective_at: datetime | None
    counts: bool = True
    """False when a barred person asked: recorded, without effect (R8)."""


def find(parts: Parts, actor: str, query: Mapping[str, Any]) -> tuple[Found, ...]:
    """Children by `identifiers` [{type, system, value}], or by `name` and `birth_date`; audited."""
    raise NotImplementedError


def relate(parts: Parts, actor: str, case: str, body: Mapping[str, Any]) -> str:
    """Keep a related person (name, identifiers) of a case; answers the opaque id that facts name them by."""
    raise NotImplementedError


def record(parts: Parts, actor: str, case: str, kind: str, body: Mapping[str, Any], fact: str = "") -> Recorded:
    """Record a fact, or the next version of `fact`. Kinds: `hub.facts.KINDS`. Raises `Invalid`, `NotFound`, `Stale`."""
    raise NotImplementedError


def history(parts: Parts, actor: str, case: str, kind: str = "") -> tuple[Recorded, ...]:
    """Every version of every fact of a case (of one kind), oldest first; audited as a read."""
    raise NotImplementedError


def clear_suspect(parts: Parts, actor: str, case: str, fact: str) -> Recorded:
    """One of the two persons that clearing a suspect takes; the same person twice counts once."""
    raise NotImplementedError


def verify_order(parts: Parts, actor: str, case: str, order: str, signature: str = "") -> Recorded:
    """A second person called back, or `signature` (detached JWS of the issuing body) holds. Raises `Forbidden`, `Invalid`."""
    raise NotImplementedError


def turn_into_consent(parts: Parts, actor: str, case: str, claim: str, consent: Mapping[str, Any]) -> Recorded:
    """Make an agency's consent claim a Consent, with evidence."""
    raise NotImplementedError


def withdraw(parts: Parts, actor: str, case: str, consent: str, by: str) -> Withdrawing:
    """End a consent at the word of `by` (the child's person id or a related person's)."""
    raise NotImplementedError


def withdrawal(parts: Parts, withdrawal_id: str) -> Withdrawing:
    """How far a withdrawal is. Raises `NotFound`."""
    raise NotImplementedError


def resolve_match(parts: Parts, actor: str, task: str, same_as: str | None) -> Found:
    """A person decides an uncertain match: link to person `same_as`, or None for a child of its own."""
    raise NotImplementedError


def unlink(parts: Parts, actor: str, person: str) -> Found:
    """Undo a link: the person's strands and facts of its own go back to its own case."""
    raise NotImplementedError


def account(parts: Parts, actor: str, case: str) -> tuple[dict[str, Any], ...]:
    """Who was told what about this child, when, on what ground (R41), without other persons."""
    raise NotImplementedError
