"""Bundles to release, and decisions about them: made up ones whose every string names its resource, and real ones, as
the packs' samples are read. Synthetic children only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import consent
from adapters.library import BUILT_IN
from consent.model import Decision, Item, Obligation, ObligationKind, Outcome, Verdict
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass, View
from consent.walk import copied
from tests.consent.world import AT, LOINC, policy
from tests.consent.worlds import pick

KINDS = (
    "Patient", "Observation", "Condition", "DiagnosticReport", "ServiceRequest", "Task", "Flag", "DocumentReference",
    "Organization", "RiskAssessment", "QuestionnaireResponse", "Composition", "Group", "Media", "Bundle",
    "Observation", "Observation",
)  # fmt: skip
NOWHERE = "urn:uuid:00000000-0000-4000-8000-00000000dead"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
SAID = frozenset({"family", "text", "line", "display", "valueString", "conclusion", "description", "title", "city"})
"""Elements of real bundles that hold words of somebody, which may be any other words in another world."""
LARGEST = 9
"""Items of the largest real bundle taken: variety is in the decisions, not in the size."""


def place_of(number: int) -> str:
    """The ``fullUrl`` of a made up resource."""
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


def leaf(rng: Random, mark: str) -> str:
    """A string that occurs nowhere else, so that it is found wherever it survives."""
    return f"canary-{mark}-{rng.randrange(10**9)}"


SYSTEMS = (LOINC, LOINC, "urn:oid:2.16.840.1.113883.6.90", "http://hl7.org/fhir/sid/icd-10-vn", "")
KNOWN_CODES = ("B20", "z21", "F32.1", "7917-8", "O80")
WORDS = ("Xét nghiệm HIV", "benh lau", "mang thai", "trầm cảm")


def concept(rng: Random, mark: str) -> dict[str, Any]:
    """A concept: mostly of canaries, now and then of a sensitive code or word by one of its other names."""
    code = pick(rng, KNOWN_CODES) if rng.random() < 0.1 else leaf(rng, mark)
    words = f"{pick(rng, WORDS)} " if rng.random() < 0.05 else ""
    coding = {"system": pick(rng, SYSTEMS), "code": code, "display": f"{words}{leaf(rng, mark)}"}
    if not coding["system"]:
        del coding["system"]
    return {"coding": [coding], "text": leaf(rng, mark)}


def a_resource(rng: Random, kind: str, mark: str, targets: list[tuple[str, str]]) -> dict[str, Any]:
    """A resource of `kind` whose every string names it, with references to others of the bundle."""

    def to(*kinds: str) -> dict[str, Any]:
        fitting = [place for place, found in targets if not kinds or found in kinds] or [NOWHERE]
        return {"reference": pick(rng, fitting), "display": leaf(rng, mark)}

    shared: dict[str, Any] = {
        "resourceType": kind,
        "text": {"status": "generated", "div": f"<div>{leaf(rng, mark)}</div>"},
        "extension": [{"url": "urn:x", "valueString": leaf(rng, mark)}],
        "contained": [{"resourceType": "Patient", "id": "p", "name": [{"text": leaf(rng, mark)}]}],
        "identifier": [{"system": "urn:i", "value": leaf(rng, mark)}],
        "meta": {"source": leaf(rng, mark), "tag": [{"code": leaf(rng, mark)}]},
    }
    own: dict[str, dict[str, Any]] = {
        "Patient": {"name": [{"family": leaf(rng, mark)}], "managingOrganization": to("Organization")},
        "Observation": {
            "status": "final", "code": concept(rng, mark), "subject": to("Patient"), "valueString": leaf(rng, mark),
            "note": [{"text": leaf(rng, mark)}, {"text": leaf(rng, mark)}],
            "hasMember": [to("Observation"), to("Observation")],
            "derivedFrom": [to("Observation", "Media", "QuestionnaireResponse")],
            "component": [{"code": concept(rng, mark), "valueString": leaf(rng, mark)}],
            "referenceRange": [{"text": leaf(rng, mark), "low": {"unit": f"{leaf(rng, mark)} {leaf(rng, mark)}"}}],
        },
        "RiskAssessment": {
            "status": "final", "subject": to("Patient"), "mitigation": leaf(rng, mark),
            "basis": [to("Observation")],
            "prediction": [{"rationale": leaf(rng, mark), "outcome": concept(rng, mark)}],
        },
        "QuestionnaireResponse": {
            "status": "completed", "subject": to("Patient"),
            "item": [{"linkId": "1", "item": [{"linkId": "2", "item": [{
                "linkId": "3", "text": leaf(rng, mark),
                "answer": [{"valueString": leaf(rng, mark), "item": [{"linkId": "4", "text": leaf(rng, mark)}]}],
            }]}]}],
        },
        "Composition": {
            "status": "final", "type": concept(rng, mark), "date": "2026-06-01", "author": [to("Organization")],
            "title": leaf(rng, mark), "section": [{"title": leaf(rng, mark), "entry": [to(), to()]}],
        },
        "Group": {
            "type": "person", "actual": True, "name": leaf(rng, mark), "quantity": 2,
            "member": [{"entity": to("Patient")}, {"entity": to("Patient")}],
        },
        "Media": {
            "status": "completed", "subject": to("Patient"),
            "content": {"contentType": "image/png", "title": leaf(rng, mark),
                        "url": f"urn:{leaf(rng, mark)}", "size": 7},
        },
        "Bundle": {
            "type": "searchset", "total": 3,
            "entry": [{"resource": {"resourceType": "Patient", "name": [{"text": leaf(rng, mark)}]}}],
        },
        "Condition": {"subject": to("Patient"), "code": concept(rng, mark), "note": [{"text": leaf(rng, mark)}]},
        "DiagnosticReport": {
            "status": "final", "code": concept(rng, mark), "conclusion": leaf(rng, mark),
            "result": [to("Observation"), to("Observation")],
            "presentedForm": [{"contentType": "text/plain", "title": leaf(rng, mark)}],
        },
        "ServiceRequest": {
            "status": "active", "intent": "order", "subject": to("Patient"), "reasonCode": [concept(rng, mark)],
            "requester": {"type": "Organization", "identifier": {"system": "urn:o", "value": leaf(rng, mark)}},
        },
        "Task": {
            "status": "requested", "intent": "order", "focus": to(), "for": to("Patient"),
            "description": leaf(rng, mark),
        },
        "Organization": {"name": leaf(rng, mark), "partOf": to("Organization")},
        "Flag": {"status": "active", "code": concept(rng, mark), "subject": to("Patient")},
        "DocumentReference": {
            "extension": [{"url": ABSENT, "valueCode": leaf(rng, mark)}],
            "status": "current", "subject": to("Patient"),
            "content": [{"attachment": {"contentType": "text/plain", "url": f"urn:{leaf(rng, mark)}"}}],
        },
    }  # fmt: skip
    whole, part = (one["code"]["coding"][0] for one in (own["Observation"], *own["Observation"]["component"]))
    if part["code"] == whole["code"]:
        part["code"] += "-1"  # a component of the whole's own code is no R4 (obs-7)
    if kind in ("Bundle", "Composition", "QuestionnaireResponse"):
        shared["identifier"] = shared["identifier"][0]
    return shared | own[kind]


def a_bundle(rng: Random) -> dict[str, Any]:
    """A message with a header and up to six resources that refer to one another."""
    kinds = [pick(rng, KINDS) for _ in range(rng.randrange(1, 7))]
    places = [place_of(number) for number in range(len(kinds))]
    targets = list(zip(places, kinds, strict=True))
    entries: list[dict[str, Any]] = []
    for number, kind in enumerate(kinds):
        resource = a_resource(rng, kind, str(number), targets)
        resource["meta"]["security"] = [{"system": DATA_CLASS_SYSTEM, "code": pick(rng, tuple(DataClass)).value}]
        entries.append({"fullUrl": places[number], "resource": resource})
    header = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": "urn:e", "code": "result"},
        "source": {"endpoint": "urn:sender"},
        "focus": [{"reference": one} for one in places],
    }
    return {
        "resourceType": "Bundle",
        "type": "message",
        "entry": [{"fullUrl": place_of(99), "resource": header}, *entries],
    }


def real_bundles() -> Iterator[tuple[str, dict[str, Any]]]:
    """The canonical bundles beside the packs' samples, with their event, every word of them made a canary."""
    for path in sorted(BUILT_IN.glob("*/*/samples/*.bundle.json")):
        found = json.loads(path.read_text("utf-8"))
        for bundle in found if isinstance(found, list) else [found]:
            header = next(one["resource"] for one in bundle["entry"] if "eventCoding" in one["resource"])
            mark = _marker()
            entries = [{**one, "resource": worded(one["resource"], mark)} for one in bundle["entry"]]
            yield header["eventCoding"]["code"], {**bundle, "entry": entries}


def _marker() -> Callable[[str], str]:
    numbers = iter(range(100_000, 1_000_000))
    return lambda _: f"Canary-{next(numbers)}-Mẫu"


def worded(value: Any, change: Any, key: str = "") -> Any:
    """The same with every word changed that somebody said, and nothing that a format has rules about."""
    if isinstance(value, dict):
        return {name: inner if name == "meta" else worded(inner, change, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [worded(inner, change, key) for inner in value]
    return change(value) if key in SAID and isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Labelled:
    """A bundle as labelling leaves it, its items, and the projections that know each of them."""

    event: str
    bundle: dict[str, Any]
    items: tuple[Item, ...]
    fits: tuple[tuple[str, ...], ...]


class Bundles:
    """Labelled bundles: the real ones that are small, and a number of made up ones."""

    def __init__(self, seed: int, size: int = 0) -> None:
        rng = Random(f"{seed} bundles")
        real = (labelled_of(event, bundle) for event, bundle in real_bundles())
        made = (labelled_of("", a_bundle(rng)) for _ in range(size))
        self.all = (*(one for one in real if 0 < len(one.items) <= LARGEST), *made)


def labelled_of(event: str, bundle: dict[str, Any]) -> Labelled:
    """Label a bundle and look at what it holds."""
    labelled = consent.label(bundle, policy())
    items = consent.items_of(labelled)
    projections = policy().at(AT).projections
    known = {
        kind: tuple(name for name, paths in projections.items() if any(path.startswith(f"{kind}.") for path in paths))
        for kind in {item.type for item in items}
    }
    return Labelled(event, labelled, items, tuple(known[item.type] for item in items))


def a_decision(rng: Random, about: Labelled, withholds: int = 2) -> Decision:
    """Any decision at all about a bundle: each item full, by a projection that knows its type, or withheld."""
    edition = policy().at(AT)
    verdicts = []
    for item, fits in zip(about.items, about.fits, strict=True):
        view = pick(rng, (View.FULL, View.FULL, View.SUMMARY, *[View.NONE] * withholds))
        if view is View.SUMMARY and not fits:
            view = View.NONE
        verdicts.append(Verdict(item.place, view, pick(rng, fits) if view is View.SUMMARY else ""))
    leaves = any(verdict.view is not View.NONE for verdict in verdicts)
    return Decision(
        outcome=Outcome.PERMIT if leaves else Outcome.DENY,
        verdicts=tuple(verdicts),
        reasons=(),
        obligations=(Obligation(ObligationKind.NO_REDISCLOSURE, detail="TREAT"),),
        projections=edition.projections,
        notice=edition.notice,
    )


def withheld(decision: Decision) -> tuple[set[str], list[tuple[str, str]]]:
    """The resources that stay, and the elements that stay of resources which go (place, path)."""
    none = [verdict.place.partition("#") for verdict in decision.verdicts if verdict.view is View.NONE]
    whole = {place for place, _, path in none if not path}
    return whole, [(place, path) for place, _, path in none if path and place not in whole]


def at(resource: Any, path: str) -> Any:
    """What stands at a place of a resource (dotted, indices in brackets)."""
    for part in path.split("."):
        name, _, index = part.partition("[")
        resource = resource[name][int(index[:-1])] if index else resource[name]
    return resource


def other_world(about: Labelled, decision: Decision, rng: Random) -> dict[str, Any]:
    """The same bundle in a world where everything withheld says something else, of another length."""
    whole, parts = withheld(decision)

    def otherwise(text: str) -> str:
        return "other" * rng.randrange(1, 9)

    bundle: dict[str, Any] = copied(about.bundle)
    for entry in bundle["entry"]:
        place = entry["fullUrl"]
        if place in whole:
            labels = entry["resource"]["meta"]
            entry["resource"] = worded(entry["resource"], otherwise)
            entry["resource"] = {**_swapped(entry["resource"], otherwise), "meta": labels}
        for owner, path in parts:
            if owner == place:
                _put(entry["resource"], path, otherwise)
    return bundle


def _swapped(value: Any, change: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _swapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_swapped(inner, change) for inner in value]
    return change(value) if isinstance(value, str) and value.startswith(("canary-", "urn:canary-")) else value


def _put(resource: dict[str, Any], path: str, change: Any) -> None:
    head, _, last = path.rpartition(".")
    parent = at(resource, head) if head else resource
    name, _, index = last.partition("[")
    inner = at(parent, last)
    fresh = change(inner) if isinstance(inner, str) else _swapped(worded(inner, change), change)
    if index:
        parent[name][int(index[:-1])] = fresh
    else:
        parent[name] = fresh


def without(about: Labelled, decision: Decision) -> dict[str, Any]:
    """The bundle of a world in which the resources that stay were never recorded."""
    whole, _ = withheld(decision)
    return {**about.bundle, "entry": [one for one in about.bundle["entry"] if one["fullUrl"] not in whole]}


def canaries(value: Any) -> Iterator[str]:
    """Every string below that names where it stood."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from canaries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from canaries(inner)
    elif isinstance(value, str) and "anary-" in value:
        yield value[value.index("anary-") - 1 :]


def secrets(about: Labelled, decision: Decision) -> set[str]:
    """Every canary of what is withheld, resource by resource and element by element."""
    whole, parts = withheld(decision)
    resources = {one["fullUrl"]: one["resource"] for one in about.bundle["entry"]}
    found = {text for place in whole for text in canaries(resources[place])}
    return found | {text for place, path in parts for text in canaries(at(resources[place], path))}
