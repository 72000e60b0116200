"""Every invariant that a release or a written message shows: in plain releases, and in Hypothesis's."""

from __future__ import annotations

import json
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import consent
from consent.model import Decision, Outcome, Verdict
from consent.vocabulary import View
from consent.walk import copied
from tests.consent.bundles import NOWHERE, Bundles, a_bundle
from tests.consent.invariants_of_release import CHECKS, SHARE, pool_for, release_of, walk
from tests.consent.world import AT, policy

CASES, SHARDS = 500, 2
EXAMPLES = 100
EDITION = policy().at(AT)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_invariant_of_release_holds_in_plain_bundles(shard: int) -> None:
    """None fails in any of the seeded releases, and every premise holds often enough."""
    count = CASES // SHARDS
    failed, met = walk(shard * count, count)
    assert not failed
    assert {name: met[name] for name in CHECKS if met[name] < SHARE[name] * count} == {}


@cache
def pool(name: str) -> Bundles:
    """The bundles of Hypothesis's releases."""
    return pool_for(name, -1)


@pytest.mark.parametrize("name", CHECKS)
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(rng=st.randoms(use_true_random=False))
def test_every_invariant_of_release_holds_in_hypothesis_bundles(name: str, rng: Random) -> None:
    """Hypothesis searches for a release that leaks."""
    CHECKS[name](release_of(rng, pool(name)))


def test_release_leaves_its_input_alone() -> None:
    """What was given is what is there afterwards."""
    for seed in range(20):
        case = release_of(Random(seed), pool("made up"))
        before = copied(case.about.bundle)
        consent.release(case.about.bundle, case.decision)
        assert case.about.bundle == before


def test_what_release_keeps_it_keeps_whole() -> None:
    """When every item may leave in full, codes, values and references between the resources arrive."""
    for seed in range(100):
        labelled = consent.label(a_bundle(Random(seed)), policy())
        verdicts = tuple(Verdict(item.place, View.FULL) for item in consent.items_of(labelled))
        decision = Decision(Outcome.PERMIT, verdicts, (), projections=EDITION.projections, notice=EDITION.notice)
        out = consent.release(labelled, decision)
        # A bundle within the bundle was judged by nobody.
        held = [one for one in labelled["entry"] if one["resource"]["resourceType"] != "Bundle"]
        assert [entry["fullUrl"] for entry in out["entry"]] == [entry["fullUrl"] for entry in held]
        gone = {one["fullUrl"] for one in labelled["entry"] if one not in held} | {NOWHERE}
        for before, after in zip(held[1:], out["entry"][1:], strict=True):
            for element in ("code", "valueString", "result", "focus", "identifier"):
                said = json.dumps(before["resource"].get(element, ""))
                there = element in before["resource"] and not any(one in said for one in gone)
                assert there == (element in after["resource"])


def test_a_sender_cannot_lower_a_label() -> None:
    """22: whatever labels a sender takes off ours come back, and a sender's own higher label stays."""
    very = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}
    for seed in range(60):
        bundle = a_bundle(Random(seed))
        labelled = consent.label(bundle, policy())
        raised = copied(bundle)
        for entry in raised["entry"][1:]:
            entry["resource"]["meta"]["security"].append(very)
        for entry, ours in zip(consent.label(raised, policy())["entry"][1:], labelled["entry"][1:], strict=True):
            held = [json.dumps(one, sort_keys=True) for one in entry["resource"]["meta"]["security"]]
            assert json.dumps(very, sort_keys=True) in held
            kept = [
                one for one in ours["resource"]["meta"]["security"] if not one["system"].endswith("Confidentiality")
            ]
            assert {json.dumps(one, sort_keys=True) for one in kept} <= set(held)
