"""Reads a FHIR Consent (R4, R5, IHE PCF) into a compiled tree. Lenient about sloppy shapes, strict about meaning.

A single object where the specification wants a list is a list of one; an `identifier` may be an object or a list.
Whatever cannot be understood is kept as *unreadable* on its node, and an unreadable node never permits.
No FHIR library is used: a Consent is parsed JSON. Reading is a pure function of its arguments: compile once for each
version of a consent and pass the tree along.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from consent.codings import (
    as_list,
    codes_of,
    identifiers_of,
    known_action,
    known_class,
    known_label,
    known_purpose,
    text_of,
)
from consent.errors import UnreadableInput
from consent.model import Code
from consent.moments import interval

RECIPIENT_ROLES: Final = frozenset({"IRCP", "PRCP", "GRANTEE", "DELEGATEE", "RCT", "ASSIGNEE"})
"""v3 roles in which a Consent actor is the one who would receive."""
SENDER_ROLES: Final = frozenset({"CST", "CUST", "PROV", "AUT", "INF", "SRC"})
"""v3 roles in which a Consent actor is the one who holds or sends."""

_FUNCTIONS: Final = RECIPIENT_ROLES | SENDER_ROLES
_ACTOR_KEYS: Final = frozenset({"id", "role", "reference"})
_BOUND_KEYS: Final = frozenset({"start", "end", "id"})
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_PROVISION_KEYS: Final = frozenset(
    {
        "id", "type", "period", "actor", "action", "securityLabel", "purpose", "class", "documentType", "resourceType",
        "code", "dataPeriod", "data", "provision",
    }
)  # fmt: skip
_MEANINGS: Final = frozenset({"instance", "related", "dependents", "authoredby"})


class Actor(msgspec.Struct, frozen=True):
    """One actor of a provision: whom it names, by every name that could be resolved."""

    references: frozenset[str] = frozenset()
    identifiers: frozenset[Code] = frozenset()
    roles: frozenset[Code] = frozenset()
    about_sender: bool = False
    unreadable: bool = False
    vague: bool = False
    """It also names somebody whom nobody here can resolve, so that not being named proves nothing."""


class Data(msgspec.Struct, frozen=True):
    """One data reference of a provision."""

    meaning: str
    reference: str


class Bounds(msgspec.Struct, frozen=True):
    """A period as written; resolved against the zone of the facts."""

    start: str = ""
    end: str = ""


class Node(msgspec.Struct, frozen=True):
    """One provision with the constraints in effect there: its own, and those inherited from its ancestors."""

    path: str
    type: str
    """``permit``, ``deny``, or "" where none is stated."""
    actors: tuple[Actor, ...] | None = None
    actions: frozenset[str] | None = None
    labels: frozenset[Code] | None = None
    purposes: frozenset[str] | None = None
    classes: frozenset[Code] | None = None
    codes: frozenset[Code] | None = None
    data_period: Bounds | None = None
    data: tuple[Data, ...] | None = None
    period: Bounds | None = None
    stated: frozenset[str] = frozenset()
    """Which kinds this provision states itself; none = an empty provision."""
    unreadable: tuple[str, ...] = ()
    """Places that could not be understood, in every profile."""
    unknown: tuple[str, ...] = ()
    """Codes outside the known ones: read by `pcf` and `leap-2020`, not by `hub`."""
    vague: frozenset[str] = frozenset()
    """Kinds of constraint that were not understood in full, so that not matching them proves nothing; ``*`` = all."""
    odd: frozenset[str] = frozenset()
    """Kinds that hold an unknown code."""
    children: tuple[Node, ...] = ()


class Tree(msgspec.Struct, frozen=True):
    """A compiled Consent."""

    id: str
    status: str
    release: str
    """``R4`` or ``R5``."""
    decision: str
    """R5 ``decision``, or ""."""
    policy_rule: str
    """``permit`` or ``deny`` by OPTIN or OPTOUT; ``?`` for another rule; "" for none."""
    root: Node | None
    period: Bounds | None
    """Bounds every node, whatever a nested provision says."""
    date: str
    categories: frozenset[Code]
    patient: str = ""
    unreadable: tuple[str, ...] = ()
    parsed: bool = True
    """Every provision was understood."""
    clear: bool = True
    """And every code in it is a known one."""
    names: frozenset[object] | None = None
    """Whom its provisions name, in every way; None when one of them names nobody and so may mean anybody."""
    purposes: frozenset[str] | None = None
    """All purposes that its provisions name; None when one of them names none and so may mean any."""
    in_scope: bool = True
    """Its scope is privacy, or it states none."""
    digest: str = ""
    """SHA-256 of the resource, canonically written."""
    readings: dict[tuple[str, str], Any] = msgspec.field(default_factory=dict)
    """How each profile reads it in each zone (:func:`consent.trees.reading_of`), made when first asked for."""


def read_consent(resource: Mapping[str, Any], references: Mapping[str, Any] | None = None) -> Tree:
    """Compile a Consent; `references` (reference -> resource) resolves actors to identifiers and group members.

    Raises :class:`UnreadableInput` only when `resource` is no Consent at all.
    """
    if not isinstance(resource, Mapping) or resource.get("resourceType", "Consent") != "Consent":
        raise UnreadableInput("consent: not a FHIR Consent")
    known = dict(references or {})
    for contained in as_list(resource.get("contained")):
        if isinstance(contained, dict) and isinstance(contained.get("id"), str):
            known[f"#{contained['id']}"] = contained
    unreadable: list[str] = []
    for key in ("modifierExtension", "extension", "implicitRules"):
        if resource.get(key):
            unreadable.append(key)
    decision = _kind(resource.get("decision"), "decision", unreadable)
    provisions = as_list(resource.get("provision"))
    reader = _Reader(known, "R5" if "decision" in resource or isinstance(resource.get("provision"), list) else "R4")
    policy_rule = _policy_rule(resource.get("policyRule"))
    root, root_period = _root(reader, provisions, decision, policy_rule, unreadable)
    nodes = list(nodes_of(root)) if root is not None else []
    parsed = not any(node.unreadable for node in nodes)
    categories = frozenset((*codes_of(resource.get("scope")), *codes_of(resource.get("category"))))
    privacy = {code.code for code in categories if code.system.endswith("/consentscope")}
    return Tree(
        id=str(resource.get("id", "")),
        status=str(resource.get("status", "")),
        release=reader.release,
        decision=decision,
        policy_rule=policy_rule,
        root=root,
        period=root_period or ("period" in resource and _bounds(resource["period"], "period", unreadable)) or None,
        date=text_of(resource.get("dateTime")) or text_of(resource.get("date")),
        categories=categories,
        patient=_reference(resource.get("patient") or resource.get("subject")),
        unreadable=tuple(unreadable),
        parsed=parsed,
        clear=parsed and not any(node.unknown for node in nodes),
        names=_names(nodes),
        purposes=_purposes(nodes) if not unreadable and policy_rule != "?" else None,
        in_scope=not privacy or "patient-privacy" in privacy,
        digest=digest_of(resource),
    )


def nodes_of(node: Node) -> Iterator[Node]:
    """A provision and all below it."""
    yield node
    for child in node.children:
        yield from nodes_of(child)


def digest_of(resource: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of parsed JSON in one canonical form."""
    return hashlib.sha256(_ENCODER.encode(resource)).hexdigest()


@lru_cache(maxsize=1024)
def _compiled(text: bytes) -> Tree:
    return read_consent(msgspec.json.decode(text))


def compiled(resource: Mapping[str, Any]) -> Tree:
    """The tree of a Consent, read once for each text: the same text always gives the same tree."""
    return _compiled(_ENCODER.encode(resource))


def _names(nodes: list[Node]) -> frozenset[object] | None:
    found: set[object] = set()
    for node in nodes:
        if node.actors is None:
            return None
        for actor in node.actors:
            if actor.unreadable or actor.roles or actor.about_sender or actor.vague:
                return None
            found |= actor.references
            found |= actor.identifiers
    return frozenset(found) if nodes else None


def _purposes(nodes: list[Node]) -> frozenset[str] | None:
    found: set[str] = set()
    for node in nodes:
        if node.purposes is None or node.vague or node.odd or "PurposeOfUse" in node.purposes:
            return None
        found |= node.purposes
    return frozenset(found) if nodes else None


def _root(
    reader: _Reader, provisions: list[Any], decision: str, policy_rule: str, unreadable: list[str]
) -> tuple[Node | None, Bounds | None]:
    """The root node and the period that bounds all: R4 has one root provision, R5 a base and exceptions to it."""
    if not provisions:
        return None, None
    if decision or len(provisions) > 1:
        if not decision and policy_rule not in ("permit", "deny"):
            unreadable.append("provision")
        children = tuple(reader.node(one, f"provision[{index}]", None) for index, one in enumerate(provisions))
        return Node(path="", type=decision or policy_rule, children=children), None
    root = reader.node(provisions[0], "provision", None)
    return root, root.period


def _policy_rule(value: Any) -> str:
    if value in (None, {}, []):
        return ""
    for code in codes_of(value):
        if code.code == "OPTIN":
            return "permit"
        if code.code == "OPTOUT":
            return "deny"
    return "?"


def _kind(value: Any, place: str, unreadable: list[str]) -> str:
    if value is None:
        return ""
    if value in ("permit", "deny"):
        return str(value)
    unreadable.append(place)
    return ""


def _bounds(value: Any, place: str, unreadable: list[str]) -> Bounds | None:
    if not isinstance(value, dict) or not value.keys() <= _BOUND_KEYS:
        unreadable.append(place)
        return None
    bounds = {key: text_of(value[key]) or "?" for key in ("start", "end") if key in value}
    # A bound that is no time is not the absence of a bound.
    if any(interval(text, "UTC") is None for text in bounds.values()):
        unreadable.append(place)
    return Bounds(**bounds)


def _reference(value: Any) -> str:
    return text_of(value.get("reference")) if isinstance(value, dict) else text_of(value)


class _Reader:
    """Reads provisions of one Consent; holds what its references stand for."""

    def __init__(self, known: Mapping[str, Any], release: str) -> None:
        self.known = known
        self.release = release
        self.said: dict[tuple[str, bytes], _Codes] = {}

    def node(self, value: Any, path: str, above: Mapping[str, Any] | None) -> Node:
        """One provision and those below it; `above` holds the constraints in effect at its parent."""
        if not isinstance(value, dict):
            return Node(path=path, type="", unreadable=(path,))
        bad = (
            [] if value.keys() <= _PROVISION_KEYS else [f"{path}.{key}" for key in value if key not in _PROVISION_KEYS]
        )
        odd: list[str] = []
        own = self._own(value, path, bad, odd)
        stated = frozenset(own)
        effective = own if above is None else {**above, **own}
        kind = _kind(value.get("type"), f"{path}.type", bad)
        # What an ancestor could not say clearly is unclear below it too, in what the branch does not replace.
        if bad or "unreadable" in effective:
            effective["unreadable"] = (*effective.get("unreadable", ()), *bad)
            effective["vague"] = (effective.get("vague", _NONE) - stated) | _kinds_at(path, bad)
        if odd or "unknown" in effective:
            effective["unknown"] = (*effective.get("unknown", ()), *odd)
            effective["odd"] = (effective.get("odd", _NONE) - stated) | _kinds_at(path, odd)
        children = tuple(
            [
                self.node(child, f"{path}.provision[{index}]", effective)
                for index, child in enumerate(as_list(value.get("provision")))
            ]
        )
        return Node(path=path, type=kind, stated=stated, children=children, **effective)

    def _own(self, value: dict[str, Any], path: str, bad: list[str], odd: list[str]) -> dict[str, Any]:
        """The constraints that this provision states itself, by the names that :class:`Node` has for them."""
        own: dict[str, Any] = {}
        for key, stated in value.items():
            if key in _CODED:
                name, _ = _CODED[key]
                codes = self._codings(key, stated)
                # Two ways to say a class are two conditions, which one set of codes cannot hold.
                if codes.unreadable or name in own:
                    bad.append(f"{path}.{key}")
                if codes.unknown:
                    odd.append(f"{path}.{key}")
                own[name] = codes.words
            elif key == "actor":
                own["actors"] = self._actors(stated, path, bad)
            elif key == "data":
                own["data"] = self._data(stated, path, bad)
            elif key in ("period", "dataPeriod"):
                own["period" if key == "period" else "data_period"] = _bounds(stated, f"{path}.{key}", bad) or Bounds()
        return own

    def _codings(self, key: str, value: Any) -> _Codes:
        """What one coded constraint says; provisions of one Consent often say the same."""
        text = key, _ENCODER.encode(value)
        found = self.said.get(text)
        if found is None:
            found = self.said[text] = _codings(key, value)
        return found

    def _data(self, value: Any, path: str, bad: list[str]) -> tuple[Data, ...]:
        stated = as_list(value)
        if not stated:
            bad.append(f"{path}.data")
        found: list[Data] = []
        for one in stated:
            meaning = text_of(one.get("meaning")) if isinstance(one, dict) else ""
            reference = unversioned(_reference(one.get("reference"))) if isinstance(one, dict) else ""
            if meaning not in _MEANINGS or not reference:
                bad.append(f"{path}.data")
            found.append(Data(meaning, reference))
        return tuple(found)

    def _actors(self, value: Any, path: str, bad: list[str]) -> tuple[Actor, ...]:
        stated = as_list(value)
        if not stated:
            bad.append(f"{path}.actor")
        return tuple([self._actor(one, path, bad) for one in stated])

    def _actor(self, value: Any, path: str, bad: list[str]) -> Actor:
        if not isinstance(value, dict) or not value.keys() <= _ACTOR_KEYS:
            bad.append(f"{path}.actor")
            return Actor(unreadable=True)
        roles = codes_of(value.get("role"))
        names = {role.code for role in roles}
        about_sender = not SENDER_ROLES.isdisjoint(names) and RECIPIENT_ROLES.isdisjoint(names)
        own_roles = frozenset([role for role in roles if role.code not in _FUNCTIONS])
        references: set[str] = set()
        identifiers: set[Code] = set()
        resolved = [self._resolve(one, references, identifiers, 0) for one in as_list(value.get("reference"))]
        if not references and not identifiers and not own_roles:
            bad.append(f"{path}.actor")
        return Actor(
            references=frozenset(references),
            identifiers=frozenset(identifiers),
            roles=own_roles,
            about_sender=about_sender,
            vague=not all(resolved),
        )

    def _resolve(self, value: Any, references: set[str], identifiers: set[Code], depth: int) -> bool:
        """Collect every name that a Reference stands for, members included; False where somebody stays unnamed."""
        stated = identifiers_of(value.get("identifier")) if isinstance(value, dict) else []
        identifiers.update(stated)
        # A value without its system may be anybody's.
        named = bool(stated) and all(one.system for one in stated)
        reference = unversioned(_reference(value))
        if not reference:
            return named
        if reference in references:
            return True
        references.add(reference)
        resource = self.known.get(reference)
        if not isinstance(resource, dict):
            return named or (_RELATIVE.match(reference) is not None and reference.split("/", 1)[0] not in _MADE_OF)
        if depth > _DEEPEST:
            return False
        identifiers.update(identifiers_of(resource.get("identifier")))
        members = _MADE_OF.get(str(resource.get("resourceType")))
        if members is None:
            return True
        resolved = [self._resolve(one, references, identifiers, depth + 1) for one in members(resource)]
        return bool(resolved) and all(resolved)


def unversioned(reference: str) -> str:
    """The reference to a resource, whichever version of it is meant."""
    return reference.split("/_history/", 1)[0]


def _group(resource: Mapping[str, Any]) -> list[Any]:
    """Its members; none where it is described and not listed."""
    described = resource.get("actual") is False or resource.get("characteristic") or resource.get("membership")
    if described and resource.get("membership") != "enumerated":
        return []
    listed = [one for one in as_list(resource.get("member")) if isinstance(one, dict)]
    return [one.get("entity") for one in listed if one.get("inactive") is not True]


def _team(resource: Mapping[str, Any]) -> list[Any]:
    return [one.get("member") for one in as_list(resource.get("participant")) if isinstance(one, dict)]


_DEEPEST: Final = 8
_RELATIVE: Final = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]+\Z")
_MADE_OF: Final[dict[str, Callable[[Mapping[str, Any]], list[Any]]]] = {
    "Group": _group,
    "CareTeam": _team,
    "PractitionerRole": lambda role: as_list(role.get("practitioner")),
}
"""Who is meant by a reference to something that stands for others: the names of those are what a party is known by."""


class _Codes(msgspec.Struct, frozen=True):
    """The codes of one stated constraint."""

    words: frozenset[Any]
    """Codes; bare strings where their system does not matter."""
    unreadable: bool
    """It is empty or has a text alone."""
    unknown: bool
    """A code in it is not among the known ones."""


def _codings(key: str, value: Any) -> _Codes:
    name, known = _CODED[key]
    stated = [codes_of(one) for one in as_list(value)]
    codes = [code for one in stated for code in one]
    return _Codes(
        frozenset([code.code for code in codes] if name in ("purposes", "actions") else codes),
        unreadable=not stated or not all(stated),
        unknown=known is not None and not all(known(code) for code in codes),
    )


_CODED: Final[dict[str, tuple[str, Callable[[Code], bool] | None]]] = {
    "purpose": ("purposes", known_purpose),
    "action": ("actions", known_action),
    "securityLabel": ("labels", known_label),
    "class": ("classes", known_class),
    "documentType": ("classes", known_class),
    "resourceType": ("classes", known_class),
    "code": ("codes", None),
}
_NAMES: Final = {key: name for key, (name, _) in _CODED.items()} | {
    "actor": "actors",
    "data": "data",
    "period": "period",
    "dataPeriod": "data_period",
    "modifierExtension": "*",
}
_NONE: Final[frozenset[str]] = frozenset()


def _kinds_at(path: str, places: list[str]) -> frozenset[str]:
    """The kinds of constraint that stand at these places of one provision."""
    if not places:
        return _NONE
    keys = (place[len(path) + 1 :] for place in places)
    return frozenset(_NAMES[key] for key in keys if key in _NAMES)
