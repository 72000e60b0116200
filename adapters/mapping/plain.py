"""Rows that carry one value, compiled for the short way: raw text straight into the element.

One closure for each common case (a part of a field or a segment's field; said as it stands or through a transform),
since a message has hundreds of such values. Whatever is not plain goes the long way, which says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.codecs.er7 import Part, Segment
from adapters.mapping.places import Place
from adapters.mapping.short import NULL, Text, cell_in_group, text_at
from adapters.mapping.structure import Group
from adapters.mapping.values import Transform
from adapters.mapping.walk import Frame, Reader
from adapters.mapping.ways import Imposer

Take = Callable[[Frame, Any], bool]


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a row that carries one value does with it."""

    transform: Transform
    put: Callable[[Frame, Any], bool]
    name: str
    """The element's name where putting is no more than setting it; "" otherwise."""
    impose: Imposer | None
    missing: Reader | None
    """What happens without a value; None when nothing does."""


def leaf_reader(place: Place, leaf: Leaf, long: Reader) -> Reader | None:
    """The short way of a row at a place; None when the place has none."""
    text = text_at(place)
    if text is None or place.up:
        return None
    if leaf.transform.plain and leaf.name and leaf.impose is None and place.base.inside and len(place.steps) == 1:
        return _part_as_it_stands(int(place.steps[0]), place.steps, leaf, long)
    if leaf.impose is None and place.base.inside and len(place.steps) == 1:
        return _part(int(place.steps[0]), place.steps, leaf, long)
    return _any(text, place.steps, leaf, long)


def _part_as_it_stands(number: int, steps: tuple[str, ...], leaf: Leaf, long: Reader) -> Reader:
    name, missing, at = leaf.name, leaf.missing, number - 1

    def read(frame: Frame) -> bool:
        node: Part = frame.node
        parts = node.parts
        text = parts[at] if number <= len(parts) else ""
        if text:
            if "\\" in text or "&" in text or "^" in text or text == NULL:
                return long(frame)
            element = frame.element
            if name not in element:
                element[name] = text
                frame.walk.spots += (node, steps)
                return True
        return missing is not None and missing(frame)

    return read


def _part(number: int, steps: tuple[str, ...], leaf: Leaf, long: Reader) -> Reader:
    put, missing, at = leaf.put, leaf.missing, number - 1
    read_value, plain = leaf.transform.read, leaf.transform.plain

    def read(frame: Frame) -> bool:
        node: Part = frame.node
        parts = node.parts
        text = parts[at] if number <= len(parts) else ""
        if text:
            if "\\" in text or "&" in text or "^" in text or text == NULL:
                return long(frame)
            said = text if plain else read_value(text, frame.walk, (node, steps))
            if said is not None and put(frame, said):
                frame.walk.spots += (node, steps)
                return True
        return missing is not None and missing(frame)

    return read


def _any(text_of: Text, steps: tuple[str, ...], leaf: Leaf, long: Reader) -> Reader:
    put, missing, impose = leaf.put, leaf.missing, leaf.impose
    read_value, plain, name = leaf.transform.read, leaf.transform.plain, leaf.name

    def read(frame: Frame) -> bool:
        node = frame.node
        text = text_of(node)
        if text:
            if "\\" in text or "^" in text or "&" in text or text == NULL:
                return long(frame)
            said = text if plain else read_value(text, frame.walk, (node, steps))
            if said is not None:
                if name:
                    element = frame.element
                    done = name not in element
                    if done:
                        element[name] = said
                else:
                    done = put(frame, said)
                if done:
                    frame.walk.spots += (node, steps)
                    if impose is not None:
                        impose(frame.element)
                    return True
        elif text is None:
            return long(frame)
        return missing is not None and missing(frame)

    return read


def cell_reader(place: Place, take: Take, missing: Reader | None, long: Reader) -> Reader | None:
    """The short way of a block at one field: its only repetition; None when the place is no field of a segment."""
    if place.up:
        return None
    if place.base.inside and len(place.steps) == 1:
        return _part_block(int(place.steps[0]), take, missing)
    cell = cell_in_group(place)
    if cell is None:
        return None
    number = cell[1]

    name = cell[0]

    def read(frame: Frame) -> bool:
        group: Group = frame.node
        found: list[Any] | None = group.by.get(name)
        if found:
            if len(found) != 1:
                return long(frame)
            segment: Segment = found[0]
            fields = segment.cut or segment.fields
            if number < len(fields):
                text = fields[number]
                if text:
                    if "~" in text:
                        return long(frame)
                    if take(frame, Part(number, text, 0, segment)):
                        return True
        return missing is not None and missing(frame)

    return read


def _part_block(number: int, take: Take, missing: Reader | None) -> Reader:
    def read(frame: Frame) -> bool:
        node: Part = frame.node
        found = node.part(number)
        if found is not None and found.text and take(frame, found):
            return True
        return missing is not None and missing(frame)

    return read
