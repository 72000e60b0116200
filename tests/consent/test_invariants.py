"""What is true of every decision, whatever the world: worlds of a plain seeded generator, and Hypothesis.

Each check is one invariant of the design (`consent.md`); the number in its name is the invariant's. All checks look at
the same worlds, since making a world costs more than deciding about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import consent
from consent.fhir import read_consent
from consent.model import AgreedBy, ConsentFact, Decision, Disclosure, Facts, Outcome
from consent.vocabulary import Basis, Event, Purpose, View
from tests.consent import reference, worlds
from tests.consent.world import AT, CHILD, MOTHER, consent_of, no_contact, policy, provision, ref, refusal, suspect

CASES = 3_000
"""Plain worlds for each invariant in the suite; `tools/campaign_consent.py` walks as many as it is told."""
EXAMPLES = 60


def decide(disclosure: Disclosure, facts: Facts) -> Decision:
    return consent.decide(disclosure, facts, policy(), AT)


def rank(decision: Decision) -> list[int]:
    return [verdict.view.rank for verdict in decision.verdicts]


def never_more(before: Decision, after: Decision) -> None:
    assert all(new <= old for old, new in zip(rank(before), rank(after), strict=True)), (rank(before), rank(after))


def recompiled(fact: ConsentFact, resource: dict[str, Any]) -> ConsentFact:
    return replace(fact, resource=resource, tree=read_consent(resource))


def rebuilt(facts: Facts, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Facts:
    """The facts with every consent's root provision changed."""
    return replace(
        facts,
        consents=tuple(
            recompiled(one, {**one.resource, "provision": change(one.resource["provision"])}) for one in facts.consents
        ),
    )


# --- the checks: (rng, disclosure, facts, decision) ------------------------------------------------------------


def check_01_the_engine_answers_as_the_reference_model(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Engine and plain model give every item the same view on the same basis."""
    for item, verdict in zip(d.items, was.verdicts, strict=True):
        if verdict.reasons[0].code != "R2-no-projection":
            expected = tuple(one if one is None else str(one) for one in reference.decide(d, f, AT, item))
            assert (str(verdict.view), verdict.basis and str(verdict.basis)) == expected


def check_02_adding_a_denial_never_reveals_more(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Another denying consent, or another refusal, whoever's, opens nothing."""
    by = rng.choice((MOTHER, CHILD, "person-father"))
    root = worlds.a_provision(rng, d.recipient.sector, 1) | {"type": "deny"}
    root.pop("provision", None)
    kind = AgreedBy.CHILD if by == CHILD else AgreedBy.REPRESENTATIVE
    denial = ConsentFact(ref("consent", "no"), consent_of(root), by, kind, "x", AT - timedelta(days=1))
    never_more(was, decide(d, replace(f, consents=(*f.consents, denial))))
    never_more(was, decide(d, replace(f, refusals=(*f.refusals, refusal(by)))))


def check_03_withdrawing_a_permit_never_reveals_more(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Take any consent that permits something back: nothing opens."""
    if f.consents:
        which = rng.randrange(len(f.consents))
        if reference.has_permit(f.consents[which].resource["provision"], top=True):
            changed = tuple(replace(c, withdrawn_at=AT) if n == which else c for n, c in enumerate(f.consents))
            never_more(was, decide(d, replace(f, consents=changed)))


def check_04_narrowing_what_permits_never_reveals_more(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Drop a purpose of a permit without exceptions, or any one fact that grants: nothing opens."""

    def narrowed(node: dict[str, Any]) -> dict[str, Any]:
        children = [narrowed(child) for child in node.get("provision", [])]
        if node.get("type") == "permit" and not children and len(node.get("purpose", ())) > 1:
            return {**node, "purpose": node["purpose"][1:]}
        return {**node, "provision": children} if children else node

    never_more(was, decide(d, rebuilt(f, narrowed)))
    kind = rng.choice(("treating", "plans", "orders", "reports", "emergencies", "team", "referrals"))
    never_more(was, decide(d, replace(f, **{kind: ()})))


def check_05_order_duplication_and_splitting_do_not_matter(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Shuffle and repeat provisions and facts, split a repeat into siblings: the same views."""

    def mixed(node: dict[str, Any]) -> dict[str, Any]:
        children = [mixed(child) for child in node.get("provision", [])]
        for child in list(children):
            if len(child.get("purpose", ())) == 2 and "provision" not in child:
                children.remove(child)
                children += [{**child, "purpose": [one]} for one in child["purpose"]]
        if children:
            children.append(rng.choice(children))
            rng.shuffle(children)
            return {**node, "provision": children}
        return node

    changed = rebuilt(f, mixed)
    for kind in ("consents", "relationships", "orders", "team"):
        values = list(getattr(changed, kind))
        rng.shuffle(values)
        changed = replace(changed, **{kind: tuple(values)})
    assert rank(decide(d, changed)) == rank(was)


def check_06_what_cannot_be_read_never_reveals_more(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Put something unknown anywhere into a consent: nothing opens."""
    odd = rng.choice(
        (
            {"modifierExtension": [{"url": "urn:x"}]}, {"extension": [{"url": "urn:x"}]}, {"expression": {}},
            {"purpose": [{"code": "NOBODYKNOWS"}]}, {"securityLabel": [{"system": "urn:x", "code": "Q"}]},
            {"actor": []}, {"period": {"start": "once"}}, {"class": [{"display": "all"}]}, {"type": "perhaps"},
            {"action": [{"coding": [{"code": "sell"}]}]}, {"data": [{"meaning": "vibes"}]}, {"actor": [{"x": 1}]},
        )
    )  # fmt: skip

    def spoiled(node: dict[str, Any]) -> dict[str, Any]:
        children = node.get("provision", [])
        if children and rng.randrange(2):
            which = rng.randrange(len(children))
            return {**node, "provision": [spoiled(c) if n == which else c for n, c in enumerate(children)]}
        return {**node, **odd}

    spoilt = decide(d, rebuilt(f, spoiled))
    assert not any(verdict.basis is Basis.CONSENT for verdict in spoilt.verdicts) or not f.consents
    never_more(was, spoilt)


def check_07_inactive_consents_never_permit(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """No consent that is inactive, replaced, expired or unborn is a ground; and none revives another."""
    dead = rng.choice(
        (
            lambda c: recompiled(c, {**c.resource, "status": rng.choice(("inactive", "rejected", "draft"))}),
            lambda c: replace(c, replaced=True),
            lambda c: replace(c, given_at=AT - timedelta(days=800)),
            lambda c: replace(c, given_at=AT + timedelta(seconds=1)),
        )
    )
    after = decide(d, replace(f, consents=tuple(dead(c) for c in f.consents)))
    assert not any(verdict.basis is Basis.CONSENT for verdict in after.verdicts)


def check_08_nothing_recorded_means_nothing_leaves(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Without facts only what the recipient itself said comes back to it."""
    bare = decide(d, Facts(person=CHILD, birth_date=f.birth_date))
    assert {verdict.basis for verdict in bare.verdicts} <= {None, Basis.OWN}


def check_09_a_denial_beats_a_permit_beside_it(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Put beside every nested permit its own denial: no consent permits by that branch, and nothing opens."""

    def opposed(node: dict[str, Any]) -> dict[str, Any]:
        children = [opposed(child) for child in node.get("provision", [])]
        twins = [
            {k: v for k, v in child.items() if k != "provision"} | {"type": "deny"}
            for child in children
            if child.get("type") == "permit"
        ]
        return {**node, "provision": [*children, *twins]} if twins else node

    never_more(was, decide(d, rebuilt(f, opposed)))


def check_16_asking_in_parts_gains_nothing(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Item by item gives the same views; purpose by purpose, each part must already have been permitted."""
    assert [rank(decide(replace(d, items=(item,)), f))[0] for item in d.items] == rank(was)
    for purpose in d.purposes:
        never_more(decide(replace(d, purposes=frozenset({purpose})), f), was)
    wider = replace(d, purposes=d.purposes | {Purpose.HPAYMT}) if d.purposes else d
    never_more(was, decide(wider, f))


def check_17_a_replay_is_the_same_decision(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Equal arguments give the equal decision and hash, with the trees compiled anew."""
    again = decide(d, replace(f, consents=tuple(replace(c, tree=None) for c in f.consents)))
    assert again == was


def check_18_a_new_bar_leaves_nothing_on_that_persons_acts(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Once the mother is barred the answer is the same as if she had never consented or refused."""
    bar: dict[str, Any] = (
        {"no_contacts": (*f.no_contacts, no_contact(MOTHER))}
        if rng.randrange(2)
        else {"suspicions": (*f.suspicions, suspect(MOTHER))}
    )
    barred = replace(f, **bar)
    without = replace(
        barred,
        consents=tuple(c for c in f.consents if c.given_by != MOTHER),
        refusals=tuple(r for r in f.refusals if r.by != MOTHER),
    )
    assert rank(decide(d, barred)) == rank(decide(d, without))


def check_19_where_voices_clash_the_protective_one_wins(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """A disagreement on the decision goes with a task, and nothing rests on consent."""
    for verdict in was.verdicts:
        if verdict.reasons[0].code in ("R10-parents-disagree", "R11-child-dissents"):
            assert verdict.view is View.NONE
            assert {"parents-disagree", "child-dissents"} & {task.kind for task in was.tasks}


def check_20_emergency_access_ends(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """A day later nothing rests on vital interest."""
    later = consent.decide(d, f, policy(), AT + timedelta(hours=24, seconds=1))
    assert not any(verdict.basis is Basis.VITAL for verdict in later.verdicts)


def check_21_what_leaves_may_not_go_on(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Every permit forbids onward disclosure; only permits carry duties."""
    assert was.leaves == bool(was.obligations)
    assert was.leaves == any(verdict.view is not View.NONE for verdict in was.verdicts)


def check_24_an_error_is_a_denial_with_a_task(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Rubbish in any place of the facts denies everything and asks somebody to look."""
    rubbish: Any = rng.choice(
        (
            replace(f, zone="Nowhere", birth_date=date(2014, 1, 1)),
            replace(f, consents=(ConsentFact(ref("consent"), [1, 2], MOTHER, evidence="x"),)),  # type: ignore[arg-type]
            replace(f, orders=(None,)),  # type: ignore[arg-type]
            replace(f, birth_date="2014"),  # type: ignore[arg-type]
        )
    )
    after = decide(d, rubbish)
    assert after.outcome is Outcome.DENY
    assert "internal-error" in {task.kind for task in after.tasks}


def check_25_nobody_stops_a_mandatory_report(rng: Random, d: Disclosure, f: Facts, was: Decision) -> None:
    """Refusals and denying consents take nothing from a report, and nothing adds to its legal minimum."""
    d = replace(d, event=Event.REPORT)
    due = decide(d, f)
    everyone = tuple(refusal(by) for by in (CHILD, MOTHER, "person-father"))
    no = ConsentFact(ref("consent", "no"), consent_of(provision("deny")), CHILD, AgreedBy.CHILD, "x", AT)
    after = decide(d, replace(f, refusals=everyone, consents=(no,)))
    for item, before, now in zip(d.items, due.verdicts, after.verdicts, strict=True):
        if before.basis is Basis.REPORT:
            assert now.basis is Basis.REPORT
            cell = policy().at(AT).cell(item.data_class, d.recipient.sector)
            minimum = max((way.view.rank for way in cell if Basis.REPORT in way.bases), default=3)
            assert now.view.rank <= minimum


CHECKS = {name: check for name, check in sorted(globals().items()) if name.startswith("check_")}


def test_the_reference_model_stays_small() -> None:
    """It is plain because it is short: at most 200 lines of code."""
    lines = Path(reference.__file__).read_text("utf-8").split('"""', 2)[2].splitlines()
    assert sum(1 for line in lines if line.strip() and not line.strip().startswith("#")) <= 200


def walk(start: int, count: int) -> tuple[Counter[str], Counter[str]]:
    """Run every check on `count` worlds from seed `start`: what failed (with its first seed), what was seen."""
    failed: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for seed in range(start, start + count):
        rng = Random(seed)
        disclosure, facts = worlds.world(rng, items=1 + (seed % 4 == 0))
        was = decide(disclosure, facts)
        seen.update(str(verdict.basis) for verdict in was.verdicts)
        for name, check in CHECKS.items():
            try:
                check(rng, disclosure, facts, was)
            except AssertionError:
                failed[f"{name} at seed {seed}"] += 1
    return failed, seen


@pytest.mark.parametrize("shard", range(2))
@pytest.mark.timeout(300)
def test_every_invariant_holds_in_plain_worlds(shard: int) -> None:
    """No invariant fails in any of the seeded worlds, and every basis occurs among them."""
    failed, seen = walk(shard * CASES // 2, CASES // 2)
    assert not failed
    assert {basis.value for basis in Basis} <= set(seen)


@pytest.mark.parametrize("name", CHECKS)
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(rng=st.randoms(use_true_random=False))
def test_every_invariant_holds_in_hypothesis_worlds(name: str, rng: Random) -> None:
    """Hypothesis searches worlds for one that breaks the invariant, and shrinks it."""
    disclosure, facts = worlds.world(rng, items=1)
    CHECKS[name](rng, disclosure, facts, decide(disclosure, facts))
