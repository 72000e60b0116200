"""Redactions against the judgement of items: what codes say is never wider, for trees put together at random."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from consent.alone import Asked, _codes_of, _redacted, decide_alone
from consent.fhir import read_consent
from consent.model import ConsentFact, Facts, Item, Outcome
from consent.requests import CORNERS
from consent.vocabulary import DataClass, Purpose, Sector, View
from tests.consent.world import AT, agency, ask, consent_of, item, policy, ref
from tests.consent.worlds import a_provision, chance, pick

CLASSES = (DataClass.MEDICAL_EXAM, DataClass.REFERRAL, DataClass.SUPPORT_NEED, DataClass.FORENSIC)
PLAIN = Facts("child")


def a_fact(rng: Random, number: int) -> ConsentFact:
    resource = consent_of(a_provision(rng, Sector.SOCIAL), str(number), dateTime=f"2026-0{pick(rng, (1, 2, 3))}-01")
    return ConsentFact(ref("consent", str(number)), resource, evidence="x", tree=read_consent(resource))


def some_items(rng: Random) -> tuple[Item, ...]:
    labels = ([label for label in ("HIV", "PSY", "SDV") if chance(rng, 2)] for _ in range(6))
    return tuple(item(pick(rng, CLASSES), *each, place=f"item-{number}") for number, each in enumerate(labels))


def decided(facts: tuple[ConsentFact, ...], items: tuple[Item, ...], profile: str, asked: Asked) -> Any:
    disclosure = replace(ask(agency(Sector.SOCIAL)), items=items)
    return decide_alone(disclosure, replace(PLAIN, consents=facts), policy(), AT, CORNERS[profile], asked)


@pytest.mark.parametrize("profile", ["hub", "pcf", "leap-2020"])
@pytest.mark.parametrize("seed", range(8))
def test_invariant_15_redactions_never_leave_more_than_the_items_judged(profile: str, seed: int) -> None:
    """What survives the obligations of an answer without data leaves when the same data is judged, and as often."""
    rng = Random(f"{seed} {profile}")
    permits = same = 0
    for _ in range(120):
        facts = tuple(a_fact(rng, number) for number in range(pick(rng, (1, 1, 2, 3))))
        asked = Asked(pick(rng, (("CAREMGT",), ("TREAT",), ("CAREMGT", "TREAT"))), ("disclose",))
        items = some_items(rng)
        blind, seen = decided(facts, (), profile, asked), decided(facts, items, profile, asked)
        leaves = {one.place for one in seen.verdicts if one.view is not View.NONE}
        if blind.outcome is Outcome.PERMIT:
            kept = {
                one.place for one in items if not any(_redacted(_codes_of(one), each) for each in blind.obligations)
            }
            assert kept == leaves
            permits, same = permits + 1, same + bool(kept)
        if leaves:
            assert seen.outcome is Outcome.PERMIT
    assert permits
    assert same


@pytest.mark.parametrize("profile", ["hub", "pcf", "leap-2020"])
@pytest.mark.parametrize("seed", range(4))
def test_invariant_5_order_and_duplication_do_not_matter(profile: str, seed: int) -> None:
    """Consents, provisions, purposes in another order, or said twice: the same answer, but for the order of reasons."""
    rng = Random(f"{seed} {profile} order")

    def shown(decision: Any) -> tuple[Any, ...]:
        reasons = {(one.code, one.rule.split("#")[0]) for one in decision.reasons}
        return decision.outcome, decision.verdicts, decision.obligations, decision.residual, reasons

    for _ in range(80):
        facts = [a_fact(rng, number) for number in range(pick(rng, (1, 2, 3)))]
        items = some_items(rng) if chance(rng, 2) else ()
        there = decided(tuple(facts), items, profile, Asked(("CAREMGT", "TREAT"), ("disclose", "access")))
        turned = []
        for fact in reversed(facts):
            root = dict(fact.resource["provision"])
            if root.get("provision"):
                root["provision"] = [*reversed(root["provision"]), root["provision"][0]]
            resource = {**fact.resource, "provision": root}
            turned.append(replace(fact, resource=resource, tree=read_consent(resource)))
        back = decided(tuple(turned), items, profile, Asked(("TREAT", "CAREMGT"), ("access", "disclose")))
        assert shown(there) == shown(back)


def test_a_consent_with_a_clause_for_every_class_is_still_said_in_codes() -> None:
    """Seventeen separate denials come to one redaction, and seventeen permits to one exception."""
    for kind, base in (("deny", "permit"), ("permit", "deny")):
        from tests.consent.world import provision

        root = {"type": base, "provision": [provision(kind, classes=[one]) for one in DataClass]}
        resource = consent_of(root, "1")
        fact = ConsentFact(ref("consent", "1"), resource, evidence="x", tree=read_consent(resource), given_at=AT)
        for profile in ("hub", "pcf"):
            (only,) = decided((fact,), (), profile, Asked((Purpose.TREAT.value,), ("disclose",))).obligations
            assert len(only.codes or only.except_any_of) == len(DataClass)
