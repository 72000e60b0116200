"""The short way through ER7 says what the long way says, and a `when` is only read when its row says something."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codecs import er7_tree
from adapters.errors import Refusal
from adapters.mapping.residual import leaves_of
from tests.adapters.mapping.small import CONTEXT, message, pack, read

BASE = (
    "PID|1||BN1^^^BV-MAU^MR~BN2^^^BV-MAU^MR||Mẫu^Thị Thử~Tên^Khác||20120315|F",
    "NK1|1|Người Mẫu|MTH",
    "ORC|RE",
    "OBR|1||K1|a",
    "OBX|1|NM|a1||96.50",
    "NTE|1||ghi chú",
    "OBX|2|SN|a2||<^5",
)
VALUES = st.sampled_from(
    ["", '""', "x", "x&y", "^b", "a^b^c", "a~b", "~b", "\\T\\", "NM", "SN", "2012", "M", "<^5", "a^&c", "1.50", "MR"]
)
CHANGES = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 8), VALUES), min_size=1, max_size=4)
SMALL = pack()


def _said(raw: bytes) -> object:
    try:
        found = SMALL.read(raw, replace(CONTEXT, salt=b"s"))
    except Refusal as refusal:
        return type(refusal).__name__, refusal.place, str(refusal)
    return [(strand.bundle, dict(strand.leaves)) for strand in found.strands], set(found.loss), found.deviations


@settings(max_examples=200, deadline=None)
@given(CHANGES)
def test_the_short_way_says_what_the_long_way_says(changes: list[tuple[int, int, str]]) -> None:
    """Whatever stands in a field, raw text and nodes give the same bundle, the same loss and the same refusal."""
    lines = [line.split("|") for line in BASE]
    for line, field, value in changes:
        fields = lines[line]
        fields += [""] * (field + 1 - len(fields))
        fields[field] = value
    raw = message(*("|".join(fields) for fields in lines))
    # A control character in a segment that no row reads makes the same message untidy, so that it goes the long way.
    short = _said(raw)
    long = _said(raw + b"ZZZ|\x01\r")
    assert _without_z(long) == short


def _without_z(said: object) -> object:
    if not isinstance(said, tuple) or len(said) != 3 or not isinstance(said[0], list):
        return said
    strands = [(bundle, {p: v for p, v in leaves.items() if not p.startswith("ZZZ")}) for bundle, leaves in said[0]]
    return strands, {loss for loss in said[1] if not loss.place.startswith("ZZZ")}, said[2]


def test_a_condition_whose_row_says_nothing_is_not_read() -> None:
    """An identifier without a value is not made, so its type, which chose the row, is loss and not read."""
    found = read(message("PID|1||^^^^MR~BN2^^^BV-MAU^MR||Mẫu", "OBR|1||K1|a"), SMALL)
    assert "PID[1]-3.5" in {loss.place for loss in found.loss}


@pytest.mark.parametrize("raw", [message(*BASE), message(*BASE, sender="SLASH")])
def test_every_leaf_is_read_or_lost(raw: bytes) -> None:
    """What no row read is loss: the places of the tree are those that are neither lost nor of the header."""
    found = read(raw, SMALL)
    lost = {loss.place for loss in found.loss}
    assert {"NTE[1]-1", "ORC[1]-1"} <= lost
    assert not lost & {"OBX[1]-5", "OBX[2]-5.2", "PID[1]-5[2].1", "NTE[1]-3"}
    tree = SMALL.codec.parse(raw).tree  # type: ignore[attr-defined]
    assert lost < {place for place, _ in leaves_of(tree)}


def test_a_marked_message_is_read_the_long_way() -> None:
    """Separators of the sender's own, decomposed text and control characters make a message untidy."""
    tidy = er7_tree.Message(er7_tree.Syntax(er7_tree.STANDARD, "utf-8"))
    tidy.segments.append(er7_tree.Segment("PID", "PID|1||Mẫu", tidy.syntax, 1, 1))
    assert tidy.tidy
    for line, marks in (
        ("PID|1||Ma\u0302\u0303u", er7_tree.STANDARD),
        ("PID|1||\x01", er7_tree.STANDARD),
        ("PID|1||a", replace(er7_tree.STANDARD, component="@")),
    ):
        untidy = er7_tree.Message(er7_tree.Syntax(marks, "utf-8"))
        untidy.segments.append(er7_tree.Segment("PID", line, untidy.syntax, 1, 1))
        assert not untidy.tidy
