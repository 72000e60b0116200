"""Rows as a pack writes them, parsed and checked once; `reader` and `writer` compile them.

Whatever is wrong is a :class:`BrokenPack` that names the file and the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.errors import BrokenPack
from consent.vocabulary import DataClass, Sensitivity, Taint

CLASSES = frozenset(item.value for item in DataClass)
LABELS = frozenset(item.value for item in (*Sensitivity, *Taint))
_SCALARS = (
    "at", "each", "by", "to", "shape", "of", "make", "find", "link", "same", "claim", "direction", "default", "out",
    "split", "leave", "join", "prefix", "decimal", "codes", "unknown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One row; "" or empty where the pack says nothing."""

    source: str
    """File and position, for errors."""
    at: str = ""
    each: str = ""
    parts: tuple[str, ...] = ()
    by: str = ""
    to: str = ""
    shape: str = ""
    rows: tuple[Row, ...] | None = None
    choose: tuple[Row, ...] = ()
    of: str = ""
    make: str = ""
    find: str = ""
    link: str = ""
    role: str = ""
    item: tuple[Row, ...] = ()
    """What stands beside the reference in the backbone element that links to what is made."""
    ref: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str | Mapping[str, Any], ...] = ()
    same: str = ""
    claim: str = ""
    data_class: str = ""
    labels: tuple[str, ...] = ()
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    where: str | Mapping[str, Any] = ""
    direction: str = "both"
    default: str = ""
    out: str = ""
    required: bool = False
    split: str = ""
    leave: str = ""
    """How many of the values the rows after this one are to have (on write)."""
    join: str = ""
    text: bool = False
    """Free text (ER7): separators that stand in it are part of it, formatting is not."""
    agrees: bool = False
    """On write: its place says the same of everything that stands there, or nothing is said at all."""
    prefix: str = ""
    date: tuple[str, ...] = ()
    decimal: str = ""
    integer: bool = False
    bools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    codes: str = ""
    unknown: str = "refuse"
    jsonata: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Its source place, repeated or not."""
        return self.at or self.each

    @property
    def is_block(self) -> bool:
        """Whether it carries rows rather than a value."""
        return self.rows is not None or bool(self.shape)

    @property
    def reads(self) -> bool:
        """Whether it takes part in reading."""
        return self.direction != "out"

    @property
    def writes(self) -> bool:
        """Whether it takes part in writing."""
        return self.direction != "in"

    def fail(self, why: str) -> BrokenPack:
        """The error that names this row."""
        return BrokenPack(f"{self.source}: {why}")


def texts(value: Any) -> tuple[str, ...]:
    """One string or a list of them, as a tuple."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def parse_rows(raw: Sequence[Mapping[str, Any]], source: str) -> tuple[Row, ...]:
    """The rows of a list; `source` is the file and the way to it."""
    return tuple(parse_row(row, f"{source}[{number}]") for number, row in enumerate(raw, 1))


def parse_row(raw: Mapping[str, Any], source: str) -> Row:
    """One row, its own keys only (what a block hands down is the compiler's matter)."""
    told = f"{source} ({_name(raw)})"
    key = raw.get("key")
    row = Row(
        source=told,
        **{name: raw[name] for name in _SCALARS if name in raw},
        parts=texts(raw.get("parts")),
        rows=parse_rows(raw["rows"], f"{source}.rows") if "rows" in raw else None,
        choose=parse_rows(raw.get("choose", ()), f"{source}.choose"),
        role=raw.get("as", ""),
        item=parse_rows(raw.get("item", ()), f"{source}.item"),
        ref=raw.get("ref", {}),
        key=tuple(key) if isinstance(key, list) else (key,) if key else (),
        data_class=raw.get("class", ""),
        labels=texts(raw.get("label")),
        when={place: texts(values) for place, values in raw.get("when", {}).items()},
        where=raw.get("where", ""),
        required=raw.get("required") == "yes",
        date=texts(raw.get("date")),
        integer=raw.get("integer") == "yes",
        text=raw.get("text") == "yes",
        agrees=raw.get("agrees") == "yes",
        bools={name: texts(values) for name, values in raw.get("bool", {}).items()},
        jsonata=raw.get("jsonata", {}),
    )
    _check(row)
    return row


def _name(raw: Mapping[str, Any]) -> str:
    said = [f"{key}: {raw[key]}" for key in ("at", "each", "parts", "make", "to", "claim") if key in raw]
    return ", ".join(said) or "choose" if "choose" in raw else ", ".join(said)


def _check(row: Row) -> None:
    if row.data_class and row.data_class not in CLASSES:
        raise row.fail(f"no data class is called {row.data_class}")
    if unknown := [label for label in row.labels if label not in LABELS]:
        raise row.fail(f"no label is called {unknown[0]}")
    if row.make == "Consent":
        raise row.fail("a pack cannot make consent: say it as a claim")
    if row.join and not row.each:
        raise row.fail("join needs each")
    if row.text and (row.split or row.parts or row.is_block or not row.to):
        raise row.fail("text goes with a row that carries one value")
    if row.agrees and not row.at:
        raise row.fail("agrees needs at")
    if row.same and not row.key:
        raise row.fail("same: merge needs a key")
    if row.item and not row.link:
        raise row.fail("item needs make and link: it is the element that holds the reference")
    if row.make and not row.is_block:
        raise row.fail("make needs rows or a shape")


def shapes_used(rows: Sequence[Row]) -> Iterator[str]:
    """Names of the shapes that rows use, nested ones too."""
    for row in rows:
        if row.shape:
            yield row.shape
        yield from shapes_used(row.rows or ())
        yield from shapes_used(row.choose)
