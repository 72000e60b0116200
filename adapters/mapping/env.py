"""What a row is compiled against: the pack's shapes and codes, the cursors around it, the element that it fills."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import yaml

from adapters.errors import BrokenPack
from adapters.mapping import paths, places
from adapters.mapping.codes import CodeMap
from adapters.mapping.places import Cursor, Place
from adapters.mapping.rows import Row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Links:
    """The closed canonical list: where writers start, roles, and links with their targets."""

    starts: Mapping[str, str]
    roles: Mapping[str, str]
    links: Mapping[str, frozenset[str]]


@cache
def canonical_links() -> Links:
    """`adapters/canonical/links.yaml`."""
    text = files("adapters.canonical").joinpath("links.yaml").read_text("utf-8")
    data = yaml.load(text, Loader=yaml.CBaseLoader)
    return Links(data["starts"], data["roles"], {row["link"]: frozenset(row["to"]) for row in data["links"]})


@cache
def canonical_people() -> Mapping[str, Mapping[str, str]]:
    """`adapters/canonical/people.yaml`: person-role -> its data class and label."""
    text = files("adapters.canonical").joinpath("people.yaml").read_text("utf-8")
    return dict(yaml.load(text, Loader=yaml.CBaseLoader))


@dataclass(frozen=True, slots=True)
class Material:
    """A pack's parts as the compiler needs them."""

    pack_id: str
    codec: str
    shapes: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    codes: Mapping[str, CodeMap] = field(default_factory=dict)
    compiled: dict[tuple[Any, ...], tuple[Any, ...]] = field(default_factory=dict, compare=False)
    """Rows compiled already: a shape that is used a hundred times in one way is compiled once."""

    heights: dict[int, tuple[Row, int]] = field(default_factory=dict, compare=False)
    """How many cursors up a row leads, by the row's id."""

    @property
    def native(self) -> bool:
        """Whether numbers and booleans are said as such."""
        return self.codec == "json"


@dataclass(frozen=True, slots=True)
class Env:
    """Where a row stands."""

    material: Material
    cursors: tuple[Cursor, ...]
    node: str = ""
    """R4 type of the element that rows fill; "" outside resources."""
    resource: str = ""
    data_class: str = ""
    """Class handed down by the blocks around."""
    marked: str = ""
    """Class that the nearest labelled element or resource carries already."""
    strict: bool = False
    """Inside a `choose`: values never fall through."""
    shapes: tuple[str, ...] = ()
    """Shapes being expanded, against recursion."""
    short: bool = False
    """ER7, read: plain values are taken as raw text (:mod:`adapters.mapping.short`)."""

    def once(self, rows: Sequence[Row], compile_them: Callable[[Sequence[Row], Env], T]) -> T:
        """What `compile_them` makes of the rows here, made once for rows and places that are the same."""
        cursors = tuple((cursor.inside, id(cursor.item)) for cursor in self.cursors)
        here = (self.node, self.resource, self.data_class, self.marked, self.strict, self.short, cursors)
        key = (compile_them, tuple(map(id, rows)), here)
        held = self.material.compiled.get(key)
        if held is None:
            held = self.material.compiled[key] = (compile_them(rows, self), rows, self)
        found: T = held[0]
        return found

    def place(self, text: str, row: Row) -> Place:
        """The row's place; one that cannot be is the row's error."""
        if self.material.codec == "er7" and "[" in text and text not in row.when:
            raise row.fail("a repeat is named in `when` only: rows take them all")
        try:
            return places.parse(text, self.cursors)
        except BrokenPack as broken:
            raise row.fail(str(broken)) from None

    def path(self, text: str, row: Row) -> paths.Path:
        """The row's path in the element around it."""
        if not self.node:
            raise row.fail("there is no element to put this in; make a resource first")
        try:
            return paths.parse(text, self.node)
        except BrokenPack as broken:
            raise row.fail(str(broken)) from None

    def tests(self, where: str | Mapping[str, Any], row: Row) -> tuple[paths.Test, ...]:
        """The row's `where`."""
        if not where:
            return ()
        try:
            return paths.parse_tests(where, self.node)
        except BrokenPack as broken:
            raise row.fail(str(broken)) from None

    def under(self, place: Place | None, **changes: Any) -> Env:
        """The environment of a block's rows; the block's cursor is added when it has one."""
        if place is None and not changes:
            return self
        cursors = (*self.cursors, place.cursor) if place is not None else self.cursors
        return replace(self, cursors=cursors, **changes)

    def class_of(self, row: Row) -> str:
        """The row's class or the one handed down; none is refused."""
        found = row.data_class or self.data_class
        if not found:
            raise row.fail("a row needs a data class (blocks hand theirs down)")
        return found

    def content(self, row: Row) -> tuple[tuple[Row, ...], Env]:
        """A block's rows: those of its shape, then its own."""
        rows: tuple[Row, ...] = ()
        env = self
        if row.shape:
            if row.shape not in self.material.shapes:
                raise row.fail(f"there is no shape {row.shape}")
            if row.shape in self.shapes:
                raise row.fail(f"shape {row.shape} holds itself")
            rows = self.material.shapes[row.shape]
            env = replace(self, shapes=(*self.shapes, row.shape))
        return rows + (row.rows or ()), env


def link_steps(text: str) -> tuple[str, tuple[paths.Step, ...]]:
    """``DiagnosticReport.result[]`` as the holder's type and the way in it."""
    holder, _, way = text.partition(".")
    return holder, paths.parse(way.replace("[]", ""), holder).steps


def canonical_json(value: Any) -> str:
    """One text for one value, for hashing."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
