"""MLLP framing (HL7 Transport Specification, MLLP release 1): <VT> message <FS><CR>, told from garbage.

One incremental reader serves the server and the client. It never waits: it is fed what arrived and says what that was,
so that a bad frame can be answered instead of hanging its sender.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

START = b"\x0b"
END = b"\x1c"
TRAILER = b"\r"


class Kind(Enum):
    """What a stretch of bytes turned out to be."""

    MESSAGE = "message"
    GARBAGE = "garbage"
    OVERSIZED = "oversized"


@dataclass(frozen=True, slots=True)
class Frame:
    """One stretch; `raw` is empty for an oversized one."""

    kind: Kind
    raw: bytes


def frame(raw: bytes) -> bytes:
    """Wrap a message for the wire."""
    return START + raw + END + TRAILER


class FrameReader:
    """Turns a byte stream into frames; `limit` bounds what it ever holds, in bytes."""

    def __init__(self, limit: int) -> None:
        """An empty reader."""
        self._limit = limit
        self._held = bytearray()
        self._inside = False
        self._skipping = False

    @property
    def waiting(self) -> bool:
        """Whether something began that has not ended."""
        return self._inside or self._skipping or bool(self._held)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take what arrived; yield the frames that it completes."""
        self._held += data
        while True:
            step = self._inside_step() if self._inside else self._outside_step()
            if step is None:
                return
            yield from step

    def flush(self) -> Iterator[Frame]:
        """Give up on what began and did not end: it is garbage."""
        if self._held or self._inside:
            yield Frame(Kind.GARBAGE, bytes(self._held))
        self._held.clear()
        self._inside = self._skipping = False

    def _outside_step(self) -> list[Frame] | None:
        start = self._held.find(START)
        before = bytes(self._held if start < 0 else self._held[:start]).strip(b"\r\n")
        if start >= 0:
            del self._held[: start + 1]
            self._inside = True
            return [Frame(Kind.GARBAGE, before)] if before else []
        if not before:
            self._held.clear()
            return None
        if len(self._held) > self._limit:
            self._held.clear()
            return [Frame(Kind.OVERSIZED, b"")]
        end = self._held.find(END)
        if end < 0:
            return None
        del self._held[: end + 1]
        return [Frame(Kind.GARBAGE, before)]

    def _inside_step(self) -> list[Frame] | None:
        end = self._held.find(END)
        restart = self._held.find(START, 0, end if end >= 0 else len(self._held))
        if restart >= 0:
            cut = bytes(self._held[:restart])
            del self._held[: restart + 1]
            return self._ended(Kind.GARBAGE, cut)
        if end >= 0:
            raw = bytes(self._held[:end])
            del self._held[: end + 1]
            self._inside = False
            return self._ended(Kind.OVERSIZED if len(raw) > self._limit else Kind.MESSAGE, raw)
        if len(self._held) > self._limit:
            self._held.clear()
            if not self._skipping:
                self._skipping = True
                return [Frame(Kind.OVERSIZED, b"")]
        return None

    def _ended(self, kind: Kind, raw: bytes) -> list[Frame]:
        """One answer for an oversized frame, however long its tail is."""
        if self._skipping:
            self._skipping = False
            return []
        return [Frame(kind, b"" if kind is Kind.OVERSIZED else raw)]
