"""How elements of one resource are kept: by R4's own shapes, by the projection, by the verdict on each labelled one.

An element is kept when R4 knows it, when it carries no label of its own or its own item may leave too, and when the
projection (if there is one) names it. What cannot stand without what is withheld goes as well; a required reference to
something withheld is masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from consent.codings import codes_of
from consent.model import Verdict
from consent.policy import r4_shapes
from consent.vocabulary import View
from consent.walk import bare, inline_labels, shadow

ABSENT_URL: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_MASKED: Final = {"extension": [{"url": ABSENT_URL, "valueCode": "masked"}]}
_NEVER_KEPT: Final = frozenset({"extension", "modifierExtension", "contained", "id"})
_STANDS_BY: Final = {
    "Appointment.participant": ("type", "actor"),
    "AppointmentResponse": ("participantType", "actor"),
    "Composition.section": ("entry", "section"),
    "Condition.evidence": ("code", "detail"),
    "Condition.stage": ("summary", "assessment"),
    "Consent": ("policy", "policyRule"),
    "Immunization.education": ("documentType", "reference"),
    "Observation.referenceRange": ("low", "high", "text"),
    "Organization": ("identifier", "name"),
    "Patient.contact": ("name", "telecom", "address", "organization"),
}
"""What needs one of these to stand: R4's invariants app-1, apr-1, cmp-1 (whose third way is narrative, which never
leaves), con-2, con-1, ppc-1, imm-1, obs-3, org-1 and pat-1."""

_MASKED_TOO: Final = frozenset({("Flag", "code")})
"""A flag warns by being there, whatever it may not say."""

Wanted = Mapping[str, Any]
"""Elements to keep of one type: name -> None for all that is under it, or what to keep of it in turn."""


class Shape(msgspec.Struct, frozen=True):
    """One R4 type: its elements with their types ("" = primitive), and what it requires."""

    elements: Mapping[str, str]
    required: tuple[tuple[str, bool, bool], ...]
    """Name (a stem for a choice), whether it is a choice, whether it repeats."""
    saying: frozenset[str] = frozenset()
    """The primitives that may say anything: strings and their like."""


@lru_cache(maxsize=4096)
def shape_of(kind: str) -> Shape | None:
    """The shape of an R4 type; None for what R4 does not know."""
    found = r4_shapes().get(kind)
    if found is None:
        return None
    required = []
    for name in found["r"]:
        single = name.rstrip("*")
        choice = single.endswith("[x]")
        required.append((single[:-3] if choice else single, choice, name.endswith("*")))
    return Shape(found["e"], tuple(required), frozenset(found["t"]))


@lru_cache(maxsize=1024)
def wanted_by(paths: tuple[str, ...], kind: str) -> Wanted:
    """Paths of a projection (``Type.element[word].element``) as a tree of what it keeps of a type; empty = nothing."""
    prefix = f"{kind}." if kind else ""
    tree: dict[str, Any] = {}
    for path in paths:
        if path.startswith(prefix):
            _plant(tree, path[len(prefix) :].split("."))
    return tree


def _plant(tree: dict[str, Any], parts: list[str]) -> None:
    """Let `tree` keep what is at a path; what it keeps whole already stays whole."""
    name, _, word = parts[0].partition("[")
    below = parts[1:]
    before = tree.get(name, {})
    if word:
        if isinstance(before, Only) or before == {}:
            chosen = dict(before.below) if isinstance(before, Only) else {}
            inner = chosen.setdefault(word.rstrip("]"), {} if below else None)
            if below and inner is not None:
                _plant(inner, below)
            elif not below:
                chosen[word.rstrip("]")] = None
            tree[name] = Only(chosen)
    elif not below:
        tree[name] = None
    elif isinstance(before, dict):
        tree[name] = before
        _plant(before, below)


class Only(msgspec.Struct, frozen=True):
    """Of an element that repeats, only what says one of these words: an identifier by its type, an extension by the
    last word of its address, a coding by the last word of its system and by a code that the policy lists there."""

    below: Mapping[str, Any]
    """Word -> what to keep of such a repeat; None for all of it."""

    @property
    def words(self) -> frozenset[str]:
        """The words."""
        return frozenset(self.below)

    def chosen(self, value: Mapping[str, Any], codes: Mapping[str, frozenset[str]]) -> str | None:
        """The word that a repeat says; None for none of them. `codes` are the listed ones, by system."""
        system = value.get("system")
        if isinstance(system, str) and isinstance(value.get("code"), str):
            word = system.rsplit("/", 1)[-1]
            return word if word in self.below and value["code"] in codes.get(system, ()) else None
        return next((code.code for code in codes_of(value.get("type")) if code.code in self.below), None)


class Lists(msgspec.Struct, frozen=True):
    """What the policy lists for every release."""

    extensions: Mapping[str, frozenset[str]]
    """Address of an extension that is kept wherever it stands -> the codes that it may say."""
    content: Mapping[str, str]
    """Address of an extension that is content -> the element that holds its value."""
    codes: Mapping[str, frozenset[str]]
    """Code system -> its codes that a projection may choose."""
    totals: Mapping[str, str]
    """Type -> ``total=counted``: its element that counts, and the one beside it that it counts."""


@lru_cache(maxsize=64)
def _listed(paths: tuple[str, ...]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for one in paths:
        name, _, code = one.partition(" ")
        found.setdefault(name, set()).add(code)
    return {name: frozenset(codes) for name, codes in found.items()}


def lists_of(projections: Mapping[str, tuple[str, ...]]) -> Lists:
    """The lists that stand beside the projections of a decision."""
    return Lists(
        extensions=_listed(projections.get("@extensions", ())),
        content=dict(one.split(" ") for one in projections.get("@content", ())),
        codes=_listed(projections.get("@codes", ())),
        totals=dict(one.split(" ") for one in projections.get("@totals", ())),
    )


class Keeper(msgspec.Struct, frozen=True):
    """How elements of one resource are kept."""

    place: str
    verdicts: Mapping[str, Verdict]
    projections: Mapping[str, tuple[str, ...]]
    kind: str
    known: frozenset[str]
    """References to what leaves too."""
    listed: Lists

    def keep(self, resource: Mapping[str, Any], wanted: Wanted | None) -> dict[str, Any] | None:
        """What may leave of a resource's own content (`wanted`: of these elements); None when nothing can stand."""
        return self._object(resource, self.kind, "", wanted)

    def may_leave(self, path: str) -> bool:
        """Whether an element with a label of its own may leave: by the verdict on it."""
        verdict = self.verdicts.get(f"{self.place}#{path}")
        if verdict is None or verdict.view is View.NONE:
            return False
        if verdict.view is View.FULL and not verdict.projection:
            return True
        plain = f"{self.kind}.{bare(path)}"
        paths = self.projections.get(verdict.projection, ())
        return any(plain == one or plain.startswith(f"{one}.") for one in paths)

    def _object(self, value: Mapping[str, Any], kind: str, path: str, wanted: Wanted | None) -> dict[str, Any] | None:
        """One complex element (or the resource's own content) of type `kind`; None when it cannot stand."""
        if value.get("modifierExtension") or kind == "Narrative":
            return None
        if kind == "Reference":
            return self._reference(value)
        shape = shape_of(kind)
        if shape is None:
            return None
        elements = shape.elements
        built: dict[str, Any] = {}
        for key, inner in value.items():
            type_ = elements.get(key)
            if type_ is None or key in _NEVER_KEPT or type_ == "Resource" or (wanted is not None and key not in wanted):
                continue
            below = None if wanted is None else wanted[key]
            here = f"{path}.{key}" if path else key
            if type_:
                self._complex(built, key, inner, type_, here, below)
            elif inner is not None and not isinstance(inner, (dict, list)) and f"_{key}" not in value:
                built[key] = inner
            else:
                self._primitive(built, value, key, inner, here)
        if (counted := self.listed.totals.get(kind)) is not None:
            self._total(built, value, *counted.split("="))
        if "extension" in value and (extensions := self._extensions(value) + self._content(value, wanted)):
            built["extension"] = extensions
        if not built or not _complete(built, kind, shape, value):
            return None
        return built if kind not in _STANDS_BY or _stands(built, kind, shape, value) else None

    def _complex(
        self, built: dict[str, Any], key: str, inner: Any, kind: str, here: str, wanted: Wanted | None
    ) -> None:
        """Put what may leave of one complex element into `built`."""
        if isinstance(inner, dict):
            if (one := self._labelled(inner, kind, here, wanted)) is not None:
                built[key] = one
        elif isinstance(inner, list):
            values = [
                kept
                for index, one in enumerate(inner)
                if isinstance(one, dict) and (kept := self._labelled(one, kind, f"{here}[{index}]", wanted)) is not None
            ]
            if values:
                built[key] = values

    def _labelled(self, value: dict[str, Any], kind: str, place: str, wanted: Wanted | None) -> dict[str, Any] | None:
        if "extension" in value and inline_labels(value) and not self.may_leave(place):
            return None
        if isinstance(wanted, Only):
            word = wanted.chosen(value, self.listed.codes)
            if word is None:
                return None
            wanted = wanted.below[word]
        return self._object(value, kind, place, wanted)

    def _primitive(self, built: dict[str, Any], parent: Mapping[str, Any], key: str, inner: Any, here: str) -> None:
        """Put what may leave of one primitive element into `built`, with the shadow that carries its extensions."""
        repeats = isinstance(inner, list)
        values: list[Any] = []
        shadows: list[Any] = []
        for index, one in enumerate(inner if repeats else [inner]):
            beside = shadow(parent, key, index if repeats else None)
            place = f"{here}[{index}]" if repeats else here
            if inline_labels(beside) and not self.may_leave(place):
                continue
            if isinstance(one, (dict, list)):
                continue
            kept = self._extensions(beside) if isinstance(beside, dict) else []
            if one is not None or kept:
                values.append(one)
                shadows.append({"extension": kept} if kept else None)
        if any(value is not None for value in values):
            built[key] = values if repeats else values[0]
        if any(shadows):
            built[f"_{key}"] = shadows if repeats else shadows[0]

    def _extensions(self, value: Mapping[str, Any]) -> list[Any]:
        """The extensions that the policy lets through, simple ones only."""
        extensions = value.get("extension")
        return [
            {"url": one["url"], "valueCode": one["valueCode"]}
            for one in (extensions if isinstance(extensions, list) else ())
            if isinstance(one, dict)
            and isinstance(one.get("valueCode"), str)
            and one["valueCode"] in self.listed.extensions.get(str(one.get("url")), ())
        ]

    def _content(self, value: Mapping[str, Any], wanted: Wanted | None) -> list[Any]:
        """The extensions that are content: all of them of what goes whole, else those that the projection names."""
        only = Only({}) if wanted is None else wanted.get("extension")
        if only is None:
            return []
        found = []
        for one in value["extension"] if isinstance(value["extension"], list) else ():
            url = one.get("url") if isinstance(one, dict) else None
            held = self.listed.content.get(url) if isinstance(url, str) else None
            named = wanted is None or str(url).rsplit("/", 1)[-1] in only.words
            if held is not None and named and isinstance(one.get(held), str):
                found.append({"url": url, held: one[held]})
        return found

    def _total(self, built: dict[str, Any], value: Mapping[str, Any], total: str, of: str) -> None:
        """A total stays only where everything that it counts leaves too (R25)."""
        counted, kept = value.get(of), built.get(of)
        if total in built and not (isinstance(counted, list) and kept is not None and len(kept) == value[total]):
            del built[total]

    def _reference(self, value: Mapping[str, Any]) -> dict[str, Any] | None:
        """A reference to something that leaves too, or to an agency by its identifier; never a display."""
        reference = value.get("reference")
        if isinstance(reference, str) and reference in self.known:
            return {"reference": reference}
        identifier = value.get("identifier")
        if reference is None and value.get("type") == "Organization" and isinstance(identifier, dict):
            kept = {key: identifier[key] for key in ("system", "value") if isinstance(identifier.get(key), str)}
            return {"type": "Organization", "identifier": kept} if "value" in kept else None
        if reference is None and identifier is None and (extensions := self._extensions(value)):
            return {"extension": extensions}
        return None


def _complete(built: dict[str, Any], kind: str, shape: Shape, value: Mapping[str, Any]) -> bool:
    """Whether all that R4 requires is there; a required reference to something withheld is masked."""
    for name, choice, repeats in shape.required:
        if choice:
            if not any(key.lstrip("_").startswith(name) for key in built):
                return False
        elif name in built or f"_{name}" in built:
            continue
        elif (shape.elements.get(name) == "Reference" or (kind, name) in _MASKED_TOO) and value.get(name) is not None:
            built[name] = [masked()] if repeats else masked()
        else:
            return False
    return True


def _stands(built: dict[str, Any], kind: str, shape: Shape, value: Mapping[str, Any]) -> bool:
    """Whether it says one of the things that it needs to say; a single reference to something withheld is masked."""
    if not set(_STANDS_BY[kind]).isdisjoint(built):
        return True
    for name in _STANDS_BY[kind]:
        if shape.elements.get(name) == "Reference" and isinstance(value.get(name), dict):
            built[name] = masked()
            return True
    return False


def masked() -> dict[str, Any]:
    """What stands in for a reference that does not leave."""
    return {"extension": [dict(one) for one in _MASKED["extension"]]}
