"""Which rows of a list have anything to read. It depends on nothing but which fields (or parts of a field) are filled,
so it is found once for each such pattern and remembered: an OBX with nine fields asks the nine rows that read them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from adapters.codecs.er7_tree import Part, Segment
from adapters.mapping.env import Env
from adapters.mapping.rows import Row
from adapters.mapping.structure import Group
from adapters.mapping.walk import Frame, Reader

Need = frozenset[tuple[str, int]] | None
"""(segment or group, field): a row has nothing to read unless one of these is there; 0 is any field, "" the cursor's
own segment or field. None: the row is always asked."""
ALWAYS: Final[Need] = None
_NEVER: Final[Need] = frozenset()
_MOST: Final = 1_000
"""Most patterns that are remembered for one list of rows."""
_ANY: Final = b"*"
"""Several segments, or a group: whatever may be in them."""
_NONE: Final = b""


def need(row: Row, env: Env) -> Need:
    """What must be there for a row to do anything, given that its list is read."""
    if env.cursors[-1].codec != "er7" or row.required or row.choose or (row.default and not row.is_block):
        return ALWAYS
    return _place_need(row, env)


def _place_need(row: Row, env: Env) -> Need:
    texts = row.parts or ((row.place,) if row.place else ())
    if texts and texts != (".",):
        return _union([_first_step(env, text, row) for text in texts])
    if not row.is_block or row.when or row.claim:
        return ALWAYS
    place = env.place(".", row) if texts else None
    counted = bool(row.to or row.make)
    rows, inner = env.under(place, node=_node(row, env)).content(row)
    return _union([_counts(below, inner, counted) for below in rows if below.reads])


def _node(row: Row, env: Env) -> str:
    if row.make:
        return row.make
    return env.path(row.to, row).node if row.to else env.node


def _counts(row: Row, env: Env, counted: bool) -> Need:
    """What must be there for a row to give its block a reason to be: a constant in an element gives none."""
    if not counted or row.required or row.choose:
        return need(row, env)
    if not row.is_block and row.default and not row.place and not row.parts:
        return _NEVER
    return _place_need(row, env)


def _union(needs: Sequence[Need]) -> Need:
    found: set[tuple[str, int]] = set()
    for one in needs:
        if one is None:
            return ALWAYS
        found |= one
    return frozenset(found)


def _first_step(env: Env, text: str, row: Row) -> Need:
    place = env.place(text, row)
    steps, cursor = place.steps, env.cursors[-1]
    if place.up or not steps:
        return ALWAYS
    if cursor.inside or steps[0].isdigit():
        return frozenset({("", int(steps[0]))})
    return frozenset({(steps[0], int(steps[1]) if len(steps) > 1 and steps[1].isdigit() else 0)})


def planned(readers: list[tuple[Need, Reader]], env: Env) -> Reader:
    """Reads the rows of a list in order, those that have nothing to read left out; True when one put something."""
    if len(readers) == 1:
        return readers[0][1]
    cursor = env.cursors[-1]
    names = sorted({name for one, _ in readers for name, _ in one or ()})
    if not names or cursor.structure is None:
        return _all([reader for _, reader in readers])
    if names == [""]:
        return _below(readers, 1 if cursor.inside else 0)
    items = cursor.item.items if cursor.item is not None else cursor.structure.items
    return _group(readers, names, frozenset(item.name for item in items if not item.items))


def _all(readers: list[Reader]) -> Reader:
    def read(frame: Frame) -> bool:
        put = False
        for reader in readers:
            if reader(frame):
                put = True
        return put

    return read


def _remembering(readers: list[tuple[Need, Reader]], first: int) -> Callable[[dict[Any, Any], Any], tuple[Reader, ...]]:
    """Makes the plan for a pattern of one segment's fields, or of a field's parts (`first` is 1), and keeps it."""

    def plan(plans: dict[Any, Any], filled: bytes) -> tuple[Reader, ...]:
        there = {number for number, one in enumerate(filled, first) if one}
        found = tuple(r for one, r in readers if one is None or any(number in there for _, number in one))
        if len(plans) < _MOST:
            plans[filled] = found
        return found

    return plan


def _below(readers: list[tuple[Need, Reader]], first: int) -> Reader:
    """Rows on a segment's fields, or (`first` is 1) on the parts of a field."""
    plans: dict[bytes, tuple[Reader, ...]] = {}
    plan = _remembering(readers, first)

    def read(frame: Frame) -> bool:
        node: Segment | Part = frame.node
        filled = node.full or node.filled
        put = False
        for reader in plans.get(filled) or plan(plans, filled):
            if reader(frame):
                put = True
        return put

    return read


def _group(readers: list[tuple[Need, Reader]], names: list[str], segments: frozenset[str]) -> Reader:
    plans: dict[tuple[bytes, ...], tuple[Reader, ...]] = {}

    def plan_for(patterns: tuple[bytes, ...]) -> tuple[Reader, ...]:
        there = dict(zip(names, patterns, strict=True))
        plan = tuple(reader for one, reader in readers if one is None or _stands(one, there))
        if len(plans) < _MOST:
            plans[patterns] = plan
        return plan

    def read(frame: Frame) -> bool:
        group: Group = frame.node
        by = group.by
        pattern = []
        for name in names:
            found: list[Any] | None = by.get(name)
            if not found:
                pattern.append(_NONE)
            elif len(found) == 1 and name in segments:
                segment: Segment = found[0]
                pattern.append(segment.full or segment.filled)
            else:
                pattern.append(_ANY)
        patterns = tuple(pattern)
        put = False
        for reader in plans.get(patterns) or plan_for(patterns):
            if reader(frame):
                put = True
        return put

    return read


def _stands(one: frozenset[tuple[str, int]], patterns: dict[str, bytes]) -> bool:
    """Whether any of what a row reads is there."""
    for name, field in one:
        pattern = patterns[name]
        if pattern and (field == 0 or pattern == _ANY or (field < len(pattern) and pattern[field])):
            return True
    return False


def climbs(rows: Sequence[Row], env: Env) -> bool:
    """Whether a row leads above the cursor that these rows stand on (`../`, or the number of its repeat)."""
    return any(_height(row, env) > 0 for row in rows)


def _height(row: Row, env: Env) -> int:
    """How many cursors above the one around it a row leads."""
    known = env.material.heights.get(id(row))
    if known is not None:
        return known[1]
    texts = (row.place, *row.parts, row.of, *row.when, "../" if row.out == "$ordinal" else "")
    height = max([_levels(text) for text in texts])
    below = (*row.choose, *row.item)
    if row.is_block and row.shape not in env.shapes:
        inner, under = env.content(row)
        height = max([height, *(_height(one, under) - bool(row.place) for one in inner)])
    height = max([height, *(_height(one, env) - bool(row.place) for one in below)])
    env.material.heights[id(row)] = (row, height)
    return height


def _levels(text: str) -> int:
    levels = 0
    while text.startswith("../", 3 * levels):
        levels += 1
    return levels
