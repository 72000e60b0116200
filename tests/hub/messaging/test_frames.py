"""MLLP framing: every stretch of bytes is told to be a message, garbage or too large, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.messaging.frames import Frame, FrameReader, Kind, frame

MESSAGE = "MSH|^~\\&|HIS|Bệnh viện Mẫu\rPID|1".encode()


def read(data: bytes, limit: int = 1000, step: int = 0) -> list[Frame]:
    """Feed `data` in pieces of `step` bytes (0 = at once), then give up on the rest."""
    reader = FrameReader(limit)
    pieces = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    frames = [found for piece in pieces for found in reader.feed(piece)]
    return frames + list(reader.flush())


@pytest.mark.parametrize("step", [0, 1, 2, 7])
def test_messages_arrive_however_they_are_cut(step: int) -> None:
    """Two messages in a row are two frames, whatever the packets were."""
    assert read(frame(MESSAGE) + frame(b"MSH|2"), step=step) == [
        Frame(Kind.MESSAGE, MESSAGE),
        Frame(Kind.MESSAGE, b"MSH|2"),
    ]


def test_a_trailing_carriage_return_is_optional() -> None:
    """A sender that forgets the final CR is still understood."""
    assert read(b"\x0bMSH|1\x1c\x0bMSH|2\x1c\r\n") == [
        Frame(Kind.MESSAGE, b"MSH|1"),
        Frame(Kind.MESSAGE, b"MSH|2"),
    ]


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", [Kind.GARBAGE]),
        (b"MSH|no frame\x1c\r" + frame(b"MSH|1"), [Kind.GARBAGE, Kind.MESSAGE]),
        (b"junk" + frame(b"MSH|1"), [Kind.GARBAGE, Kind.MESSAGE]),
        (b"\x0bMSH|cut" + frame(b"MSH|1"), [Kind.GARBAGE, Kind.MESSAGE]),
        (b"\x0bMSH|never ends", [Kind.GARBAGE]),
        (b"\x0b", [Kind.GARBAGE]),
        (b"\r\n\r\n", []),
    ],
)
@pytest.mark.parametrize("step", [0, 1])
def test_garbage_is_told_from_messages(data: bytes, kinds: list[Kind], step: int) -> None:
    """What is not a frame is reported as garbage, and the next frame is still read."""
    assert [found.kind for found in read(data, step=step)] == kinds


@pytest.mark.parametrize("step", [0, 1, 50])
def test_an_oversized_frame_is_reported_once(step: int) -> None:
    """However long the tail of an oversized frame, its sender gets one answer, and the next frame is read."""
    found = read(b"\x0b" + b"x" * 500 + b"\x1c\r" + frame(b"MSH|1"), limit=100, step=step)
    assert [one.kind for one in found] == [Kind.OVERSIZED, Kind.MESSAGE]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_are_read_without_holding_more_than_the_limit(data: bytes, step: int) -> None:
    """No byte sequence makes the reader fail or keep more than its limit and one packet."""
    reader = FrameReader(64)
    for at in range(0, len(data), step):
        list(reader.feed(data[at : at + step]))
        assert len(reader._held) <= 64 + step
    list(reader.flush())
    assert not reader.waiting
