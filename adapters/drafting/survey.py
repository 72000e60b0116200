"""A sample's places merged over all their repeats: what stands where, how often, with which values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from adapters.drafting.values import plain
from adapters.tree import Node

_MOST_VALUES = 400


@dataclass(slots=True)
class Spot:
    """One place of a format."""

    name: str
    above: Spot | None = None
    count: int = 0
    """How often it stood in all samples."""
    repeats: bool = False
    """Whether it stood more than once under one parent."""
    may_repeat: bool = False
    """Whether a schema allows that."""
    referred: bool = False
    """Whether its content stands elsewhere in the message."""
    named: bool = False
    """Whether other places show its content by reference."""
    values: dict[str, int] = field(default_factory=dict)
    native: set[str] = field(default_factory=set)
    """``bool``, ``number`` or ``text``, as JSON says them."""
    spots: dict[str, Spot] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    """What a schema or a display name says of it, as words."""
    doc: str = ""
    codes: dict[str, str] = field(default_factory=dict)
    """Codes that a schema allows, with what it says of each."""
    whole: bool = False
    """Whether a schema says that it is a whole number."""
    records: list[dict[str, str]] = field(default_factory=list)
    """Of a repeated container: the plain values of each repeat, by name (for lists of keys and values)."""

    @property
    def many(self) -> bool:
        """Whether it stands more than once, or may."""
        return self.repeats or self.may_repeat

    @property
    def is_leaf(self) -> bool:
        """Whether it holds a value (an element with attributes and text does too)."""
        return bool(self.values) or not self.spots

    @property
    def way(self) -> tuple[str, ...]:
        """Names from the root to here, the root's left out."""
        return (*self.above.way, self.name) if self.above is not None else ()

    @property
    def place(self) -> str:
        """As a manifest says it."""
        return "/".join(step_of(name) for name in self.way) or "."

    def below(self) -> Iterator[Spot]:
        """Every spot under this one."""
        for spot in self.spots.values():
            yield spot
            yield from spot.below()

    def leaves(self) -> Iterator[Spot]:
        """Every leaf under this one."""
        return (spot for spot in self.below() if spot.is_leaf)


def step_of(name: str) -> str:
    """A node's name as a step of a place."""
    return name.replace("~", "~0").replace("/", "~1") or "*"


def survey(trees: Iterable[Node]) -> Spot:
    """All places of some messages of one type."""
    root = Spot("")
    for tree in trees:
        root.name = tree.name
        _visit(tree, root)
    return root


def _visit(node: Node, spot: Spot) -> None:
    spot.count += 1
    _value(node, spot)
    seen: dict[str, int] = {}
    record: dict[str, str] = {}
    for child in node.children():
        if child.value is not None:
            record[child.name] = plain(child.value)
        if child.name == ".":
            _value(child, spot)
            continue
        seen[child.name] = seen.get(child.name, 0) + 1
        below = spot.spots.setdefault(child.name, Spot(child.name, spot))
        below.repeats = below.repeats or seen[child.name] > 1 or getattr(child, "repeats", False)
        _visit(child, below)
    if len(record) > 1 and len(spot.records) < _MOST_VALUES:
        spot.records.append(record)


def _value(node: Node, spot: Spot) -> None:
    """Note the value of a node; of an element with attributes, its text."""
    value = node.value
    if value is None:
        return
    spot.native.add("bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number")
    text = plain(value)
    if len(spot.values) < _MOST_VALUES or text in spot.values:
        spot.values[text] = spot.values.get(text, 0) + 1
