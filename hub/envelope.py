"""The values that pass between the doors and the line: envelopes in, acknowledgements back, what waits in an inbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.pack import Deviation, Head, Loss
from hub.errors import Fault
from hub.states import MessageState


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
    attention: str = ""
    """The officer for whom alone it is; "" = the agency's desk."""
    done: Callable[[], None] = field(default=lambda: None, repr=False)
