"""HL7 v2's vertical bars (ER7), versions 2.3 to 2.8.

Fast because lazy: `parse` only cuts lines; fields are cut when a segment is first looked into, components and escapes
when a value is asked for. MSH-1 and MSH-2 belong to the codec and are no nodes.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.codecs import charsets
from adapters.codecs.common import MAX_NODES, Parsed, clean, guard_size
from adapters.errors import Malformed, TooLarge
from adapters.pack import Deviation
from adapters.tree import Node, State

MAX_SEGMENTS: Final = 20_000
MAX_FIELDS: Final = 2_000
"""Most fields of a segment, and most parts of a field."""

_SEGMENT_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_BATCH: Final = ("FHS", "BHS", "BTS", "FTS")
_HEADERS: Final = ("MSH", "FHS", "BHS")

CHARSETS: Final = {
    "": "utf-8",
    "ASCII": "ascii",
    "8859/1": "latin-1",
    "8859/2": "iso8859-2",
    "8859/15": "iso8859-15",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "CP1258": "cp1258",
    "WINDOWS-1258": "cp1258",
}
"""HL7 table 0211 (and names seen in its place) to the names of decoders."""


@dataclass(frozen=True, slots=True)
class Separators:
    """The characters that MSH-1 and MSH-2 define."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @property
    def encoding(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


STANDARD: Final = Separators()


_UNREAD: Final = "\x00"
"""Stands for a value that nobody has asked for; no value holds it."""


class Part:
    """A repetition of a field (level 0), a component (1) or a subcomponent (2)."""

    __slots__ = ("_below", "_parts", "_value", "above", "level", "message", "name", "repeat", "text")

    def __init__(self, name: str, text: str, level: int, above: Segment | Part, repeat: int = 0) -> None:
        self.name = name
        self.text = text
        self.level = level
        self.above = above
        self.repeat = repeat
        """Which repetition of its field, from 0; level 0 only."""
        self.message: Message = above.message
        self._parts: list[str] | None = None
        self._below: dict[int, Part] | None = None
        self._value: str | None = _UNREAD

    @property
    def place(self) -> str:
        """``PID[1]-5[2].1.2``; the first repetition and whole fields are not numbered."""
        if self.level:
            return f"{self.above.place}.{self.name}"
        return f"{self.above.place}-{self.name}" + (f"[{self.repeat + 1}]" if self.repeat else "")

    @property
    def state(self) -> State:
        """NULL for ``""``, EMPTY for nothing."""
        if not self.text:
            return State.EMPTY
        return State.NULL if self.text == '""' else State.VALUE

    @property
    def parts(self) -> list[str]:
        """Its raw components or subcomponents; itself when it is undivided."""
        parts = self._parts
        if parts is None:
            parts = self._parts = self._split()
        return parts

    def _split(self) -> list[str]:
        text, marks = self.text, self.message.separators
        if self.level == 0 and (marks.component in text or marks.subcomponent in text):
            parts = text.split(marks.component)
        elif self.level == 1 and marks.subcomponent in text:
            parts = text.split(marks.subcomponent)
        else:
            return [text]
        if len(parts) > MAX_FIELDS:
            raise TooLarge(self.place, "count", f"more than {MAX_FIELDS} parts")
        return parts

    @property
    def divided(self) -> bool:
        """Whether it has parts of its own."""
        parts = self.parts
        return len(parts) > 1 or (self.level == 0 and self.message.separators.subcomponent in self.text)

    @property
    def value(self) -> str | None:
        """Unescaped and NFC; None when it has parts, is empty or null."""
        value = self._value
        if value is _UNREAD:
            text = self.text
            value = None if not text or text == '""' or self.divided else self.message.plain(text, self)
            self._value = value
        return value

    @property
    def first(self) -> str | None:
        """The value, or that of the first part: what HL7 lets a reader of an older version take."""
        text = self.text
        marks = self.message.separators
        if self.level == 0:
            text = text.split(marks.component, 1)[0]
        if self.level < 2:
            text = text.split(marks.subcomponent, 1)[0]
        return self.message.plain(text, self) if text and text != '""' else None

    def part(self, number: int) -> Part | None:
        """That component or subcomponent; the first one of an undivided value is the value itself."""
        parts = self._parts
        if parts is None:
            parts = self.parts
        if len(parts) == 1 and not self.divided:
            return self if number == 1 else None
        if number > len(parts) or number < 1:
            return None
        if self._below is None:
            self._below = {}
        found = self._below.get(number)
        if found is None:
            found = self._below[number] = Part(str(number), parts[number - 1], self.level + 1, self)
        return found

    def children(self) -> Iterator[Part]:
        """Its components or subcomponents, empty ones too."""
        if self.level < 2 and self.divided:
            for number in range(1, len(self.parts) + 1):
                found = self.part(number)
                assert found is not None
                yield found

    def all(self, name: str) -> Iterator[Part]:
        """As :meth:`part`, by name."""
        found = self.part(int(name)) if name.isdigit() else None
        if found is not None:
            yield found


class Segment:
    """One line."""

    __slots__ = ("_cells", "_parts", "line", "message", "name", "number", "ordinal")

    def __init__(self, name: str, line: str, message: Message, number: int, ordinal: int) -> None:
        self.name = name
        self.line = line
        self.message = message
        self.number = number
        """Which line of the message, from 1."""
        self.ordinal = ordinal
        """Which segment of its name, from 1."""
        self._parts: list[str] | None = None
        self._cells: dict[int, list[Part]] | None = None

    @property
    def place(self) -> str:
        """``PID[1]``."""
        return f"{self.name}[{self.ordinal}]"

    @property
    def state(self) -> State:
        """VALUE when it has any field."""
        return State.VALUE if len(self.line) > 4 else State.EMPTY

    @property
    def value(self) -> None:
        """A segment holds fields, never a value."""
        return None

    @property
    def fields(self) -> list[str]:
        """The raw fields, the field numbers as indices."""
        parts = self._parts
        if parts is None:
            mark = self.message.separators.field
            parts = self.line.split(mark, MAX_FIELDS + 1)
            if len(parts) > MAX_FIELDS:
                raise TooLarge(self.place, "count", f"more than {MAX_FIELDS} fields")
            if self.name in _HEADERS:
                parts.insert(1, mark)
            self._parts = parts
        return parts

    def cells(self, number: int) -> list[Part]:
        """The populated repetitions of a field."""
        if self._cells is None:
            self._cells = {}
        found = self._cells.get(number)
        if found is None:
            name = str(number)
            texts = () if self._own(number) else self.repeats(number)
            found = [Part(name, text, 0, self, repeat) for repeat, text in enumerate(texts) if text]
            self._cells[number] = found
        return found

    def repeats(self, number: int) -> list[str]:
        """The raw repetitions of a field."""
        fields = self.fields
        if number >= len(fields):
            return []
        text = fields[number]
        mark = self.message.separators.repetition
        if mark not in text:
            return [text]
        texts = text.split(mark)
        if len(texts) > MAX_NODES // 10:
            raise TooLarge(f"{self.place}-{number}", "count", "too many repetitions")
        return texts

    def _own(self, number: int) -> bool:
        return self.name in _HEADERS and number < 3

    def children(self) -> Iterator[Part]:
        """Every repetition of every field, in order."""
        for number in range(1, len(self.fields)):
            if not self._own(number):
                yield from self.all(str(number))

    def all(self, name: str) -> Iterator[Part]:
        """The repetitions of a field; ``5[2]`` is the second only."""
        if name.isdigit() and not self._own(int(name)):
            for repeat, text in enumerate(self.repeats(int(name))):
                yield Part(name, text, 0, self, repeat)
        elif name.endswith("]"):
            number, _, only = name.removesuffix("]").partition("[")
            for repeat, text in list(enumerate(self.repeats(int(number)), 1))[int(only) - 1 : int(only)]:
                yield Part(number, text, 0, self, repeat - 1)


class Message:
    """A whole message: its segments, flat; a structure grammar may fold them into groups."""

    __slots__ = ("charset", "segments", "separators")

    def __init__(self, separators: Separators, charset: str) -> None:
        self.separators = separators
        self.charset = charset
        self.segments: list[Segment] = []

    name = ""
    place = ""
    state = State.VALUE
    value = None

    def children(self) -> list[Segment]:
        """The segments, in order."""
        return self.segments

    def all(self, name: str) -> Iterator[Segment]:
        """The segments of that name."""
        return (segment for segment in self.segments if segment.name == name)

    def plain(self, text: str, node: Part) -> str:
        """Unescaped, NFC."""
        if self.separators.escape in text:
            text = unescape(text, self.separators, self.charset)
        return text if text.isascii() and text.isprintable() else clean(text, node.place)


def unescape(text: str, marks: Separators = STANDARD, charset: str = "utf-8") -> str:
    r"""Escape sequences resolved; one that is not known stays as written (``\H\``)."""
    known = {
        "F": marks.field,
        "S": marks.component,
        "T": marks.subcomponent,
        "R": marks.repetition,
        "E": marks.escape,
        ".br": "\n",
        "P": marks.truncation or "#",
    }
    pieces = text.split(marks.escape)
    out = [pieces[0]]
    index = 1
    while index < len(pieces):
        code = pieces[index]
        last = index == len(pieces) - 1
        found = None if last else known.get(code)
        if found is None and not last and code[:1] == "X" and len(code) % 2 == 1 and len(code) > 1:
            try:
                found = charsets.decode(bytes.fromhex(code[1:]), charset)
            except (ValueError, UnicodeDecodeError):
                found = None
        if found is None:
            out.append(marks.escape + code)
            index += 1
        else:
            out.append(found + pieces[index + 1])
            index += 2
    return "".join(out)


def escape(text: str, marks: Separators = STANDARD) -> str:
    r"""The text as it may stand in a field: separators escaped, line ends as ``\.br\``."""
    mark = marks.escape
    if mark in text:
        text = text.replace(mark, f"{mark}E{mark}")
    for char, code in (
        (marks.field, "F"),
        (marks.component, "S"),
        (marks.subcomponent, "T"),
        (marks.repetition, "R"),
        (marks.truncation, "P"),
        ("\r\n", ".br"),
        ("\n", ".br"),
        ("\r", "X0D"),
    ):
        if char and char in text:
            text = text.replace(char, f"{mark}{code}{mark}")
    return text


def parse(raw: bytes) -> Parsed:
    """Cut a message into segments.

    Raises :class:`Malformed` when it does not begin with a usable MSH, :class:`TooLarge` past the limits.
    """
    guard_size(raw)
    deviations: list[Deviation] = []
    text, charset = _decode(raw, deviations)
    lines = _lines(text, deviations)
    marks = separators_of(lines[0])
    message = Message(marks, charset)
    ordinals: dict[str, int] = {}
    append = message.segments.append
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        name = line[:3]
        if not _SEGMENT_NAME.fullmatch(name) or (len(line) > 3 and line[3] != marks.field):
            raise Malformed(
                f"line {number}", "segment", "a line must begin with a segment name and the field separator"
            )
        if name in _BATCH:
            continue
        ordinal = ordinals[name] = ordinals.get(name, 0) + 1
        if name == "MSH" and ordinal > 1:
            raise Malformed(f"line {number}", "batch", "a batch of several messages: send each message on its own")
        append(Segment(name, line, message, number, ordinal))
    if "MSH" not in ordinals or message.segments[0].name != "MSH":
        raise Malformed("line 1", "header", "a message begins with MSH")
    return Parsed(message, tuple(deviations), charset)


def split_batch(raw: bytes) -> tuple[bytes, ...]:
    """The messages of a batch file (FHS, BHS, MSH..., BTS, FTS); a lone message is a batch of one."""
    guard_size(raw)
    body = raw.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    messages: list[list[bytes]] = []
    for line in body.split(b"\r"):
        if line[:3] == b"MSH":
            messages.append([line])
        elif line.strip() and line[:3].decode("latin-1") not in _BATCH:
            if not messages:
                raise Malformed("line 1", "header", "a message begins with MSH")
            messages[-1].append(line)
    return tuple(b"\r".join(lines) + b"\r" for lines in messages)


def separators_of(line: str) -> Separators:
    """What MSH-1 and MSH-2 say; `line` is the first one of a message or batch."""
    if line[:3] not in _HEADERS or len(line) < 4:
        raise Malformed("line 1", "header", "a message begins with MSH and its separators")
    field = line[3]
    encoding = line[4:].split(field, 1)[0]
    marks = field + encoding
    if not 4 <= len(encoding) <= 5 or len(set(marks)) != len(marks) or any(m.isalnum() or m.isspace() for m in marks):
        raise Malformed("MSH[1]-2", "separators", "MSH-1 and MSH-2 must give five different separators, as |^~\\&")
    return Separators(field, *encoding)


def _lines(text: str, deviations: list[Deviation]) -> list[str]:
    if "\n" in text:
        deviations.append(Deviation("", "line ends other than CR"))
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    trimmed = text.lstrip("\r\x0b \t")
    if trimmed != text:
        deviations.append(Deviation("", "text before MSH"))
    lines = trimmed.rstrip("\r\x1c").split("\r")
    if len(lines) > MAX_SEGMENTS:
        raise TooLarge("", "count", f"more than {MAX_SEGMENTS} segments")
    return lines


def _decode(raw: bytes, deviations: list[Deviation]) -> tuple[str, str]:
    """The text and the decoder used; what MSH-18 says wrongly is a deviation."""
    if raw.startswith(codecs.BOM_UTF8):
        deviations.append(Deviation("", "a byte order mark"))
        raw = raw[3:]
    elif raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        deviations.append(Deviation("", "a byte order mark"))
        try:
            return raw.decode("utf-16"), "utf-16"
        except UnicodeDecodeError:
            raise Malformed("", "charset", "the bytes are not UTF-16, which their byte order mark says") from None
    said = _said_charset(raw)
    declared = CHARSETS.get(said.upper())
    if raw.isascii():
        return raw.decode("ascii"), declared if declared and declared not in ("ascii", "utf-16") else "utf-8"
    if declared is None:
        deviations.append(Deviation("MSH[1]-18", "a character set that is not known"))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_legacy(raw, said, declared, deviations)
    if not said:
        deviations.append(Deviation("MSH[1]-18", "no character set stated; read as UTF-8"))
    elif declared is not None and declared != "utf-8":
        deviations.append(Deviation("MSH[1]-18", "the character set is UTF-8, not the one stated"))
    return text, "utf-8"


def _decode_legacy(raw: bytes, said: str, declared: str | None, deviations: list[Deviation]) -> tuple[str, str]:
    """Not UTF-8: the stated character set, else ISO 8859-1 when nothing in it speaks against that."""
    if declared not in (None, "utf-8", "ascii", "utf-16"):
        assert declared is not None
        try:
            return charsets.decode(raw, declared), declared
        except UnicodeDecodeError:
            raise Malformed("MSH[1]-18", "charset", "the bytes are not in the character set stated") from None
    if declared == "utf-8" and said:
        raise Malformed("MSH[1]-18", "charset", "the bytes are not UTF-8, which is the character set stated")
    if any(0x80 <= byte <= 0x9F for byte in raw):
        raise Malformed("MSH[1]-18", "charset", "state the character set of the message in MSH-18")
    deviations.append(Deviation("MSH[1]-18", "no usable character set stated; read as ISO 8859-1"))
    return raw.decode("latin-1"), "latin-1"


def _said_charset(raw: bytes) -> str:
    """MSH-18's first repetition, before anything is decoded."""
    start = raw.find(b"MSH")
    if start < 0 or len(raw) < start + 9:
        return ""
    header = re.split(rb"[\r\n]", raw[start:], maxsplit=1)[0].decode("latin-1")
    fields = header.split(header[3])
    if len(fields) < 18:
        return ""
    return fields[17].split(header[5] if len(header) > 5 else "~")[0].strip()


def dump(tree: Node, separators: Separators | None = None, charset: str = "utf-8") -> bytes:
    """Bytes of a tree of segments (perhaps in groups) that begins with MSH; segments end with CR."""
    marks = separators or (tree.separators if isinstance(tree, Message) else STANDARD)
    lines: list[str] = []
    _dump_segments(tree, marks, lines)
    return "".join(f"{line}\r" for line in lines).encode(charset)


def _dump_segments(node: Node, marks: Separators, lines: list[str]) -> None:
    for child in node.children():
        first = next(iter(child.children()), None)
        if first is None or first.name.isdigit():
            lines.append(_dump_segment(child, marks))
        else:
            _dump_segments(child, marks, lines)


def _dump_segment(segment: Node, marks: Separators) -> str:
    header = segment.name in _HEADERS
    fields: dict[int, list[str]] = {}
    for child in segment.children():
        fields.setdefault(int(child.name), []).append(_dump_part(child, marks, 0))
    if header:
        fields[2] = [marks.encoding]
    first = 2 if header else 1
    texts = [marks.repetition.join(fields.get(n, [""])) for n in range(first, max(fields, default=0) + 1)]
    return marks.field.join([segment.name, *texts])


def _dump_part(node: Node, marks: Separators, level: int) -> str:
    if node.state is State.NULL:
        return '""'
    parts: dict[int, str] = {}
    if level < 2:
        for child in node.children():
            parts[int(child.name)] = _dump_part(child, marks, level + 1)
    if not parts:
        return "" if node.value is None else escape(str(node.value), marks)
    mark = marks.component if level == 0 else marks.subcomponent
    return mark.join(parts.get(number, "") for number in range(1, max(parts) + 1))


def places(segments: Sequence[Segment]) -> Iterator[tuple[str, str]]:
    """Every populated leaf as (place, raw text), in order: what a residual is found from."""
    for segment in segments:
        marks = segment.message.separators
        for number, whole in enumerate(segment.fields):
            if not whole or number == 0 or (segment.name in _HEADERS and number < 3):
                continue
            field = f"{segment.place}-{number}"
            for repeat, text in enumerate(whole.split(marks.repetition)):
                place = f"{field}[{repeat + 1}]" if repeat else field
                yield from _part_places(place, text, marks)


def _part_places(place: str, text: str, marks: Separators) -> Iterator[tuple[str, str]]:
    if marks.component not in text and marks.subcomponent not in text:
        if text:
            yield place, text
        return
    for number, component in enumerate(text.split(marks.component), 1):
        if not component:
            continue
        if marks.subcomponent not in component:
            yield f"{place}.{number}", component
            continue
        for position, part in enumerate(component.split(marks.subcomponent), 1):
            if part:
                yield f"{place}.{number}.{position}", part
