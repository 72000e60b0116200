"""What of a message no row read: derived from the source leaves whenever it is asked for, never stored.

Both are lazy: a reading that nobody asks for its loss does not pay for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from adapters.codecs import er7
from adapters.mapping.places import place_of
from adapters.mapping.short import plain_place
from adapters.mapping.structure import Group
from adapters.mapping.walk import Walk
from adapters.pack import DELETES, Loss, LossKind
from adapters.tree import Node, State, leaves


def leaves_of(tree: Node) -> Iterator[tuple[str, str]]:
    """Every populated leaf of a tree as (place, raw text)."""
    if isinstance(tree, Group):
        yield from er7.places(sorted(tree.segments(), key=lambda segment: segment.number))
    elif isinstance(tree, er7.Message):
        yield from er7.places(tree.segments)
    else:
        for node in leaves(tree):
            yield node.place, _raw(node)


def _raw(node: Node) -> str:
    if node.state is State.NULL:
        return ""
    value = node.value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


class Leaves(Mapping[str, str]):
    """A strand's source leaves, place -> raw text, found when asked for."""

    __slots__ = ("_found", "_tree")

    def __init__(self, tree: Node) -> None:
        self._tree = tree
        self._found: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._found is None:
            self._found = dict(leaves_of(self._tree))
        return self._found

    def __getitem__(self, place: str) -> str:
        return self._all()[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Losses(Sequence[Loss]):
    """A reading's loss: what transforms reported, then every leaf that no row read; found when asked for."""

    __slots__ = ("_found", "_head", "_parts")

    def __init__(self, head: Sequence[Node]) -> None:
        self._head = head
        self._parts: list[tuple[Node, Walk]] = []
        self._found: tuple[Loss, ...] | None = None

    def add(self, tree: Node, walk: Walk) -> None:
        """Add a strand's tree and what its rows read."""
        self._parts.append((tree, walk))

    def _all(self) -> tuple[Loss, ...]:
        if self._found is None:
            self._found = tuple(dict.fromkeys(self._find()))
        return self._found

    def _find(self) -> Iterator[Loss]:
        """What one child's part reads of what all share (NIEM's persons, a header) is not lost for the others'."""
        seen = {node.place for node in self._head}
        for _, walk in self._parts:
            yield from walk.loss
            spots = walk.spots
            seen |= {node.place for node in walk.seen}
            seen |= {plain_place(node, steps) for node, steps in zip(spots[::2], spots[1::2], strict=True)}
            seen |= {loss.place for loss in walk.loss if loss.kind is LossKind.DROP}
        tested = (place_of(spot) for _, walk in self._parts for spot in walk.tested)
        for place in dict.fromkeys(place for place in tested if place not in seen):
            yield Loss(place, LossKind.NORMALISE, "one of several codes that mean this")
            seen.add(place)
        for place, raw in (leaf for tree, _ in self._parts for leaf in leaves_of(tree)):
            if place not in seen:
                why = DELETES if raw in ("", '""') else "not mapped"
                yield Loss(place, LossKind.DROP, why)

    @overload
    def __getitem__(self, index: int) -> Loss: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Loss, ...]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all())
