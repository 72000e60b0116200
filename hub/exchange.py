"""The line, in two halves.

    accept                                      deliver (later, maybe again, maybe elsewhere)
    ------                                      -------
    who is speaking?      authenticate          what is due?         claim the next delivery of a stream
    what do they say?     pack.read             what holds now?      the facts
    is it sound?          validate              may it leave?        decide
    whose child is it?    match                 only that much       release
    how delicate is it?   label                 in their words       recipient.pack.write
    keep it               store + queue         leave a trace        record the attempt; one commit
    say so                acknowledge           hand it over         send, then note the outcome

Nothing is acknowledged before its one commit; nothing leaves but through `disclose`; no decision is kept for later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from adapters.errors import Refusal
from adapters.pack import Deviation, Head, Loss
from hub.errors import Fault
from hub.parts import Parts
from hub.states import DeliveryState, MessageState
from hub.storage.deliveries import Claim
from hub.storage.store import Unit
from hub.storage.withdrawals import Withdrawal


@dataclass(frozen=True, slots=True)
class Envelope:
    """What came through a door, from an agency that has proven who it is."""

    agency: str
    """Registry id, authenticated by the door."""
    transport: str
    """``http``, ``fhir``, ``mllp``, ``kafka`` or ``answer`` (came back on a connection that we opened)."""
    raw: bytes = field(repr=False)
    media_type: str = ""
    key: str = field(default="", repr=False)
    """Idempotency-Key; "" = the message's own key."""
    pack: str = ""
    """Pack id; "" = the agency's first pack that takes the media type."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the sender is told, after the commit; the same again for a duplicate."""

    message: str
    """Opaque message id, for asking after it."""
    state: MessageState
    head: Head
    deviations: tuple[Deviation, ...] = ()
    loss: tuple[Loss, ...] = ()
    faults: tuple[Fault, ...] = ()
    """Why it is quarantined."""
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of an agency's inbox: says nothing but that there is something."""

    delivery: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """Recorded bytes that the recipient fetches. Call `done` when the response has gone out whole, or failed to."""

    delivery: str
    attempt: str
    outbound_id: str
    raw: bytes = field(repr=False)
    media_type: str = ""
    type: str = ""
    done: Callable[[], None] = field(default=lambda: None, repr=False)


def accept(parts: Parts, envelope: Envelope) -> Acknowledgement:
    """Take in one message: read it, find its children, keep it and queue what follows, in one commit.

    Raises :class:`hub.errors.Refused` (its cause is the adapter's refusal), `Conflict`, `TooLarge`, `Busy`.
    """
    raise NotImplementedError


def deliver(parts: Parts, claim: Claim) -> DeliveryState:
    """Decide, record and send one claimed delivery, and note the outcome; the worker calls it after each claim.

    Everything is written here, the failure too (`hub.lanes.after_failure`); answers the state it is in now.
    Raises :class:`hub.errors.Fenced` when another worker took it over: then nothing more is written.
    """
    raise NotImplementedError


def recall(parts: Parts, unit: Unit, settled: Iterable[Withdrawal]) -> list[str]:
    """Offer recalls to who holds what rested on these withdrawn consents alone; deliveries to wake after the commit.

    Call it with what `withdrawals.settle` returned, in the same transaction.
    """
    raise NotImplementedError


def note_refusal(parts: Parts, agency: str, transport: str, type_: str, refusal: Refusal) -> None:
    """Note that something was refused before it became a message: place and reason, nothing of it."""
    raise NotImplementedError


def inbox(parts: Parts, agency: str, limit: int = 50) -> tuple[Waiting, ...]:
    """What waits for `agency` to fetch, decided now: what may no longer leave is not listed."""
    raise NotImplementedError


def fetch(parts: Parts, agency: str, delivery: str) -> Fetched:
    """Decide and record one waiting delivery; the fetch is its sending. Raises `NotFound`."""
    raise NotImplementedError


def confirm(parts: Parts, agency: str, delivery: str) -> None:
    """The agency has it: the delivery is delivered. Raises `NotFound`; a second call changes nothing."""
    raise NotImplementedError


def said(parts: Parts, agency: str, message: str) -> dict[str, Any]:
    """What became of a message, for its own sender: state and faults, nothing of others. Raises `NotFound`."""
    raise NotImplementedError
