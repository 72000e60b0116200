"""Walks parsed JSON beside the table and says where the two part: names, cardinality, JSON types, texts, codes.

Everything is found in one walk, so that one mistake does not hide the next. What needs a view of the whole resource or
bundle (references, contained resources) is noted on the way and judged by `references`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from adapters.r4 import table
from adapters.r4.invariants import INVARIANTS
from adapters.r4.issues import Issue, Severity
from adapters.r4.primitives import problem
from adapters.r4.table import Element

Json = Mapping[str, Any]

DEEPEST: Final = 60
"""Levels of JSON that are followed: real resources have fewer than 20, and a walk must end."""

MOST_ISSUES: Final = 200
"""Findings after which the walk stops listing: a sender needs the first ones, and an answer must stay small."""

# An unknown key is repeated only when it looks like a name of FHIR's; anything else could be somebody's data.
_NAME_RE = re.compile(r"_?[a-z][A-Za-z]{0,40}")
_TYPES_OF_URLS: Final = frozenset({"uri", "url", "canonical", "string"})


@dataclass(slots=True, eq=False)
class Scope:
    """One outermost resource (alone, or in a Bundle entry): the room in which ``#id`` means something."""

    resource: Json
    at: str
    bundle: Scope | None = None
    """The scope of the Bundle that holds it."""
    local: set[str] = field(default_factory=set)
    """Every ``#...`` that stands anywhere in it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A Reference that was met on the way."""

    value: Json
    at: str
    targets: tuple[str, ...]
    scope: Scope


@cache
def _required(node: str) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
    """Name what must be there: how FHIRPath calls it, the JSON keys that count, and whether it is primitive."""
    found = []
    for declared in table.declared(node).values():
        if declared.min == 0:
            continue
        same = [f for f in table.fields(node).values() if f.name == declared.name or (f.choice == declared.name)]
        keys = [f.name for f in same] + [f"_{f.name}" for f in same if f.is_primitive]
        found.append((declared.said, tuple(keys), bool(declared.choice)))
    return tuple(found)


class Walk:
    """One walk over one resource; afterwards `issues`, `references` and `scopes` hold what was met."""

    def __init__(self) -> None:
        """Start with empty hands."""
        self.issues: list[Issue] = []
        self.references: list[Reference] = []
        self.scopes: list[Scope] = []

    def say(self, code: str, at: str, diagnostics: str, severity: Severity = "error") -> None:
        """Note one finding, unless there are too many already."""
        if len(self.issues) < MOST_ISSUES:
            self.issues.append(Issue(severity, code, at, diagnostics))
        elif len(self.issues) == MOST_ISSUES:
            self.issues.append(Issue("error", "too-costly", at, "There are more problems; mend these first."))

    def resource(self, value: object, at: str, around: Scope | None = None, *, contained: bool = False) -> None:
        """Check a resource. `around` is the Bundle's scope for an entry, the container's for a contained one."""
        name = value.get("resourceType") if isinstance(value, dict) else None
        if not isinstance(value, dict):
            self.say("structure", at, "must be a JSON object with a resourceType")
        elif name is None:
            self.say("structure", at, "has no resourceType; name an R4 resource type")
        elif not isinstance(name, str) or name not in table.resource_types():
            self.say("structure", at, "has a resourceType that R4 (4.0.1) does not have; use an R4 resource type")
        elif contained and around is not None:
            if "contained" in value:
                self.say("invariant", f"{at}.contained", "must not stand in a contained resource; move it out (dom-2)")
            self.element(value, name, at, around)
        else:
            scope = Scope(value, at, around)
            self.scopes.append(scope)
            self.element(value, name, at, scope)

    def element(self, value: object, node: str, at: str, scope: Scope) -> None:
        """Check an object against the type or backbone `node`."""
        if not isinstance(value, dict):
            self.say("structure", at, "must be a JSON object")
            return
        if not value:
            self.say("value", at, "is an empty object; leave it out")
            return
        if at.count(".") > DEEPEST:
            self.say("too-costly", at, f"lies more than {DEEPEST} levels deep; flatten it")
            return
        self._members(value, node, at, scope)
        self._presence(value, node, at)
        for rule in INVARIANTS.get(node, ()):
            if not rule.holds(value):
                self.say("invariant", f"{at}{rule.under}", f"{rule.say} ({rule.key})", rule.severity)

    def _members(self, value: Json, node: str, at: str, scope: Scope) -> None:
        fields = table.fields(node)
        choices: dict[str, str] = {}
        for key, member in value.items():
            beside = key.startswith("_")
            name = key[1:] if beside else key
            found = fields.get(name)
            if found is None or (beside and not found.is_primitive):
                if key != "resourceType" or table.kind(node) != "resource":
                    self._unknown(key, at)
                continue
            if found.choice and choices.setdefault(found.choice, name) != name:
                self.say("structure", f"{at}.{found.said}", f"{found.choice} is given twice; keep one")
            here = f"{at}.{found.said}"
            if member is None:
                self.say("value", here, "is null; leave it out")
            elif not found.is_primitive:
                self._complex(member, found, node, here, scope)
            elif not beside:
                self._primitive(member, value.get(f"_{name}"), found, here, scope)
            elif value.get(name) is None:
                self._primitive(None, member, found, here, scope)

    def _unknown(self, key: str, at: str) -> None:
        if _NAME_RE.fullmatch(key):
            self.say("structure", f"{at}.{key}", "R4 has no such element here; remove it or use an extension")
        else:
            self.say("structure", at, "holds a member whose name R4 does not have; remove it or use an extension")

    def _presence(self, value: Json, node: str, at: str) -> None:
        for said, keys, is_choice in _required(node):
            if not any(key in value for key in keys):
                what = f"one of {', '.join(k for k in keys if k[0] != '_')}" if is_choice and len(keys) < 12 else "it"
                self.say("required", f"{at}.{said}", f"is required and missing; give {what}")

    # --- what stands under a name -----------------------------------------------------------------------------

    def _items(self, member: object, found: Element, at: str) -> list[tuple[object, str]]:
        """Pair each item with its expression; a wrong cardinality is said, and gives nothing to walk."""
        if not found.is_list:
            if isinstance(member, list):
                self.say("structure", at, "may stand once only and must not be a JSON list")
                return []
            return [(member, at)]
        if not isinstance(member, list):
            self.say("structure", at, "must be a JSON list, even for one")
            return []
        if not member:
            self.say("value", at, "is an empty list; leave it out")
        return [(item, f"{at}[{number}]") for number, item in enumerate(member)]

    def _complex(self, member: object, found: Element, node: str, at: str, scope: Scope) -> None:
        for item, here in self._items(member, found, at):
            if item is None:
                self.say("value", here, "is null; leave it out")
            elif found.node == "Resource":
                self._held(item, node, here, scope)
            else:
                self.element(item, found.node, here, scope)
                self._content(item, here)
                if isinstance(item, dict):
                    self._meaning(item, found, node, here, scope)

    def _content(self, item: object, at: str) -> None:
        if isinstance(item, dict) and item.keys() == {"id"}:
            self.say("invariant", at, "says nothing but an id; give it content or leave it out (ele-1)")

    def _held(self, item: object, node: str, at: str, scope: Scope) -> None:
        """Check a resource inside a resource: contained, or standing on its own in a Bundle or in Parameters."""
        contained = not node.startswith(("Bundle.", "Parameters."))
        is_bundle = scope.resource.get("resourceType") == "Bundle"
        self.resource(item, at, scope if contained or is_bundle else None, contained=contained)

    def _meaning(self, item: Json, found: Element, node: str, at: str, scope: Scope) -> None:
        """Check what the place adds to the type: allowed targets, required codes, whose extension it is."""
        if found.node == "Reference":
            self.references.append(Reference(item, at, found.targets, scope))
        elif found.node == "Extension" and node != "Extension":
            url = item.get("url")
            if isinstance(url, str) and url and ":" not in url:
                self.say("value", f"{at}.url", "must be an absolute URL: this extension is not inside another one")
        elif found.simple and "comparator" in item:
            self.say("invariant", f"{at}.comparator", "must not be given here: this is a SimpleQuantity (sqty-1)")
        elif found.value_set and found.node == "CodeableConcept":
            self._concept(item, found, at)

    def _concept(self, item: Json, found: Element, at: str) -> None:
        codes = table.value_set(found.value_set)
        codings = item.get("coding")
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, dict) and isinstance(code := coding.get("code"), str):
                system = coding.get("system")
                if codes.has(code, system if isinstance(system, str) else ""):
                    return
        if codings or "extension" not in item:
            self.say("code-invalid", at, f"needs a coding from the value set {found.value_set}{_listed(codes)}")

    def _primitive(self, member: object, beside: object, found: Element, at: str, scope: Scope) -> None:
        if not found.is_list:
            if isinstance(member, list) or isinstance(beside, list):
                self.say("structure", at, "may stand once only and must not be a JSON list")
            else:
                self._value(member, beside, found, at, scope)
            return
        for part in (member, beside):
            if part is not None and not isinstance(part, list):
                self.say("structure", at, "must be a JSON list, even for one")
                return
        values = member if isinstance(member, list) else []
        besides = beside if isinstance(beside, list) else []
        if not values and not besides:
            self.say("value", at, "is an empty list; leave it out")
        if values and besides and len(values) != len(besides):
            self.say("structure", at, "must line up with its list of extensions; fill the shorter one with null")
        for number in range(max(len(values), len(besides))):
            value = values[number] if number < len(values) else None
            extra = besides[number] if number < len(besides) else None
            self._value(value, extra, found, f"{at}[{number}]", scope)

    def _value(self, value: object, beside: object, found: Element, at: str, scope: Scope) -> None:
        if beside is not None:
            self.element(beside, "Element", at, scope)
        if value is None:
            if beside is None:
                self.say("value", at, "is null; leave it out")
            self._content(beside, at)
            return
        if isinstance(value, dict | list):
            self.say("structure", at, "must be a single JSON value, not an object or a list")
            return
        wrong = problem(found.types[0], value)
        if wrong:
            too_long = wrong.startswith("is longer")
            self.say("too-long" if too_long else "value", at, f"{found.types[0]} {wrong}")
        elif isinstance(value, str):
            self._text(value, found, at, scope)

    def _text(self, value: str, found: Element, at: str, scope: Scope) -> None:
        if value[0] == "#" and found.types[0] in _TYPES_OF_URLS:
            scope.local.add(value)
        if found.value_set:
            codes = table.value_set(found.value_set)
            if not codes.has(value):
                self.say("code-invalid", at, f"must be a code of {found.value_set}{_listed(codes)}")


def _listed(codes: table.ValueSet) -> str:
    """List the codes where they are few enough to help."""
    if codes.open:
        return f": {codes.open}"
    return f": {', '.join(sorted(codes.codes))}" if len(codes.codes) <= 12 else ""
