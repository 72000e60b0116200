"""HL7 v2 batches (chapter 2.10.3): FHS, BHS, messages, BTS, FTS; and the batch of acknowledgements that answers one."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapters.codecs.common import guard_size
from adapters.codecs.er7_tree import STANDARD
from adapters.errors import Malformed, TooLarge

MAX_MESSAGES: Final = 1_000
"""Most messages of a batch: each is taken in by a commit of its own before the batch is answered."""
_ENVELOPE: Final = (b"FHS", b"BHS", b"BTS", b"FTS")


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of a file; `header` is its BHS, b"" when the messages stand without one."""

    header: bytes
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A batch file; `header` is its FHS, b"" when there is none."""

    header: bytes
    batches: tuple[Batch, ...]

    @property
    def messages(self) -> tuple[bytes, ...]:
        """Every message, in order."""
        return tuple(raw for batch in self.batches for raw in batch.messages)


def is_batch(raw: bytes) -> bool:
    """Whether bytes begin as a batch file or a batch does."""
    return raw.removeprefix(codecs.BOM_UTF8).lstrip()[:3] in (b"FHS", b"BHS")


def split_batch(raw: bytes) -> BatchFile:
    """The batches of a file and their messages; a lone message is a batch of one.

    Raises :class:`Malformed` when BTS-1 counts other messages than there are or FTS-1 other batches: some are missing.
    """
    guard_size(raw)
    body = raw.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    file, batches, messages = b"", list[tuple[bytes, list[list[bytes]]]](), list[list[bytes]]()
    for line in filter(bytes.strip, body.lstrip().split(b"\r")):
        name = line[:3]
        if name == b"FHS":
            file = line
        elif name == b"BHS" or (name == b"MSH" and not batches):
            messages = []
            batches.append((line if name == b"BHS" else b"", messages))
        if name == b"MSH":
            messages.append([line])
        elif name == b"BTS":
            _require_count(line, "BTS", len(messages))
        elif name == b"FTS":
            _require_count(line, "FTS", len(batches))
        elif name not in _ENVELOPE:
            if not messages:
                raise Malformed("line 1", "header", "a message begins with MSH")
            messages[-1].append(line)
    found = tuple(Batch(head, tuple(b"\r".join(each) + b"\r" for each in said)) for head, said in batches)
    if sum(len(batch.messages) for batch in found) > MAX_MESSAGES:
        raise TooLarge("", "count", f"more than {MAX_MESSAGES} messages in a batch")
    return BatchFile(file, found)


def _require_count(line: bytes, name: str, count: int) -> None:
    said = line.split(line[3:4] or b"|")[1:2]
    if said and said[0].strip().isdigit() and int(said[0]) != count:
        what = "messages" if name == "BTS" else "batches"
        raise Malformed(f"{name}[1]-1", "count", f"there are other {what} than it counts: some are missing")


def answer_batch(file: BatchFile, answers: Sequence[Sequence[bytes]], at: datetime) -> bytes:
    """The batch of acknowledgements for `file`: for each batch its own, perhaps none of a message that wants none.

    BHS-12 and FHS-12 name the control ids of what is answered (chapter 2.10.3.3); `at` is aware.
    """
    lines = [_header(b"FHS", file.header, at)] if file.header else []
    for batch, said in zip(file.batches, answers, strict=True):
        lines += [_header(b"BHS", batch.header, at), *said, b"BTS|%d\r" % len(said)]
    if file.header:
        lines.append(b"FTS|%d\r" % len(file.batches))
    return b"".join(lines)


def control_of(raw: bytes) -> str:
    """The control id of a batch that may not be whole: that of its first header; "" when it says none."""
    first = raw.removeprefix(codecs.BOM_UTF8).lstrip().replace(b"\n", b"\r").split(b"\r", 1)[0]
    return dict(enumerate(_fields(first), 2)).get(11, "")


def _header(name: bytes, of: bytes, at: datetime) -> bytes:
    """FHS or BHS of an answer: whom it comes from and goes to, changed about, and the control id that it answers."""
    fields = dict(enumerate(_fields(of), 2))
    sender, facility, recipient, place = (fields.get(number, "") for number in (3, 4, 5, 6))
    control = fields.get(11, "")
    own = "B" + hashlib.sha256(of).hexdigest()[:19]
    said = [recipient, place, sender, facility, at.strftime("%Y%m%d%H%M%S%z"), "", "", "", own, control]
    return ("|".join([name.decode(), STANDARD.encoding, *said]) + "\r").encode()


def _fields(line: bytes) -> Iterator[str]:
    """From the second field on, as they stand; none of a header whose separators or letters are not the usual ones."""
    text = line.decode("utf-8", "replace")
    if text[3:8] == "|" + STANDARD.encoding and "\ufffd" not in text:
        yield from text.split("|")[1:]
