"""Builds what leaves from what is permitted: it keeps, it never cuts, so that what nobody thought of stays inside.

Of a permitted resource an element is kept when R4 knows it, when it carries no label of its own or its own item may
leave too, and when the projection (if there is one) names it. Narrative, contained resources, unlisted extensions,
the sender's metadata and every reference to something that stays go. A required reference to a withheld resource is
masked with R4's data-absent-reason. What follows is valid R4 without a dangling reference; doing it twice changes
nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from consent.model import Decision, ObligationKind, Verdict
from consent.policy import r4_shapes
from consent.vocabulary import (
    ACT_CODE_SYSTEM,
    ACT_REASON_SYSTEM,
    CONFIDENTIALITY_SYSTEM,
    HUB_BASE,
    NO_REDISCLOSURE,
    View,
)
from consent.walk import bare, inline_labels, resources_of, shadow

NOTICE_URL: Final = f"{HUB_BASE}/StructureDefinition/notice"
"""Extension on the MessageHeader with the constant notice, the purposes and the end of use."""
ABSENT_URL: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_MASKED: Final = {"extension": [{"url": ABSENT_URL, "valueCode": "masked"}]}
_CONFIDENTIAL: Final = ("N", "R", "V")


def release(bundle: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """The outgoing bundle: of `bundle` only what `decision` permits; just the envelope when nothing may leave."""
    verdicts = {verdict.place: verdict for verdict in decision.verdicts} if decision.leaves else {}
    found = [(place, one) for place, one in resources_of(bundle) if one.get("resourceType") != "MessageHeader"]
    places = [place for place, _ in found]
    # Two resources in one place cannot be told apart by a decision.
    offered = {
        place: resource
        for place, resource in found
        if places.count(place) == 1 and place in verdicts and verdicts[place].view is not View.NONE
    }
    kept = _settle(offered, verdicts, decision)
    header = next((one for _, one in resources_of(bundle) if one.get("resourceType") == "MessageHeader"), None)
    entries: list[dict[str, Any]] = []
    if header is not None:
        entries.append(_entry(bundle, header, _envelope(header, offered, kept, decision)))
    entries += [_entry(bundle, offered[place], kept[place]) for place in places if place in kept]
    released: dict[str, Any] = {"resourceType": "Bundle", "meta": {"security": _bundle_labels(kept, decision)}}
    for key in ("type", "timestamp"):
        if isinstance(bundle.get(key), str):
            released[key] = bundle[key]
    if entries:
        released["entry"] = entries
    return released


def rekey(bundle: dict[str, Any], key: bytes) -> dict[str, Any]:
    """A copy in which every ``fullUrl``, id and reference is replaced by one keyed for the recipient (HMAC-SHA-256)."""
    names: dict[str, str] = {}
    for entry in bundle.get("entry") or ():
        resource = entry.get("resource") or {}
        place = entry.get("fullUrl") or f"{resource.get('resourceType')}/{resource.get('id')}"
        digest = hmac.new(key, str(place).encode(), hashlib.sha256).hexdigest()
        fresh = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"
        names[str(place)] = fresh
        if resource.get("id"):
            names[f"{resource.get('resourceType')}/{resource['id']}"] = fresh
    rewritten: dict[str, Any] = _renamed(bundle, names)
    for entry, old in zip(rewritten.get("entry") or (), bundle.get("entry") or (), strict=True):
        resource = old.get("resource") or {}
        fresh = names[str(old.get("fullUrl") or f"{resource.get('resourceType')}/{resource.get('id')}")]
        entry["fullUrl"] = f"urn:uuid:{fresh}"
        if resource.get("id"):
            entry["resource"]["id"] = fresh
    return rewritten


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"urn:uuid:{names[inner]}" if key == "reference" and inner in names else _renamed(inner, names)
        for key, inner in value.items()
    }


# --- which resources ----------------------------------------------------------------------------------------


def _settle(
    offered: Mapping[str, dict[str, Any]], verdicts: Mapping[str, Verdict], decision: Decision
) -> dict[str, dict[str, Any]]:
    """Build each resource; one that cannot stand without what is withheld goes, and with it references to it."""
    names = set(offered)
    while True:
        known = _known_references(offered, names)
        built = {}
        for place in names:
            resource = _build(place, offered[place], verdicts, decision, known)
            if resource is not None:
                built[place] = resource
        if len(built) == len(names):
            return built
        names = set(built)


def _known_references(offered: Mapping[str, dict[str, Any]], names: set[str]) -> frozenset[str]:
    """Every literal reference that resolves to a kept resource."""
    known = set(names)
    for place in names:
        own = offered[place].get("id")
        if isinstance(own, str):
            known.add(f"{offered[place].get('resourceType')}/{own}")
    return frozenset(known)


def _entry(bundle: Mapping[str, Any], source: Mapping[str, Any], built: dict[str, Any]) -> dict[str, Any]:
    for entry in bundle["entry"]:
        if isinstance(entry, dict) and entry.get("resource") is source and isinstance(entry.get("fullUrl"), str):
            return {"fullUrl": entry["fullUrl"], "resource": built}
    return {"resource": built}


# --- one resource -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Keeper:
    """How elements of one resource are kept."""

    place: str
    verdicts: Mapping[str, Verdict]
    paths: tuple[str, ...] | None
    """Paths of the projection, without the type; None keeps every element."""
    projections: Mapping[str, tuple[str, ...]]
    kind: str
    known: frozenset[str]
    extensions: frozenset[str]
    shapes: Mapping[str, Any]

    def wants(self, path: str) -> bool:
        """Whether the projection keeps this path, something above it or something below it."""
        if self.paths is None:
            return True
        return any(path == one or path.startswith(f"{one}.") or one.startswith(f"{path}.") for one in self.paths)

    def may_leave(self, path: str) -> bool:
        """Whether an element with a label of its own may leave: by the verdict on it."""
        verdict = self.verdicts.get(f"{self.place}#{path}")
        if verdict is None or verdict.view is View.NONE:
            return False
        if verdict.view is View.FULL:
            return True
        plain = f"{self.kind}.{bare(path)}"
        paths = self.projections.get(verdict.projection, ())
        return any(plain == one or plain.startswith(f"{one}.") for one in paths)


def _build(
    place: str,
    resource: dict[str, Any],
    verdicts: Mapping[str, Verdict],
    decision: Decision,
    known: frozenset[str],
) -> dict[str, Any] | None:
    """What may leave of one resource; None when nothing of it can stand."""
    kind, shapes = str(resource.get("resourceType")), r4_shapes()
    verdict = verdicts[place]
    if kind not in shapes or resource.get("modifierExtension") or resource.get("implicitRules"):
        return None
    paths = None
    if verdict.view is not View.FULL:
        prefix = f"{kind}."
        named = decision.projections.get(verdict.projection, ())
        paths = tuple(path[len(prefix) :] for path in named if path.startswith(prefix))
        if not paths:
            return None
    keeper = _Keeper(
        place=place,
        verdicts=verdicts,
        paths=paths,
        projections=decision.projections,
        kind=kind,
        known=known,
        extensions=frozenset(decision.projections.get("@extensions", ())),
        shapes=shapes,
    )
    content = {key: value for key, value in resource.items() if key not in _OUTSIDE}
    built = _object(content, kind, "", keeper)
    if built is None:
        return None
    whole: dict[str, Any] = {"resourceType": kind}
    if isinstance(resource.get("id"), str):
        whole["id"] = resource["id"]
    whole["meta"] = {"security": [_confidentiality(resource), _code(ACT_CODE_SYSTEM, NO_REDISCLOSURE)]}
    return whole | built


_NEVER_KEPT: Final = frozenset({"extension", "modifierExtension", "contained"})
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
_OUTSIDE: Final = frozenset({"resourceType", "id", "meta", "text", "contained", "implicitRules"})


def _object(value: dict[str, Any], kind: str, path: str, keeper: _Keeper) -> dict[str, Any] | None:
    """One complex element (or the resource's own content) of type `kind`; None when it cannot stand."""
    if value.get("modifierExtension") or kind == "Narrative":
        return None
    if kind == "Reference":
        return _reference(value, keeper)
    shape = keeper.shapes.get(kind)
    if shape is None:
        return None
    built: dict[str, Any] = {}
    for key, inner in value.items():
        if key.startswith("_") or key in _NEVER_KEPT or key not in shape["e"]:
            continue
        here = f"{path}.{key}" if path else key
        if keeper.wants(bare(here)):
            _member(built, value, key, inner, shape["e"][key], here, keeper)
    extensions = _extensions(value, keeper)
    if extensions:
        built["extension"] = extensions
    if not built or not _complete(built, shape, value, keeper):
        return None
    return built if kind not in _STANDS_BY or _stands(built, kind, shape, value) else None


def _stands(built: dict[str, Any], kind: str, shape: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    """Whether it says one of the things that it needs to say; a single reference to something withheld is masked."""
    if not set(_STANDS_BY[kind]).isdisjoint(built):
        return True
    for name in _STANDS_BY[kind]:
        if shape["e"].get(name) == "Reference" and isinstance(value.get(name), dict):
            built[name] = _masked()
            return True
    return False


def _member(
    built: dict[str, Any], parent: dict[str, Any], key: str, inner: Any, kind: str, here: str, keeper: _Keeper
) -> None:
    """Put what may leave of one element into `built`, with the shadow that carries a primitive's extensions."""
    repeats = isinstance(inner, list)
    values: list[Any] = []
    shadows: list[Any] = []
    for index, one in enumerate(inner if repeats else [inner]):
        at = index if repeats else None
        beside = shadow(parent, key, at)
        place = f"{here}[{index}]" if repeats else here
        if inline_labels(beside) and not keeper.may_leave(place):
            continue
        if kind:
            one = _object(one, kind, place, keeper) if isinstance(one, dict) else None
            beside = None
        elif isinstance(one, (dict, list)):
            continue
        kept = _extensions(beside, keeper) if isinstance(beside, dict) else []
        if one is not None or kept:
            values.append(one)
            shadows.append({"extension": kept} if kept else None)
    if any(value is not None for value in values):
        built[key] = values if repeats else values[0]
    if any(shadows):
        built[f"_{key}"] = shadows if repeats else shadows[0]


def _extensions(value: Mapping[str, Any], keeper: _Keeper) -> list[Any]:
    """The extensions that the policy lets through, simple ones only."""
    return [
        {"url": one["url"], "valueCode": one["valueCode"]}
        for one in value.get("extension") or ()
        if isinstance(one, dict) and one.get("url") in keeper.extensions and isinstance(one.get("valueCode"), str)
    ]


def _reference(value: Mapping[str, Any], keeper: _Keeper) -> dict[str, Any] | None:
    """A reference to something that leaves too, or to an agency by its identifier; never a display."""
    reference = value.get("reference")
    if reference in keeper.known:
        return {"reference": reference}
    identifier = value.get("identifier")
    if reference is None and value.get("type") == "Organization" and isinstance(identifier, dict):
        kept = {key: identifier[key] for key in ("system", "value") if isinstance(identifier.get(key), str)}
        return {"type": "Organization", "identifier": kept} if "value" in kept else None
    if reference is None and identifier is None and _extensions(value, keeper):
        return {"extension": _extensions(value, keeper)}
    return None


def _complete(built: dict[str, Any], shape: Mapping[str, Any], value: Mapping[str, Any], keeper: _Keeper) -> bool:
    """Whether all that R4 requires is there; a required reference to something withheld is masked."""
    for name in shape["r"]:
        single = name.rstrip("*")
        if single.endswith("[x]"):
            stem = single[:-3]
            if not any(key.lstrip("_").startswith(stem) for key in built):
                return False
        elif single in built or f"_{single}" in built:
            continue
        elif shape["e"].get(single) == "Reference" and value.get(single) is not None:
            built[single] = [_masked()] if name.endswith("*") else _masked()
        else:
            return False
    return True


def _masked() -> dict[str, Any]:
    return {"extension": [dict(one) for one in _MASKED["extension"]]}


# --- the envelope -------------------------------------------------------------------------------------------


def _envelope(
    header: dict[str, Any],
    offered: Mapping[str, dict[str, Any]],
    kept: Mapping[str, dict[str, Any]],
    decision: Decision,
) -> dict[str, Any]:
    """The MessageHeader with what the policy lets through, its focus among what leaves, and the constant notice."""
    keeper = _Keeper(
        place="",
        verdicts={},
        paths=decision.projections.get("@envelope", ("eventCoding", "source.endpoint")),
        projections=decision.projections,
        kind="MessageHeader",
        known=_known_references(offered, set(kept)),
        extensions=frozenset(),
        shapes=r4_shapes(),
    )
    content = {key: value for key, value in header.items() if key not in _OUTSIDE}
    built = _object(content, "MessageHeader", "", keeper) or {}
    whole: dict[str, Any] = {"resourceType": "MessageHeader"}
    if isinstance(header.get("id"), str):
        whole["id"] = header["id"]
    whole["meta"] = {"security": [_code(ACT_CODE_SYSTEM, NO_REDISCLOSURE)]}
    whole["extension"] = [_notice(decision)]
    event = built.get("eventCoding")
    if isinstance(event, dict):
        event.pop("display", None)
    return whole | built


def _notice(decision: Decision) -> dict[str, Any]:
    """The notice that goes with everything, in each language, with purposes and the end of use (R27)."""
    inner: list[dict[str, Any]] = [{"url": lang, "valueString": text} for lang, text in sorted(decision.notice.items())]
    inner += [{"url": "purpose", "valueCode": purpose} for purpose in _purposes(decision)]
    inner += [
        {"url": "use-until", "valueDateTime": obligation.detail}
        for obligation in decision.obligations
        if obligation.kind is ObligationKind.DELETE_BY
    ]
    return {"url": NOTICE_URL, "extension": inner or [{"url": "en", "valueString": "-"}]}


def _purposes(decision: Decision) -> list[str]:
    stated = [one.detail for one in decision.obligations if one.kind is ObligationKind.NO_REDISCLOSURE]
    return [purpose for purpose in (stated[0].split(",") if stated else []) if purpose]


def _bundle_labels(kept: Mapping[str, dict[str, Any]], decision: Decision) -> list[dict[str, str]]:
    levels = [one["meta"]["security"][0]["code"] for one in kept.values()]
    highest = max(levels, key=_CONFIDENTIAL.index, default="R")
    purposes = [_code(ACT_REASON_SYSTEM, purpose) for purpose in _purposes(decision)]
    return [_code(CONFIDENTIALITY_SYSTEM, highest), _code(ACT_CODE_SYSTEM, NO_REDISCLOSURE), *purposes]


def _confidentiality(resource: Mapping[str, Any]) -> dict[str, str]:
    meta = resource.get("meta")
    security = (meta.get("security") or ()) if isinstance(meta, dict) else ()
    codes = [
        str(one["code"])
        for one in security
        if isinstance(one, dict) and one.get("system") == CONFIDENTIALITY_SYSTEM and one.get("code") in _CONFIDENTIAL
    ]
    return _code(CONFIDENTIALITY_SYSTEM, max(codes, key=_CONFIDENTIAL.index, default="R"))


def _code(system: str, code: str) -> dict[str, str]:
    return {"system": system, "code": code}
