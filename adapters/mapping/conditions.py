"""A row's `when`, both ways: tested on read, asserted on write; and the walk to a place from a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.errors import Unwritable
from adapters.mapping import paths, places
from adapters.mapping.chosen import Chosen
from adapters.mapping.env import Env
from adapters.mapping.ledger import Place as Writing
from adapters.mapping.paths import ABSENT, PRESENT
from adapters.mapping.places import Place
from adapters.mapping.rows import Row
from adapters.mapping.telling import Check, Tested, quick
from adapters.mapping.walk import NOTHING_TOLD, Frame, Told
from adapters.tree import Branch, Node, State


def walker(place: Place) -> Callable[[Frame], list[Node]]:
    """From a frame to the nodes at a place."""
    steps, up = place.steps, place.up
    if any(isinstance(step, Chosen) for step in steps):
        return _chooser(place)
    walk = places.walker(steps, place.base)
    if not steps:

        def stay(frame: Frame) -> list[Node]:
            for _ in range(up):
                assert frame.up is not None
                frame = frame.up
            return [frame.node] if frame.node.state is not State.EMPTY else []

        return stay
    if up:

        def climb(frame: Frame) -> list[Node]:
            for _ in range(up):
                assert frame.up is not None
                frame = frame.up
            return walk(frame.node)

        return climb
    return lambda frame: walk(frame.node)


def _chooser(place: Place) -> Callable[[Frame], list[Node]]:
    """As :func:`walker`, noting as read what told the repeats apart."""

    def choose(frame: Frame) -> list[Node]:
        at = frame
        for _ in range(place.up):
            assert at.up is not None
            at = at.up
        tellers: list[tuple[Node, bool]] = []
        found = places.walk(at.node, place.steps, tellers)
        for teller, as_written in tellers:
            (frame.walk.seen if as_written else frame.walk.tested).append(teller)
        return found

    return choose


def matcher(row: Row, env: Env, place: Place | None) -> Check:
    """The row's `when`, seen from the node that the row stands on (in a leaf row, ER7 names from the cursor around)."""
    if not row.when:
        return lambda frame, node: NOTHING_TOLD
    tests = tests_of(row, env, place)
    slow = _tested(tests)
    return (quick(tests, slow) if env.short else None) or slow


def tests_of(row: Row, env: Env, place: Place | None) -> list[Tested]:
    """The conditions of a row's `when`, in its order."""
    inner = env.under(place)
    tests = []
    for text, values in row.when.items():
        outer = place is not None and place.cursor.inside and not text.startswith(".")
        found = (env if outer else inner).place(text, row)
        tests.append(Tested(found, values, found.up - (not outer and place is not None)))
    return tests


def _tested(tests: list[Tested]) -> Check:
    compiled = [
        (places.walker(test.place.steps, test.place.base), test.up, frozenset(test.values), test.values[0])
        for test in tests
    ]

    def check(frame: Frame, node: Node) -> Told | None:
        told: list[tuple[Any, tuple[str, ...], bool]] = []
        for walk, up, values, first in compiled:
            at: Node = node
            if up >= 0:
                source = frame
                for _ in range(up):
                    assert source.up is not None
                    source = source.up
                at = source.node
            nodes = walk(at)
            if first == PRESENT:
                if not any(found.state is State.VALUE for found in nodes):
                    return None
            elif first == ABSENT:
                if any(found.state is State.VALUE for found in nodes):
                    return None
            else:
                for found in nodes:
                    value, holder = places.leaf(found)
                    if value is not None and (said := paths.text_of(value)) in values:
                        told.append((holder, (), said == first))
                        break
                else:
                    return None
        return told

    return check


def asserter(row: Row, env: Env) -> Callable[[Writing, Branch], None]:
    """Makes the row's `when` hold at what was written."""
    place = env.place(row.place, row) if row.place else None
    inner = env.under(place)
    actions = []
    for text, values in row.when.items():
        outer = place is not None and place.cursor.inside and not text.startswith(".")
        found = (env if outer else inner).place(text, row)
        if values[0] not in (PRESENT, ABSENT):
            actions.append((found.steps, found.up - (place is not None and not outer), values))

    def impose(at: Writing, branch: Branch) -> None:
        for steps, up, values in actions:
            base = branch if up < 0 else at.above(up).branch
            node = places.make(base, steps, False)
            if node.value is None and not node.nodes:
                node.value = values[0]
            elif places.leaf(node)[0] not in values:
                raise Unwritable("", "pack", f"{row.source}: what is written contradicts its own when")

    return impose
