"""A message type's rows as they stand: each where it is used, shapes gone into, with what it reads and fills.

The same walk as the compilers' (`adapters.mapping.reader`), for checks that look at rows beside one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapters.errors import BrokenPack
from adapters.mapping import paths, places
from adapters.mapping.engine import RowPack
from adapters.mapping.env import Env, Material
from adapters.mapping.message import Message
from adapters.mapping.paths import ABSENT, PRESENT, Step, Test
from adapters.mapping.places import Cursor
from adapters.mapping.rows import Row

Said = frozenset[tuple[str, str]]
"""Equalities: (path below an element, value)."""
Way = tuple[tuple[str, Said], ...]
"""Steps from a resource with what tells each step's item from others."""


@dataclass(eq=False, slots=True)
class Stand:
    """One use of a row."""

    row: Row
    env: Env
    above: Stand | None
    place: tuple[str, ...]
    """Steps from the nearest enclosing repeat."""
    repeat: Stand | None
    """The enclosing row whose place repeats; None for the message."""
    kind: str
    """R4 type of the resource around."""
    way: Way
    """Where it fills the resource around."""
    reads: bool
    writes: bool
    inner: list[Stand] = field(default_factory=list)
    options: list[Stand] = field(default_factory=list)

    def walk(self) -> Iterator[Stand]:
        """This and every row in it."""
        yield self
        for below in (*self.inner, *self.options):
            yield from below.walk()

    def own(self) -> Iterator[Stand]:
        """Every row in it that fills the same resource."""
        for below in (*self.inner, *self.options):
            if not below.row.make:
                yield below
                yield from below.own()

    @property
    def fills(self) -> str:
        """Its target in words."""
        return ".".join((self.kind, *(name for name, _ in self.way)))


def stands_of(pack: RowPack, message: Message) -> list[Stand]:
    """The rows of a message type, where they are used; a row that cannot be is a :class:`BrokenPack`."""
    material = Material(pack.id, pack.codec.name, message.shapes, pack.codes)
    env = Env(material, (Cursor(pack.codec.name, message.grammar),))
    reads, writes = message.direction != "out", message.direction != "in"
    top = Stand(Row("message"), env, None, (), None, "", (), reads, writes)
    return _rows(message.rows, env, top)


def _rows(rows: Sequence[Row], env: Env, above: Stand) -> list[Stand]:
    return [_stand(row, env, above) for row in rows]


def _stand(row: Row, env: Env, above: Stand) -> Stand:
    where = _place(row, env, above)
    place, repeat, cursor = where
    kind, way = _target(row, env, above)
    stand = Stand(row, env, above, place, repeat, kind, way, above.reads and row.reads, above.writes and row.writes)
    if row.choose:
        stand.options = _rows(row.choose, env.under(None, strict=True), stand)
        return stand
    if row.claim or not row.is_block:
        return stand
    node = row.make or (env.path(row.to, row).node if row.to else env.node)
    rows, inner = env.under(cursor, node=node, resource=row.make or env.resource).content(row)
    stand.inner = _rows(rows, inner, stand)
    return stand


def _place(row: Row, env: Env, above: Stand) -> tuple[tuple[str, ...], Stand | None, places.Place | None]:
    """(steps, enclosing repeat, parsed place) of a row; a row without a place stands where its block stands."""
    base, repeat = _base(above)
    if not row.place:
        return base, repeat, None
    found = env.place(row.place, row)
    at = above
    for _ in range(found.up):
        at = _cursor_above(at)
    if found.up:
        base, repeat = _base(at)
    return (*base, *found.steps), repeat, found


def _base(stand: Stand) -> tuple[tuple[str, ...], Stand | None]:
    """Where the rows of a block start from."""
    row = stand.row
    if row.place and (row.each or row.when):
        return (), stand
    return stand.place, stand.repeat


def _cursor_above(stand: Stand) -> Stand:
    """The block around the nearest one that moved the cursor."""
    found: Stand | None = stand
    while found is not None and not found.row.place:
        found = found.above
    return found.above if found is not None and found.above is not None else stand


def _target(row: Row, env: Env, above: Stand) -> tuple[str, Way]:
    if row.make:
        return row.make, ()
    if not row.to or not env.node:
        return above.kind, above.way
    path = env.path(row.to, row)
    way = [(step.name, _said(step.tests)) for step in path.steps]
    if row.is_block and row.where and way and path.node:
        tests = paths.parse_tests(row.where, path.node)
        way[-1] = (way[-1][0], way[-1][1] | _said(tests))
    return above.kind, (*above.way, *way)


def _said(tests: Sequence[Test]) -> Said:
    return frozenset(
        (test.path.text, test.values[0])
        for test in tests
        if len(test.values) == 1 and test.values[0] not in (PRESENT, ABSENT)
    )


def where_of(stand: Stand) -> dict[str, frozenset[str]]:
    """A row's `where`: path -> values that it may have there."""
    row = stand.row
    if not row.where:
        return {}
    raw = {row.where: PRESENT} if isinstance(row.where, str) else row.where
    return {path: frozenset([value] if isinstance(value, str) else value) for path, value in raw.items()}


def when_of(stand: Stand) -> dict[str, frozenset[str]]:
    """A row's `when`: place -> values."""
    return {place: frozenset(values) for place, values in stand.row.when.items()}


def disjoint(one: dict[str, frozenset[str]], other: dict[str, frozenset[str]]) -> bool:
    """Whether two conjunctions cannot hold together."""
    for key in one.keys() & other.keys():
        first, second = one[key], other[key]
        if first == {ABSENT} and ABSENT not in second:
            return True
        if second == {ABSENT} and ABSENT not in first:
            return True
        if PRESENT not in first | second and not first & second:
            return True
    return False


def implies(one: dict[str, frozenset[str]], other: dict[str, frozenset[str]]) -> bool:
    """Whether what holds of `one` always holds of `other`."""
    for key, values in other.items():
        said = one.get(key)
        if said is None:
            return False
        if values == {PRESENT}:
            if ABSENT in said:
                return False
        elif not said <= values:
            return False
    return True


def steps_of(text: str, start: str) -> Way:
    """A path of a key as steps with what tells their items apart; () when R4 has no such path."""
    try:
        steps: tuple[Step, ...] = paths.parse(text, start).steps
    except BrokenPack:
        return ()
    return tuple((step.name, _said(step.tests)) for step in steps)
