"""The decision: every item judged by the steps of the precedence, nothing fetched, nothing remembered.

An error inside is a denial with a task (invariant 24): the engine always answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consent.acts import Said, acts_at, ineffective_withdrawals, refusals_at, say, with_trees
from consent.canonical import input_hash
from consent.errors import UnreadableInput
from consent.law import STEPS, Context, Denied, Granted, emergency_ends, order_fault, order_names
from consent.model import (
    Decision,
    Disclosure,
    FactRef,
    Facts,
    Item,
    Obligation,
    ObligationKind,
    Outcome,
    Reason,
    Task,
    Verdict,
)
from consent.people import is_linked, people_at
from consent.rulebook import Edition, Policy
from consent.trees import Ask
from consent.vocabulary import Basis, DataClass, Taint, View

PROFILES: Final = ("hub", "pcf")
"""Readings of a Consent's corners that a decision on all layers can take."""

_SILENT: Final = frozenset({"R1-no-basis", "R2-not-covered"})
"""Reasons with which no legal rule spoke."""


def decide(disclosure: Disclosure, facts: Facts, policy: Policy, at: datetime, profile: str = "hub") -> Decision:
    """Decide what of `disclosure` may leave at `at` (aware); never raises, an error inside is a denial with a task."""
    try:
        return _decide(disclosure, facts, policy, at, profile)
    except Exception as error:
        version = getattr(policy, "version", "")
        reason = Reason("internal-error", type(error).__name__, policy_version=version)
        verdicts = tuple(Verdict(item.place, View.NONE, reasons=(reason,)) for item in disclosure.items)
        return Decision(
            Outcome.DENY, verdicts, (reason,), tasks=(Task("internal-error", "internal-error"),), policy_version=version
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one effective class of one item comes to."""

    granted: Granted | None
    denied: Denied | None
    said: Said


def _decide(disclosure: Disclosure, facts: Facts, policy: Policy, at: datetime, profile: str) -> Decision:
    if at.tzinfo is None:
        raise UnreadableInput("at: the time must be aware")
    if profile not in PROFILES:
        raise UnreadableInput("profile: not one that judges all layers")
    edition = policy.at(at)
    facts = with_trees(facts)
    context = _context(disclosure, facts, edition, at, profile)
    hashed = input_hash(disclosure, facts, edition.version, at, profile)
    if is_linked(disclosure.recipient, context.people):
        return _bypassed(context, hashed)
    if disclosure.event in edition.dataless_events:
        return _dataless(context, hashed)
    judged = [(item, _judge(item, context)) for item in disclosure.items]
    return _assemble(judged, context, hashed)


def _context(disclosure: Disclosure, facts: Facts, edition: Edition, at: datetime, profile: str) -> Context:
    people = people_at(facts, at, edition)
    recipient = disclosure.recipient
    referral = next((one for one in facts.referrals if disclosure.referral and one.id == disclosure.referral), None)
    asks = tuple(
        Ask(
            recipient=recipient,
            sender=disclosure.sender,
            purpose=purpose,
            action=disclosure.action.value,
            at=at,
            zone=facts.zone,
            classes=frozenset(disclosure.classes),
            profile=profile,
        )
        for purpose in sorted(one.value for one in disclosure.purposes) or [""]
    )
    return Context(
        disclosure=disclosure,
        facts=facts,
        at=at,
        edition=edition,
        people=people,
        acts=acts_at(facts, people, at, edition, asks),
        asks=asks,
        orders=tuple(order for order in facts.orders if not order_fault(order, at)),
        referral=referral,
        refusals=refusals_at(facts, people, at, disclosure, referral.service if referral else ""),
        legal=disclosure.purposes <= edition.purposes and disclosure.action in edition.actions,
        names=frozenset({recipient.id, *recipient.references}) - {""},
    )


# --- one item -----------------------------------------------------------------------------------------------


def _classes_of(item: Item) -> tuple[DataClass, ...]:
    """The classes that must all let the item through: its own, further ones, and those of its taints."""
    if item.data_class is None:
        return ()
    tainted = [DataClass(taint.value) for taint in Taint if taint.value in item.labels]
    return tuple(dict.fromkeys((item.data_class, *item.classes, *tainted)))


def _judge(item: Item, context: Context) -> list[_Judged]:
    said = say(context.acts, item, context.people, context.edition)
    return [_judge_class(data_class, item, said, context) for data_class in _classes_of(item)]


def _judge_class(data_class: DataClass, item: Item, said: Said, context: Context) -> _Judged:
    """Go down the precedence: permits above the first denial add up, the widest view counts."""
    if not context.facts.match_certain and data_class in context.edition.uncertain_withheld:
        return _Judged(None, Denied("R33-uncertain-match", "R33"), said)
    best: Granted | None = None
    for step in context.edition.precedence:
        answer = STEPS[step](data_class, item, said, context)
        if isinstance(answer, Denied):
            return _Judged(best, None if best else answer, said)
        for granted in answer:
            if best is None or granted.view.rank > best.view.rank:
                best = granted
    if best is not None:
        return _Judged(best, None, said)
    return _Judged(None, _why_not(data_class, item, said, context), said)


def _why_not(data_class: DataClass, item: Item, said: Said, context: Context) -> Denied:
    """The most telling reason why no basis was proven."""
    cell = context.edition.cell(data_class, context.disclosure.recipient.sector)
    for order in context.facts.orders:
        fault = order_fault(order, context.at)
        if fault and any(order_names(wanted, data_class, item, context) for wanted in order.items):
            return Denied(fault, fault.split("-")[0], read=(order.ref,))
    if any(Basis.CONSENT in grant.bases for grant in cell) and said.code not in ("C-permits", "R2-not-covered"):
        return Denied(said.code, said.rule, read=said.read)
    if said.applied:
        return Denied("R2-not-covered", "R2", read=said.read)
    return Denied("R1-no-basis", "R1")


def _combine(item: Item, judged: list[_Judged], context: Context) -> tuple[Verdict, tuple[Granted, ...]]:
    """All effective classes must let the item through; the narrowest view of them is what leaves."""
    edition = context.edition
    if not judged:
        reason = _reason(Denied("R1-unlabelled", "R1"), edition)
        return Verdict(item.place, View.NONE, reasons=(reason,)), ()
    denied = next((one.denied for one in judged if one.granted is None and one.denied), None)
    if denied is not None:
        return Verdict(item.place, View.NONE, reasons=(_reason(denied, edition),)), ()
    granted = tuple(one.granted for one in judged if one.granted is not None)
    view = min((one.view for one in granted), key=lambda one: one.rank)
    projections = sorted({one.projection for one in granted if one.projection})
    if view is not View.FULL and not any(
        path.startswith(f"{item.type}.") for path in projected("&".join(projections), edition)
    ):
        return Verdict(item.place, View.NONE, reasons=(_reason(Denied("R2-no-projection", "R2"), edition),)), ()
    reasons = tuple(Reason(one.code, one.rule, one.citation, edition.version, one.read) for one in granted)
    first = min(granted, key=lambda one: one.view.rank)
    return Verdict(item.place, view, "&".join(projections), first.basis, reasons), granted


def projected(name: str, edition: Edition) -> tuple[str, ...]:
    """The paths that a projection keeps; ``a&b`` keeps what both keep."""
    names = [one for one in name.split("&") if one]
    if not names:
        return ()
    first, *others = (edition.projections[one] for one in names)
    return tuple(path for path in first if all(path in other for other in others))


def _reason(denied: Denied, edition: Edition) -> Reason:
    citation = denied.citation or edition.citations.get(denied.rule, "")
    return Reason(denied.code, denied.rule, citation, edition.version, denied.read)


# --- the whole ----------------------------------------------------------------------------------------------


def _assemble(judged: list[tuple[Item, list[_Judged]]], context: Context, hashed: str) -> Decision:
    edition = context.edition
    verdicts: list[Verdict] = []
    granted: list[Granted] = []
    for item, classes in judged:
        verdict, ways = _combine(item, classes, context)
        verdicts.append(verdict)
        granted += ways
    leaves = any(verdict.view is not View.NONE for verdict in verdicts)
    used = {verdict.projection for verdict in verdicts if verdict.projection}
    said = [one.said for _, classes in judged for one in classes]
    alarms = sorted({one.denied.alarm for _, classes in judged for one in classes if one.denied and one.denied.alarm})
    if ineffective_withdrawals(context.facts, context.people, context.at):
        alarms.append("barred-withdrawal")
    reasons = tuple(dict.fromkeys(reason for verdict in verdicts for reason in verdict.reasons))
    return Decision(
        outcome=_outcome(leaves, reasons, said),
        verdicts=tuple(verdicts),
        reasons=reasons,
        obligations=_obligations(granted, said, context) if leaves else (),
        tasks=_tasks(reasons, said, context),
        alarms=tuple(alarms),
        policy_version=edition.version,
        read=_read(reasons, context),
        input_hash=hashed,
        projections={name: projected(name, edition) for name in sorted(used)} | _envelope(edition),
        notice=edition.notice,
    )


def _outcome(leaves: bool, reasons: tuple[Reason, ...], said: list[Said]) -> Outcome:
    if leaves:
        return Outcome.PERMIT
    if any(one.indeterminate for one in said) and any(reason.code == "R2-indeterminate" for reason in reasons):
        return Outcome.INDETERMINATE
    if all(reason.code in _SILENT for reason in reasons) and not any(one.applied for one in said):
        return Outcome.NO_CONSENT
    return Outcome.DENY


def _envelope(edition: Edition) -> dict[str, tuple[str, ...]]:
    return {name: edition.projections[name] for name in ("@envelope", "@extensions")}


def _obligations(granted: list[Granted], said: list[Said], context: Context) -> tuple[Obligation, ...]:
    """R27 on everything that leaves, an end for what rests on consent, seals, and who must be told afterwards."""
    purposes = ",".join(sorted(context.disclosure.purposes))
    found = [Obligation(ObligationKind.NO_REDISCLOSURE, detail=purposes)]
    ends = [one.ends for one in said if one.permit and one.ends is not None]
    if ends and any(one.basis is Basis.CONSENT for one in granted):
        found.append(Obligation(ObligationKind.DELETE_BY, detail=min(ends).isoformat()))
    found += [
        Obligation(ObligationKind.SEALED, detail=officer)
        for officer in sorted({one.sealed for one in granted if one.sealed})
    ]
    codes = {one.code for one in granted}
    notify = {
        "R18-report-permits": "child",
        "R20-vital-permits": "child",
        "R21-break-glass-permits": "case-owner,data-officer",
        "R29-override-permits": "data-officer",
    }
    found += [Obligation(ObligationKind.NOTIFY, detail=whom) for code, whom in sorted(notify.items()) if code in codes]
    return tuple(found)


def _tasks(reasons: tuple[Reason, ...], said: list[Said], context: Context) -> tuple[Task, ...]:
    """Work for people: who must look at what stopped, or at what was opened in an emergency."""
    numbers, at = context.edition.numbers, context.at
    codes = {reason.code for reason in reasons}
    spoken = {task for one in said for task in one.tasks}
    found: list[Task] = []
    if "R10-parents-disagree" in codes or "parents-disagree" in spoken:
        due = at + timedelta(hours=numbers["clocks.parents_review_hours"])
        found.append(Task("parents-disagree", "R10-parents-disagree", due))
    if "R11-child-dissents" in codes or "child-dissents" in spoken:
        due = at + timedelta(hours=numbers["clocks.child_dissent_hours"])
        found.append(Task("child-dissents", "R11-child-dissents", due))
    if "consent-unreadable" in spoken:
        found.append(Task("consent-unreadable", "R2-indeterminate"))
    if "R24-order-not-valid" in codes:
        found.append(Task("order-not-valid", "R24-order-not-valid"))
    if "R33-uncertain-match" in codes:
        found.append(Task("resolve-match", "R33-uncertain-match"))
    if context.people.guardians and not context.people.unbarred and "representative" in context.people.band.needs:
        found.append(Task("seek-representative", "R8-barred"))
    for emergency in context.facts.emergencies:
        if emergency.kind == "break-glass" and any(emergency.ref in reason.read for reason in reasons):
            ends = emergency_ends(emergency, context.edition)
            hours = numbers["break_glass.review_hours"] - numbers["break_glass.hours"]
            found.append(Task("review-break-glass", "R21-break-glass-permits", ends and ends + timedelta(hours=hours)))
    return tuple(found)


def _read(reasons: tuple[Reason, ...], context: Context) -> tuple[FactRef, ...]:
    """Every fact that the decision rests on, consents and ties included, in a stable order."""
    refs = {ref for reason in reasons for ref in reason.read}
    refs.update(context.people.read)
    refs.update(act.fact.ref for act in context.acts)
    refs.update(refusal.ref for refusal in context.refusals)
    return tuple(sorted(refs, key=lambda ref: (ref.kind, ref.id, ref.version)))


def _bypassed(context: Context, hashed: str) -> Decision:
    """R40: a linked recipient learns nothing; a unit's registered alternate addressee is spoken to instead."""
    edition = context.edition
    reason = _reason(Denied("R40-linked", "R40"), edition)
    return Decision(
        outcome=Outcome.DENY,
        verdicts=tuple(Verdict(item.place, View.NONE, reasons=(reason,)) for item in context.disclosure.items),
        reasons=(reason,),
        alarms=_forced(context),
        redirect="" if context.disclosure.recipient.person else "alternate",
        policy_version=edition.version,
        read=_read((reason,), context),
        input_hash=hashed,
        notice=edition.notice,
    )


def _forced(context: Context) -> tuple[str, ...]:
    """The alarm for an order that would open an absolute never to a linked recipient."""
    opened = any(
        order_names(wanted, data_class, item, context)
        for item in context.disclosure.items
        for data_class in _classes_of(item)
        if any(data_class in row.classes for row in context.edition.absolute_never if row.to == "linked")
        for order in context.orders
        for wanted in order.items
    )
    return ("order-opens-absolute-never",) if opened else ()


def _dataless(context: Context, hashed: str) -> Decision:
    """A recall names an earlier message and nothing else, so only its envelope leaves."""
    edition = context.edition
    reason = Reason("own-recall", "R13", edition.citations.get("R13", ""), edition.version)
    return Decision(
        outcome=Outcome.PERMIT,
        verdicts=tuple(Verdict(item.place, View.NONE, reasons=(reason,)) for item in context.disclosure.items),
        reasons=(reason,),
        policy_version=edition.version,
        input_hash=hashed,
        read=_read((reason,), context),
        projections=_envelope(edition),
        notice=edition.notice,
    )
