"""What R4 says of each element, looked up by path: `element("Patient.name.given")`.

The data is made from HL7's definitions (`data/README.md`), loaded once, and never changed. Packs are checked
against it, the row engine takes cardinalities from it, and `validate` walks it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

ROOTS: Final = ("Resource", "DomainResource", "Element", "BackboneElement")
"""Abstract types: nothing on the wire is one of them, and everything inherits from one."""


@dataclass(frozen=True, slots=True)
class ValueSet:
    """The codes that an element must take its code from."""

    name: str
    url: str
    systems: Mapping[str, frozenset[str]]
    """Code system -> codes; empty when the codes live outside FHIR."""
    codes: frozenset[str]
    pattern: re.Pattern[str] | None = None
    open: str = ""
    """Why there is no list ("" when there is one)."""

    def has(self, code: str, system: str | None = None) -> bool:
        """Whether `code` is in the set; of `system`, unless the place where it stands names no system (None)."""
        if self.open:
            return self.pattern is None or self.pattern.fullmatch(code) is not None
        if system is None:
            return code in self.codes
        return code in self.systems.get(system, frozenset())


@dataclass(frozen=True, slots=True)
class Element:
    """One element as R4 defines it."""

    path: str
    """As asked for: ``Patient.name.given``."""
    name: str
    """Its JSON name: ``given``, ``valueQuantity``; ``value[x]`` when no alternative was named."""
    types: tuple[str, ...]
    """``("string",)``; all alternatives of a ``value[x]``."""
    min: int
    max: int | None
    """None: no upper limit."""
    targets: tuple[str, ...] = ()
    """Resource types that a Reference or canonical may name; empty: any."""
    value_set: str = ""
    """Name of the value set of its required binding ("" without one)."""
    same_as: str = ""
    """The path whose children it shares (a content reference)."""
    choice: str = ""
    """``value[x]`` when this is one alternative of it, or all."""
    modifier: bool = False
    summary: bool = False
    simple: bool = False
    """A SimpleQuantity: no comparator."""
    node: str = ""
    """Where its children are defined: a datatype, a backbone path, ``Resource``; "" for a primitive or a choice."""

    is_list: bool = field(init=False)
    """Whether JSON writes it as a list."""
    is_primitive: bool = field(init=False)
    """Whether JSON writes it as a string, number or boolean."""
    said: str = field(init=False)
    """Its name in FHIRPath: ``value`` for ``valueQuantity``."""

    def __post_init__(self) -> None:
        """Work out once what every walk asks for."""
        object.__setattr__(self, "is_list", self.max is None or self.max > 1)
        object.__setattr__(self, "is_primitive", not self.node and len(self.types) == 1)
        object.__setattr__(self, "said", self.choice.removesuffix("[x]") or self.name)


@cache
def _load(name: str) -> Mapping[str, Any]:
    text = files("adapters.r4").joinpath("data", name).read_text(encoding="utf-8")
    return MappingProxyType(json.loads(text))


def kind(type_name: str) -> str:
    """Say what a type is: ``resource``, ``datatype``, ``primitive``, ``backbone``, or "" when R4 has no such type."""
    return str(_load("types.json").get(type_name, {}).get("kind", ""))


@cache
def resource_types() -> frozenset[str]:
    """Name the 146 resource types of R4; abstract ones are none."""
    return frozenset(
        name for name, node in _load("types.json").items() if node["kind"] == "resource" and not node.get("abstract")
    )


@cache
def declared(node: str) -> Mapping[str, Element]:
    """List the elements of a type or backbone by their R4 name (``value[x]`` once), inherited ones first."""
    body = _load("types.json").get(node)
    if body is None:
        return MappingProxyType({})
    own = {name: _element(node, name, row) for name, row in body["elements"].items()}
    inherited = declared(body["base"]) if body.get("base") else {}
    merged = {name: replace(found, path=f"{node}.{name}") for name, found in inherited.items()}
    return MappingProxyType(merged | own)


def _element(node: str, name: str, row: Mapping[str, Any]) -> Element:
    low, _, high = row["card"].partition("..")
    types = tuple(row["type"])
    path = f"{node}.{name}"
    children = "" if name.endswith("[x]") else row.get("same_as") or _children(path, types[0])
    return Element(
        path=path,
        name=name,
        types=types,
        min=int(low),
        max=None if high == "*" else int(high),
        targets=tuple(row.get("to", ())),
        value_set=row.get("codes", ""),
        same_as=row.get("same_as", ""),
        choice=name if name.endswith("[x]") else "",
        modifier=row.get("modifier", False),
        summary=row.get("summary", False),
        simple=row.get("simple", False),
        node=children,
    )


def _children(path: str, type_name: str) -> str:
    if type_name in ("BackboneElement", "Element"):
        return path
    return "" if kind(type_name) == "primitive" else type_name


@cache
def fields(node: str) -> Mapping[str, Element]:
    """List the elements of a type or backbone by their JSON name; every ``value[x]`` as its alternatives."""
    found: dict[str, Element] = {}
    for name, element_ in declared(node).items():
        if not element_.choice:
            found[name] = element_
            continue
        for type_name in element_.types:
            alternative = _alternative(element_, type_name)
            found[alternative.name] = alternative
    return MappingProxyType(found)


def _alternative(element_: Element, type_name: str) -> Element:
    name = element_.choice.removesuffix("[x]") + type_name[0].upper() + type_name[1:]
    path = element_.path.removesuffix(element_.name) + name
    return replace(
        element_,
        path=path,
        name=name,
        types=(type_name,),
        targets=element_.targets if type_name in ("Reference", "canonical") else (),
        node=_children(path, type_name),
    )


@cache
def element(path: str) -> Element | None:
    """Find an element by its JSON path without indices: ``Observation.component.valueQuantity.value``.

    Walks through datatypes, backbones, content references and choices. ``Observation.value[x]`` gives the choice with
    all its types, ``Patient._birthDate.extension`` the extensions of a primitive. None when R4 has no such element, or
    when the path goes on behind a resource of unknown type.
    """
    head, *steps = path.split(".")
    if not steps or kind(head) not in ("resource", "datatype"):
        return None
    node, found = head, None
    for step in steps:
        found = _step(node, step)
        if found is None:
            return None
        node = found.node
    return None if found is None else replace(found, path=path)


def _step(node: str, step: str) -> Element | None:
    """Go one name down; ``_birthDate`` is what JSON says beside the primitive ``birthDate``."""
    found = fields(node).get(step.removeprefix("_")) or declared(node).get(step)
    if not step.startswith("_"):
        return found
    if found is None or not found.is_primitive:
        return None
    return replace(found, name=step, types=("Element",), value_set="", node="Element")


def is_list(path: str) -> bool:
    """Whether JSON writes the element at `path` as a list.

    Raises KeyError when R4 has no such element.
    """
    found = element(path)
    if found is None:
        raise KeyError(path)
    return found.is_list


@cache
def value_set(name: str) -> ValueSet:
    """Find a value set by the name that `Element.value_set` gives.

    Raises KeyError when no required binding names it.
    """
    body = _load("codes.json")[name]
    systems = {system: frozenset(codes) for system, codes in body.get("systems", {}).items()}
    return ValueSet(
        name=name,
        url=body.get("url", ""),
        systems=MappingProxyType(systems),
        codes=frozenset().union(*systems.values()),
        pattern=re.compile(body["pattern"]) if "pattern" in body else None,
        open=body.get("open", ""),
    )


def required_codes(path: str) -> frozenset[str] | None:
    """List the codes that the element at `path` must take one of; None when it is free or its codes are not listed."""
    found = element(path)
    if found is None or not found.value_set:
        return None
    codes = value_set(found.value_set)
    return None if codes.open else codes.codes
