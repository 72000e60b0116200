"""Which rows of a pack wrote an element of a bundle: so that a fault of the bundle names what is to be mended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from adapters.checking.stands import Stand, stands_of
from adapters.mapping import paths
from adapters.mapping.engine import RowPack
from adapters.mapping.paths import Step
from adapters.pack import Bundle, Pack

Way = tuple[str | int, ...]
"""Names and list indices from a resource to an element: ``("telecom", 0, "value")``."""

_ELEMENT = re.compile(r"Bundle\.entry\[(\d+)\]\.resource(?:\.(.*))?")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_MOST = 3


def rows_behind(pack: Pack, type_: str, bundle: Bundle, expression: str) -> tuple[str, ...]:
    """``maps/x.yaml rows[1].rows[2] (at: A, to: b)`` of each row that wrote the element of a FHIRPath, or what is below
    it; where none did (it is missing) the row that made what it belongs to. No more than three; () without rows."""
    found = _ELEMENT.fullmatch(expression)
    if found is None or not isinstance(pack, RowPack):
        return ()
    resource = bundle["entry"][int(found[1])]["resource"]
    way = tuple(name or int(index) for name, index in _STEP.findall(found[2] or ""))
    sources: dict[str, None] = {}
    for dialect in pack.dialects.values():
        for message in dialect.messages:
            if message.type == type_:
                for made in _makers(stands_of(pack, message), resource):
                    sources |= dict.fromkeys(stand.row.source for stand in _writers(made, resource, way))
    return tuple(sources)[:_MOST]


def _makers(stands: Sequence[Stand], resource: Any) -> Iterator[Stand]:
    """The rows that may have made a resource."""
    for top in stands:
        for stand in top.walk():
            if stand.row.make == resource["resourceType"] and stand.reads:
                where = paths.parse_tests(stand.row.where, stand.row.make) if stand.row.where else ()
                if paths.holds(resource, where):
                    yield stand


def _writers(made: Stand, resource: Any, way: Way) -> list[Stand]:
    """The rows of one resource at the element or below it; else the nearest above it; else the one that made it."""
    found = [(stand, wrote) for stand in made.own() if stand.reads for wrote in _written(stand, resource)]
    leaves = [stand for stand, wrote in found if not stand.row.is_block and _begins(wrote, way)]
    if leaves:
        return list(dict.fromkeys(leaves))
    above = [(len(wrote), stand) for stand, wrote in found if _begins(way, wrote)]
    return [max(above, key=lambda one: one[0])[1]] if above else [made]


def _begins(long: Way, short: Way) -> bool:
    """Whether a way leads through another's end; a choice (``value``) is any of its names (``valueString``)."""
    if len(long) < len(short):
        return False
    *before, last = short or ("",)
    return long[: len(before)] == tuple(before) and (
        not short or long[len(before)] == last or _is_choice(long[len(before)], last)
    )


def _is_choice(name: str | int, choice: str | int) -> bool:
    return isinstance(name, str) and isinstance(choice, str) and bool(re.fullmatch(f"{choice}[A-Z]\\w*", name))


def _written(stand: Stand, resource: Any) -> Iterator[Way]:
    """The elements that are there at a row's path."""
    if stand.row.to or stand.row.is_block:
        yield from _ways(resource, _steps(stand), ())


def _steps(stand: Stand) -> tuple[Step, ...]:
    """A row's path from the resource, with what tells the items of its lists apart."""
    steps: tuple[Step, ...] = ()
    at: Stand | None = stand
    while at is not None and not at.row.make:
        if at.row.to:
            path = at.env.path(at.row.to, at.row)
            own = path.steps
            if own and at.row.where and at.row.is_block and path.node:
                tests = (*own[-1].tests, *paths.parse_tests(at.row.where, path.node))
                own = (*own[:-1], replace(own[-1], tests=tests))
            steps = (*own, *steps)
        at = at.above
    return steps


def _ways(element: Any, steps: Sequence[Step], way: Way) -> Iterator[Way]:
    if not steps:
        yield way
        return
    step, *rest = steps
    held = element.get(step.name) if isinstance(element, dict) else None
    if held is None:
        return
    if not step.is_list:
        yield from _ways(held, rest, (*way, step.name))
        return
    for index, item in enumerate(held):
        if paths.holds(item, step.tests):
            yield from _ways(item, rest, (*way, step.name, index))
