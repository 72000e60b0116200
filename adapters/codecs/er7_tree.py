"""The tree of an ER7 message, cut only where it is looked into: fields when a segment is, components when a field is,
escapes when a value is asked for. MSH-1 and MSH-2 belong to the codec and are no nodes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from adapters.codecs import charsets
from adapters.codecs.common import MAX_NODES, clean
from adapters.errors import TooLarge
from adapters.tree import State

MAX_FIELDS: Final = 2_000
"""Most fields of a segment, and most parts of a field."""
HEADERS: Final = ("MSH", "FHS", "BHS")
"""Segments that begin with their separators."""
_UNTIDY: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


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


@dataclass(frozen=True, slots=True)
class Syntax:
    """How the values of one message are written."""

    separators: Separators
    charset: str

    def plain(self, text: str, node: Part) -> str:
        """Unescaped, NFC."""
        if self.separators.escape in text:
            text = unescape(text, self.separators, self.charset)
        return text if text.isascii() and text.isprintable() else clean(text, node.place)


class Part:
    """A repetition of a field (level 0), a component (1) or a subcomponent (2)."""

    __slots__ = ("above", "full", "level", "number", "parts", "repeat", "syntax", "text")

    def __init__(self, number: int, text: str, level: int, above: Segment | Part, repeat: int = 0) -> None:
        self.number = number
        self.text = text
        self.level = level
        self.above = above
        self.repeat = repeat
        """Which repetition of its field, from 0; level 0 only."""
        self.syntax: Syntax = above.syntax
        marks = self.syntax.separators
        if level == 0:
            self.parts = text.split(marks.component)
        elif level == 1:
            self.parts = text.split(marks.subcomponent)
        else:
            self.parts = [text]
        """Its raw components or subcomponents; itself when it is undivided."""
        self.full: bytes | None = None
        if len(self.parts) > MAX_FIELDS:
            raise TooLarge(self.place, "count", f"more than {MAX_FIELDS} parts")

    @property
    def name(self) -> str:
        """Its number."""
        return str(self.number)

    @property
    def place(self) -> str:
        """``PID[1]-5[2].1.2``; the first repetition and whole fields are not numbered."""
        if self.level:
            return f"{self.above.place}.{self.number}"
        return f"{self.above.place}-{self.number}" + (f"[{self.repeat + 1}]" if self.repeat else "")

    @property
    def state(self) -> State:
        """NULL for ``""``, EMPTY for nothing."""
        if not self.text:
            return State.EMPTY
        return State.NULL if self.text == '""' else State.VALUE

    @property
    def filled(self) -> bytes:
        """A byte a part: 1 where something stands."""
        filled = self.full
        if filled is None:
            filled = self.full = bytes([text != "" for text in self.parts])
        return filled

    @property
    def divided(self) -> bool:
        """Whether it has parts of its own."""
        return len(self.parts) > 1 or (self.level == 0 and self.syntax.separators.subcomponent in self.text)

    @property
    def value(self) -> str | None:
        """Unescaped and NFC; None when it has parts, is empty or null."""
        text = self.text
        return None if not text or text == '""' or self.divided else self.syntax.plain(text, self)

    @property
    def first(self) -> str | None:
        """The value, or that of the first part: what HL7 lets a reader of an older version take."""
        marks = self.syntax.separators
        text = self.text.split(marks.component, 1)[0].split(marks.subcomponent, 1)[0]
        return self.syntax.plain(text, self) if text and text != '""' else None

    def part(self, number: int) -> Part | None:
        """That component or subcomponent; the first one of an undivided value is the value itself."""
        parts = self.parts
        if len(parts) == 1 and not self.divided:
            return self if number == 1 else None
        if number > len(parts) or number < 1:
            return None
        return Part(number, parts[number - 1], self.level + 1, self)

    def children(self) -> Iterator[Part]:
        """Its components or subcomponents, empty ones too."""
        if self.level < 2 and self.divided:
            for number, text in enumerate(self.parts, 1):
                yield Part(number, text, self.level + 1, self)

    def all(self, name: str) -> Iterator[Part]:
        """As :meth:`part`, by name."""
        found = self.part(int(name)) if name.isdigit() else None
        if found is not None:
            yield found


class Segment:
    """One line."""

    __slots__ = ("cut", "full", "line", "name", "number", "ordinal", "syntax")

    def __init__(self, name: str, line: str, syntax: Syntax, number: int, ordinal: int) -> None:
        self.name = name
        self.line = line
        self.syntax = syntax
        self.number = number
        """Which line of the message, from 1."""
        self.ordinal = ordinal
        """Which segment of its name, from 1."""
        self.cut: list[str] | None = None
        """The fields, once they are cut."""
        self.full: bytes | None = None
        """Which fields are filled, once it was asked."""

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
        parts = self.cut
        if parts is None:
            mark = self.syntax.separators.field
            parts = self.line.split(mark, MAX_FIELDS + 1)
            if len(parts) > MAX_FIELDS:
                raise TooLarge(self.place, "count", f"more than {MAX_FIELDS} fields")
            if self.name in HEADERS:
                parts.insert(1, mark)
            self.cut = parts
        return parts

    @property
    def filled(self) -> bytes:
        """A byte a field: 1 where something stands. What rows need to be asked depends on nothing else."""
        filled = self.full
        if filled is None:
            filled = self.full = bytes([text != "" for text in self.fields])
        return filled

    def cells(self, number: int) -> list[Part]:
        """The populated repetitions of a field."""
        texts = () if self._own(number) else self.repeats(number)
        return [Part(number, text, 0, self, repeat) for repeat, text in enumerate(texts) if text]

    def repeats(self, number: int) -> list[str]:
        """The raw repetitions of a field."""
        fields = self.fields
        if number >= len(fields):
            return []
        text = fields[number]
        mark = self.syntax.separators.repetition
        if mark not in text:
            return [text]
        texts = text.split(mark)
        if len(texts) > MAX_NODES // 10:
            raise TooLarge(f"{self.place}-{number}", "count", "too many repetitions")
        return texts

    def _own(self, number: int) -> bool:
        return self.name in HEADERS and number < 3

    def children(self) -> Iterator[Part]:
        """Every repetition of every field, in order."""
        for number in range(1, len(self.fields)):
            if not self._own(number):
                yield from self.all(str(number))

    def all(self, name: str) -> Iterator[Part]:
        """The repetitions of a field; ``5[2]`` is the second only."""
        if name.isdigit() and not self._own(int(name)):
            for repeat, text in enumerate(self.repeats(int(name))):
                yield Part(int(name), text, 0, self, repeat)
        elif name.endswith("]"):
            number, _, only = name.removesuffix("]").partition("[")
            for repeat, text in list(enumerate(self.repeats(int(number)), 1))[int(only) - 1 : int(only)]:
                yield Part(int(number), text, 0, self, repeat - 1)


class Message:
    """A whole message: its segments, flat; a structure grammar may fold them into groups."""

    __slots__ = ("segments", "syntax")

    def __init__(self, syntax: Syntax) -> None:
        self.syntax = syntax
        self.segments: list[Segment] = []

    name = ""
    place = ""
    state: ClassVar[State] = State.VALUE
    value = None

    def children(self) -> list[Segment]:
        """The segments, in order."""
        return self.segments

    def all(self, name: str) -> Iterator[Segment]:
        """The segments of that name."""
        return iter([segment for segment in self.segments if segment.name == name])

    @property
    def tidy(self) -> bool:
        """Whether raw text without an escape is a value as it stands: usual separators, NFC, nothing refused."""
        if self.syntax.separators != STANDARD:
            return False
        text = "".join([segment.line for segment in self.segments])
        return (text.isprintable() or _UNTIDY.search(text) is None) and unicodedata.is_normalized("NFC", text)


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
