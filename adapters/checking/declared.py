"""What a pack's rows declare of each source place: where it goes, which way, and what may appear on the way out.

A loss is declared in two ways: the engine reports it (`Reading.loss`, `Writing.loss`), or the row says it itself: one
that is only read (`direction: in`) does not come back to its place, one with `out`, `default` or `when` says something
that nobody sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.checking.places import bare, below
from adapters.checking.plan import item_of
from adapters.mapping import places
from adapters.mapping.bundles import BundlePack
from adapters.mapping.carrying import ORDINAL
from adapters.mapping.engine import RowPack
from adapters.mapping.env import Env, Material
from adapters.mapping.message import Message
from adapters.mapping.paths import ABSENT, PRESENT
from adapters.mapping.places import Cursor, Place
from adapters.mapping.rows import Row
from adapters.pack import Pack

_BESIDE = re.compile(r"\._(\w+)\..*")


@dataclass(slots=True)
class Declared:
    """One message type's declarations, by bare place."""

    codec: str
    targets: dict[str, set[str]] = field(default_factory=dict)
    """Source place -> canonical places that it is read into (``Patient.name.family``)."""
    writers: dict[str, set[str]] = field(default_factory=dict)
    """Canonical place -> source places that it is written to."""
    said: set[str] = field(default_factory=set)
    """Source places that a row may say of itself."""
    numbered: set[str] = field(default_factory=set)
    """Source places that say where in its list a thing stands: another order, another number."""
    defaults: set[str] = field(default_factory=set)
    """Canonical places that a row fills of itself: they come and go with the resource that they stand in."""
    returned: set[str] = field(default_factory=set)
    """Canonical places that some row reads and writes."""
    retold: dict[str, set[str]] = field(default_factory=dict)
    """Canonical place -> source places at which it is said in the format's own way (`direction: out`)."""
    head: set[str] = field(default_factory=set)
    """Header places, which the context supplies."""

    def written(self, place: str) -> bool:
        """Whether what is read at a place is written back to it."""
        return any(place in self.writers.get(target, ()) for target in self.targets.get(place, ()))

    def reads(self, place: str) -> bool:
        """Whether something of the bundle is read at a place: neither a condition only nor a claim."""
        return any(target and not target.startswith("claim.") for target in self.targets.get(place, ()))

    def moved_to(self, place: str) -> set[str]:
        """The places that what is read at a place is written to instead, as far as it is not written back to it."""
        written = (self.writers.get(target, set()) for target in self.targets.get(place, ()))
        return {other for writers in written if place not in writers for other in writers}

    def said_otherwise(self) -> set[str]:
        """Canonical places that are said in the format's own way alone, and those that such a saying is read as."""
        found: set[str] = set()
        for to, patterns in self.retold.items():
            if to not in self.returned:
                found |= {to, *(target for pattern in patterns for target in self.targets.get(pattern, ()) if target)}
        return found

    def may_appear(self) -> set[str]:
        """Canonical places that a constant of the format is read as."""
        return {target for place in self.said for target in self.targets.get(place, ()) if target}

    def made_of(self, place: str) -> frozenset[str]:
        """The types of resource that what is read at a place goes to."""
        return frozenset(target.partition(".")[0] for target in self.targets.get(place, ()) if target)

    def said_once(self) -> set[str]:
        """Canonical places that one source place is read into together: what one of them says, the others say again."""
        return {target for targets in self.targets.values() if len(targets) > 1 for target in targets if target}

    def lost_in(self, place: str, lost: Iterable[str]) -> bool:
        """Whether a canonical place that a source place goes to is among those which the writer reports as lost; a code
        that is kept beside a primitive (``_use.extension...``) is that primitive's."""
        targets = self.targets.get(place, set())
        return any(touches(target, _BESIDE.sub(r".\1", other)) for target in targets for other in lost)


def touches(one: str, other: str) -> bool:
    """Whether one place is another, or stands above or below it."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def declared(pack: Pack, type_: str) -> Declared:
    """What a message type declares."""
    if isinstance(pack, BundlePack):
        return Declared("json")
    assert isinstance(pack, RowPack)
    found = Declared(pack.codec.name)
    for dialect in pack.dialects.values():
        message = next(message for message in dialect.messages if message.type == type_)
        _Walk(pack, message, found).walk()
    return found


@dataclass(slots=True)
class _Walk:
    """Goes through the rows of one message type, as the compilers do."""

    pack: RowPack
    message: Message
    found: Declared
    seen: set[tuple[Any, ...]] = field(default_factory=set)

    def walk(self) -> None:
        codec = self.pack.codec.name
        material = Material(self.pack.id, codec, self.message.shapes, self.pack.codes)
        env = Env(material, (Cursor(codec, self.message.grammar),))
        root = f"/{self.message.root}" if codec == "xml" and self.message.root else ""
        for place in self._head_places():
            self.found.head.add(self._pattern(places.parse(place, (Cursor(codec),)), (root,)))
        self.rows(self.message.rows, env, (root,), "", "both")

    def _head_places(self) -> list[str]:
        message = self.message
        said = [leaf.place for leaf in self.pack.leaves]
        event = [message.event_at] if message.event_at else []
        return [*said, *self.pack.key, *message.put, *message.when, *event]

    def _pattern(self, place: Place, patterns: Sequence[str]) -> str:
        codec = self.pack.codec.name
        pattern = patterns[-1 - place.up]
        for step in place.steps:
            pattern = below(pattern, step.partition("[")[0], codec)
        return pattern

    def rows(self, rows: Sequence[Row], env: Env, patterns: tuple[str, ...], target: str, direction: str) -> None:
        """The rows of a list, below a canonical place."""
        key = (tuple(map(id, rows)), env.node, patterns, target, direction)
        if key in self.seen:
            return
        self.seen.add(key)
        for row in rows:
            self.row(row, env, patterns, target, direction)

    def row(self, row: Row, env: Env, patterns: tuple[str, ...], target: str, direction: str) -> None:
        """One row."""
        if row.direction != "both":
            if direction not in ("both", row.direction):
                return  # a row that only the other way would use, in a block that goes one way
            direction = row.direction
        place = env.place(row.place, row) if row.place else None
        pattern = self._pattern(place, patterns) if place is not None else patterns[-1]
        self._conditions(row, env, place, (*patterns, pattern), direction)
        for option in row.choose:
            self.row(option, env, patterns, target, direction)
        if row.claim:
            self._claim(row, env, place, (*patterns, pattern), pattern, direction)
            return
        to = _canonical(target, row)
        if row.parts:
            for text in row.parts:
                self._note(self._pattern(env.place(text, row), patterns), to, direction, row)
        elif row.is_block:
            inner = env.under(place, node=row.make) if row.make else env.under(place, node=_node(row, env))
            below_rows, inner = inner.content(row)
            under = (*patterns, pattern) if place else patterns
            self.rows(below_rows, inner, under, to, direction)
            if row.item:
                self.rows(row.item, env.under(place, node=item_of(row.link)), under, _holder(row.link), direction)
        elif place is not None:
            self._note(pattern, to if row.to else "", direction, row)
        elif row.default:
            self.found.defaults.add(to)

    def _note(self, pattern: str, to: str, direction: str, row: Row) -> None:
        pattern = bare(pattern, self.pack.codec.name)
        if direction == "in" or (to and direction != "out"):
            self.found.targets.setdefault(pattern, set()).add(to)
        if to and direction == "both":
            self.found.returned.add(to)
        elif to and direction == "out":
            self.found.retold.setdefault(to, set()).add(pattern)
        if to and direction != "in":
            self.found.writers.setdefault(to, set()).add(pattern)
        if row.out or row.default or direction == "out":
            self.found.said.add(pattern)
        if row.out == ORDINAL:
            self.found.numbered.add(pattern)

    def _conditions(self, row: Row, env: Env, place: Place | None, patterns: tuple[str, ...], direction: str) -> None:
        inner = env.under(place)
        for text, values in row.when.items():
            if values[0] in (PRESENT, ABSENT):
                continue
            outer = place is not None and place.cursor.inside and not text.startswith(".")
            found = (env if outer or place is None else inner).place(text, row)
            at = patterns[:-1] if outer or place is None else patterns
            told = bare(self._pattern(found, at), self.pack.codec.name)
            self.found.said.add(told)
            if direction == "in":
                self.found.targets.setdefault(told, set()).add("")

    def _claim(
        self, row: Row, env: Env, place: Place | None, patterns: tuple[str, ...], pattern: str, direction: str
    ) -> None:
        parts = row.rows or ()
        if not parts:
            self._note(pattern, f"claim.{row.claim}", direction, row)
        inner = env.under(place, node="Extension")
        for part in parts:
            at = self._pattern(inner.place(part.place, part), patterns if place else patterns[:-1])
            self._note(at, f"claim.{row.claim}.{part.to}", direction, part)


def _holder(link: str) -> str:
    """The canonical place of the list item that holds a link's reference."""
    return link.replace("[]", "").rpartition(".")[0]


def _node(row: Row, env: Env) -> str:
    return env.path(row.to, row).node if row.to else env.node


def _canonical(target: str, row: Row) -> str:
    """The canonical place below another: without selectors and list indices."""
    if row.make:
        return row.make
    if not row.to or row.to == ".":
        return target
    depth, plain = 0, ""
    for char in row.to:
        depth += char == "["
        if not depth:
            plain += char
        depth -= char == "]"
    return f"{target}.{plain}" if target else plain


def constants(pack: Pack) -> set[str]:
    """What a pack says of itself on the canonical side: defaults, conditions, and the targets of its code maps."""
    if not isinstance(pack, RowPack):
        return set()
    found: set[str] = set()
    for dialect in pack.dialects.values():
        for message in dialect.messages:
            _constants(message.rows, found)
            for rows in message.shapes.values():
                _constants(rows, found)
    for codes in pack.codes.values():
        for code in codes.reads.values():
            found |= {code.code, code.system, code.display}
        found |= {*codes.reads, *codes.writes.values()}
    return found


def _constants(rows: Iterable[Row], found: set[str]) -> None:
    for row in rows:
        found |= {row.default, row.to, row.prefix, row.link, row.make}
        if isinstance(row.where, Mapping):
            for path, values in row.where.items():
                found |= {path, *((values,) if isinstance(values, str) else values)}
        _constants(row.rows or (), found)
        _constants(row.choose, found)
        _constants(row.item, found)
