"""What is true of every decision, whatever the world: one check for each invariant of the design that a decision shows.

The number in a check's name is the invariant's number in `consent.md`. All checks look at the same world and at one
decision about it, since that is what costs. A check answers whether its premise held in this world (somebody was
permitted something that could have been taken away, say), so that a campaign can tell what it tried from what it
merely walked past. Invariants about releases are in `invariants_of_release.py`, those about the hub in
`tests/hub/invariants`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any

import consent
from consent.fhir import read_consent
from consent.model import (
    AgreedBy,
    ConsentFact,
    Decision,
    Disclosure,
    Facts,
    ObligationKind,
    Outcome,
    Relationship,
    Tie,
)
from consent.vocabulary import Basis, DataClass, Event, Purpose, Taint, View
from tests.consent import reference
from tests.consent.world import AT, CHILD, FATHER, MOTHER, no_contact, policy, ref, refusal, suspect
from tests.consent.worlds import SECTORS, Change, Pool, pick

CLASHES = {"R10-parents-disagree": "parents-disagree", "R11-child-dissents": "child-dissents"}
DEAD = ("inactive", "rejected", "draft")
ODD: tuple[dict[str, Any], ...] = (
    {"modifierExtension": [{"url": "urn:x"}]}, {"extension": [{"url": "urn:x"}]}, {"expression": {}},
    {"purpose": [{"code": "NOBODYKNOWS"}]}, {"securityLabel": [{"system": "urn:x", "code": "Q"}]},
    {"actor": []}, {"period": {"start": "once"}}, {"dataPeriod": {"end": 20300101}},
    {"class": [{"display": "all"}]}, {"type": "perhaps"},
    {"action": [{"coding": [{"code": "sell"}]}]}, {"data": [{"meaning": "vibes"}]}, {"actor": [{"x": 1}]},
)  # fmt: skip
"""What may stand in a provision and cannot be read."""


@dataclass(slots=True)
class Case:
    """One world, what was decided in it, and the chance by which checks vary it."""

    rng: Random
    pool: Pool
    asked: Disclosure
    facts: Facts
    was: Decision

    def decide(self, asked: Disclosure | None = None, facts: Facts | None = None) -> Decision:
        """The decision in a world changed in part."""
        return consent.decide(asked or self.asked, facts or self.facts, policy(), AT)

    def given(self, **facts: Any) -> Decision:
        """The decision with some facts changed; the one that was made, where the change changes nothing here."""
        if all(_same(getattr(self.facts, kind), changed) for kind, changed in facts.items()):
            return self.was
        return consent.decide(self.asked, replace(self.facts, **facts), policy(), AT)

    def rewritten(self, how: str, variants: int, change: Change) -> Decision:
        """The decision with the root provision of every consent changed in one of some ways."""
        sector = self.asked.recipient.sector
        assert sector is not None
        variant, pool = self.rng.randrange(variants), self.pool

        def rewrite(resource: Mapping[str, Any], rng: Random) -> dict[str, Any]:
            return {**resource, "provision": change(resource["provision"], rng)}

        return self.given(consents=tuple(pool.changed(c, sector, how, variant, rewrite) for c in self.facts.consents))

    def rests_on(self, basis: Basis) -> bool:
        """Whether anything leaves on this ground."""
        return any(verdict.basis is basis for verdict in self.was.verdicts)


def _same(was: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    """Whether these are the very same facts, of which nothing else can be decided (invariant 17)."""
    return len(was) == len(now) and all(one is other for one, other in zip(was, now, strict=True))


Check = Callable[[Case], bool]


def case_of(rng: Random, pool: Pool) -> Case:
    """A world of the pool, decided about once."""
    asked, facts = pool.world(rng)
    return Case(rng, pool, asked, facts, consent.decide(asked, facts, policy(), AT))


def rank(decision: Decision) -> list[int]:
    return [verdict.view.rank for verdict in decision.verdicts]


def never_more(before: Decision, after: Decision) -> None:
    old, new = rank(before), rank(after)
    assert all(now <= then for then, now in zip(old, new, strict=True)), (old, new)


def provisions(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    return node.get("provision", [])


# --- the checks ---------------------------------------------------------------------------------------------


def check_01_the_engine_answers_as_the_reference_model(case: Case) -> bool:
    """Engine and plain model give every item the same view on the same basis."""
    for item, verdict in zip(case.asked.items, case.was.verdicts, strict=True):
        if verdict.reasons[0].code != "R2-no-projection":
            expected = tuple(
                one if one is None else str(one) for one in reference.decide(case.asked, case.facts, AT, item)
            )
            assert (str(verdict.view), verdict.basis and str(verdict.basis)) == expected
    return case.was.leaves


def check_02_adding_a_denial_never_reveals_more(case: Case) -> bool:
    """Another denying consent, or another refusal, whoever's, opens nothing."""
    assert case.asked.recipient.sector is not None
    denial = pick(case.rng, case.pool.shelves[case.asked.recipient.sector].denials)
    never_more(case.was, case.given(consents=(*case.facts.consents, denial)))
    by = pick(case.rng, (MOTHER, CHILD, FATHER))
    never_more(case.was, case.given(refusals=(*case.facts.refusals, refusal(by))))
    return case.was.leaves


def check_03_withdrawing_a_permit_never_reveals_more(case: Case) -> bool:
    """Take any consent that permits something back: nothing opens."""
    consents = case.facts.consents
    which = case.rng.randrange(len(consents)) if consents else 0
    if not consents or not reference.anywhere(consents[which].resource["provision"], reference.permits):
        return False
    taken = replace(consents[which], withdrawn_at=AT)
    never_more(case.was, case.given(consents=(*consents[:which], taken, *consents[which + 1 :])))
    return case.was.leaves


def check_04_narrowing_what_permits_never_reveals_more(case: Case) -> bool:
    """Drop a purpose of a permit without exceptions, or any kind of fact that grants: nothing opens.

    Only in consents that can be read in full: one that cannot permits nothing, and where it would have permitted it
    stands in the way of others (indeterminate), which it does not where it says nothing.
    """

    def narrowed(node: Mapping[str, Any], rng: Random) -> dict[str, Any]:
        children = [narrowed(child, rng) for child in provisions(node)]
        if node.get("type") == "permit" and not children and len(node.get("purpose", ())) > 1:
            return {**node, "purpose": node["purpose"][1:]}
        return {**node, "provision": children} if children else dict(node)

    def narrowing(root: Mapping[str, Any], rng: Random) -> dict[str, Any]:
        return dict(root) if reference.anywhere(root, reference.unclear) else narrowed(root, rng)

    never_more(case.was, case.rewritten("narrowed", 1, narrowing))
    kind = pick(case.rng, ("treating", "plans", "orders", "reports", "emergencies", "team", "referrals"))
    # A referral can also be what a refusal of its service is about.
    refused = kind == "referrals" and any(one.service for one in case.facts.refusals)
    if getattr(case.facts, kind) and not refused:
        never_more(case.was, case.given(**{kind: ()}))
    return case.was.leaves


def check_05_order_duplication_and_splitting_do_not_matter(case: Case) -> bool:
    """Shuffle and repeat provisions and facts, split a repeat into siblings: the same views."""

    def mixed(node: Mapping[str, Any], rng: Random) -> dict[str, Any]:
        children = [mixed(child, rng) for child in provisions(node)]
        for child in list(children):
            if len(child.get("purpose", ())) == 2 and "provision" not in child:
                children.remove(child)
                children += [{**child, "purpose": [one]} for one in child["purpose"]]
        if children:
            children.append(pick(rng, children))
            rng.shuffle(children)
            return {**node, "provision": children}
        return dict(node)

    consents = list(case.facts.consents)
    assert rank(case.rewritten("mixed", 2, mixed)) == rank(case.was)
    case.rng.shuffle(consents)
    twice = [*consents, *consents[:1]]
    turned = {kind: getattr(case.facts, kind)[::-1] for kind in ("relationships", "orders", "team")}
    assert rank(case.given(consents=tuple(twice), **turned)) == rank(case.was)
    return bool(consents)


def check_06_what_cannot_be_read_never_reveals_more(case: Case) -> bool:
    """Put something unknown anywhere into every consent: none of them is a ground, and nothing opens."""

    def spoiled(node: Mapping[str, Any], rng: Random) -> dict[str, Any]:
        children = provisions(node)
        if children and rng.randrange(2):
            which = rng.randrange(len(children))
            return {**node, "provision": [spoiled(c, rng) if n == which else c for n, c in enumerate(children)]}
        return {**node, **pick(rng, ODD)}

    spoilt = case.rewritten("spoiled", 4, spoiled)
    assert not any(verdict.basis is Basis.CONSENT for verdict in spoilt.verdicts)
    never_more(case.was, spoilt)
    return case.rests_on(Basis.CONSENT)


def check_07_inactive_consents_never_permit(case: Case) -> bool:
    """No consent that is inactive, replaced, expired or unborn is a ground; the dead ones say nothing at all."""
    way, sector = case.rng.randrange(4), case.asked.recipient.sector
    assert sector is not None

    def dead(one: ConsentFact) -> ConsentFact:
        if way == 0:
            return case.pool.changed(one, sector, "dead", 0, lambda was, rng: {**was, "status": pick(rng, DEAD)})
        if way == 1:
            return replace(one, replaced=True)
        return replace(one, given_at=AT - timedelta(days=800) if way == 2 else AT + timedelta(seconds=1))

    after = case.given(consents=tuple(dead(one) for one in case.facts.consents))
    assert not any(verdict.basis is Basis.CONSENT for verdict in after.verdicts)
    without = case.given(consents=())
    never_more(without, after)
    if way != 2:
        assert rank(after) == rank(without)
    return case.rests_on(Basis.CONSENT)


def check_08_nothing_recorded_means_nothing_leaves(case: Case) -> bool:
    """Without facts only what the recipient itself said comes back to it."""
    bare = case.decide(facts=Facts(person=CHILD, birth_date=case.facts.birth_date))
    assert {verdict.basis for verdict in bare.verdicts} <= {None, Basis.OWN}
    return case.was.leaves


def check_09_a_denial_beats_a_permit_beside_it(case: Case) -> bool:
    """Put beside every nested permit its own denial, or nothing but the two into an opt-in consent: nothing opens."""

    def opposed(node: Mapping[str, Any], rng: Random) -> dict[str, Any]:
        children = [opposed(child, rng) for child in provisions(node)]
        twins = [
            {k: v for k, v in child.items() if k != "provision"} | {"type": "deny"}
            for child in children
            if child.get("type") == "permit"
        ]
        return {**node, "provision": [*children, *twins]} if twins else dict(node)

    def paired(node: Mapping[str, Any], rng: Random) -> dict[str, Any]:
        alone = {k: v for k, v in node.items() if k != "provision"}
        return {"type": "deny", "provision": [alone | {"type": "permit"}, alone | {"type": "deny"}]}

    never_more(case.was, case.rewritten("opposed", 1, opposed))
    assert not any(one.basis is Basis.CONSENT for one in case.rewritten("paired", 1, paired).verdicts)
    return case.rests_on(Basis.CONSENT)


def check_16_asking_in_parts_gains_nothing(case: Case) -> bool:
    """Item by item gives the same views; purpose by purpose, each part must already have been permitted."""
    asked = case.asked
    if len(asked.items) > 1:
        assert [rank(case.decide(replace(asked, items=(item,))))[0] for item in asked.items] == rank(case.was)
    if len(asked.purposes) > 1:
        for purpose in asked.purposes:
            never_more(case.decide(replace(asked, purposes=frozenset({purpose}))), case.was)
    if asked.purposes:
        wider = replace(asked, purposes=asked.purposes | {pick(case.rng, (Purpose.TREAT, Purpose.HPAYMT))})
        never_more(case.was, case.decide(wider))
    return case.was.leaves


def check_17_a_replay_is_the_same_decision(case: Case) -> bool:
    """Equal arguments give the equal decision and hash, with the trees compiled anew."""
    again = tuple(replace(one, tree=None) for one in case.facts.consents)
    assert case.given(consents=again) == case.was
    return bool(again)


def check_18_a_new_bar_leaves_nothing_on_that_persons_acts(case: Case) -> bool:
    """Once the mother is barred the answer is the same as if she had never consented or refused."""
    facts = case.facts
    bar: dict[str, Any] = (
        {"no_contacts": (*facts.no_contacts, no_contact(MOTHER))}
        if case.rng.randrange(2)
        else {"suspicions": (*facts.suspicions, suspect(MOTHER))}
    )
    consents = tuple(one for one in facts.consents if one.given_by != MOTHER)
    refusals = tuple(one for one in facts.refusals if one.by != MOTHER)
    if _same(facts.consents, consents) and _same(facts.refusals, refusals):
        return False
    assert rank(case.given(**bar)) == rank(case.given(**bar, consents=consents, refusals=refusals))
    return True


def check_19_where_voices_clash_the_protective_one_wins(case: Case) -> bool:
    """Where consent permits, the child's or the other parent's refusal ends that, with a task that has a due time."""
    for verdict in case.was.verdicts:
        if verdict.reasons[0].code in CLASHES:
            assert verdict.view is View.NONE
            assert set(CLASHES.values()) & {task.kind for task in case.was.tasks}
    agreed = [number for number, one in enumerate(case.was.verdicts) if one.basis is Basis.CONSENT]
    representative = any(
        one.given_by == MOTHER and reference.needs(_age(case)) >= {"representative"} for one in case.facts.consents
    )
    if not agreed or not representative:
        return False
    fathers = Relationship(ref("tie", "second"), "person-second", Tie.GUARDIAN, CHILD)
    by = CHILD if "child" in reference.needs(_age(case)) and case.rng.randrange(2) else "person-second"
    after = case.given(relationships=(*case.facts.relationships, fathers), refusals=(*case.facts.refusals, refusal(by)))
    never_more(case.was, after)
    for number in agreed:
        assert after.verdicts[number].basis is not Basis.CONSENT
        if after.verdicts[number].view is View.NONE and after.verdicts[number].reasons[0].code in CLASHES:
            kind = CLASHES[after.verdicts[number].reasons[0].code]
            assert any(task.kind == kind and task.due is not None and task.due > AT for task in after.tasks)
    return True


def _age(case: Case) -> int | None:
    return reference.age(case.facts.birth_date, AT, case.facts.zone)


def check_20_emergency_access_is_minimal_ends_and_is_reviewed(case: Case) -> bool:
    """What rests on V is no more than the cell's V ways, is reviewed if glass was broken, and is over in time."""
    edition = policy().at(AT)
    for item, verdict in zip(case.asked.items, case.was.verdicts, strict=True):
        if verdict.basis is not Basis.VITAL:
            continue
        sector = case.asked.recipient.sector
        assert item.data_class is not None
        assert sector is not None
        ways = (*edition.cell(item.data_class, sector), *edition.vital_also.get((item.data_class, sector), ()))
        assert verdict.view.rank <= max(way.view.rank for way in ways if Basis.VITAL in way.bases)
        told = [one for one in case.was.obligations if one.kind is ObligationKind.NOTIFY]
        assert told, "somebody is told afterwards (R20, R21)"
        if verdict.reasons[0].code == "R21-break-glass-permits":
            due = [task.due for task in case.was.tasks if task.kind == "review-break-glass"]
            assert due
            assert all(one is not None and one <= AT + timedelta(hours=72) for one in due)
    for hours, kinds in ((4, {"break-glass"}), (24, {"break-glass", "vital"})):
        only = tuple(one for one in case.facts.emergencies if one.kind in kinds)
        if only:
            facts = replace(case.facts, emergencies=only)
            later = consent.decide(case.asked, facts, policy(), AT + timedelta(hours=hours, seconds=1))
            assert not any(verdict.basis is Basis.VITAL for verdict in later.verdicts)
    return case.rests_on(Basis.VITAL)


def check_21_what_leaves_may_not_go_on(case: Case) -> bool:
    """Every permit forbids onward disclosure for other purposes; being passed on opens nothing that a new decision,
    asked by the origin itself, would not open."""
    duties = [one for one in case.was.obligations if one.kind is ObligationKind.NO_REDISCLOSURE]
    assert case.was.leaves == bool(case.was.obligations) == bool(duties)
    assert case.was.leaves == any(verdict.view is not View.NONE for verdict in case.was.verdicts)
    if not case.was.leaves:
        return False
    assert set(filter(None, duties[0].detail.split(","))) == {one.value for one in case.asked.purposes}
    onward = case.pool.shelves[pick(case.rng, SECTORS)].recipients[0]
    passed = tuple(
        item for item, verdict in zip(case.asked.items, case.was.verdicts, strict=True) if verdict.view is not View.NONE
    )
    direct = case.decide(replace(case.asked, recipient=onward, items=passed))
    forwarded = case.decide(replace(case.asked, sender=case.asked.recipient, recipient=onward, items=passed))
    never_more(direct, forwarded)
    return True


def check_24_an_error_is_a_denial_with_a_task(case: Case) -> bool:
    """Rubbish in any place of the facts denies everything and asks somebody to look."""
    facts = case.facts
    rubbish: tuple[Callable[[], Facts], ...] = (
        lambda: replace(facts, zone="Nowhere", birth_date=date(2014, 1, 1)),
        lambda: replace(facts, consents=(ConsentFact(ref("consent"), [1, 2], MOTHER, evidence="x"),)),  # type: ignore[arg-type]
        lambda: replace(facts, orders=(None,)),  # type: ignore[arg-type]
        lambda: replace(facts, birth_date="2014"),  # type: ignore[arg-type]
        lambda: replace(facts, relationships=(MOTHER,)),  # type: ignore[arg-type]
        lambda: replace(facts, suspicions=(None,)),  # type: ignore[arg-type]
    )
    after = case.decide(facts=pick(case.rng, rubbish)())
    assert after.outcome is Outcome.DENY
    assert set(rank(after)) == {0}
    assert "internal-error" in {task.kind for task in after.tasks}
    return True


NOBODY_AGREES = ConsentFact(
    ref("consent", "no"),
    {"resourceType": "Consent", "id": "no", "status": "active", "provision": {"type": "deny"}},
    CHILD,
    AgreedBy.CHILD,
    "x",
    AT,
)
NOBODY_AGREES = replace(NOBODY_AGREES, tree=read_consent(NOBODY_AGREES.resource))


def check_25_nobody_stops_a_mandatory_report(case: Case) -> bool:
    """Refusals, denials and withdrawals take nothing from a report, nothing adds to its legal minimum, and a linked
    unit is bypassed to its alternate addressee."""
    sector = case.asked.recipient.sector
    assert sector is not None
    asked = replace(case.asked, event=Event.REPORT)
    owed = case.facts.reports or (case.pool.shelves[sector].reports[0],)
    due = case.decide(asked, replace(case.facts, reports=owed))
    if not any(verdict.basis is Basis.REPORT for verdict in due.verdicts):
        return False
    everyone = tuple(refusal(by) for by in (CHILD, MOTHER, FATHER))
    withdrawn = tuple(replace(one, withdrawn_at=AT) for one in case.facts.consents)
    after = case.decide(
        asked, replace(case.facts, reports=owed, refusals=everyone, consents=(*withdrawn, NOBODY_AGREES))
    )
    edition, met = policy().at(AT), False
    for item, before, now in zip(asked.items, due.verdicts, after.verdicts, strict=True):
        if before.basis is Basis.REPORT and item.data_class is not None:
            # What is tainted leaves only if its taint may too, and a report opens no shelter's address.
            classes = {item.data_class, *(DataClass(one) for one in item.labels if one in Taint._value2member_map_)}
            ways = [edition.ways_by(one, sector, Basis.REPORT) for one in classes]
            if all(ways):
                met = True
                assert now.basis is Basis.REPORT
                assert now.view is before.view
                assert now.view.rank <= min(max(way.view.rank for way in each) for each in ways)
    if met:
        staff = Relationship(ref("tie", "staff"), "uncle", Tie.STAFF, case.asked.recipient.id)
        ties = (*case.facts.relationships, staff)
        linked = case.decide(
            asked, replace(case.facts, reports=owed, relationships=ties, suspicions=(suspect("uncle"),))
        )
        assert linked.redirect == "alternate"
        assert set(rank(linked)) == {0}
    return met


CHECKS: dict[str, Check] = {name: check for name, check in sorted(globals().items()) if name.startswith("check_")}

SHARE = 0.02
"""In at least this share of all worlds the premise of every check must hold; else the generator proves nothing."""


def walk(start: int, count: int, pool: Pool | None = None) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Run the checks on `count` worlds from seed `start`, which also seeds the pool of their parts unless one is given.

    Returns what failed (with its seed), how often each check's premise held, and which grounds were seen.
    """
    failed: Counter[str] = Counter()
    met: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    pool = pool or Pool(start)
    for seed in range(start, start + count):
        case = case_of(Random(seed), pool)
        seen.update(str(verdict.basis) for verdict in case.was.verdicts)
        for name, check in CHECKS.items():
            try:
                met[name] += check(case)
            except AssertionError:
                failed[f"{name} at seed {seed} of the walk from {start}"] += 1
    return failed, met, seen
