"""A row's `when` on raw text: the short way of `conditions`, for messages whose text is a value as it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.mapping.paths import ABSENT, PRESENT
from adapters.mapping.places import Place
from adapters.mapping.short import NULL, Text, is_plain, text_at
from adapters.mapping.walk import NOTHING_TOLD, Frame, Told
from adapters.tree import Node

Check = Callable[[Frame, Node], Told | None]
"""What a `when` finds where it holds (perhaps nothing that needs noting); None where it does not."""


@dataclass(frozen=True, slots=True)
class Tested:
    """One condition of a `when`."""

    place: Place
    values: tuple[str, ...]
    up: int
    """How many cursors up from the frame; -1 is the node that the row stands on."""


def quick(tests: list[Tested], slow: Check) -> Check | None:
    """The conditions on raw text, `slow` where that does not do; None when a place has no short way."""
    found = [(test, text_at(test.place)) for test in tests]
    ways = [(test, text) for test, text in found if text is not None]
    if len(ways) < len(found):
        return None
    if len(ways) == 1 and ways[0][0].up <= 0:
        test, text = ways[0]
        if test.values[0] in (PRESENT, ABSENT):
            return _presence(text, test, slow)
        return _equality(text, test, slow)
    return _all(ways, slow)


def _presence(text_of: Text, test: Tested, slow: Check) -> Check:
    wanted, own = test.values[0] == PRESENT, test.up < 0

    def check(frame: Frame, node: Node) -> Told | None:
        text = text_of(node if own else frame.node)
        if text is None:
            return slow(frame, node)
        return NOTHING_TOLD if (text != "" and text != NULL) is wanted else None

    return check


def _equality(text_of: Text, test: Tested, slow: Check) -> Check:
    values, first, own, steps = frozenset(test.values), test.values[0], test.up < 0, test.place.steps

    def check(frame: Frame, node: Node) -> Told | None:
        at = node if own else frame.node
        text = text_of(at)
        if text in values:
            return ((at, steps, text == first),)
        if text is None or not is_plain(text):
            return slow(frame, node)
        return None

    return check


def _all(ways: list[tuple[Tested, Text]], slow: Check) -> Check:
    compiled = [(text, test.up, frozenset(test.values), test.values[0], test.place.steps) for test, text in ways]

    def check(frame: Frame, node: Node) -> Told | None:
        told: list[tuple[Any, tuple[str, ...], bool]] = []
        for text_of, up, values, first, steps in compiled:
            at = node if up < 0 else frame.node
            if up > 0:
                at = _above(frame, up)
            text = text_of(at)
            if text is None:
                return slow(frame, node)
            if first in (PRESENT, ABSENT):
                if (text != "" and text != NULL) is (first == ABSENT):
                    return None
            elif text in values:
                told.append((at, steps, text == first))
            elif is_plain(text):
                return None
            else:
                return slow(frame, node)
        return told

    return check


def _above(frame: Frame, levels: int) -> Node:
    for _ in range(levels):
        assert frame.up is not None
        frame = frame.up
    node: Node = frame.node
    return node
