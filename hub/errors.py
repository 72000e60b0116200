"""The hub's error tree. Docstrings are the messages; no HTTP here (see `hub/api/problems.py`).

    HubError
    ├── Unauthenticated      Present a valid access token of this hub.
    ├── Forbidden            Your role or agency may not do this.
    ├── NotFound             There is no such thing, or you may not know of it.
    ├── Conflict             This key was used before for other content.
    │   └── Stale            The facts changed while you acted; read them again and repeat.
    ├── Invalid              The request cannot be accepted as it stands.
    │   ├── Refused          The message is refused; nothing of it is kept.
    │   └── TooLarge         The body is larger than this hub accepts.
    ├── Busy                 The hub is full; send again later.
    ├── Fenced               Another worker has taken this delivery over; do nothing more with it.
    ├── SendFailed           A delivery did not arrive.
    │   ├── Transient        It may work later.
    │   ├── Ambiguous        The recipient possibly holds it.
    │   └── Permanent        It will not work without a change.
    ├── KeyLost              The key of this case or message was destroyed or is not at hand.
    └── Misconfigured        A setting is wrong or missing; the message says how to mend it.

Messages never say whom an error was about.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, in the sender's terms; holds no personal data."""

    place: str
    kind: str
    why: str


class HubError(Exception):
    """Something the hub was asked could not be done."""

    def __init__(self, message: str = "", *, faults: tuple[Fault, ...] = ()) -> None:
        """`message` defaults to the class's docstring."""
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.faults = faults


class Unauthenticated(HubError):
    """Present a valid access token of this hub."""


class Forbidden(HubError):
    """Your role or agency may not do this."""


class NotFound(HubError):
    """There is no such thing, or you may not know of it."""


class Conflict(HubError):
    """This key was used before for other content."""


class Stale(Conflict):
    """The facts changed while you acted; read them again and repeat."""


class Invalid(HubError):
    """The request cannot be accepted as it stands."""


class Refused(Invalid):
    """The message is refused; nothing of it is kept."""


class TooLarge(Invalid):
    """The body is larger than this hub accepts."""


class Busy(HubError):
    """The hub is full; send again later."""

    retry_after: int = 5
    """Seconds."""


class Fenced(HubError):
    """Another worker has taken this delivery over; do nothing more with it."""


class SendFailed(HubError):
    """A delivery did not arrive."""

    def __init__(self, message: str = "", *, kind: str = "", answer: bytes | None = None) -> None:
        """`kind` is a stable code for operators (``refused-connection``, ``http-503``); `answer` is what was said."""
        super().__init__(message)
        self.kind = kind or type(self).__name__.lower()
        self.answer = answer


class Transient(SendFailed):
    """It may work later."""


class Ambiguous(SendFailed):
    """The recipient possibly holds it."""


class Permanent(SendFailed):
    """It will not work without a change."""


class KeyLost(HubError):
    """The key of this case or message was destroyed or is not at hand."""


class Misconfigured(HubError):
    """A setting is wrong or missing; the message says how to mend it."""
