"""Canonical paths: ``identifier[type=MR].value``, ``code.coding[system=http://loinc.org].code``.

Selected by discriminator, never by index; what is a list comes from R4. A path is parsed once, against the type of the
element that it starts from; the functions below then build (read) or find (write) along it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from adapters.errors import BrokenPack
from adapters.r4 import table
from consent.vocabulary import HUB_BASE

PRESENT = "$present"
ABSENT = "$absent"
V2_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
OWN_IDENTIFIER_TYPE = f"{HUB_BASE}/CodeSystem/identifier-type"

Json = dict[str, Any]
Slot = tuple[Any, Any]
"""A container (dict or list) and the key or index in it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path."""

    name: str
    is_list: bool
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """Steps from an element, and what R4 says of where they end."""

    text: str
    steps: tuple[Step, ...]
    node: str
    """Type that the children of the end are looked up in; "" for a primitive."""
    kind: str
    """The end's type: ``string``, ``HumanName``, ``Reference``."""
    codes: frozenset[str] | None = None
    """Codes of the end's required binding."""
    pattern: re.Pattern[str] | None = None
    """What the codes of the end's required binding look like, where R4 lists none (media types, currencies)."""


@dataclass(frozen=True, slots=True)
class Test:
    """One condition on an element: a path and the values that it may have."""

    path: Path
    values: tuple[str, ...]


@cache
def own_identifier_types() -> frozenset[str]:
    """Codes of the project's own identifier types."""
    text = files("adapters.canonical").joinpath("codesystems", "identifier-type.json").read_text("utf-8")
    return frozenset(concept["code"] for concept in json.loads(text)["concept"])


@cache
def parse(text: str, start: str) -> Path:
    """The path from an element of R4 type `start`; a name that R4 does not have is a :class:`BrokenPack`."""
    if text == ".":
        return Path(text, (), "" if table.kind(start) == "primitive" else start, start)
    steps: list[Step] = []
    node, kind, codes, pattern = start, start, None, None
    for name, selector in _split(text):
        if not node:
            raise BrokenPack(f"path {text}: {kind} has no {name}")
        found = table.element(f"{node}.{name}")
        if found is None or (found.choice and len(found.types) != 1):
            raise BrokenPack(f"path {text}: R4 has no {node}.{name}")
        codes = table.required_codes(f"{node}.{name}")
        pattern = table.value_set(found.value_set).pattern if found.value_set else None
        kind = found.types[0]
        node = found.node
        if selector and not found.is_list:
            raise BrokenPack(f"path {text}: {name} is no list, so nothing is selected in it")
        steps.append(Step(name, found.is_list, _selector(selector, name, node, text)))
    return Path(text, tuple(steps), node, kind, codes, pattern)


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Names with their selectors, at dots outside brackets."""
    depth = 0
    piece = ""
    for char in f"{text}.":
        depth += (char == "[") - (char == "]")
        if char == "." and depth == 0:
            name, _, rest = piece.partition("[")
            if not name or (rest and not rest.endswith("]")):
                raise BrokenPack(f"path {text}: cannot be read")
            yield name, rest.removesuffix("]")
            piece = ""
        else:
            piece += char
    if depth or piece:
        raise BrokenPack(f"path {text}: a bracket is not closed")


def _selector(selector: str, name: str, node: str, text: str) -> tuple[Test, ...]:
    if not selector:
        return ()
    if name in ("extension", "modifierExtension") and not selector.startswith("url="):
        selector = f"url={selector}"
    tests: list[Test] = []
    for condition in _at_commas(selector):
        key, equals, value = _at_equals(condition)
        if not equals or not key or not value:
            raise BrokenPack(f"path {text}: a selector is key=value")
        if node == "Identifier" and key == "type":
            system = OWN_IDENTIFIER_TYPE if value in own_identifier_types() else V2_IDENTIFIER_TYPE
            tests.append(Test(parse(f"type.coding[system={system}].code", node), (value,)))
        else:
            tests.append(Test(parse(key, node), (value,)))
    return tuple(tests)


def _at_commas(text: str) -> list[str]:
    depth, pieces = 0, [""]
    for char in text:
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += char
    return [piece.strip() for piece in pieces]


def _at_equals(text: str) -> tuple[str, str, str]:
    depth = 0
    for position, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == "=" and depth == 0:
            return text[:position], "=", text[position + 1 :]
    return text, "", ""


def parse_tests(where: str | Mapping[str, Any], start: str) -> tuple[Test, ...]:
    """The conditions of a `where`; a mere path is one of presence."""
    if isinstance(where, str):
        where = {where: PRESENT}
    return tuple(
        Test(parse(text, start), tuple(values) if isinstance(values, list) else (values,))
        for text, values in where.items()
    )


def slots(element: Any, steps: tuple[Step, ...]) -> Iterator[Slot]:
    """Every place that the steps reach, selectors respected, lists gone through."""
    if not steps:
        return
    step = steps[0]
    if not isinstance(element, dict) or step.name not in element:
        return
    held = element[step.name]
    if not step.is_list:
        found: list[Slot] = [(element, step.name)]
    elif isinstance(held, list):
        found = [(held, index) for index, item in enumerate(held) if holds(item, step.tests)]
    else:
        return
    if len(steps) == 1:
        yield from found
        return
    for container, key in found:
        yield from slots(container[key], steps[1:])


def holds(element: Any, tests: tuple[Test, ...]) -> bool:
    """Whether every condition holds."""
    return all(_holds(element, test) for test in tests)


def _holds(element: Any, test: Test) -> bool:
    steps = test.path.steps
    found = [container[key] for container, key in slots(element, steps)] if steps else [element]
    if test.values == (PRESENT,):
        return bool(found)
    if test.values == (ABSENT,):
        return not found
    return any(text_of(value) in test.values for value in found)


def text_of(value: Any) -> str:
    """A primitive as a pack writes it: a boolean as ``true``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def impose(element: Json, tests: tuple[Test, ...]) -> None:
    """Make every equality (the first of a membership) hold."""
    for test in tests:
        if test.values in ((PRESENT,), (ABSENT,)) or _holds(element, test):
            continue
        container = reach(element, test.path.steps[:-1], None)
        last = test.path.steps[-1]
        value = typed(test.values[0], test.path.kind)
        if last.is_list:
            container.setdefault(last.name, []).append(value)
        else:
            container[last.name] = value


def typed(text: str, kind: str) -> Any:
    """A constant of a pack as JSON."""
    if kind == "boolean":
        return text == "true"
    if kind in ("integer", "positiveInt", "unsignedInt"):
        return int(text)
    return text


Own = dict[tuple[int, str], Any]
"""Items of lists that a block builds or reads without a selector, by (id of the holder, name)."""


def reach(element: Json, steps: tuple[Step, ...], own: Own | None) -> Json:
    """The element at the end of the steps, made on the way where it is missing."""
    for step in steps:
        if not step.is_list:
            element = element.setdefault(step.name, {})
            continue
        items = element.setdefault(step.name, [])
        if step.tests:
            item = next((item for item in items if holds(item, step.tests)), None)
            if item is None:
                item = {}
                impose(item, step.tests)
                items.append(item)
        elif own is None:
            if not items:
                items.append({})
            item = items[0]
        else:
            item = own.get((id(element), step.name))
            if item is None:
                item = own[(id(element), step.name)] = {}
                items.append(item)
        element = item
    return element
