"""Canonical paths as closures: what `paths` does with a path's text is done here once, while rows are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.mapping import paths
from adapters.mapping.paths import ABSENT, PRESENT, Json, Own, Step, Test, text_of

Find = Callable[[Any], list[Any]]
"""From an element: every value at the end of a path, as :func:`adapters.mapping.paths.slots` finds them."""
Check = Callable[[Any], bool]
Imposer = Callable[[Json], None]
Reach = Callable[[Json, Own], Json]


def finder(steps: tuple[Step, ...]) -> Find:
    """The values at the end of the steps, selectors respected, lists gone through."""
    if not steps:
        return lambda element: [element]
    first, rest = steps[0], steps[1:]
    name, check = first.name, checker(first.tests)
    below = finder(rest) if rest else None
    if first.is_list:

        def through(element: Any) -> list[Any]:
            held = element.get(name) if type(element) is dict else None
            if type(held) is not list:
                return []
            items = held if check is None else [item for item in held if check(item)]
            return items if below is None else [found for item in items for found in below(item)]

        return through

    def into(element: Any) -> list[Any]:
        if type(element) is not dict or name not in element:
            return []
        return [element[name]] if below is None else below(element[name])

    return into


def checker(tests: tuple[Test, ...]) -> Check | None:
    """Whether every condition holds; None when there are none."""
    checks = [_check(test) for test in tests]
    if len(checks) < 2:
        return checks[0] if checks else None
    return lambda element: all(check(element) for check in checks)


def _check(test: Test) -> Check:
    find, values = finder(test.path.steps), frozenset(test.values)
    if test.values == (PRESENT,):
        return lambda element: bool(find(element))
    if test.values == (ABSENT,):
        return lambda element: not find(element)
    if len(test.path.steps) == 1 and not test.path.steps[0].is_list:
        name = test.path.steps[0].name
        return lambda element: type(element) is dict and name in element and text_of(element[name]) in values
    return lambda element: any(text_of(value) in values for value in find(element))


def reacher(steps: tuple[Step, ...]) -> Reach:
    """The element at the end of the steps, made on the way where it is missing."""
    ways = [_reach(step) for step in steps]
    if len(ways) == 1:
        return ways[0]

    def reach(element: Json, own: Own) -> Json:
        for way in ways:
            element = way(element, own)
        return element

    return reach


def _reach(step: Step) -> Reach:
    name = step.name
    if not step.is_list:

        def plain(element: Json, own: Own) -> Json:
            found: Json | None = element.get(name)
            if found is None:
                found = element[name] = {}
            return found

        return plain
    check = checker(step.tests)
    if check is None:
        return lambda element, own: paths.reach(element, (step,), own)
    say, template = imposer(step.tests), _template(step)

    def selected(element: Json, own: Own) -> Json:
        items = element.get(name)
        if items is None:
            items = element[name] = []
            if template is not None:
                items.append(dict(template))
                first: Json = items[0]
                return first
        for item in items:
            if check(item):
                found: Json = item
                return found
        made: Json = {}
        if say is not None:
            say(made)
        items.append(made)
        return made

    return selected


def _template(step: Step) -> Json | None:
    """What an item that a selector makes begins as, when its conditions are plain ones."""
    if any(len(test.path.steps) != 1 or test.path.steps[0].is_list for test in step.tests):
        return None
    made: Json = {}
    paths.impose(made, step.tests)
    return made


def imposer(tests: tuple[Test, ...]) -> Imposer | None:
    """Makes every equality (the first of a membership) hold; None when there are none."""
    said = tuple(test for test in tests if test.values not in ((PRESENT,), (ABSENT,)))
    if not said:
        return None
    steps = [_impose(test) for test in said]

    def say(element: Json) -> None:
        for step in steps:
            step(element)

    return say if len(steps) > 1 else steps[0]


def _impose_below(test: Test, value: Any) -> Imposer:
    holds, last = _check(test), test.path.steps[-1]
    ways = [_first_of(step) for step in test.path.steps[:-1]]

    def say(element: Json) -> None:
        if holds(element):
            return
        for way in ways:
            element = way(element, {})
        if last.is_list:
            element.setdefault(last.name, []).append(value)
        else:
            element[last.name] = value

    return say


def _first_of(step: Step) -> Reach:
    """As :func:`_reach`, of an unselected list the first item."""
    return _reach(step) if step.tests or not step.is_list else lambda element, own: paths.reach(element, (step,), None)


def _impose(test: Test) -> Imposer:
    name, values = test.path.steps[-1].name, frozenset(test.values)
    value = paths.typed(test.values[0], test.path.kind)
    if len(test.path.steps) > 1 or test.path.steps[0].is_list:
        return _impose_below(test, value)

    def say(element: Json) -> None:
        if name not in element or text_of(element[name]) not in values:
            element[name] = value

    return say
