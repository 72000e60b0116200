"""A table of columns judges a CSV message as an XSD judges XML."""

from __future__ import annotations

import pytest

from adapters.errors import BrokenPack
from adapters.mapping.columns import Columns

TABLE = b"file,column,filled,pattern\n,Number,yes,[0-9]+\n,Name,no,\n"


def faults(raw: bytes, closed: bool = True) -> list[str]:
    """The places that break the table."""
    return [place for place, _ in Columns("t.csv", TABLE).faults(raw, closed)]


def test_a_message_that_keeps_the_table_has_no_fault() -> None:
    """Filled where it must be, and as the pattern says."""
    assert faults(b"Number,Name\n1,\n2,x\n") == []


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"Number,Name\n,x\n", "row 2, Number"),
        (b"Name\nx\n", "row 2, Number"),
        (b"Number,Name\n1,\nx1,\n", "row 3, Number"),
        (b"Number,Other\n1,x\n", "row 2, Other"),
    ],
)
def test_a_fault_names_its_row_and_column(raw: bytes, place: str) -> None:
    """An empty cell, a missing column, a wrong value and an unknown column each break it, where they stand."""
    assert faults(raw) == [place]


def test_on_the_way_in_other_columns_may_stand() -> None:
    """What is not agreed is not read, and does not stop a report."""
    assert faults(b"Number,Other\n1,x\n", closed=False) == []


def test_a_table_of_other_columns_does_not_load() -> None:
    """A schema that is none is found when the pack is made."""
    with pytest.raises(BrokenPack):
        Columns("t.csv", b"a,b\n1,2\n")
