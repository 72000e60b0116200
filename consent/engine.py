"""The decision: every item judged by the steps of the precedence, nothing fetched, nothing remembered.

An error inside is a denial with a task (invariant 24): the engine always answers.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final

import msgspec

from consent.acts import Act, Said, answers_to, ineffective_withdrawals, say, with_trees
from consent.canonical import input_hash
from consent.errors import UnreadableInput
from consent.law import Denied, Granted, Step, steps_for
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
from consent.orders import order_fault, order_names
from consent.people import is_linked
from consent.proofs import Context, context_of, emergency_ends
from consent.rulebook import Edition, Policy
from consent.trees import Answer, Result
from consent.vocabulary import Basis, DataClass, Taint, View

PROFILES: Final = ("hub", "pcf")
"""Readings of a Consent's corners that a decision on all layers can take."""

ENVELOPE: Final = ("@envelope", "@extensions", "@content", "@codes", "@totals")
"""What `release` needs of the policy beside the projections in use."""

_TAINTS: Final = {taint.value: DataClass(taint.value) for taint in Taint}

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


class _Judged(msgspec.Struct, frozen=True):
    """What one effective class of one item comes to."""

    granted: Granted | None
    denied: Denied | None
    said: Said


class _Finding(msgspec.Struct, frozen=True):
    """What one kind of item comes to: items of which everything that is read is equal share one."""

    verdict: Verdict
    classes: tuple[_Judged, ...]
    granted: tuple[Granted, ...]


def _decide(disclosure: Disclosure, facts: Facts, policy: Policy, at: datetime, profile: str) -> Decision:
    if at.tzinfo is None:
        raise UnreadableInput("at: the time must be aware")
    if profile not in PROFILES:
        raise UnreadableInput("profile: not one that judges all layers")
    edition = policy.at(at)
    facts = with_trees(facts)
    context = context_of(disclosure, facts, edition, at, profile)
    hashed = input_hash(disclosure, facts, edition.version, at, profile)
    if is_linked(disclosure.recipient, context.people):
        return _bypassed(context, hashed)
    if disclosure.event in edition.dataless_events:
        return _dataless(context, hashed)
    return _assemble(*_judge(context), context, hashed)


# --- one item -----------------------------------------------------------------------------------------------


def _judge(context: Context) -> tuple[tuple[Verdict, ...], list[_Finding]]:
    """A verdict on every item, and what each kind of item came to."""
    steps = steps_for(context)
    found: dict[Any, _Finding] = {}
    verdicts = []
    for item in context.disclosure.items:
        answers = answers_to(context.acts, item)
        aside = answers_to(context.set_aside, item)
        kind = _kind(item, answers + aside, context)
        finding = found.get(kind)
        if finding is None:
            said = say(context.acts, answers, item, context.people, context.edition)
            if aside:
                said = _with_aside(said, context.set_aside, aside)
            classes = tuple([_judge_class(one, item, said, steps, context) for one in _classes_of(item)])
            finding = found[kind] = _combine(item, classes, context.edition)
        first = finding.verdict
        same = first.place == item.place
        verdicts.append(
            first if same else Verdict(item.place, first.view, first.projection, first.basis, first.reasons)
        )
    return tuple(verdicts), list(found.values())


def _with_aside(said: Said, acts: tuple[Act, ...], answers: tuple[Answer, ...]) -> Said:
    """Which consents of barred guardians would have permitted the item."""
    pairs = zip(acts, answers, strict=True)
    refs = tuple(act.fact.ref for act, answer in pairs if answer.result is Result.PERMIT)
    return msgspec.structs.replace(said, set_aside=refs)


def _kind(item: Item, answers: tuple[Answer, ...], context: Context) -> Any:
    """Everything of an item that the law reads: equal kinds are judged alike."""
    named: Any = (item.codes, item.kinds, item.episode, item.at) if context.facts.orders else None
    if named is None and context.acts and not item.labels.isdisjoint(context.edition.sensitive):
        named = (item.codes, item.kinds)
    return answers, item.data_class, item.classes, item.labels, item.type, item.author, named


def _classes_of(item: Item) -> tuple[DataClass, ...]:
    """The classes that must all let the item through: its own, further ones, and those of its taints."""
    if item.data_class is None:
        return ()
    if item.labels.isdisjoint(_TAINTS) and not item.classes:
        return (item.data_class,)
    tainted = [_TAINTS[label] for label in sorted(item.labels) if label in _TAINTS]
    return tuple(dict.fromkeys((item.data_class, *item.classes, *tainted)))


def _judge_class(data_class: DataClass, item: Item, said: Said, steps: tuple[Step, ...], context: Context) -> _Judged:
    """Go down the precedence: permits above the first denial add up, the widest view counts."""
    if not context.facts.match_certain and data_class in context.edition.uncertain_withheld:
        return _Judged(None, Denied("R33-uncertain-match", "R33"), said)
    best: Granted | None = None
    for step in steps:
        answer = step(data_class, item, said, context)
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
    if not context.disclosure.purposes and not said.applied:
        return Denied("R2-no-purpose", "R2")
    for order in context.facts.orders:
        fault = order_fault(order, context.at, context.facts.zone)
        if fault and any(
            order_names(wanted, data_class, item, context.recipient, context.facts.zone) for wanted in order.items
        ):
            return Denied(fault, fault.split("-")[0], read=(order.ref,))
    by_consent = context.edition.ways_by(data_class, context.sector, Basis.CONSENT)
    if by_consent and said.set_aside and said.code in ("R4-representative-missing", "R2-not-covered"):
        return Denied("R8-barred", "R8", read=said.set_aside)
    if by_consent and said.code not in ("C-permits", "R2-not-covered"):
        return Denied(said.code, said.rule, read=said.read)
    if said.applied:
        return Denied("R2-not-covered", "R2", read=said.read)
    return Denied("R1-no-basis", "R1")


def _combine(item: Item, judged: tuple[_Judged, ...], edition: Edition) -> _Finding:
    """All effective classes must let the item through; the narrowest view of them is what leaves."""
    if not judged:
        return _withheld(item, judged, Denied("R1-unlabelled", "R1"), edition)
    for each in judged:
        if each.granted is None and each.denied is not None:
            return _withheld(item, judged, each.denied, edition)
    granted = tuple([one.granted for one in judged if one.granted is not None])
    narrowest = granted[0]
    for one in granted:
        if one.view.rank < narrowest.view.rank:
            narrowest = one
    projection = "&".join(sorted({one.projection for one in granted if one.projection}))
    if projection and not _keeps(projection, item.type, edition):
        return _withheld(item, judged, Denied("R2-no-projection", "R2"), edition)
    reasons = tuple([Reason(one.code, one.rule, one.citation, edition.version, one.read) for one in granted])
    verdict = Verdict(item.place, narrowest.view, projection, narrowest.basis, reasons)
    return _Finding(verdict, judged, granted)


def _withheld(item: Item, judged: tuple[_Judged, ...], denied: Denied, edition: Edition) -> _Finding:
    return _Finding(Verdict(item.place, View.NONE, reasons=(_reason(denied, edition),)), judged, ())


def _keeps(projection: str, kind: str, edition: Edition) -> bool:
    """Whether the projection keeps anything of this type of resource."""
    if "&" not in projection:
        return kind in edition.kinds[projection]
    return any(path.startswith(f"{kind}.") for path in projected(projection, edition))


def projected(name: str, edition: Edition) -> tuple[str, ...]:
    """The paths that a projection keeps; ``a&b`` keeps what both keep."""
    if "&" not in name:
        return edition.projections[name]
    first, *others = (edition.projections[one] for one in name.split("&"))
    return tuple(path for path in first if all(path in other for other in others))


def _reason(denied: Denied, edition: Edition) -> Reason:
    citation = denied.citation or edition.citations.get(denied.rule, "")
    return Reason(denied.code, denied.rule, citation, edition.version, denied.read)


# --- the whole ----------------------------------------------------------------------------------------------


def _assemble(verdicts: tuple[Verdict, ...], found: list[_Finding], context: Context, hashed: str) -> Decision:
    edition = context.edition
    granted = [one for finding in found for one in finding.granted]
    said = [one.said for finding in found for one in finding.classes]
    alarms = sorted({one.denied.alarm for finding in found for one in finding.classes if one.denied} - {""})
    if ineffective_withdrawals(context.facts, context.people, context.at):
        alarms.append("barred-withdrawal")
    reasons = tuple(dict.fromkeys([reason for finding in found for reason in finding.verdict.reasons]))
    used = sorted({finding.verdict.projection for finding in found} - {""})
    return Decision(
        outcome=_outcome(bool(granted), reasons, said),
        verdicts=verdicts,
        reasons=reasons,
        obligations=_obligations(granted, context) if granted else (),
        tasks=_tasks(reasons, said, context),
        alarms=tuple(alarms),
        policy_version=edition.version,
        read=_read(reasons, context),
        input_hash=hashed,
        projections={name: projected(name, edition) for name in used} | _envelope(edition),
        notice=edition.notice,
    )


def _outcome(leaves: bool, reasons: tuple[Reason, ...], said: list[Said]) -> Outcome:
    if leaves:
        return Outcome.PERMIT
    codes = {reason.code for reason in reasons}
    if "R2-no-purpose" in codes or ("R2-indeterminate" in codes and any(one.indeterminate for one in said)):
        return Outcome.INDETERMINATE
    if all(reason.code in _SILENT for reason in reasons) and not any(one.applied for one in said):
        return Outcome.NO_CONSENT
    return Outcome.DENY


def _envelope(edition: Edition) -> dict[str, tuple[str, ...]]:
    return {name: edition.projections[name] for name in ENVELOPE}


_NOTIFIED: Final = (
    ("R18-report-permits", "child"),
    ("R20-vital-permits", "child"),
    ("R21-break-glass-permits", "case-owner,data-officer"),
    ("R29-override-permits", "data-officer"),
)
"""Who must be told afterwards of what left on which ground."""


def _obligations(granted: list[Granted], context: Context) -> tuple[Obligation, ...]:
    """R27 on everything that leaves: its purpose, and the earliest end of what it rests on; seals, and who must be told
    afterwards."""
    purposes = ",".join(sorted(context.disclosure.purposes))
    found = [Obligation(ObligationKind.NO_REDISCLOSURE, detail=purposes)]
    ends = [one.ends for one in granted if one.ends is not None]
    if ends:
        found.append(Obligation(ObligationKind.DELETE_BY, detail=min(ends).isoformat()))
    found += [
        Obligation(ObligationKind.SEALED, detail=officer)
        for officer in sorted({one.sealed for one in granted if one.sealed})
    ]
    codes = {one.code for one in granted}
    found += [Obligation(ObligationKind.NOTIFY, detail=whom) for code, whom in _NOTIFIED if code in codes]
    return tuple(found)


def _tasks(reasons: tuple[Reason, ...], said: list[Said], context: Context) -> tuple[Task, ...]:
    """Work for people: who must look at what stopped, or at what was opened in an emergency."""
    numbers, at = context.edition.numbers, context.at
    codes = {reason.code for reason in reasons}
    spoken = {one.code for one in said}
    found: list[Task] = []
    if "R10-parents-disagree" in codes or "R10-parents-disagree" in spoken:
        due = at + timedelta(hours=numbers["clocks.parents_review_hours"])
        found.append(Task("parents-disagree", "R10-parents-disagree", due))
    if "R11-child-dissents" in codes or "R11-child-dissents" in spoken:
        due = at + timedelta(hours=numbers["clocks.child_dissent_hours"])
        found.append(Task("child-dissents", "R11-child-dissents", due))
    if "R2-indeterminate" in spoken:
        found.append(Task("consent-unreadable", "R2-indeterminate"))
    if "R24-order-not-valid" in codes:
        found.append(Task("order-not-valid", "R24-order-not-valid"))
    if "R33-uncertain-match" in codes:
        found.append(Task("resolve-match", "R33-uncertain-match"))
    if context.people.guardians and not context.people.unbarred and "representative" in context.people.band.needs:
        found.append(Task("seek-representative", "R8-barred"))
    for emergency in context.facts.emergencies:
        held = emergency.kind == "break-glass" and emergency.span.holds(at)
        if held and any(emergency.ref in reason.read for reason in reasons):
            ends = emergency_ends(emergency, context.edition)
            hours = numbers["break_glass.review_hours"] - numbers["break_glass.hours"]
            found.append(Task("review-break-glass", "R21-break-glass-permits", ends and ends + timedelta(hours=hours)))
    return tuple(found)


_NAME_OF_FACT: Final = attrgetter("kind", "id", "version")


def _read(reasons: tuple[Reason, ...], context: Context) -> tuple[FactRef, ...]:
    """Every fact that the decision rests on, consents and ties included, in a stable order."""
    refs = [ref for reason in reasons for ref in reason.read]
    refs += context.people.read
    refs += [act.fact.ref for act in context.acts]
    refs += [refusal.ref for refusal in context.refusals]
    found = {_NAME_OF_FACT(ref): ref for ref in refs}
    return tuple([found[name] for name in sorted(found)])


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
        order_names(wanted, data_class, item, context.recipient, context.facts.zone)
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
