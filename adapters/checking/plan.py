"""A message type's rows as a plan for making messages: where each row looks, when it holds, what it can read.

The plan mirrors `adapters.mapping.reader`: the same cursors, the same places, the same alternatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.checking.values import Say, say_of
from adapters.mapping import paths
from adapters.mapping.assemble import required_elements
from adapters.mapping.engine import RowPack
from adapters.mapping.env import Env, Material
from adapters.mapping.message import Message
from adapters.mapping.places import Cursor, Place
from adapters.mapping.rows import Row
from adapters.r4 import table


@dataclass(frozen=True, slots=True)
class Spot:
    """Steps from a cursor, after going up so many cursors."""

    up: int
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a `when`."""

    own: bool
    """Seen from what the row stands on, rather than from the cursor around."""
    spot: Spot
    values: tuple[str, ...]


@dataclass(eq=False, slots=True)
class Plan:
    """One row."""

    row: Row
    spot: Spot | None = None
    when: tuple[Condition, ...] = ()
    say: Say | None = None
    """For a row that carries a value."""
    parts: tuple[Spot, ...] = ()
    inner: Plans = ()
    """A block's rows."""
    options: tuple[Plan, ...] = ()
    """Alternatives of a `choose`."""
    needed: bool = False
    """Whether R4 or the row wants a value here."""


Plans = tuple[tuple[Plan, ...], ...]
"""Rows in order; those with `each` on one place stand together."""


@dataclass(slots=True)
class Planner:
    """Compiles the rows of one message type."""

    pack: RowPack
    message: Message
    known: dict[tuple[Any, ...], tuple[Plans, Sequence[Row], Env]] = field(default_factory=dict)

    def plan(self) -> Plans:
        """The whole message's rows."""
        material = Material(self.pack.id, self.pack.codec.name, self.message.shapes, self.pack.codes)
        env = Env(material, (Cursor(self.pack.codec.name, self.message.grammar),))
        return self.rows(self.message.rows, env, frozenset())

    def rows(self, rows: Sequence[Row], env: Env, needed: frozenset[str], under: str = "") -> Plans:
        """The rows of a list, in an element that R4 wants some members of; `under` names the element around."""
        cursors = tuple((cursor.inside, id(cursor.item)) for cursor in env.cursors)
        key = (tuple(map(id, rows)), env.node, env.resource, env.data_class, env.shapes, cursors, needed, under)
        if key not in self.known:
            self.known[key] = (self._rows(rows, env, needed, under), rows, env)
        return self.known[key][0]

    def _rows(self, rows: Sequence[Row], env: Env, needed: frozenset[str], under: str) -> Plans:
        found: list[list[Plan]] = []
        shared: dict[str, list[Plan]] = {}
        for row in rows:
            if not row.reads:
                continue
            plan = self.row(row, env, needed, under)
            if plan is None:
                continue
            if row.each and not row.join and row.each in shared:
                shared[row.each].append(plan)
                continue
            found.append([plan])
            if row.each and not row.join:
                shared[row.each] = found[-1]
        return tuple(tuple(group) for group in found)

    def row(self, row: Row, env: Env, needed: frozenset[str], under: str = "") -> Plan | None:
        """One row; None for what the source has no part in."""
        wanted = row.required or (row.to.split(".")[0].split("[")[0] in needed if row.to else False)
        if row.choose:
            inner = env.under(None, strict=True)
            options = tuple(found for option in row.choose if (found := self._option(option, inner, needed, under)))
            return Plan(row, _spot(env.place(row.of, row)) if row.of else None, options=options, needed=wanted)
        if row.claim:
            return self._claim(row, env)
        if row.parts:
            spots = tuple(_spot(env.place(text, row)) for text in row.parts)
            return Plan(row, None, (), self._say(row, env, under), spots, needed=wanted)
        place = env.place(row.place, row) if row.place else None
        spot = _spot(place) if place is not None else None
        if not row.is_block:
            if place is None:
                return None
            return Plan(row, spot, _when(row, env, place), self._say(row, env, under), needed=wanted)
        return Plan(row, spot, _when(row, env, place), inner=self._inner(row, env, place, under), needed=wanted)

    def _option(self, row: Row, env: Env, needed: frozenset[str], under: str) -> Plan | None:
        if not row.reads:
            return None
        if not (row.rows or row.shape or row.place or row.choose or row.parts):
            return Plan(row, None, _when(row, env, None))
        found = self.row(row, env, needed, under)
        if found is not None and not found.when:
            found.when = _when(row, env, None)
        return found

    def _inner(self, row: Row, env: Env, place: Place | None, under: str) -> Plans:
        if row.make:
            kind = row.make
            rows, inner = env.under(place, node=kind, resource=kind).content(row)
            names = {name for names in required_elements(kind) for name in names}
            found = self.rows(rows, inner, frozenset(names - set(row.ref)))
            if not row.item:
                return found
            node = item_of(row.link)
            return found + self.rows(row.item, env.under(place, node=node), _wanted(node) - {"actor", "individual"})
        if row.to:
            node = env.path(row.to, row).node
            rows, inner = env.under(place, node=node).content(row)
            return self.rows(rows, inner, _wanted(node), row.to.rpartition(".")[2])
        rows, inner = env.under(place).content(row)
        return self.rows(rows, inner, frozenset(), under)

    def _claim(self, row: Row, env: Env) -> Plan:
        place = env.place(row.place, row) if row.place else None
        spot = _spot(place) if place is not None else None
        if row.rows is None:
            say = say_of(row, paths.parse("valueString", "Extension"), None, False)
            return Plan(row, spot, _when(row, env, place), say)
        inner = env.under(place, node="Extension")
        parts = []
        for part in row.rows:
            path = paths.parse("valueDate" if part.to == "date" else "valueString", "Extension")
            say = say_of(part, path, self.pack.codes.get(part.codes), False)
            parts.append((Plan(part, _spot(inner.place(part.place, part)), (), say),))
        return Plan(row, spot, _when(row, env, place), inner=tuple(parts))

    def _say(self, row: Row, env: Env, under: str) -> Say:
        path = env.path(row.to, row) if row.to else None
        return say_of(row, path, self.pack.codes.get(row.codes), env.material.native, under)


def item_of(link: str) -> str:
    """The type of the list item that holds a link's reference."""
    holder, _, way = link.replace("[]", "").partition(".")
    return paths.parse(way.rpartition(".")[0], holder).node


def _wanted(node: str) -> frozenset[str]:
    """The members that R4 wants of a backbone element or datatype."""
    if not node or node == "Extension":
        return frozenset()
    return frozenset(name for name, element in table.fields(node).items() if element.min)


def _spot(place: Place) -> Spot:
    return Spot(place.up, place.steps)


def _when(row: Row, env: Env, place: Place | None) -> tuple[Condition, ...]:
    inner = env.under(place)
    found = []
    for text, values in row.when.items():
        outer = place is not None and place.cursor.inside and not text.startswith(".")
        own = not outer and place is not None
        found.append(Condition(own, _spot((env if outer else inner).place(text, row)), values))
    return tuple(found)
