"""Alternatives of a `choose`: found quickly on read, told apart on write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.mapping import paths
from adapters.mapping.conditions import matcher, tests_of
from adapters.mapping.env import Env
from adapters.mapping.paths import ABSENT, PRESENT
from adapters.mapping.places import Place
from adapters.mapping.rows import Row
from adapters.mapping.short import Text, text_at
from adapters.mapping.telling import Check

Open = tuple[Check | None, bool | None, Any]
"""An alternative: the rest of its `when`; whether the text is the one that is written back (None: it does not ask); its
what it does."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The one place that alternatives are told apart by (OBX-2), and those that each of its texts leaves open."""

    text_of: Text
    steps: tuple[str, ...]
    table: Mapping[str, Sequence[Open]]
    others: Sequence[Open]


def switch(options: Sequence[Row], does: Sequence[Any], env: Env, block: Place | None = None) -> Switch | None:
    """What each option does, by the place that most of them want equal to something; None when it has no short way.

    `block` is what the options themselves stand on (`each`).
    """
    asked = [
        (test.place, text)
        for option in options
        for text, test in zip(option.when, tests_of(option, env, block), strict=True)
        if test.values[0] not in (PRESENT, ABSENT) and test.up == (0 if block is None else -1)
    ]
    if not env.short or not asked:
        return None
    names = [text for _, text in asked]
    place, at = max(asked, key=lambda one: names.count(one[1]))
    text_of = text_at(place)
    if text_of is None or (place.up and block is None):
        return None

    def open_to(text: str) -> list[Open]:
        found: list[Open] = []
        for option, does_it in zip(options, does, strict=True):
            wanted = option.when.get(at, (PRESENT,))
            if wanted[0] in (PRESENT, ABSENT):
                found.append((matcher(option, env, block) if option.when else None, None, does_it))
            elif text in wanted:
                rest = {name: values for name, values in option.when.items() if name != at}
                check = matcher(replace(option, when=rest), env, block) if rest else None
                found.append((check, text == wanted[0], does_it))
        return found

    known = {value for option in options for value in option.when.get(at, ()) if value not in (PRESENT, ABSENT)}
    return Switch(text_of, place.steps, {text: open_to(text) for text in known}, open_to(""))


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
