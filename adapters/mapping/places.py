"""Source places: ``PID-5.1``, ``nc:Person/nc:PersonName``, ``child/names``; parsed once, then walked along the tree.

In ER7 a segment is named alone: the structure says through which groups it is reached. Elsewhere a step may pick
among repeats by what they say: ``Identification[Category=filingID]/ID``, ``Party[Person/Role=Child|Minor]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from adapters.codecs.er7_tree import HEADERS, Part, Segment
from adapters.errors import BrokenPack
from adapters.mapping.chosen import Chosen
from adapters.mapping.structure import Grammar, Group, Item
from adapters.tree import Branch, Node, State

_ER7 = re.compile(r"(?:([A-Z][A-Z0-9]{2})?-(\d+(?:\[[1-9]\d*\])?))?((?:\.\d+){0,2})")
_FIELD = re.compile(r"(\.\d+){1,2}")
_STEP = re.compile(r"(?:[^/\[]|\[(?!\d+\])[^\]]*\]|\[\d+\])+")
_CHOSEN = re.compile(r"([^\[]+)((?:\[[^=\]]+=[^\]]+\])+)")
_TEST = re.compile(r"\[([^=\]]+)=([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a place is relative to, known while compiling."""

    codec: str
    structure: Grammar | None = None
    item: Item | None = None
    """ER7: the group or segment that the cursor stands on; None for the message and inside fields."""
    inside: bool = False
    """ER7: the cursor is a field or a part of one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Steps from a cursor, after going up so many cursors."""

    text: str
    up: int
    steps: tuple[str, ...]
    cursor: Cursor
    """The cursor that a block at this place has."""
    base: Cursor
    """The cursor that the steps start from."""


def parse(text: str, cursors: tuple[Cursor, ...]) -> Place:
    """The place, against the cursors of the enclosing blocks (the nearest last)."""
    up, rest = 0, text
    while rest.startswith("../"):
        up, rest = up + 1, rest[3:]
    if up >= len(cursors):
        raise BrokenPack(f"place {text}: there is no cursor so far up")
    cursor = cursors[-1 - up]
    if rest == ".":
        return Place(text, up, (), cursor, cursor)
    if cursor.codec == "er7":
        steps, inner = _er7(rest, cursor, text)
        return Place(text, up, steps, inner, cursor)
    return Place(text, up, tuple(_name(step, text) for step in _STEP.findall(rest)), cursor, cursor)


def _name(step: str, text: str) -> str:
    if not step.endswith("]"):
        return "" if step == "*" else step.replace("~1", "/").replace("~0", "~")
    match = _CHOSEN.fullmatch(step)
    if match is None:
        raise BrokenPack(f"place {text}: repeats are picked by [PLACE=value] or [PLACE=value|value]")
    tests = tuple(
        (tuple(_name(part, text) for part in below.split("/")), tuple(values.split("|")))
        for below, values in _TEST.findall(match[2])
    )
    return Chosen(_name(match[1], text), tests)


def _er7(rest: str, cursor: Cursor, text: str) -> tuple[tuple[str, ...], Cursor]:
    if cursor.inside or (rest.startswith(".") and cursor.item is None):
        if not _FIELD.fullmatch(rest):
            raise BrokenPack(f"place {text}: inside a field, parts are .1 or .1.2")
        return tuple(rest[1:].split(".")), Cursor("er7", cursor.structure, None, True)
    *groups, last = rest.split("/")
    steps: list[str] = []
    for group in groups:
        way, cursor = _descend(group, cursor, text)
        steps += way
    match = _ER7.fullmatch(last)
    if match is None or not match[2]:
        way, cursor = _descend(last, cursor, text)
        return (*steps, *way), cursor
    segment, number, parts = match.groups()
    if segment and not (cursor.item is not None and not cursor.item.items and cursor.item.name == segment):
        way, cursor = _descend(segment, cursor, text)
        steps += way
    return (*steps, number, *parts[1:].split(".")) if parts else (*steps, number), Cursor(
        "er7", cursor.structure, None, True
    )


def _descend(name: str, cursor: Cursor, text: str) -> tuple[list[str], Cursor]:
    """The way to a group or segment: through the only groups that hold it."""
    if cursor.structure is None:
        return [name], Cursor("er7", None, Item(name))
    items = cursor.item.items if cursor.item else cursor.structure.items
    for depth in range(8):
        ways = list(_ways(name, items, depth))
        if len(ways) == 1:
            way, item = ways[0]
            return way, Cursor("er7", cursor.structure, item)
        if ways and len({id(item) for _, item in ways}) > 1:
            raise BrokenPack(f"place {text}: {name} stands in several groups; name the group")
    raise BrokenPack(f"place {text}: the structure has no {name} here")


def _ways(name: str, items: tuple[Item, ...], depth: int) -> Iterator[tuple[list[str], Item]]:
    seen: set[str] = set()
    for item in items:
        if depth == 0 and item.name == name and item.name not in seen:
            seen.add(item.name)
            yield [name], item
        elif depth and item.items:
            for way, found in _ways(name, item.items, depth - 1):
                yield [item.name, *way], found


def walk(node: Node, steps: tuple[str, ...], tellers: list[tuple[Node, bool]] | None = None) -> list[Node]:
    """Every node that the steps reach and that says something (a value, parts, or "delete").

    `tellers` collects the leaves by which a step picked among repeats, and whether each says what would be written.
    """
    found: list[Any] = [node]
    for step in steps:
        found = [child for parent in found for child in parent.all(step)]
        if isinstance(step, Chosen):
            told = [(child, tellers_of(step, child)) for child in found]
            found = [child for child, leaves in told if leaves]
            if tellers is not None:
                tellers += [leaf for _, leaves in told for leaf in leaves]
    return [child for child in found if child.state is not State.EMPTY]


def tellers_of(step: Chosen, node: Node) -> list[tuple[Node, bool]]:
    """The leaves that make a node one of those meant, each with whether it says what is written; or none."""
    told = []
    for below, values in step.tests:
        for found in walk(node, below):
            value, holder = leaf(found)
            if value is not None and _text(value) in values:
                told.append((holder, _text(value) == values[0]))
                break
        else:
            return []
    return told


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def walker(steps: tuple[str, ...], cursor: Cursor) -> Callable[[Any], list[Any]]:
    """:func:`walk` along fixed steps; short ways through ER7 are taken directly."""
    if cursor.codec == "er7" and cursor.inside and len(steps) <= 2:
        numbers = tuple(int(step) for step in steps)
        if len(numbers) == 1:
            number = numbers[0]

            def in_field(node: Part) -> list[Any]:
                found = node.part(number)
                return [found] if found is not None and found.text else []

            return in_field
        return lambda node: _parts(node, numbers)
    if (
        cursor.codec == "er7"
        and len(steps) >= 2
        and not steps[0].isdigit()
        and all(step.isdigit() for step in steps[1:])
    ):
        name, field, rest = steps[0], int(steps[1]), tuple(int(step) for step in steps[2:])

        def in_group(node: Any) -> list[Any]:
            if not isinstance(node, Group):
                return walk(node, steps)
            segments: list[Any] | None = node.by.get(name)
            if not segments:
                return []
            if len(segments) == 1:
                segment: Segment = segments[0]
                fields = segment.cut or segment.fields
                text = fields[field] if field < len(fields) else ""
                if not text:
                    return []
                if segment.syntax.separators.repetition in text or segment.name in HEADERS:
                    cells = segment.cells(field)
                else:
                    cells = [Part(field, text, 0, segment)]
            else:
                cells = [cell for segment in segments for cell in segment.cells(field)]
            return [found for cell in cells for found in _parts(cell, rest)] if rest else cells

        return in_group
    if cursor.codec == "er7" and len(steps) == 1 and not steps[0][0].isdigit():
        only = steps[0]

        def below(node: Any) -> list[Any]:
            if not isinstance(node, Group):
                return walk(node, steps)
            return [found for found in node.by.get(only, ()) if isinstance(found, Group) or len(found.line) > 4]

        return below
    return lambda node: walk(node, steps)


def _parts(node: Part, numbers: tuple[int, ...]) -> list[Any]:
    found: Part | None = node
    for number in numbers:
        found = found.part(number) if found is not None else None
    return [found] if found is not None and found.text else []


def leaf(node: Node) -> tuple[Any, Node]:
    """The value that a node stands for and the node that holds it: its own, its first part's, its text's."""
    value = node.value
    if value is not None:
        return value, node
    if node.state is not State.VALUE:
        return None, node
    while True:
        inner = next(iter(node.all("1")), None) if isinstance(node, Part) else next(iter(node.all(".")), None)
        if inner is None or inner is node:
            return None, node
        node = inner
        if node.value is not None:
            return node.value, node


Spot = Node | tuple[Node, tuple[str, ...]]
"""Where a value was read: its node, or a node and the steps to the only leaf there."""


def place_of(spot: Spot) -> str:
    """Where a spot stood, in the sender's terms."""
    if isinstance(spot, tuple):
        return leaf(walk(*spot)[0])[1].place
    return spot.place


Undo = Callable[[], None]
"""Takes out again what :func:`make` made."""


def make(branch: Branch, steps: tuple[str, ...], new: bool) -> Branch:
    """The node at the steps, made where missing; `new` makes the last one anew (a further repeat)."""
    return make_undoable(branch, steps, new)[0]


def make_undoable(branch: Branch, steps: tuple[str, ...], new: bool) -> tuple[Branch, Undo]:
    """As :func:`make`, with the way to take out again what was made, and nothing else."""
    holder, made = branch, None
    for position, step in enumerate(steps):
        last = position == len(steps) - 1
        chosen = step if isinstance(step, Chosen) else None
        repeats = (child for child in branch.all(step) if chosen is None or tellers_of(chosen, child))
        found = None if new and last else next(repeats, None)
        if found is None:
            found = branch.add(str(step))
            for below, values in chosen.tests if chosen is not None else ():
                make(found, below, False).value = values[0]
            if made is None:
                holder, made = branch, found
        branch = found
    return branch, lambda: _take_out(holder, made)


def _take_out(holder: Branch, made: Branch | None) -> None:
    if made is not None:
        holder.nodes = [node for node in holder.nodes if node is not made]
