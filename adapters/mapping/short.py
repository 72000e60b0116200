"""The short way through ER7: the raw text at a place, without nodes, where one plain value is all that stands there.

It serves messages whose raw text is a value as it stands (:attr:`adapters.codecs.er7_tree.Message.tidy`). Whatever is
more than that (several segments or repetitions, escapes, parts where a leaf is asked for, a delete) goes the long way
through nodes, which says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.codecs.er7_tree import Part, Segment
from adapters.mapping.places import Place
from adapters.mapping.structure import Group
from adapters.tree import Branch

Text = Callable[[Any], str | None]
"""From the node that a cursor stands on: the raw text at a place, "" for none, None where only the long way will do."""

NULL = '""'


def is_plain(text: str) -> bool:
    """Whether raw text is a leaf's value as it stands."""
    return not ("\\" in text or "^" in text or "&" in text or text == NULL)


def text_at(place: Place) -> Text | None:
    """The short way to a place from its own cursor (whatever `../` says); None when it has none."""
    base, steps = place.base, place.steps
    header = (steps[:1] == ("MSH",)) or (base.item is not None and base.item.name == "MSH")
    if base.codec != "er7" or base.structure is None or header:
        return None
    if base.inside:
        return _in_field(steps)
    if base.item is None or base.item.items:
        if len(steps) < 2 or steps[0].isdigit():
            return None
        return _in_group(steps[0], steps[1:])
    return _in_segment(steps)


def cell_in_group(place: Place) -> tuple[str, int] | None:
    """The segment and field of a place that is a whole field of a group's segment."""
    if text_at(place) is None or place.base.inside or len(place.steps) != 2 or not place.steps[1].isdigit():
        return None
    return (place.steps[0], int(place.steps[1])) if not place.steps[0].isdigit() else None


def _whole(node: Part) -> str:
    return node.text


def _in_field(steps: tuple[str, ...]) -> Text | None:
    if not steps:
        return _whole
    number = int(steps[0])
    if len(steps) == 1:

        def part(node: Part) -> str:
            parts = node.parts
            return parts[number - 1] if number <= len(parts) else ""

        return part
    below = int(steps[1])

    def subpart(node: Part) -> str | None:
        if node.level:
            return None
        parts = node.parts
        return _piece(parts[number - 1], "&", below) if number <= len(parts) else ""

    return subpart


def _in_segment(steps: tuple[str, ...]) -> Text | None:
    inside = _in_fields(steps)
    if inside is None:
        return None

    def text(node: Segment) -> str | None:
        return inside(node.cut or node.fields)

    return text


def _in_group(name: str, steps: tuple[str, ...]) -> Text | None:
    inside = _in_fields(steps)
    if inside is None:
        return None
    if len(steps) == 1 and steps[0].isdigit():
        return _field_in_group(name, int(steps[0]))
    if len(steps) == 2:
        return _component_in_group(name, int(steps[0]), int(steps[1]))

    def text(node: Group) -> str | None:
        found: list[Any] | None = node.by.get(name)
        if not found:
            return ""
        if len(found) != 1:
            return None
        segment: Segment = found[0]
        return inside(segment.cut or segment.fields)

    return text


def _field_in_group(name: str, number: int) -> Text:
    def text(node: Group) -> str | None:
        found: list[Any] | None = node.by.get(name)
        if not found:
            return ""
        if len(found) != 1:
            return None
        segment: Segment = found[0]
        fields = segment.cut or segment.fields
        if number >= len(fields):
            return ""
        field = fields[number]
        return None if "~" in field else field

    return text


def _component_in_group(name: str, number: int, component: int) -> Text:
    def text(node: Group) -> str | None:
        found: list[Any] | None = node.by.get(name)
        if not found:
            return ""
        if len(found) != 1:
            return None
        segment: Segment = found[0]
        fields = segment.cut or segment.fields
        if number >= len(fields):
            return ""
        field = fields[number]
        if "~" in field:
            return None
        if "^" not in field:
            return field if component == 1 else ""
        pieces = field.split("^", component)
        return pieces[component - 1] if component <= len(pieces) else ""

    return text


def _in_fields(steps: tuple[str, ...]) -> Callable[[list[str]], str | None] | None:
    """The way from a segment's fields on; ``5[2]`` is nothing in a field that does not repeat."""
    if not steps or not steps[0][0].isdigit():
        return None
    number, _, repeat = steps[0].removesuffix("]").partition("[")
    field = int(number)
    if repeat == "1" or field == 0:
        return None
    parts = tuple(int(step) for step in steps[1:])

    def text(fields: list[str]) -> str | None:
        if field >= len(fields):
            return ""
        found = fields[field]
        if "~" in found:
            return None
        if repeat:
            return ""
        if parts:
            found = _piece(found, "^", parts[0])
            if len(parts) == 2:
                found = _piece(found, "&", parts[1])
        return found

    return text


def _piece(text: str, mark: str, number: int) -> str:
    if mark not in text:
        return text if number == 1 else ""
    pieces = text.split(mark, number)
    return pieces[number - 1] if number <= len(pieces) else ""


def plain_place(node: Any, steps: tuple[str, ...]) -> str:
    """Where the plain value stood that the short way read at the steps from a node, in the sender's terms."""
    if isinstance(node, Branch):
        return node.place
    if isinstance(node, Group):
        (node,) = node.by[steps[0]]
        steps = steps[1:]
    if isinstance(node, Segment):
        number = int(steps[0])
        place, text, level, steps = f"{node.place}-{number}", node.fields[number], 0, steps[1:]
    else:
        place, text, level = node.place, node.text, node.level
    for mark in "^&"[level:]:
        if not steps and mark not in text:
            break
        if mark in text or (mark == "^" and "&" in text):
            number = int(steps[0]) if steps else 1
            place, text, steps = f"{place}.{number}", text.split(mark)[number - 1], steps[1:]
        else:
            steps = steps[1:]
    return place
