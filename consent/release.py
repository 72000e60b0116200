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
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from consent.keeping import Keeper, Lists, lists_of, shape_of, wanted_by
from consent.model import Decision, ObligationKind, Verdict
from consent.vocabulary import (
    ACT_CODE_SYSTEM,
    ACT_REASON_SYSTEM,
    CONFIDENTIALITY_SYSTEM,
    HUB_BASE,
    NO_REDISCLOSURE,
    View,
)
from consent.walk import resources_of

NOTICE_URL: Final = f"{HUB_BASE}/StructureDefinition/notice"
"""Extension on the MessageHeader with the constant notice, the purposes and the end of use."""
_CONFIDENTIAL: Final = ("N", "R", "V")


def release(bundle: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """The outgoing bundle: of `bundle` only what `decision` permits; just the envelope when nothing may leave."""
    verdicts = {verdict.place: verdict for verdict in decision.verdicts} if decision.leaves else {}
    found = [(place, one) for place, one in resources_of(bundle) if one.get("resourceType") != "MessageHeader"]
    places = Counter(place for place, _ in found)
    # Two resources in one place cannot be told apart by a decision.
    offered = {
        place: resource
        for place, resource in found
        if places[place] == 1 and place in verdicts and verdicts[place].view is not View.NONE
    }
    kept = _settle(offered, verdicts, decision)
    entries = [entry for entry in bundle.get("entry") or () if isinstance(entry, dict)]
    full_urls = {id(entry.get("resource")): entry.get("fullUrl") for entry in entries}
    header = next((one for _, one in resources_of(bundle) if one.get("resourceType") == "MessageHeader"), None)
    built = [] if header is None else [(header, _envelope(header, offered, kept, decision))]
    built += [(offered[place], kept[place]) for place in places if place in kept]
    released: dict[str, Any] = {"resourceType": "Bundle", "meta": {"security": _bundle_labels(kept, decision)}}
    for key in ("type", "timestamp"):
        if isinstance(bundle.get(key), str):
            released[key] = bundle[key]
    if built:
        released["entry"] = [_entry(full_urls.get(id(source)), resource) for source, resource in built]
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
    listed = lists_of(decision.projections)
    while True:
        known = _known_references(offered, names)
        built = {}
        for place in names:
            kind = str(offered[place].get("resourceType"))
            keeper = Keeper(place, verdicts, decision.projections, kind, known, listed)
            resource = _build(offered[place], keeper)
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


def _entry(full_url: Any, resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": full_url, "resource": resource} if isinstance(full_url, str) else {"resource": resource}


def _build(resource: dict[str, Any], keeper: Keeper) -> dict[str, Any] | None:
    """What may leave of one resource; None when nothing of it can stand."""
    # What is in a bundle within the bundle was judged by nobody.
    if (
        shape_of(keeper.kind) is None
        or keeper.kind == "Bundle"
        or resource.get("modifierExtension")
        or resource.get("implicitRules")
    ):
        return None
    verdict, wanted = keeper.verdicts[keeper.place], None
    if verdict.view is not View.FULL or verdict.projection:
        wanted = wanted_by(keeper.projections.get(verdict.projection, ()), keeper.kind)
        if not wanted:
            return None
    built = keeper.keep(_content(resource), wanted)
    if built is None:
        return None
    whole: dict[str, Any] = {"resourceType": keeper.kind}
    if isinstance(resource.get("id"), str):
        whole["id"] = resource["id"]
    whole["meta"] = {"security": [_confidentiality(resource), _code(ACT_CODE_SYSTEM, NO_REDISCLOSURE)]}
    return whole | built


_OUTSIDE: Final = frozenset({"resourceType", "id", "meta", "text", "contained", "implicitRules"})


def _content(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource without what is built anew or never leaves."""
    return {key: value for key, value in resource.items() if key not in _OUTSIDE}


# --- the envelope -------------------------------------------------------------------------------------------


def _envelope(
    header: dict[str, Any],
    offered: Mapping[str, dict[str, Any]],
    kept: Mapping[str, dict[str, Any]],
    decision: Decision,
) -> dict[str, Any]:
    """The MessageHeader with what the policy lets through, its focus among what leaves, and the constant notice."""
    known = _known_references(offered, set(kept))
    keeper = Keeper("", {}, decision.projections, "MessageHeader", known, Lists({}, {}, {}, {}))
    paths = decision.projections.get("@envelope", ("eventCoding", "source.endpoint"))
    built = keeper.keep(_content(header), wanted_by(paths, "")) or {}
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
