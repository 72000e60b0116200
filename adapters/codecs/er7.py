"""HL7 v2's vertical bars (ER7), versions 2.3 to 2.8: bytes to the tree of `er7_tree` and back, charsets.

Fast because lazy: `parse` only cuts lines; the rest is cut when it is looked into.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import Final

from adapters.codecs import charsets
from adapters.codecs.common import Parsed, guard_size
from adapters.codecs.er7_tree import HEADERS, STANDARD, Message, Part, Segment, Separators, Syntax, escape, unescape
from adapters.errors import Malformed, TooLarge
from adapters.pack import Deviation
from adapters.tree import Node, State

__all__ = [
    "CHARSETS", "STANDARD", "Message", "Part", "Segment", "Separators", "Syntax", "dump", "escape", "parse", "places",
    "separators_of", "unescape",
]  # fmt: skip

MAX_SEGMENTS: Final = 5_000
"""Most segments of a message: so many are read in well under two seconds."""

_SEGMENT_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_BATCH: Final = ("FHS", "BHS", "BTS", "FTS")

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
    "VISCII": "viscii",
    "TCVN3": "tcvn3",
}
"""HL7 table 0211 (and names seen in its place) to the names of decoders."""


def parse(raw: bytes) -> Parsed:
    """Cut a message into segments.

    Raises :class:`Malformed` when it does not begin with a usable MSH, :class:`TooLarge` past the limits.
    """
    guard_size(raw)
    deviations: list[Deviation] = []
    text, charset = _decode(raw, deviations)
    lines = _lines(text, deviations)
    marks = separators_of(lines[0])
    syntax = Syntax(marks, charset)
    message = Message(syntax)
    ordinals: dict[str, int] = {}
    append = message.segments.append
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        name = line[:3]
        if (name not in ordinals and not _SEGMENT_NAME.fullmatch(name)) or (len(line) > 3 and line[3] != marks.field):
            raise Malformed(
                f"line {number}", "segment", "a line must begin with a segment name and the field separator"
            )
        if name in _BATCH:
            continue
        ordinal = ordinals[name] = ordinals.get(name, 0) + 1
        if name == "MSH" and ordinal > 1:
            raise Malformed(f"line {number}", "batch", "a batch of several messages: send each message on its own")
        append(Segment(name, line, syntax, number, ordinal))
    if "MSH" not in ordinals or message.segments[0].name != "MSH":
        raise Malformed("line 1", "header", "a message begins with MSH")
    return Parsed(message, tuple(deviations), charset)


def separators_of(line: str) -> Separators:
    """What MSH-1 and MSH-2 say; `line` is the first one of a message or batch."""
    if line[:3] not in HEADERS or len(line) < 4:
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
    """Not UTF-8: the stated character set, unless the words are Vietnamese in exactly one other; without a usable one,
    that, else ISO 8859-1 when nothing in it speaks against that. A name is never read into garbage."""
    if declared == "utf-8" and said:
        raise Malformed("MSH[1]-18", "charset", "the bytes are not UTF-8, which is the character set stated")
    usable = declared if declared not in (None, "utf-8", "ascii", "utf-16") else None
    words = charsets.without_units(raw)
    if usable is None or not charsets.is_vietnamese(words, usable):
        found = charsets.likeliest(words, charsets.VIETNAMESE)
        if found is not None and found[0] != usable:
            why = f"the words are Vietnamese in {found[0]} only; read so, whatever is stated"
            deviations.append(Deviation("MSH[1]-18", why))
            return charsets.decode(raw, found[0]), found[0]
        if found is None and any(charsets.is_vietnamese(words, name) for name in charsets.VIETNAMESE):
            raise Malformed("MSH[1]-18", "charset", "state the character set of the message in MSH-18: several may be")
    if usable is not None:
        try:
            return charsets.decode(raw, usable), usable
        except UnicodeDecodeError:
            raise Malformed("MSH[1]-18", "charset", "the bytes are not in the character set stated") from None
    if any(0x80 <= byte <= 0x9F for byte in raw) or charsets.is_more_vietnamese(
        words, charsets.VIETNAMESE, than="latin-1"
    ):
        raise Malformed("MSH[1]-18", "charset", "state the character set of the message in MSH-18")
    deviations.append(Deviation("MSH[1]-18", "no usable character set stated; read as ISO 8859-1"))
    return raw.decode("latin-1"), "latin-1"


def _said_charset(raw: bytes) -> str:
    """MSH-18's first repetition, before anything is decoded."""
    start = raw.find(b"MSH")
    if start < 0 or len(raw) < start + 9:
        return ""
    header = re.split(rb"[\r\n]", raw[start:], maxsplit=1)[0].decode("latin-1")
    fields = header.split(header[3]) if len(header) > 3 else []
    if len(fields) < 18:
        return ""
    return fields[17].split(header[5] if len(header) > 5 else "~")[0].strip()


def dump(tree: Node, separators: Separators | None = None, charset: str = "utf-8") -> bytes:
    """Bytes of a tree of segments (perhaps in groups) that begins with MSH; segments end with CR."""
    marks = separators or (tree.syntax.separators if isinstance(tree, Message) else STANDARD)
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
    header = segment.name in HEADERS
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
        marks = segment.syntax.separators
        for number, whole in enumerate(segment.fields):
            if not whole or number == 0 or (segment.name in HEADERS and number < 3):
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
