"""What is true of every release: nothing withheld survives or shows, twice is once, the rest is valid R4."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import consent
from consent.model import Decision, Obligation, ObligationKind, Outcome, Verdict
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass, View
from consent.walk import copied, references
from tests.consent.world import AT, LOINC, policy

CASES = 500
EXAMPLES = 100
EDITION = policy().at(AT)


def leaf(rng: Random, mark: str) -> str:
    """A string that occurs nowhere else, so that it is found wherever it survives."""
    return f"canary-{mark}-{rng.randrange(10**9)}"


def concept(rng: Random, mark: str) -> dict[str, Any]:
    coding = {"system": LOINC, "code": leaf(rng, mark), "display": leaf(rng, mark)}
    return {"coding": [coding], "text": leaf(rng, mark)}


def a_resource(rng: Random, kind: str, mark: str, targets: list[str]) -> dict[str, Any]:
    """A resource of `kind` whose every string names it, with references to others of the bundle."""

    def to() -> dict[str, Any]:
        return {"reference": rng.choice(targets), "display": leaf(rng, mark)}

    shared: dict[str, Any] = {
        "resourceType": kind,
        "text": {"status": "generated", "div": f"<div>{leaf(rng, mark)}</div>"},
        "extension": [{"url": "urn:x", "valueString": leaf(rng, mark)}],
        "contained": [{"resourceType": "Patient", "id": "p", "name": [{"text": leaf(rng, mark)}]}],
        "identifier": [{"system": "urn:i", "value": leaf(rng, mark)}],
        "meta": {"source": leaf(rng, mark), "tag": [{"code": leaf(rng, mark)}]},
    }
    own: dict[str, dict[str, Any]] = {
        "Patient": {"name": [{"family": leaf(rng, mark)}], "managingOrganization": to()},
        "Observation": {
            "status": "final", "code": concept(rng, mark), "subject": to(), "valueString": leaf(rng, mark),
            "note": [{"text": leaf(rng, mark)}, {"text": leaf(rng, mark)}], "hasMember": [to(), to()],
            "component": [{"code": concept(rng, mark), "valueString": leaf(rng, mark)}],
        },
        "Condition": {"subject": to(), "code": concept(rng, mark), "note": [{"text": leaf(rng, mark)}]},
        "DiagnosticReport": {
            "status": "final", "code": concept(rng, mark), "result": [to(), to()], "conclusion": leaf(rng, mark),
            "presentedForm": [{"contentType": "text/plain", "title": leaf(rng, mark)}],
        },
        "ServiceRequest": {
            "status": "active", "intent": "order", "subject": to(), "reasonCode": [concept(rng, mark)],
            "requester": {"type": "Organization", "identifier": {"system": "urn:o", "value": leaf(rng, mark)}},
        },
        "Task": {"status": "requested", "intent": "order", "focus": to(), "for": to(), "description": leaf(rng, mark)},
        "Flag": {"status": "active", "code": concept(rng, mark), "subject": to()},
        "DocumentReference": {
            "status": "current", "subject": to(),
            "content": [{"attachment": {"contentType": "text/plain", "url": f"urn:{leaf(rng, mark)}"}}],
        },
    }  # fmt: skip
    return shared | own[kind]


KINDS = (
    "Patient",
    "Observation",
    "Condition",
    "DiagnosticReport",
    "ServiceRequest",
    "Task",
    "Flag",
    "DocumentReference",
)


def a_bundle(rng: Random) -> dict[str, Any]:
    """A message with a header and up to six resources that refer to one another."""
    kinds = [rng.choice(KINDS) for _ in range(rng.randrange(1, 7))]
    targets = [f"urn:uuid:{number}" for number in range(len(kinds))]
    entries: list[dict[str, Any]] = []
    for number, kind in enumerate(kinds):
        resource = a_resource(rng, kind, str(number), targets)
        resource["meta"]["security"] = [{"system": DATA_CLASS_SYSTEM, "code": rng.choice(tuple(DataClass)).value}]
        entries.append({"fullUrl": targets[number], "resource": resource})
    header = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": "urn:e", "code": "result"},
        "source": {"endpoint": "urn:sender"},
        "focus": [{"reference": one} for one in targets],
    }
    return {
        "resourceType": "Bundle",
        "type": "message",
        "entry": [{"fullUrl": "urn:uuid:header", "resource": header}, *entries],
    }


def a_decision(rng: Random, labelled: dict[str, Any]) -> Decision:
    """Any decision at all about a bundle: each item full, by a projection that knows its type, or withheld."""
    verdicts = []
    for item in consent.items_of(labelled):
        fits = [
            name
            for name, paths in EDITION.projections.items()
            if any(path.startswith(f"{item.type}.") for path in paths)
        ]
        view = rng.choice((View.FULL, View.FULL, View.NONE, View.NONE, View.SUMMARY))
        if view is View.SUMMARY and not fits:
            view = View.NONE
        verdicts.append(Verdict(item.place, view, rng.choice(fits) if view is View.SUMMARY else ""))
    leaves = any(verdict.view is not View.NONE for verdict in verdicts)
    return Decision(
        outcome=Outcome.PERMIT if leaves else Outcome.DENY,
        verdicts=tuple(verdicts),
        reasons=(),
        obligations=(Obligation(ObligationKind.NO_REDISCLOSURE, detail="TREAT"),),
        projections=EDITION.projections,
        notice=EDITION.notice,
    )


def other_world(value: Any, marks: set[str], rng: Random) -> Any:
    """The same with every canary of these resources replaced by something of another length."""
    if isinstance(value, dict):
        return {key: other_world(inner, marks, rng) for key, inner in value.items()}
    if isinstance(value, list):
        return [other_world(inner, marks, rng) for inner in value]
    if isinstance(value, str) and any(f"canary-{mark}-" in value for mark in marks):
        return "other" * rng.randrange(1, 9)
    return value


def check(rng: Random) -> None:
    """All release invariants on one bundle and one decision."""
    labelled = consent.label(a_bundle(rng), policy())
    untouched = copied(labelled)
    decision = a_decision(rng, labelled)
    out = consent.release(labelled, decision)
    text = json.dumps(out)
    views = {verdict.place: verdict.view for verdict in decision.verdicts}
    withheld = {
        place.removeprefix("urn:uuid:") for place, view in views.items() if view is View.NONE and "#" not in place
    }

    assert labelled == untouched, "release changes its input"
    for mark in withheld:  # 11
        assert f"canary-{mark}-" not in text
    assert "<div>" not in text
    assert "data-class" not in text
    assert consent.release(out, decision) == out, "12: release is not idempotent"

    other = consent.release(other_world(labelled, withheld, rng), decision)  # 10
    assert json.dumps(other) == text

    Bundle.model_validate(out)  # 14
    known = {entry.get("fullUrl") for entry in out["entry"]}
    for entry in out["entry"]:
        assert set(references(entry["resource"])) <= known


@pytest.mark.parametrize("shard", range(5))
def test_release_invariants_hold_in_plain_bundles(shard: int) -> None:
    """10, 11, 12 and 14 hold in 500 seeded bundles."""
    for seed in range(shard * CASES // 5, (shard + 1) * CASES // 5):
        check(Random(seed))


@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(rng=st.randoms(use_true_random=False))
def test_release_invariants_hold_in_hypothesis_bundles(rng: Random) -> None:
    """Hypothesis searches for a bundle that leaks."""
    check(rng)


def test_a_withheld_element_of_a_permitted_resource_is_gone() -> None:
    """Free text inside a permitted observation goes by its own verdict, element by element."""
    for seed in range(200):
        rng = Random(seed)
        labelled = consent.label(a_bundle(rng), policy())
        decision = a_decision(rng, labelled)
        text = json.dumps(consent.release(labelled, decision))
        resources = {entry["fullUrl"]: entry["resource"] for entry in labelled["entry"]}
        for verdict in decision.verdicts:
            place, _, path = verdict.place.partition("#")
            if verdict.view is View.NONE and path.startswith("note[") and path.count(".") == 0:
                note = resources[place]["note"][int(path[5])]["text"]
                assert note not in text


def test_what_release_keeps_it_keeps_whole() -> None:
    """When every item may leave in full, codes, values and references between the resources arrive."""
    for seed in range(100):
        rng = Random(seed)
        labelled = consent.label(a_bundle(rng), policy())
        verdicts = tuple(Verdict(item.place, View.FULL) for item in consent.items_of(labelled))
        decision = Decision(Outcome.PERMIT, verdicts, (), projections=EDITION.projections, notice=EDITION.notice)
        out = consent.release(labelled, decision)
        assert [entry["fullUrl"] for entry in out["entry"]] == [entry["fullUrl"] for entry in labelled["entry"]]
        for before, after in zip(labelled["entry"][1:], out["entry"][1:], strict=True):
            for element in ("code", "valueString", "result", "focus", "identifier"):
                assert (element in before["resource"]) == (element in after["resource"])


def test_labelling_twice_changes_nothing_and_never_lowers() -> None:
    """22: labels are only added, and a sender's own higher label stays."""
    for seed in range(100):
        labelled = consent.label(a_bundle(Random(seed)), policy())
        assert consent.label(labelled, policy()) == labelled
