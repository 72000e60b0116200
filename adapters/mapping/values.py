"""The general transforms of a row: one source value to one canonical value, and back.

Each reports what would not come back as it stood; none guesses, and none repeats a value in what it reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Protocol

from adapters.errors import BrokenPack, Unmappable
from adapters.mapping import dates
from adapters.mapping.codes import CodeMap
from adapters.mapping.jsonata import Expression
from adapters.mapping.paths import Path, Slot
from adapters.mapping.places import place_of
from adapters.mapping.rows import Row
from adapters.mapping.walk import Walk
from adapters.pack import Deviation, Loss, LossKind
from consent.vocabulary import HUB_BASE, ORIGINAL_CODE_URL

DATES: Final = ("date", "dateTime", "instant", "time")
INTEGERS: Final = ("integer", "positiveInt", "unsignedInt")
_TOKENS: Final = ("code", "uri", "url", "canonical", "oid", "uuid", "id")
_TOKEN: Final = {
    "code": re.compile(r"\S+( \S+)*"),
    "id": re.compile(r"[A-Za-z0-9\-.]{1,64}"),
    "oid": re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+"),
    "uuid": re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}
_LEXICAL: Final = (*_TOKENS, "base64Binary")
"""Types that R4 gives a lexical form."""
_TYPED: Final = ("boolean", "decimal", *DATES, *INTEGERS)
_URNS: Final = {"urn:oid:": "oid", "urn:uuid:": "uuid"}
_ANY_TOKEN: Final = re.compile(r"\S+")
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_DECIMAL: Final = re.compile(r"[+-]?(\d{1,30}([.,]\d{0,30})?|[.,]\d{1,30})")
_USUAL_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,6})?")
"""What :class:`decimal.Decimal` says back as it stood."""
_WHOLE: Final = re.compile(r"-?(0|[1-9]\d{0,17})")
_FHIR_DECIMAL: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


class Zoned(Protocol):
    """A message being read or written."""

    @property
    def zone(self) -> str:
        """Zone of times that a format says without one."""


class Noting(Zoned, Protocol):
    """What a transform may tell the walk that it is part of."""

    def note(self, place: str, kind: LossKind, why: str) -> None:
        """Report a loss."""


class Saying(Zoned, Protocol):
    """What a transform may tell the ledger of the bundle that is written."""

    def note_at(self, slot: Slot, kind: LossKind, why: str) -> None:
        """Report a loss of what stands in a slot."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A source code that the map does not know, kept for the pack that wrote it."""

    extension: Mapping[str, Any]


Read = Callable[[Any, Noting, Any], Any]
"""(source value, walk, node) -> canonical value, or None when nothing can be said."""
Write = Callable[[Any, Saying, Slot], Any]
"""(canonical value, ledger, where it stands) -> source value, or None."""


@dataclass(frozen=True, slots=True)
class Transform:
    """Both directions of a row's value."""

    read: Read
    write: Write
    plain: bool = False
    """Whether text is said as it stands."""


def compile_value(row: Row, path: Path, codes: CodeMap | None, pack_id: str, native: bool, strict: bool) -> Transform:
    """The row's transform; `native` formats (JSON) write numbers as such, `strict` refuses what is no value."""
    inner = _kind(row, path, codes, pack_id, native, strict)
    if row.jsonata:
        inner = _jsonata(row, inner)
    return _prefixed(row.prefix, inner) if row.prefix else inner


def _kind(row: Row, path: Path, codes: CodeMap | None, pack_id: str, native: bool, strict: bool) -> Transform:
    if row.codes:
        if codes is None:
            raise row.fail(f"there is no code map {row.codes}")
        coded = _coded(row, path, codes, pack_id)
        return _numbered(coded) if row.integer and native else coded
    if row.bools:
        if path.kind != "boolean":
            raise row.fail(f"bool maps only to a boolean, and {path.text} is {path.kind}")
        return _bool(row)
    if row.date:
        if path.kind not in DATES:
            raise row.fail(f"date maps only to a date or time, and {path.text} is {path.kind}")
        return _date(row, path, strict)
    if row.decimal:
        if path.kind != "decimal":
            raise row.fail(f"decimal maps only to a decimal, and {path.text} is {path.kind}")
        return _decimal(row.decimal, native)
    if row.integer and path.kind == "string":
        return _numbered(Transform(_text, _untext)) if native else Transform(_text, _untext, True)
    if row.integer:
        if path.kind not in INTEGERS:
            raise row.fail(f"integer maps only to an integer, and {path.text} is {path.kind}")
        return _integer(path.kind, native)
    if path.node or path.kind in _TYPED:
        raise row.fail(f"{path.text} is {path.kind}: a plain value needs a transform or a block")
    if path.codes is not None and not row.when and not row.prefix:
        raise row.fail(f"{path.text} has a required binding: it needs a code map")
    kind = _URNS.get(row.prefix, path.kind) if path.kind == "uri" else path.kind
    return _token(kind, strict, path.pattern) if kind in _LEXICAL else Transform(_text, _untext, True)


def _text(value: Any, walk: Noting, node: Any) -> Any:
    if isinstance(value, str):
        return value
    walk.note(place_of(node), LossKind.NORMALISE, "a number or flag is kept as text")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _untext(value: Any, ledger: Saying, slot: Slot) -> Any:
    return value if isinstance(value, str) else str(value)


def _token(kind: str, strict: bool, form: re.Pattern[str] | None) -> Transform:
    """`form` is what R4 binds codes to that it does not list (media types, currencies)."""
    pattern = form or (_BASE64 if kind == "base64Binary" else _TOKEN.get(kind, _ANY_TOKEN))
    free = form is None and kind in ("code", "uri", "url", "canonical")

    def read(value: Any, walk: Noting, node: Any) -> Any:
        if free and value and type(value) is str and " " not in value and value.isprintable():
            return value
        said = _text(value, walk, node)
        pieces = said.split()
        text = ("" if kind == "base64Binary" else " ").join(pieces)
        if text != said:
            walk.note(place_of(node), LossKind.NORMALISE, "white space is taken away")
        if text and pattern.fullmatch(text):
            return text
        if strict:
            raise Unmappable(place_of(node), "token", f"this is no {kind}")
        walk.note(place_of(node), LossKind.DROP, f"this is no {kind}")
        return None

    return Transform(read, _untext)


def _prefixed(prefix: str, inner: Transform) -> Transform:
    def read(value: Any, walk: Noting, node: Any) -> Any:
        return inner.read(f"{prefix}{value}", walk, node)

    def write(value: Any, ledger: Saying, slot: Slot) -> Any:
        said = inner.write(value, ledger, slot)
        if not isinstance(said, str) or not said.startswith(prefix):
            return None
        return said.removeprefix(prefix)

    return Transform(read, write)


def _jsonata(row: Row, inner: Transform) -> Transform:
    forward = Expression(row.jsonata["read"], row)
    backward = Expression(row.jsonata["write"], row) if "write" in row.jsonata else None

    def read(value: Any, walk: Noting, node: Any) -> Any:
        said = forward(value, place_of(node))
        return None if said is None else inner.read(said, walk, node)

    def write(value: Any, ledger: Saying, slot: Slot) -> Any:
        said = inner.write(value, ledger, slot)
        if backward is None or said is None:
            return None
        try:
            return backward(said, row.to)
        except Unmappable:
            return None  # nothing that this pack reads: it stays over as loss

    return Transform(read, write)


def _bool(row: Row) -> Transform:
    def literal(text: str) -> Any:
        return {"$true": True, "$false": False}.get(text, text)

    said = {literal(text): value == "true" for value, texts in row.bools.items() for text in texts}
    back = {value == "true": literal(texts[0]) for value, texts in row.bools.items()}

    def read(value: Any, walk: Noting, node: Any) -> Any:
        if value not in said or (isinstance(value, Decimal)):
            raise Unmappable(place_of(node), "flag", "this flag is not one of the agreed values")
        result = said[value]
        if back[result] != value:
            walk.note(place_of(node), LossKind.NORMALISE, "said by the first agreed value")
        return result

    def write(value: Any, ledger: Saying, slot: Slot) -> Any:
        return back[value] if isinstance(value, bool) else None

    return Transform(read, write)


def _date(row: Row, path: Path, strict: bool) -> Transform:
    forms = row.date
    for form in forms:
        try:
            dates.check_format(form)
        except BrokenPack as broken:
            raise row.fail(str(broken)) from None
    kind = path.kind

    def read(value: Any, walk: Noting, node: Any) -> Any:
        said, same = dates.understood(value, forms, kind, walk.zone)
        if said is None:
            if strict or row.required:
                raise Unmappable(place_of(node), "date", f"this is no {kind} in the agreed form")
            walk.note(place_of(node), LossKind.DROP, f"this is no {kind} in the agreed form")
            return None
        if not same:
            walk.note(place_of(node), LossKind.NORMALISE, f"kept as a {kind}")
        return said

    def write(value: Any, ledger: Saying, slot: Slot) -> Any:
        text = dates.back(str(value), forms[0], ledger.zone)
        if text is not None and not dates.is_whole(str(value), text, forms[0], kind, ledger.zone):
            ledger.note_at(slot, LossKind.NORMALISE, "said less finely than it is known")
        return text

    return Transform(read, write)


def _decimal(mark: str, native: bool) -> Transform:
    def read(value: Any, walk: Noting, node: Any) -> Any:
        if mark == "." and type(value) is str and _USUAL_DECIMAL.fullmatch(value):
            return Decimal(value)
        text = str(value).strip() if not isinstance(value, bool) else ""
        if not _DECIMAL.fullmatch(text) or (not isinstance(value, Decimal) and {",", "."} - {mark} & set(text)):
            if isinstance(value, Decimal) and value.is_finite():
                return value
            raise Unmappable(place_of(node), "number", f"this is no number as agreed (decimals after {mark!r})")
        said = Decimal(text.replace(",", "."))
        if not native and str(said).replace(".", mark) != value:
            walk.note(place_of(node), LossKind.NORMALISE, "a number in its plain form")
        return said

    def write(value: Any, ledger: Saying, slot: Slot) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return None
        if native:
            return value if isinstance(value, Decimal) else Decimal(str(value))
        text = format(value, "f") if isinstance(value, Decimal) else str(value)
        return text.replace(".", mark)

    return Transform(read, write)


def _integer(kind: str, native: bool) -> Transform:
    least = {"positiveInt": 1, "unsignedInt": 0}.get(kind, -2147483648)

    def read(value: Any, walk: Noting, node: Any) -> Any:
        text = str(value).strip() if not isinstance(value, bool) else ""
        if not re.fullmatch(r"[+-]?\d{1,10}", text) or not least <= int(text) <= 2147483647:
            raise Unmappable(place_of(node), "number", "this is no whole number that is possible here")
        if not native and str(int(text)) != value:
            walk.note(place_of(node), LossKind.NORMALISE, "a number in its plain form")
        return int(text)

    def write(value: Any, ledger: Saying, slot: Slot) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return None
        return Decimal(int(value)) if native else str(int(value))

    return Transform(read, write)


def _numbered(inner: Transform) -> Transform:
    """A code or a text that the format says as a number (JSON's ``2``): read as the digits, written as the number."""

    def read(value: Any, walk: Noting, node: Any) -> Any:
        if isinstance(value, str) and _WHOLE.fullmatch(value):
            walk.note(place_of(node), LossKind.NORMALISE, "a number is expected here, and this is one in quotes")
        return inner.read(str(value) if isinstance(value, Decimal) else value, walk, node)

    def write(value: Any, ledger: Saying, slot: Slot) -> Any:
        said = inner.write(value, ledger, slot)
        return Decimal(said) if isinstance(said, str) and _WHOLE.fullmatch(said) else said

    return Transform(read, write)


def _coded(row: Row, path: Path, codes: CodeMap, pack_id: str) -> Transform:
    if codes.has_systems and path.kind != "Coding":
        raise row.fail(f"{codes.name} has systems, so it needs a Coding, and {path.text} is {path.kind}")
    if not codes.has_systems and path.node:
        raise row.fail(f"{codes.name} has no systems, so it needs a code, and {path.text} is {path.kind}")
    if path.codes is not None and not codes.has_systems:
        outside = sorted(code.code for code in codes.reads.values() if code.code not in path.codes)
        if outside:
            raise row.fail(f"{codes.name}: {', '.join(outside)} is outside the binding of {path.text}")
    system = f"{HUB_BASE}/pack/{pack_id}/{codes.name}"
    reads, writes, keep = codes.reads, codes.writes, row.unknown == "keep"
    default, has_systems = row.default, codes.has_systems

    def read(value: Any, walk: Noting, node: Any) -> Any:
        text = ("true" if value else "false") if isinstance(value, bool) else str(value).strip()
        code = reads.get(text)
        if code is None:
            if not keep:
                raise Unmappable(place_of(node), "unknown-code", f"this code is not in the agreed list {codes.name}")
            if isinstance(walk, Walk) and path.kind != "uri":  # a sender's own code system is what one expects
                why = f"this code is not in {codes.name}; kept as the sender's own"
                walk.deviations.append(Deviation(place_of(node), why))
            kept = " ".join(text.split())
            if kept != value:
                walk.note(place_of(node), LossKind.NORMALISE, "white space is taken away")
            return Kept({"url": ORIGINAL_CODE_URL, "valueCoding": {"system": system, "code": kept}})
        back = writes.get((code.system, code.code))
        if back is None and default == code.code:
            walk.note(place_of(node), LossKind.DROP, "means what saying nothing means, and is said by saying nothing")
        elif back != value:
            walk.note(place_of(node), LossKind.NORMALISE, "several codes of the sender mean this one")
        if not has_systems:
            return code.code
        coding = {"system": code.system, "code": code.code}
        return {**coding, "display": code.display} if code.display else coding

    def write(value: Any, ledger: Saying, slot: Slot) -> Any:
        if isinstance(value, Mapping):
            return writes.get((value.get("system", ""), value.get("code", "")))
        return writes.get(("", str(value)))

    return Transform(read, write)


_NO_WORDS: Final = ("system", "version", "userSelected")


def original_code(extensions: Any, pack_id: str, name: str) -> str | None:
    """The source code that this pack kept there, if it did."""
    system = f"{HUB_BASE}/pack/{pack_id}/{name}"
    for extension in extensions if isinstance(extensions, list) else ():
        coding = extension.get("valueCoding") or {}
        if extension.get("url") == ORIGINAL_CODE_URL and coding.get("system") == system:
            return str(coding.get("code", ""))
    return None


def speechless(value: Any) -> bool:
    """Whether an element says nothing in a word that others share: only codes that a pack kept there as they were, or
    the name of a code system without a code."""
    if isinstance(value, list):
        return bool(value) and all(map(speechless, value))
    if not isinstance(value, dict) or not value:
        return False
    if value.get("url") == ORIGINAL_CODE_URL:
        return True
    return all(name in _NO_WORDS or speechless(inner) for name, inner in value.items())


def dropped(place: str, why: str) -> Loss:
    """A leaf that does not arrive."""
    return Loss(place, LossKind.DROP, why)
