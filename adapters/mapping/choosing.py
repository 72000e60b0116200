"""Alternatives of a `choose`: found quickly on read, told apart on write."""

from __future__ import annotations

from collections.abc import Callable

from adapters.mapping import paths, places
from adapters.mapping.conditions import walker
from adapters.mapping.env import Env
from adapters.mapping.paths import ABSENT, PRESENT
from adapters.mapping.rows import Row
from adapters.mapping.short import is_plain, text_at
from adapters.mapping.telling import Check
from adapters.mapping.walk import Frame, Reader

Alternatives = list[tuple[Check | None, Reader]]


def dispatch(options: list[Row], alternatives: Alternatives, env: Env) -> Callable[[Frame], Alternatives] | None:
    """The alternatives that may match at all, by the one place that most of them test (OBX-2); None: all of them."""
    places_tested = [place for option in options for place, values in option.when.items() if values[0][0] != "$"]
    if len(options) < 3 or not places_tested or "[" in places_tested[0]:
        return None
    text = places_tested[0]
    place = env.place(text, options[0])
    walk_to = walker(place)
    known = {value for option in options for value in option.when.get(text, ()) if value[0] != "$"}

    def fitting(value: str) -> Alternatives:
        return [
            alternative
            for option, alternative in zip(options, alternatives, strict=True)
            if option.when.get(text, ("$present",))[0][0] == "$" or value in option.when[text]
        ]

    table, others = {value: fitting(value) for value in known}, fitting("")

    text_of = text_at(place) if env.short and not place.up else None

    def few(frame: Frame) -> Alternatives:
        said = text_of(frame.node) if text_of is not None else None
        if said is not None and is_plain(said):
            return table.get(said, others)
        nodes = walk_to(frame)
        if len(nodes) > 1:
            return alternatives
        value = places.leaf(nodes[0])[0] if nodes else None
        return table.get(paths.text_of(value), others) if value is not None else others

    return few


def disjoint(row: Row, env: Env) -> None:
    """Refuse an alternative that an earlier one always takes first: what it reads would be written as another kind."""
    earlier: list[tuple[Row, tuple[paths.Test, ...]]] = []
    for option in row.choose:
        tests = env.tests(option.where, option)
        if not option.writes or not tests:
            continue
        for other, conditions in earlier:
            if all(_implied(condition, tests) for condition in conditions):
                raise option.fail(f"what it reads would be written by the alternative of {other.source}")
        earlier.append((option, tests))


def _implied(condition: paths.Test, tests: tuple[paths.Test, ...]) -> bool:
    """Whether `tests` can only hold when `condition` does."""
    text = condition.path.text
    for test in tests:
        same, below = test.path.text == text, test.path.text.startswith(f"{text}.")
        said = test.values != (ABSENT,)
        if condition.values == (PRESENT,) and said and (same or below):
            return True
        if same and said and test.values != (PRESENT,) and set(test.values) <= set(condition.values):
            return True
        if same and test.values == condition.values == (ABSENT,):
            return True
    return False
