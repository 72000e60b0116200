"""Which consents and refusals count, and what they say together about one item (order of judgement, steps 2 to 4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec

from consent.fhir import Tree, compiled
from consent.model import AgreedBy, ConsentFact, Disclosure, FactRef, Facts, Item, Party, Refusal
from consent.moments import age_at, interval, months_after
from consent.naming import names_label
from consent.people import People, band_for
from consent.rulebook import Edition
from consent.trees import Answer, Applied, Ask, Result, apply_tree, judge, reading_of
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass, Sensitivity


class Act(msgspec.Struct, frozen=True):
    """One stored consent as it counts now."""

    fact: ConsentFact
    tree: Tree
    applied: tuple[Applied, ...]
    """The tree in the context of each purpose asked for."""
    by: str
    """``child`` or ``representative``."""
    permits: bool
    """False: only its denials count."""
    why_not: str = ""
    """Reason code for not permitting, e.g. ``R12-no-evidence``."""
    ends: datetime | None = None


class Said(msgspec.Struct, frozen=True):
    """What all counting consents say about one item."""

    permit: bool = False
    refused: bool = False
    """Somebody who counts stated a denial, or may have: it outranks duty and treatment."""
    code: str = "R2-not-covered"
    rule: str = "R2"
    read: tuple[FactRef, ...] = ()
    clauses: tuple[str, ...] = ()
    indeterminate: bool = False
    applied: bool = False
    """Some consent spoke about the item at all."""
    ends: datetime | None = None
    child_permits: bool = False
    representative_permits: bool = False
    taken_back: frozenset[str] = frozenset()
    """Why consents that would permit were taken back: ``R13-withdrawn``, ``R13-suspended``."""
    set_aside: tuple[FactRef, ...] = ()
    """Consents of barred guardians that would have permitted it (R8)."""


_TAKEN_BACK: Final = frozenset({"R13-withdrawn", "R13-suspended"})

SILENCE: Final = Said()
"""No consent speaks about the item."""


def with_trees(facts: Facts) -> Facts:
    """The same facts, every consent compiled; what the caller compiled already is kept."""
    if all(isinstance(fact.tree, Tree) for fact in facts.consents):
        return facts
    trees = (
        fact if isinstance(fact.tree, Tree) else replace(fact, tree=compiled(fact.resource)) for fact in facts.consents
    )
    return replace(facts, consents=tuple(trees))


def acts_at(facts: Facts, people: People, at: datetime, edition: Edition, asks: tuple[Ask, ...]) -> tuple[Act, ...]:
    """The consents that count at `at` for this request, and those whose denials still do; the others say nothing."""
    party = asks[0].recipient
    called = frozenset((*party.identifiers, *party.references, *party.parents, *party.groups))
    comparable = bool(party.identifiers and party.references)
    purposes = frozenset(ask.purpose for ask in asks)
    found = []
    for fact in facts.consents:
        tree: Tree = fact.tree
        if tree.names is not None and comparable and tree.names.isdisjoint(called) and not _by_tree(tree, party):
            continue
        if tree.purposes is not None and "" not in purposes and tree.purposes.isdisjoint(purposes):
            continue
        act = _act(fact, tree, facts, people, at, edition, asks)
        if act is not None:
            found.append(act)
    return tuple(found)


def _by_tree(tree: Tree, party: Party) -> bool:
    """Whether a consent may name an organisation above the party by its identifier."""
    return any("|" in parent for parent in party.parents) or bool(tree.unreadable) or not tree.clear


def _act(
    fact: ConsentFact, tree: Tree, facts: Facts, people: People, at: datetime, edition: Edition, asks: tuple[Ask, ...]
) -> Act | None:
    by = fact.as_.value
    if tree.status != "active" or fact.replaced or not _may_give(fact, facts, people):
        return None
    applied = tuple(apply_tree(tree, ask) for ask in asks)
    if all(_silent(one) for one in applied):
        return None
    given = fact.given_at or _stated(tree, facts.zone)
    if not tree.in_scope or (given is not None and given > at):
        return None
    ends = reading_of(tree, asks[0].profile, facts.zone).ends
    stated = ends is not None
    if not stated:
        ends = months_after(given, edition.numbers["consent.months"]) if given else None
    why_not = ""
    if _withdrawn(fact, facts, people, at):
        if not permits_anything(tree):
            return None
        why_not = "R13-withdrawn"
    elif fact.suspended:
        why_not = "R13-suspended"
    elif not fact.evidence:
        why_not = "R12-no-evidence"
    elif _is_over(facts, at, stated, ends):
        why_not = "R15-expired"
    elif not _old_enough(fact, given, facts, edition):
        why_not = "R4-too-young-when-given"
    return Act(fact, tree, applied, by, permits=not why_not, why_not=why_not, ends=ends)


def _is_over(facts: Facts, at: datetime, stated: bool, ends: datetime | None) -> bool:
    """R15: closed with the case, or at the default end where the consent states none (a stated one bounds the tree)."""
    closed = facts.case_closed is not None and facts.case_closed <= at
    return closed or (not stated and (ends is None or ends <= at))


def _may_give(fact: ConsentFact, facts: Facts, people: People) -> bool:
    """Whether this person's act counts now: the child by age, a representative unbarred and asked for by the band."""
    if fact.as_ is AgreedBy.CHILD:
        return fact.given_by == facts.person and "child" in people.band.needs
    return fact.given_by in people.unbarred and "representative" in people.band.needs


def _old_enough(fact: ConsentFact, given: datetime | None, facts: Facts, edition: Edition) -> bool:
    """A child's consent counts if the child was of an age to give it on that day."""
    if fact.as_ is AgreedBy.REPRESENTATIVE or given is None or facts.birth_date is None:
        return True
    return "child" in band_for(age_at(facts.birth_date, given, facts.zone), edition).needs


def _stated(tree: Tree, zone: str) -> datetime | None:
    found = interval(tree.date, zone)
    return found[0] if found else None


def _withdrawn(fact: ConsentFact, facts: Facts, people: People, at: datetime) -> bool:
    """Only the grantor, the child or an unbarred representative may withdraw; others' withdrawal has no effect (R8)."""
    if fact.withdrawn_at is None or fact.withdrawn_at > at:
        return False
    return fact.withdrawn_by in ("", fact.given_by, facts.person) or fact.withdrawn_by in people.unbarred


def set_aside(facts: Facts, people: People, asks: tuple[Ask, ...]) -> tuple[Act, ...]:
    """The consents of barred guardians: they count for nothing (R8), and an explanation says which would have."""
    barred = people.guardians - people.unbarred
    if not barred or "representative" not in people.band.needs:
        return ()
    return tuple(
        Act(fact, fact.tree, tuple(apply_tree(fact.tree, ask) for ask in asks), fact.as_.value, False, "R8-barred")
        for fact in facts.consents
        if fact.as_ is AgreedBy.REPRESENTATIVE
        and fact.given_by in barred
        and fact.tree.status == "active"
        and not fact.replaced
    )


def _silent(applied: Applied) -> bool:
    return applied.fixed is not None and applied.fixed.result is Result.NOT_APPLICABLE


def permits_anything(tree: Tree) -> bool:
    """Whether withdrawing it takes a permission back; a consent that only denies ends when it is withdrawn."""
    stack = [tree.root] if tree.root else []
    base = tree.decision or (tree.root.type if tree.root else "") or tree.policy_rule
    if base == "permit" or tree.unreadable:
        return True
    while stack:
        node = stack.pop()
        if node.type == "permit" or (not node.type and node.path):
            return True
        stack.extend(node.children)
    return False


def ineffective_withdrawals(facts: Facts, people: People, at: datetime) -> bool:
    """Whether a barred person tried to withdraw a consent (R8: recorded, no effect, an alarm)."""
    return any(
        fact.withdrawn_at is not None
        and fact.withdrawn_at <= at
        and fact.withdrawn_by in people.guardians - people.unbarred
        for fact in facts.consents
    )


# --- together -----------------------------------------------------------------------------------------------


def answers_to(acts: Iterable[Act], item: Item) -> tuple[Answer, ...]:
    """What each act's consent says about `item`."""
    return tuple([_all_purposes(act.applied, item) for act in acts])


def say(acts: tuple[Act, ...], answers: tuple[Answer, ...], item: Item, people: People, edition: Edition) -> Said:
    """What the counting consents say together of an item: each person needed permits, none denies.

    The base rule of a consent that permits something says that it gives no more: it denies nothing that another gives.
    """
    yes: dict[str, set[str]] = {"child": set(), "representative": set()}
    no: dict[str, set[str]] = {"child": set(), "representative": set()}
    read: list[FactRef] = []
    clauses: list[str] = []
    ends: list[datetime] = []
    not_counted = ""
    taken_back: set[str] = set()
    unsure = refused = False
    for act, answer in zip(acts, answers, strict=True):
        if answer.result is Result.NOT_APPLICABLE:
            continue
        read.append(act.fact.ref)
        clauses += [f"Consent/{act.fact.ref.id}#{node.path or 'base'}" for node in answer.nodes]
        stated = answer.explicit or answer.may_deny
        if answer.result is Result.DENY and not stated and permits_anything(act.tree):
            continue
        if answer.result is Result.DENY:
            no[act.by].add(act.fact.given_by)
            refused |= stated
        elif answer.result is Result.INDETERMINATE:
            unsure = True
            refused |= answer.may_deny
        elif not act.permits:
            not_counted = not_counted or act.why_not
            taken_back |= {act.why_not} & _TAKEN_BACK
        elif _names_labels(answer, item, edition):
            yes[act.by].add(act.fact.given_by)
            ends += [act.ends] if act.ends else []
        else:
            not_counted = not_counted or "R26-needs-explicit-ground"
    if not read:
        return SILENCE
    needs = people.band.needs
    if Sensitivity.HIV in item.labels and (
        people.age is None or people.age < edition.numbers["hiv.written_guardian_below"]
    ):
        needs = needs | {"representative"}
    code = _together(yes, no, unsure, not_counted, needs)
    return Said(
        permit=code == "C-permits",
        refused=refused,
        code=code,
        rule=code.split("-")[0],
        read=tuple(read),
        clauses=tuple(clauses),
        indeterminate=unsure,
        applied=True,
        ends=min(ends) if ends else None,
        child_permits=bool(yes["child"]),
        representative_permits=bool(yes["representative"]),
        taken_back=frozenset(taken_back),
    )


def _together(
    yes: dict[str, set[str]],
    no: dict[str, set[str]],
    unsure: bool,
    not_counted: str,
    needs: frozenset[str],
) -> str:
    """The reason code of what several voices come to: the most protective of them decides."""
    if no["child"] and yes["representative"]:
        return "R11-child-dissents"
    if no["representative"] and yes["representative"] - no["representative"]:
        return "R10-parents-disagree"
    if no["child"] or no["representative"]:
        return "R17-consent-denies"
    if unsure:
        return "R2-indeterminate"
    if all(yes[needed] for needed in needs):
        return "C-permits"
    if not_counted:
        return not_counted
    if not yes["child"] and not yes["representative"]:
        return "R2-not-covered"
    return "R4-child-missing" if "child" in needs and not yes["child"] else "R4-representative-missing"


def _all_purposes(applied: tuple[Applied, ...], item: Item) -> Answer:
    """Every purpose must be covered (R2): the least permitting answer of all of them."""
    if len(applied) == 1:
        return judge(applied[0], item)
    answers = [judge(one, item) for one in applied]
    for result in (Result.DENY, Result.INDETERMINATE, Result.NOT_APPLICABLE):
        for answer in answers:
            if answer.result is result:
                explicit = any(one.explicit for one in answers)
                return Answer(result, answer.nodes, explicit, any(one.may_deny for one in answers))
    return Answer(Result.PERMIT, answers[0].nodes, parts=tuple(answers))


def _names_labels(answer: Answer, item: Item, edition: Edition) -> bool:
    """R26: a permit covers a sensitive label only where one deciding clause names it, a class that says it, or the
    thing by its code; where several purposes were asked for, for each of them."""
    sensitive = item.labels & edition.sensitive
    if not sensitive:
        return True
    if answer.parts:
        return all(_names_labels(part, item, edition) for part in answer.parts)
    for node in answer.nodes:
        named = {code.code for code in node.labels or ()}
        classes = {
            DataClass(code.code)
            for code in node.classes or ()
            if code.system == DATA_CLASS_SYSTEM and code.code in DataClass._value2member_map_
        }
        if all(
            label in named
            or classes & edition.inherent[label]
            or (node.codes is not None and names_label(node.codes, item, label, edition))
            for label in sensitive
        ):
            return True
    return False


# --- refusals -----------------------------------------------------------------------------------------------


def refusals_at(
    facts: Facts, people: People, at: datetime, disclosure: Disclosure, service: str
) -> tuple[Refusal, ...]:
    """The refusals that count at `at` for this recipient: by the child from 7, by an unbarred representative."""

    def counts(refusal: Refusal) -> bool:
        if refusal.by == facts.person:
            person = "child" in people.band.needs
        else:
            person = refusal.by in people.unbarred and "representative" in people.band.needs
        party = disclosure.recipient
        names = ("", party.id, *party.parents, *party.references, *party.alternate_for)
        to = refusal.recipient in names
        return person and to and refusal.span.holds(at) and refusal.service in ("", service)

    return tuple(refusal for refusal in facts.refusals if counts(refusal))
