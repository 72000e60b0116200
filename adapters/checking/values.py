"""A value that a row can read, made from the row: its code map, its date formats, the kind of its path, its prefix."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from adapters.checking.chance import Chance
from adapters.mapping import dates
from adapters.mapping.carrying import ORDINAL
from adapters.mapping.codes import CodeMap
from adapters.mapping.paths import Path
from adapters.mapping.rows import Row
from adapters.tree import Scalar

FAMILIES: Final = ("Thử-Nghiệm", "Nguyễn-Mẫu", "Trần-Mẫu", "Lê-Thử", "Phạm-Mẫu")
GIVENS: Final = ("An", "Bình", "Thị Mẫu", "Văn Thử", "Ngọc Ánh", "Đức", "Hồng Đào", "Quỳnh")
TEXTS: Final = (
    "Trẻ ở nhà với bà ngoại", "đã khám, không ghi nhận thương tích", "xã Thử Nghiệm, huyện Mẫu", "Tổ 3, ấp Mẫu",
    "Bệnh viện Thử Nghiệm", "mẫu", "0", "01", "1.50", "NO", "null", "Ghi chú mẫu: ăn ngủ được",
)  # fmt: skip
MARKS: Final = (
    "a|b^c~d\\e&f",
    "<b>&amp;\"'</b>",
    'nói "có", rồi; thôi',
    "50% {x} [y] #1",
    "\\H\\in\\N\\",
    "A & B, C/D",
)
LINES: Final = ("dòng một\ndòng hai", "một\n\nba")
_ERAS: Final = {"start": 2001, "end": 2030}
"""First year of a value's dates: a period begins before it ends, even when a sample says one of them."""
_WORDS: Final = ("Mẫu", "Thử", "Nghiệm", "An", "Bình")


class Making:
    """What is remembered while one message is made."""

    def __init__(self, chance: Chance, plain: bool = False) -> None:
        """`plain`: no text that a format has to escape."""
        self.chance = chance
        self.plain = plain
        self.number = chance.pick(90_000_000)

    def text(self) -> str:
        """Some words, Vietnamese mostly; now and then decomposed, with marks of the formats, or long."""
        chance = self.chance
        case = chance.pick(100)
        if case < 12 and not self.plain:
            return chance.one(MARKS)
        if case < 18 and not self.plain:
            return chance.one(LINES)
        if case < 24:
            return unicodedata.normalize("NFD", chance.one(TEXTS[:4]))
        if case < 25:
            return "Mẫu dài, thử nghiệm. " * 150 + "hết"
        return chance.one(TEXTS) if case < 70 else f"{chance.one(FAMILIES)} {chance.one(GIVENS)}"

    def name(self) -> str:
        """A word group of a name, now and then decomposed."""
        said = self.chance.one(GIVENS if self.chance.yes(50) else FAMILIES)
        return unicodedata.normalize("NFD", said) if self.chance.yes(10) else said

    def key(self) -> str:
        """A number that nothing else in the message has."""
        self.number += 1
        return self.chance.one(("{:012d}", "MAU-{}", "{:08d}", "{}/QĐ-TN", "0{}")).format(self.number)

    def date(self, era: int = 2013) -> tuple[str, str, str]:
        """Year, month and day, within eleven years of the era's first."""
        year, rest = divmod(self.chance.pick(336 * 11), 336)
        return f"{era + year:04d}", f"{rest // 28 + 1:02d}", f"{rest % 28 + 1:02d}"


Say = Callable[[Making], Scalar | None]
"""A source value for a row; None when only the samples know one."""


def say_of(row: Row, path: Path | None, codes: CodeMap | None, native: bool, under: str = "") -> Say:
    """How a value for the row is made; `native` formats have numbers and booleans; `under` is the element around."""
    if row.jsonata:
        return lambda making: None
    if path is None:
        said = row.out
        return lambda making: (str(1 + making.chance.pick(3)) if said == ORDINAL else said) or None
    if codes is not None:
        return _coded(row, codes, native and row.integer)
    if row.bools:
        texts = [_literal(text) for found in row.bools.values() for text in found]
        return lambda making: making.chance.one(texts)
    if row.date:
        return lambda making: date_text(making, making.chance.one(row.date), path.kind, _ERAS.get(_last(path), 2013))
    if row.decimal:
        return _decimal(row.decimal, native, "low" in (under, *path.text.split(".")))
    if row.integer:
        return lambda making: _number(str(1 + making.chance.pick(4)), native)
    if row.split:
        return lambda making: row.split.join(making.chance.one(_WORDS) for _ in range(1 + making.chance.pick(3)))
    if path.codes is not None:
        known = sorted(path.codes)
        return lambda making: making.chance.one(known).removeprefix(row.prefix)
    return _plain(row, path)


def _last(path: Path) -> str:
    return path.steps[-1].name if path.steps else ""


def _literal(text: str) -> Scalar:
    return {"$true": True, "$false": False}.get(text, text)


def _number(text: str, native: bool) -> Scalar:
    return Decimal(text) if native else text


def _coded(row: Row, codes: CodeMap, numbers: bool) -> Say:
    known = sorted(codes.reads)
    keep = row.unknown == "keep"

    def say(making: Making) -> Scalar | None:
        if keep and making.chance.yes(8):
            return "ZZ9"
        text = making.chance.one(known) if known else None
        return Decimal(text) if text is not None and numbers and text.isdigit() else text

    return say


def _decimal(mark: str, native: bool, low: bool) -> Say:
    texts = ("0.50", "0.01", "-2.25", "0") if low else ("37.50", "1.5", "120", "7", "98765.4321")
    if native:
        return lambda making: Decimal(making.chance.one(texts))
    return lambda making: making.chance.one(texts).replace(".", mark)


def _plain(row: Row, path: Path) -> Say:
    last = _last(path)
    kind = path.kind
    if row.prefix.startswith("urn:oid"):
        return lambda making: f"1.2.840.{1 + making.chance.pick(90000)}"
    if row.prefix.startswith("urn:uuid"):
        return _uuid
    if kind == "base64Binary":
        return lambda making: base64.b64encode(b"mau " * (1 + making.chance.pick(40))).decode()
    if kind in ("uri", "url", "canonical"):
        return lambda making: f"http://mau.example.vn/{making.chance.pick(1000)}".removeprefix(row.prefix)
    if kind == "oid":
        return lambda making: f"urn:oid:1.2.840.{1 + making.chance.pick(90000)}"
    if kind == "uuid":
        return lambda making: f"urn:uuid:{_uuid(making)}"
    if kind in ("code", "id"):
        return lambda making: making.chance.one(("A1", "MAU-2", "b.3", "0", "01", "NO"))
    if last == "value":
        return lambda making: making.text() if making.chance.yes(4) else making.key()
    if last in ("family", "given"):
        return lambda making: making.name()
    return lambda making: making.text()


def _uuid(making: Making) -> str:
    tail = f"{making.chance.pick(2**30):012x}"
    return f"6f9619ff-8b86-4d01-b42d-{tail}"


def date_text(making: Making, form: str, kind: str, era: int = 2013) -> str:
    """A moment in the format, as precise as the kind needs; dates and date-times are now and then partial."""
    chance = making.chance
    year, month, day = making.date(era)
    hour, minute, second = f"{chance.pick(24):02d}", f"{chance.pick(60):02d}", f"{chance.pick(60):02d}"
    if form not in ("hl7", "hl7-day", "iso"):
        said = f"{year}-{month}-{day}T{hour}:{minute}:{second}.500+07:00"
        return dates.from_fhir(said, form) or ""
    mark = "-" if form == "iso" else ""
    if kind in ("date", "dateTime") and chance.yes(12):
        return chance.one((year, f"{year}{mark}{month}"))
    whole = f"{year}{mark}{month}{mark}{day}"
    if kind == "date" or form == "hl7-day" or (kind == "dateTime" and chance.yes(40)):
        return whole
    zone = chance.one(("", "", "+07:00", "Z", "+00:00", "-05:00"))
    if form == "iso":
        return f"{whole}T{hour}:{minute}:{second}{chance.one(('', '', '.5'))}{zone}"
    zone = "+0000" if zone == "Z" else zone.replace(":", "")
    return f"{whole}{hour}{minute}{chance.one((second, second, ''))}{zone}"


def text_of(value: Any) -> str:
    """A scalar as a text, for formats without numbers."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
