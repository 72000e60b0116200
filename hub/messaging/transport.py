"""What the line asks of a sender: hand these bytes over, say how it ended, and stop when told to.

    webhook, mllp, kafka    a `Transport`; the worker calls `send` after the attempt is recorded
    inbox                   no transport: the recipient's own fetch is the sending (`hub.exchange.fetch`)

A sender knows nothing of consent, cases or children. It raises one of three errors, and which one decides what follows:
:class:`hub.errors.Transient` (no byte left, or the recipient says "later": tried again by itself),
:class:`hub.errors.Ambiguous` (the first byte left and no answer came: the recipient possibly holds it),
:class:`hub.errors.Permanent` (refused, and will be again). `kind` names the failure for operators.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, Protocol


class Abort:
    """The way to stop a send under way: a withdrawal asks, the sender's connection is cut."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._lock = Lock()
        self._asked = False
        self._cuts: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        """Whether the send must stop. A sender looks here last before its first byte."""
        return self._asked

    def ask(self) -> None:
        """Stop the send: every connection that it registered is cut. Safe from any thread, and more than once."""
        with self._lock:
            self._asked = True
            cuts, self._cuts = self._cuts, []
        for cut in cuts:
            cut()

    @contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """While inside, `cut` (reset the socket; may not raise) is what `ask` calls; at once if asked before."""
        with self._lock:
            late = self._asked
            if not late:
                self._cuts.append(cut)
        if late:
            cut()
        try:
            yield
        finally:
            with self._lock:
                if cut in self._cuts:
                    self._cuts.remove(cut)


@dataclass(frozen=True, slots=True)
class Outbound:
    """Frozen bytes on their way to one agency."""

    attempt_id: str
    outbound_id: str
    """The message id on the wire (MSH-10, the webhook's id header); the same again on a re-send."""
    raw: bytes = field(repr=False)
    media_type: str
    agency: Mapping[str, Any]
    """The recipient's registry document as JSON."""
    deadline: datetime
    """Aware; a send that would last longer stops as `Transient` or `Ambiguous`."""
    abort: Abort
    type: str = ""
    """In the recipient's terms (``REF^I12``)."""
    attention: str = ""
    """The officer of the recipient to whom alone it is to be handed; only to who is registered as able to do so."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The recipient took it."""

    answer: bytes | None = field(default=None, repr=False)
    """What came back on the same connection beyond the plain acknowledgement (an RRI); it goes through `accept`."""


class Transport(Protocol):
    """One way of handing bytes to an agency."""

    def send(self, outbound: Outbound) -> Sent:
        """Hand over; returns only when the recipient has acknowledged.

        Raises :class:`hub.errors.Transient`, :class:`hub.errors.Ambiguous` or :class:`hub.errors.Permanent`.
        """


_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing sends a reset, so that nothing buffered leaves afterwards."""


def cut(connection: socket.socket) -> None:
    """Reset a connection from any thread: what the kernel still holds is thrown away, and a waiting read ends."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD)
    with contextlib.suppress(OSError):
        connection.close()
