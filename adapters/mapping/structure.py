"""The grammar that gives a flat message its groups: ``MSH PID NK1* ORDER(ORC? OBR RESULT(OBX NTE*)*)+``.

A group is entered only through its first required segment. A segment that the grammar does not know is kept beside
(residual); one that it knows, where it may not stand, refuses: a second PID left over once hung its results on the
first child.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from adapters.codecs.er7 import Message, Segment
from adapters.errors import BrokenPack, Malformed
from adapters.tree import State

_TOKEN = re.compile(r"\s*(?:([A-Za-z][A-Za-z0-9_]*)(\()?|(\))|([?*+]))")


@dataclass(frozen=True, slots=True)
class Item:
    """A segment or group of the grammar, and how often it may stand."""

    name: str
    items: tuple[Item, ...] = ()
    required: bool = True
    many: bool = False
    first: frozenset[str] = frozenset()
    """Segments that it may begin with."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """A message's structure."""

    items: tuple[Item, ...]
    known: frozenset[str]
    """Every segment name in it."""


class Group:
    """A group of segments and groups, in order and by name."""

    __slots__ = ("by", "name", "nodes")

    state: ClassVar[State] = State.VALUE
    value = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[Segment | Group] = []
        self.by: dict[str, list[Segment | Group]] = {}

    @property
    def place(self) -> str:
        """That of its first segment."""
        return self.nodes[0].place if self.nodes else self.name

    def children(self) -> list[Segment | Group]:
        """In order."""
        return self.nodes

    def all(self, name: str) -> Iterator[Segment | Group]:
        """The segments or groups of that name."""
        return iter(self.by.get(name, ()))

    def add(self, node: Segment | Group) -> None:
        """Append a segment or group."""
        self.nodes.append(node)
        held = self.by.get(node.name)
        if held is None:
            self.by[node.name] = [node]
        else:
            held.append(node)

    def segments(self) -> Iterator[Segment]:
        """Every segment below, in order."""
        for node in self.nodes:
            if isinstance(node, Group):
                yield from node.segments()
            else:
                yield node


def grammar(text: str) -> Grammar:
    """Read a structure; a text that is none is a :class:`BrokenPack`."""
    stack: list[tuple[str, list[Item]]] = [("", [])]
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise BrokenPack(f"structure: cannot be read at character {position}")
        position = match.end()
        name, opens, closes, times = match.groups()
        if opens:
            stack.append((name, []))
        elif name:
            stack[-1][1].append(Item(name, first=frozenset({name})))
        elif closes:
            if len(stack) == 1:
                raise BrokenPack("structure: a ) too many")
            group, held = stack.pop()
            if not any(item.required for item in held):
                raise BrokenPack(f"structure: group {group} needs a required segment to be entered through")
            stack[-1][1].append(Item(group, tuple(held), first=_first(held)))
        else:
            if not stack[-1][1]:
                raise BrokenPack(f"structure: {times} follows nothing")
            last = stack[-1][1].pop()
            stack[-1][1].append(Item(last.name, last.items, times == "+", times in "*+", last.first))
    if len(stack) != 1:
        raise BrokenPack("structure: a ( is not closed")
    items = tuple(stack[0][1])
    return Grammar(items, frozenset(_names(items)))


def _first(items: Sequence[Item]) -> frozenset[str]:
    first: set[str] = set()
    for item in items:
        first |= item.first
        if item.required:
            break
    return frozenset(first)


def _names(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        if item.items:
            yield from _names(item.items)
        else:
            yield item.name


def fold(message: Message, rules: Grammar) -> Group:
    """The message's segments in their groups.

    Raises :class:`Malformed` when a known segment stands where it may not, or a required one is missing.
    """
    known = [segment for segment in message.segments if segment.name in rules.known]
    root = Group("")
    end = _take(rules.items, known, 0, root, True)
    assert end is not None
    if end < len(known):
        raise Malformed(known[end].place, "misplaced", f"{known[end].name} may not stand here")
    if len(known) != len(message.segments):
        _keep_unknown(message, rules, root)
    return root


def _take(items: Sequence[Item], segments: Sequence[Segment], start: int, group: Group, entered: bool) -> int | None:
    """Where the group ends; None when its first required segment is not there."""
    position = start
    end = len(segments)
    for item in items:
        count = 0
        while position < end and segments[position].name in item.first:
            if item.items:
                inner = Group(item.name)
                after = _take(item.items, segments, position, inner, False)
                if after is None:
                    break
                group.add(inner)
                position = after
            else:
                group.add(segments[position])
                position += 1
            count += 1
            if not item.many:
                break
        if item.required:
            if count:
                entered = True
            elif not entered:
                return None
            else:
                at = segments[position] if position < end else None
                why = f"{_required(item)} is missing" + (f" before {at.name}" if at else " at the end")
                raise Malformed(at.place if at else _required(item), "missing-segment", why)
    return position


def _required(item: Item) -> str:
    """The segment that a required item is entered through."""
    while item.items:
        item = next(inner for inner in item.items if inner.required)
    return item.name


def _keep_unknown(message: Message, rules: Grammar, root: Group) -> None:
    """Put each segment that the grammar does not know after the known one that it follows."""
    owner: dict[int, Group] = {}

    def note(group: Group) -> None:
        for node in group.nodes:
            if isinstance(node, Group):
                note(node)
            else:
                owner[node.number] = group

    note(root)
    current = root
    for segment in message.segments:
        if segment.name in rules.known:
            current = owner[segment.number]
        else:
            current.nodes.append(segment)
