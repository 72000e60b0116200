"""A manifest as the engine uses it: message types, header leaves, dialects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.codecs.common import Parsed
from adapters.mapping.codes import CodeMap
from adapters.mapping.grouping import Step
from adapters.mapping.rows import Row
from adapters.mapping.schemas import Schema
from adapters.mapping.structure import Grammar
from adapters.tree import Node
from consent.vocabulary import Event


@dataclass(frozen=True, slots=True)
class HeadLeaf:
    """One header leaf: its name, where it stands, and its date formats."""

    name: str
    place: str
    date: tuple[str, ...] = ()


_SIGNS: dict[tuple[str, ...], str] = {("$present",): "there", ("$absent",): "not there"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message type of a manifest."""

    type: str
    when: Mapping[str, tuple[str, ...]]
    root: str
    event: Event | None
    event_at: str
    event_codes: CodeMap | None
    where: Mapping[str, Any]
    direction: str
    put: Mapping[str, str]
    grammar: Grammar | None
    order: Mapping[str, tuple[str, ...]]
    strand: str
    rows: tuple[Row, ...]
    shapes: Mapping[str, tuple[Row, ...]]
    schema: Schema | None
    validate: str
    answer: str
    loss: int | None
    map: str
    group: tuple[Step, ...] = ()
    refs: tuple[str, str] | None = None
    """What a node says that stands elsewhere, and what names the content that stands there."""

    @property
    def told(self) -> str:
        """Its type and what it is recognised by, in words: ``Roster-1.2 (roles.csv/row/role is there)``."""
        signs = [f"the root is {self.root}"] if self.root else []
        for place, values in self.when.items():
            signs.append(f"{place} is {_SIGNS.get(values) or ' or '.join(values)}")
        return f"{self.type} ({', '.join(signs)})" if signs else self.type

    def says(self, event: Event) -> bool:
        """Whether it is written for this event."""
        coded = self.event_codes.writes if self.event_codes is not None else {}
        return self.direction != "in" and (self.event is event or ("", event.value) in coded)


@dataclass(frozen=True, slots=True)
class Codec:
    """How bytes become a tree and back, for one pack."""

    name: str
    parse: Callable[[bytes], Parsed]
    dump: Callable[[Node], bytes]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A sender's own names, and how it is recognised."""

    when: Mapping[str, tuple[str, ...]]
    messages: tuple[Message, ...]
