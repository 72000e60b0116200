"""The MLLP door on real sockets: every frame is answered, nothing hangs, nothing is mixed up."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from hub.edges.mllp import Limits, MllpServer, Peer, require_safe_door
from hub.errors import Misconfigured
from hub.messaging.frames import FrameReader, Kind, frame

LIMITS = Limits(frame_bytes=2000, frame_seconds=0.5, idle_seconds=2.0, connections=5, in_flight=2)


def echo(raw: bytes, peer: Peer) -> bytes | None:
    """Acknowledge with what came; say nothing to a message that wants none; be slow when asked."""
    if raw == b"slow":
        time.sleep(0.3)
    return None if raw == b"silent" else b"ACK " + raw


class Door:
    """A running server on its own event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.server = MllpServer(echo, lambda kind: kind.value.encode(), lambda raw: b"BUSY " + raw, LIMITS)
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self.server.start("127.0.0.1", 0, None), self.loop).result(5)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.close(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    def dial(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)


@pytest.fixture
def door() -> Iterator[Door]:
    """An MLLP server with small limits."""
    opened = Door()
    yield opened
    opened.close()


def answers(dialled: socket.socket, count: int) -> list[bytes]:
    """Read `count` framed answers."""
    reader, found = FrameReader(10_000), []
    while len(found) < count:
        data = dialled.recv(4096)
        assert data, f"the door closed after {len(found)} of {count} answers"
        found += [one.raw for one in reader.feed(data)]
    return found


def test_messages_are_answered_in_order(door: Door) -> None:
    """Pipelined messages get their own answers, in order, and the silent one gets none."""
    with door.dial() as dialled:
        dialled.sendall(frame(b"one") + frame(b"silent") + frame(b"two"))
        assert answers(dialled, 2) == [b"ACK one", b"ACK two"]


def test_garbage_is_refused_and_the_line_stays_usable(door: Door) -> None:
    """Bytes outside a frame get a NACK, and the next frame on the same connection is read."""
    with door.dial() as dialled:
        dialled.sendall(b"junk" + frame(b"one"))
        assert answers(dialled, 2) == [Kind.GARBAGE.value.encode(), b"ACK one"]


@pytest.mark.parametrize("bad", [b"GET / HTTP/1.1\r\n\r\n", b"\x0bMSH|never ends"])
def test_an_unfinished_frame_never_hangs_its_sender(door: Door, bad: bytes) -> None:
    """A sender that never ends its frame is answered with a NACK after the time limit, and let go."""
    with door.dial() as dialled:
        dialled.sendall(bad)
        assert answers(dialled, 1) == [b"garbage"]
        assert dialled.recv(100) == b""


def test_an_oversized_frame_is_refused(door: Door) -> None:
    """A frame over the limit is refused once and the line stays usable."""
    with door.dial() as dialled:
        dialled.sendall(frame(b"x" * 5000) + frame(b"one"))
        assert answers(dialled, 2) == [b"oversized", b"ACK one"]


def test_a_full_door_says_so(door: Door) -> None:
    """When as many messages as allowed are under way, the next one is answered busy at once."""
    lines = [door.dial() for _ in range(3)]
    for line in lines[:2]:
        line.sendall(frame(b"slow"))
    time.sleep(0.1)
    lines[2].sendall(frame(b"one"))
    assert answers(lines[2], 1) == [b"BUSY one"]
    assert [answers(line, 1) for line in lines[:2]] == [[b"ACK slow"], [b"ACK slow"]]
    for line in lines:
        line.close()


def test_plain_text_off_loopback_is_refused() -> None:
    """Without TLS and without an agency registered for plain text, only loopback may listen."""
    require_safe_door("127.0.0.1", None, [])
    require_safe_door("0.0.0.0", None, ["district-clinic"])
    with pytest.raises(Misconfigured, match="HUB_MLLP_TLS_CERT"):
        require_safe_door("0.0.0.0", None, [])
