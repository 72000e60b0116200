"""States of messages, strands, deliveries and attempts, and which may follow which (design, `delivery.md`, rule 4).

Everything is always in exactly one of these, with an owner and a deadline; nothing is dropped silently.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class MessageState(StrEnum):
    """What became of what an agency said."""

    STORED = "stored"
    QUARANTINED = "quarantined"


class StrandState(StrEnum):
    """What became of one child's part of it."""

    READY = "ready"
    HELD_FOR_MATCH = "held-for-match"
    UNROUTED = "unrouted"


class CaseState(StrEnum):
    """Where a child's case stands."""

    PROVISIONAL = "provisional"
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"
    ERASED = "erased"


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENDING = "sending"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    WITHHELD = "withheld"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    PARKED = "parked"
    SUPERSEDED = "superseded"


class AttemptState(StrEnum):
    """How one attempt ended, or `OPEN`."""

    OPEN = "open"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ABORTED = "aborted"


class Lane(StrEnum):
    """Urgent never waits for ordinary."""

    URGENT = "urgent"
    ORDINARY = "ordinary"


D = DeliveryState

NEXT: Final[dict[DeliveryState, frozenset[DeliveryState]]] = {
    D.PENDING: frozenset({D.SENDING, D.WITHHELD, D.WITHDRAWN, D.EXPIRED, D.PARKED, D.SUPERSEDED}),
    D.SENDING: frozenset(
        {D.PENDING, D.DELIVERED, D.UNKNOWN, D.PARKED, D.WITHHELD, D.WITHDRAWN, D.EXPIRED, D.SUPERSEDED}
    ),
    D.UNKNOWN: frozenset({D.SENDING, D.DELIVERED, D.PARKED, D.WITHDRAWN, D.EXPIRED, D.SUPERSEDED}),
    D.PARKED: frozenset({D.PENDING, D.WITHDRAWN, D.EXPIRED, D.SUPERSEDED}),
    D.DELIVERED: frozenset(),
    D.WITHHELD: frozenset(),
    D.WITHDRAWN: frozenset(),
    D.EXPIRED: frozenset(),
    D.SUPERSEDED: frozenset(),
}

BLOCKING: Final = frozenset({D.SENDING, D.UNKNOWN, D.PARKED})
"""States in which a delivery holds back the ones behind it in its stream."""


def may_follow(old: DeliveryState, new: DeliveryState) -> bool:
    """Whether a delivery in `old` may move to `new`."""
    return new in NEXT[old]
