"""Alternatives of a `choose`: found quickly on read, told apart on write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.mapping import paths
from adapters.mapping.conditions import matcher
from adapters.mapping.env import Env
from adapters.mapping.paths import ABSENT, PRESENT
from adapters.mapping.rows import Row
from adapters.mapping.short import Text, text_at
from adapters.mapping.telling import Check
from adapters.mapping.walk import Reader

Open = tuple[Check | None, bool | None, Reader]
"""An alternative: the rest of its `when`; whether the text is the one that is written back (None: it does not ask); its
rows."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The one place that alternatives are told apart by (OBX-2), and those that each of its texts leaves open."""

    text_of: Text
    steps: tuple[str, ...]
    table: Mapping[str, Sequence[Open]]
    others: Sequence[Open]


def switch(options: Sequence[Row], readers: Sequence[Reader], env: Env) -> Switch | None:
    """Alternatives by the first place that any of them wants equal to something; None when none has a short way."""
    asked = [place for option in options for place, values in option.when.items() if values[0] not in (PRESENT, ABSENT)]
    if not env.short or not asked:
        return None
    place = env.place(asked[0], options[0])
    text_of = text_at(place)
    if text_of is None or place.up:
        return None

    def open_to(text: str) -> list[Open]:
        found: list[Open] = []
        for option, reader in zip(options, readers, strict=True):
            wanted = option.when.get(asked[0], (PRESENT,))
            if wanted[0] in (PRESENT, ABSENT):
                found.append((matcher(option, env, None) if option.when else None, None, reader))
            elif text in wanted:
                rest = {at: values for at, values in option.when.items() if at != asked[0]}
                check = matcher(replace(option, when=rest), env, None) if rest else None
                found.append((check, text == wanted[0], reader))
        return found

    known = {value for option in options for value in option.when.get(asked[0], ()) if value not in (PRESENT, ABSENT)}
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
