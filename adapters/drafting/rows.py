"""Drafted rows, and how a map with their comments is said in YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_PLAIN = re.compile(r"[\w$.][\w.$/~-]*(?::[\w.$/~-]+)*(?: [\w.$/~()-]+)*")
_WIDE = 118


@dataclass(slots=True)
class DraftRow:
    """One row with what is said of it beside."""

    fields: dict[str, Any]
    rows: list[DraftRow] | None = None
    note: str = ""
    """Why, and how sure: a comment."""
    places: tuple[str, ...] = ()
    """The sample's places that it reads."""
    order: int = 9

    def walk(self) -> Iterator[DraftRow]:
        """This row and every row in it."""
        yield self
        for row in self.rows or ():
            yield from row.walk()


@dataclass(slots=True)
class Doubt:
    """A place of the sample that has no row, and why."""

    place: str
    why: str


@dataclass(slots=True)
class Draft:
    """What was guessed of one message type."""

    rows: list[DraftRow] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    strand: str = ""
    event: str = "record"


def guessed(sure: float, why: str) -> str:
    """The comment of a guess."""
    return f"guessed {min(max(sure, 0.1), 0.9):.1f}: {why}"


def scalar(text: str) -> str:
    """A string as YAML says it in a flow."""
    if _PLAIN.fullmatch(text) and text not in ("~", "-") and not text.endswith(":"):
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(str(value))


def map_text(title: str, rows: Iterable[DraftRow]) -> str:
    """A whole map file."""
    lines = [f"# {title}", "rows:"]
    said = [line for row in rows for line in _lines(row, 1)]
    if not said:
        lines[-1] = "rows: []"
    return "\n".join([*lines, *said]) + "\n"


def _lines(row: DraftRow, depth: int) -> Iterator[str]:
    pad, comment = "  " * depth, f"  # {row.note}" if row.note else ""
    if row.rows is None:
        whole = f"{pad}- {flow(row.fields)}"
        if len(whole) + len(comment) <= _WIDE + 40 or not comment:
            yield whole + comment
        else:
            yield f"{pad}#{comment[3:]}"
            yield whole
        return
    mark = "- "
    if row.note:
        yield f"{pad}# {row.note}"
    for key, value in row.fields.items():
        yield f"{pad}{mark}{scalar(key)}: {flow(value)}"
        mark = "  "
    yield f"{pad}{mark}rows:" if row.rows else f"{pad}{mark}rows: []"
    for inner in row.rows:
        yield from _lines(inner, depth + 2)
