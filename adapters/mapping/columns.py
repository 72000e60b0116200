"""The agreed schema of a CSV message: a table of its columns, which ones must be filled, and what may stand in them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapters.codecs import csv as csv_codec
from adapters.errors import BrokenPack
from adapters.tree import Branch

HEADER: Final = ("file", "column", "filled", "pattern")


@dataclass(frozen=True, slots=True)
class Column:
    """One row of the table."""

    file: str
    """"" when the message is one file."""
    name: str
    filled: bool
    pattern: re.Pattern[str] | None


MISSING: Final = "breaks the agreed columns: nothing stands here"
"""What is said of a column that has to be filled."""


class Columns:
    """The columns of every file of a message."""

    def __init__(self, name: str, raw: bytes) -> None:
        try:
            rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig")), strict=True))
            self._columns = tuple(_column(row) for row in rows)
        except (UnicodeDecodeError, csv.Error, KeyError, re.error):
            raise BrokenPack(f"{name}: is no table of {', '.join(HEADER)}") from None

    def faults(self, raw: bytes, closed: bool) -> Iterator[tuple[str, str]]:
        """(place, rule) of what breaks the table; a column that it does not name does when `closed`."""
        tree = csv_codec.parse(raw, ("windows-1258", "tcvn3", "viscii")).tree
        assert isinstance(tree, Branch)
        for file in sorted({column.file for column in self._columns}):
            columns = {column.name: column for column in self._columns if column.file == file}
            for below in tree.all(file) if file else (tree,):
                for row in below.all(csv_codec.ROW):
                    yield from _row(row, columns, closed)


def _column(row: dict[str, str]) -> Column:
    pattern = re.compile(row["pattern"]) if row["pattern"] else None
    return Column(row["file"], row["column"], row["filled"] == "yes", pattern)


def _row(row: Branch, columns: dict[str, Column], closed: bool) -> Iterator[tuple[str, str]]:
    said = {cell.name: cell for cell in row.nodes}
    for name, column in columns.items():
        cell = said.pop(name, None)
        text = "" if cell is None or cell.value is None else str(cell.value)
        if not text and column.filled:
            yield f"{row.place}, {name}", MISSING
        elif text and column.pattern is not None and column.pattern.fullmatch(text) is None:
            yield f"{row.place}, {name}", "breaks the agreed columns: this may not stand here"
    for name in said if closed else ():
        yield f"{row.place}, {name}", "breaks the agreed columns: there is no such column"
