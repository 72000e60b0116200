"""The one tree that every codec reads into and writes from: names, values, three states, source positions.

A codec may make nodes lazily (ER7 splits and unescapes only what is asked for), so `children` is a method.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Protocol, runtime_checkable

Scalar = str | Decimal | bool


class State(Enum):
    """What stands at a place. A place that is not there has no node: that is *absent*."""

    VALUE = "value"
    EMPTY = "empty"
    """There, and says nothing (`||`, `<a/>`, `""` in JSON, an empty CSV cell)."""
    NULL = "null"
    """There, and says "delete" (`""` in HL7 v2, `xsi:nil`, JSON null)."""


@runtime_checkable
class Node(Protocol):
    """One place of a message."""

    @property
    def name(self) -> str:
        """``PID``, ``5``, ``nc:PersonName``, ``birthDate``, a column's heading."""

    @property
    def place(self) -> str:
        """Where it stood, in the sender's terms: ``PID[1]-5[2].1``, an XPath, a JSON pointer, ``row 3, ChildID``."""

    @property
    def state(self) -> State:
        """VALUE, EMPTY or NULL."""

    @property
    def value(self) -> Scalar | None:
        """The leaf's value, unescaped, NFC; None for a node with children, and for EMPTY and NULL."""

    def children(self) -> Iterable[Node]:
        """In source order."""

    def all(self, name: str) -> Iterator[Node]:
        """The children with that name: the repeats of a place."""


@dataclass(slots=True)
class Branch:
    """The plain, writable node: what packs build on the way out and simple codecs build on the way in."""

    name: str
    place: str = ""
    value: Scalar | None = None
    state: State = State.VALUE
    nodes: list[Branch] = field(default_factory=list)
    repeats: bool = False
    """One of a list, even when it is the only one (JSON, CSV)."""
    empty: str = ""
    """How an EMPTY node was written where a format has several ways (JSON: ``[]``, ``{}``)."""

    def children(self) -> list[Branch]:
        """In source order."""
        return self.nodes

    def all(self, name: str) -> Iterator[Branch]:
        """The children with that name."""
        return (node for node in self.nodes if node.name == name)

    def add(self, name: str, value: Scalar | None = None, place: str = "", state: State = State.VALUE) -> Branch:
        """Append a child and return it."""
        node = Branch(name, place, value, state)
        self.nodes.append(node)
        return node


def leaves(node: Node) -> Iterator[Node]:
    """Every populated leaf below `node`, in source order."""
    below = False
    for child in node.children():
        below = True
        yield from leaves(child)
    if not below and (node.value is not None or node.state is State.NULL):
        yield node
