"""Says messages over MLLP and hears what comes back, on one lasting connection for each destination.

An answer is matched by MSA-2. A recipient may answer with the application message itself (an RRI in place of the plain
ACK), or say it later on the same connection as a message of its own: that goes to `inbound`, like one from the door.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.codecs.er7_ack import Ack, read_ack
from hub.clock import Clock
from hub.errors import Ambiguous, Permanent, Transient
from hub.messaging.frames import Frame, FrameReader, Kind, frame
from hub.messaging.transport import Abort, Outbound, Sent, cut

Inbound = Callable[[str, bytes], bytes | None]
"""Takes (registry id of the agency, message), returns the acknowledgement to send back, or None. Never raises."""

ACCEPTED = frozenset({"AA", "CA"})


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an agency listens."""

    agency: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    connect_seconds: float = 10.0
    answer_seconds: float = 30.0
    frame_bytes: int = 10 * 1024 * 1024


@dataclass(slots=True)
class _Question:
    """A message sent and not yet answered."""

    outbound_id: str
    connection: socket.socket
    settled: threading.Event = field(default_factory=threading.Event)
    ack: Ack | None = None
    raw: bytes = b""
    broken: str = ""


class MllpSender:
    """A :class:`hub.messaging.transport.Transport` over MLLP."""

    def __init__(self, locate: Callable[[Outbound], Destination], inbound: Inbound, clock: Clock) -> None:
        """`locate` reads the recipient's registry document."""
        self._locate, self._inbound, self._clock = locate, inbound, clock
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    def send(self, outbound: Outbound) -> Sent:
        """Frame, send, wait for the acknowledgement that names this message."""
        destination = self._locate(outbound)
        with self._lock:
            line = self._lines.get(destination.agency)
            if line is None or line.destination != destination:
                line = self._lines[destination.agency] = _Line(destination, self._inbound)
        left = (outbound.deadline - self._clock.now()).total_seconds()
        if left <= 0:
            raise Transient("The deadline passed before the first byte.", kind="deadline")
        return line.ask(outbound, min(left, destination.answer_seconds))

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            lines, self._lines = list(self._lines.values()), {}
        for line in lines:
            line.close()


class _Line:
    """One connection and the thread that listens on it. One question at a time."""

    def __init__(self, destination: Destination, inbound: Inbound) -> None:
        self.destination = destination
        self._inbound = inbound
        self._turn = threading.Lock()
        self._writing = threading.Lock()
        self._socket: socket.socket | None = None
        self._question: _Question | None = None

    def ask(self, outbound: Outbound, seconds: float) -> Sent:
        with self._turn:
            connection = self._connected(outbound.abort)
            question = self._question = _Question(outbound.outbound_id, connection)
            with outbound.abort.cutting(lambda: cut(connection)):
                if outbound.abort.asked:
                    raise Transient("Stopped before the first byte.", kind="aborted")
                try:
                    self._write(connection, outbound.raw)
                except OSError as error:
                    self._drop(connection)
                    raise Ambiguous("The connection broke while sending.", kind="broken") from error
                answered = question.settled.wait(seconds)
            self._question = None
            if not answered:
                self._drop(connection)
                raise Ambiguous("No acknowledgement came in time.", kind="no-answer")
            return self._judge(question, connection)

    def close(self) -> None:
        if self._socket is not None:
            self._drop(self._socket)

    def _connected(self, abort: Abort) -> socket.socket:
        if abort.asked:
            raise Transient("Stopped before the first byte.", kind="aborted")
        if self._socket is not None:
            return self._socket
        there = self.destination
        try:
            connection = socket.create_connection((there.host, there.port), timeout=there.connect_seconds)
            if there.tls is not None:
                connection = there.tls.wrap_socket(connection, server_hostname=there.server_name or there.host)
        except OSError as error:
            raise Transient("The recipient does not take the connection.", kind="refused-connection") from error
        connection.settimeout(None)
        self._socket = connection
        threading.Thread(target=self._listen, args=(connection,), daemon=True, name="mllp-line").start()
        return connection

    def _write(self, connection: socket.socket, raw: bytes) -> None:
        with self._writing:
            connection.sendall(frame(raw))

    def _listen(self, connection: socket.socket) -> None:
        frames = FrameReader(self.destination.frame_bytes)
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                for one in frames.feed(data):
                    self._hear(one, connection)
        self._drop(connection)

    def _hear(self, one: Frame, connection: socket.socket) -> None:
        """An answer settles the question; anything else is a message of the recipient's own."""
        question = self._question
        ack = read_ack(one.raw) if one.kind is Kind.MESSAGE else None
        if ack is not None and question is not None and (ack.answers == question.outbound_id or ack.plain):
            question.ack, question.raw = ack, one.raw
            question.settled.set()
        elif ack is not None and ack.plain:
            return  # a late acknowledgement of something already settled
        elif one.kind is Kind.MESSAGE:
            answer = self._inbound(self.destination.agency, one.raw)
            if answer is not None:
                self._write(connection, answer)

    def _judge(self, question: _Question, connection: socket.socket) -> Sent:
        ack = question.ack
        if ack is None:
            raise Ambiguous("The connection closed before an acknowledgement.", kind=question.broken or "closed")
        if ack.answers != question.outbound_id:
            self._drop(connection)
            raise Ambiguous("The acknowledgement names another message.", kind="wrong-ack-id")
        if ack.code not in ACCEPTED:
            raise Permanent("The recipient refused the message.", kind=f"nack-{ack.code}", answer=question.raw)
        return Sent(None if ack.plain else question.raw)

    def _drop(self, connection: socket.socket) -> None:
        if self._socket is connection:
            self._socket = None
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        question = self._question
        if question is not None and question.connection is connection and not question.settled.is_set():
            question.broken = "closed"
            question.settled.set()


def mllp_destination(outbound: Outbound, tls_of: Callable[[Mapping[str, Any]], ssl.SSLContext]) -> Destination:
    """Read a registry document's `transports.out` of kind ``mllp``; `tls_of` makes the context for it.

    Plain text goes to loopback, or where the registry says `plaintext: true`.
    """
    there = outbound.agency["transports"]["out"]
    plain = there.get("plaintext", False) or there["host"] in ("localhost", "127.0.0.1", "::1")
    tls = None if plain else tls_of(there)
    return Destination(outbound.agency["id"], there["host"], there["port"], tls, there.get("server_name", ""))
