"""MLLP out, on real sockets: answers are matched by MSA-2, silence is unknown, an RRI may come now or later."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from hub.clock import SystemClock
from hub.errors import Ambiguous, Permanent, SendFailed, Transient
from hub.messaging.frames import FrameReader, frame
from hub.messaging.mllp import MllpSender, mllp_destination
from hub.messaging.transport import Abort, Outbound
from tests.conftest import wait_for

CLOCK = SystemClock()
REFERRAL = b"MSH|^~\\&|HUB|ONESTOP|HIS|BV-MAU|20261122||REF^I12^REF_I12|OUT-1|P|2.5.1\rRF1|P\r"


def answer(code: str, to: str = "OUT-1", kind: str = "ACK") -> bytes:
    """An acknowledgement, or another message that answers."""
    return f"MSH|^~\\&|HIS|BV-MAU|HUB|ONESTOP|20261122||{kind}|A-1|P|2.5.1\rMSA|{code}|{to}\r".encode()


class Hospital:
    """Listens, and does with each connection what the test says."""

    def __init__(self, manner: Callable[[socket.socket, bytes], None]) -> None:
        self.heard: list[bytes] = []
        self.lines = 0
        self._manner = manner
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.lines += 1
            threading.Thread(target=self._converse, args=(line,), daemon=True).start()

    def _converse(self, line: socket.socket) -> None:
        frames = FrameReader(100_000)
        with line, contextlib.suppress(OSError):
            while data := line.recv(65536):
                for one in frames.feed(data):
                    self.heard.append(one.raw)
                    self._manner(line, one.raw)


class Call:
    """A sender, and what came to it unasked."""

    def __init__(self, hospital: Hospital) -> None:
        self.unasked: list[tuple[str, bytes]] = []
        self.port = hospital.port
        self.sender = MllpSender(lambda outbound: mllp_destination(outbound, no_tls), self._inbound, CLOCK)

    def send(self, abort: Abort | None = None, seconds: float = 5) -> bytes | None:
        out = {"type": "mllp", "host": "127.0.0.1", "port": self.port}
        outbound = Outbound(
            attempt_id="attempt",
            outbound_id="OUT-1",
            raw=REFERRAL,
            media_type="x-application/hl7-v2+er7",
            agency={"id": "bv-mau", "transports": {"out": out}},
            deadline=CLOCK.now() + timedelta(seconds=seconds),
            abort=abort or Abort(),
        )
        return self.sender.send(outbound).answer

    def _inbound(self, agency: str, raw: bytes) -> bytes | None:
        self.unasked.append((agency, raw))
        return answer("AA", "A-1")


def no_tls(_there: object) -> object:
    """Loopback needs none; asking for it would be a fault."""
    raise AssertionError("plain text was meant")


Meeting = Callable[[Callable[[socket.socket, bytes], None]], tuple[Hospital, Call]]


@pytest.fixture
def meet() -> Iterator[Meeting]:
    """A hospital with a manner, and a sender that knows where it listens."""
    opened: list[tuple[Hospital, Call]] = []

    def open_one(manner: Callable[[socket.socket, bytes], None]) -> tuple[Hospital, Call]:
        hospital = Hospital(manner)
        opened.append((hospital, Call(hospital)))
        return opened[-1]

    yield open_one
    for hospital, call in opened:
        call.sender.close()
        hospital.close()


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_an_acknowledgement_that_names_the_message_is_delivery(meet: Meeting, code: str) -> None:
    """AA or CA for our own id is delivery; the connection lasts for the next message."""
    hospital, call = meet(lambda line, _raw: line.sendall(frame(answer(code))))
    assert call.send() is None
    assert call.send() is None
    assert (hospital.heard, hospital.lines) == ([REFERRAL, REFERRAL], 1)


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_is_permanent_and_says_its_code(meet: Meeting, code: str) -> None:
    """A NACK is no silence: the operator sees which one it was, and what the hospital said."""
    _, call = meet(lambda line, _raw: line.sendall(frame(answer(code))))
    with pytest.raises(Permanent) as failure:
        call.send()
    assert (failure.value.kind, failure.value.answer) == (f"nack-{code}", answer(code))


def test_an_acknowledgement_of_another_message_is_no_acknowledgement(meet: Meeting) -> None:
    """A wrong MSA-2 leaves it unknown whether ours was taken."""
    _, call = meet(lambda line, _raw: line.sendall(frame(answer("AA", "OTHER"))))
    with pytest.raises(Ambiguous) as failure:
        call.send()
    assert failure.value.kind == "wrong-ack-id"


@pytest.mark.parametrize(
    ("manner", "kind"),
    [
        (lambda line, _raw: line.close(), "closed"),
        (lambda line, _raw: line.shutdown(socket.SHUT_RDWR), "closed"),
        (lambda _line, _raw: None, "no-answer"),
        (lambda line, _raw: line.sendall(b"\x0bMSH|cut"), "no-answer"),
    ],
)
def test_no_whole_answer_is_unknown(meet: Meeting, manner: Callable[[socket.socket, bytes], None], kind: str) -> None:
    """Once the bytes left, a closed line, silence or half an answer mean that the hospital possibly holds them."""
    _, call = meet(manner)
    with pytest.raises(Ambiguous) as failure:
        call.send(seconds=0.6)
    assert failure.value.kind == kind


def test_after_a_broken_line_the_next_message_gets_a_new_one(meet: Meeting) -> None:
    """A line that failed is not used again, and its late end does not fail the next message."""
    broken: list[bool] = []

    def manner(line: socket.socket, _raw: bytes) -> None:
        if not broken:
            broken.append(True)
            line.close()
        else:
            line.sendall(frame(answer("AA")))

    hospital, call = meet(manner)
    with pytest.raises(SendFailed):
        call.send()
    assert call.send() is None
    assert hospital.lines == 2


def test_an_rri_in_place_of_the_ack_is_both(meet: Meeting) -> None:
    """A hospital that answers with the application message itself has taken ours; the message goes on."""
    rri = answer("AA", kind="RRI^I12")
    _, call = meet(lambda line, _raw: line.sendall(frame(rri)))
    assert call.send() == rri
    assert call.unasked == []


def test_a_message_that_comes_later_on_the_line_is_taken_and_answered(meet: Meeting) -> None:
    """After the ACK the same connection may bring a message of the hospital's own, which gets its own ACK."""
    later = answer("AA", "EARLIER", "RRI^I12")

    def manner(line: socket.socket, raw: bytes) -> None:
        if raw == REFERRAL:
            line.sendall(frame(answer("AA")) + frame(later))

    hospital, call = meet(manner)
    assert call.send() is None
    wait_for(lambda: len(hospital.heard) == 2)
    assert call.unasked == [("bv-mau", later)]
    assert hospital.heard[1] == answer("AA", "A-1")


def test_nobody_listening_is_tried_again(meet: Meeting) -> None:
    """No byte left: the failure is transient."""
    hospital, call = meet(lambda _line, _raw: None)
    hospital.close()
    with pytest.raises(Transient) as failure:
        call.send()
    assert failure.value.kind == "refused-connection"


def test_an_abort_cuts_a_send_under_way(meet: Meeting) -> None:
    """A withdrawal does not wait for a slow hospital."""
    _, call = meet(lambda _line, _raw: None)
    abort = Abort()
    threading.Timer(0.3, abort.ask).start()
    began = time.monotonic()
    with pytest.raises(Ambiguous):
        call.send(abort)
    assert time.monotonic() - began < 2


def test_an_abort_before_the_first_byte_lets_nothing_leave(meet: Meeting) -> None:
    """A send that was stopped before it began reaches nobody."""
    hospital, call = meet(lambda line, _raw: line.sendall(frame(answer("AA"))))
    abort = Abort()
    abort.ask()
    with pytest.raises(Transient):
        call.send(abort)
    assert hospital.heard == []
