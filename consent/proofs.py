"""The recorded facts that prove a basis for one disclosure, gathered once for all of its items.

Bases are proven by facts, never assumed: what nobody recorded proves nothing. A proof says which classes it can open;
what else a cell of the matrix asks for beside it is judged item by item (:mod:`consent.law`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from consent.acts import Act, acts_at, refusals_at, set_aside
from consent.model import (
    Authority,
    Code,
    Disclosure,
    Emergency,
    FactRef,
    Facts,
    Item,
    OpenReferral,
    Order,
    Party,
    Refusal,
    Report,
    TeamMember,
)
from consent.orders import order_fault, order_names
from consent.people import People, people_at
from consent.rulebook import Edition
from consent.trees import Ask
from consent.vocabulary import DataClass, Sector


class Proof(msgspec.Struct, frozen=True):
    """A recorded fact that proves a basis."""

    ref: FactRef
    rule: str
    code: str
    officer: str = ""
    codes: tuple[Code, ...] = ()
    classes: frozenset[DataClass] = frozenset()
    """The data classes that it can open; empty = all."""
    clause: str = ""
    """The clause of a consent that it stands on."""
    others: tuple[FactRef, ...] = ()
    """Further facts that it rests on."""
    ends: datetime | None = None
    """When it proves nothing any more, and what left on it is not used further (R27)."""


class Context(msgspec.Struct, frozen=True):
    """Everything that is the same for all items of one disclosure."""

    disclosure: Disclosure
    facts: Facts
    at: datetime
    edition: Edition
    people: People
    recipient: Party
    sector: Sector | None
    names: frozenset[str]
    """Registry id and references of the recipient."""
    legal: bool
    """The purposes and the action are ones that a legal basis can cover; without it nothing below proves one."""
    asks: tuple[Ask, ...]
    """The request once for each of its purposes."""
    acts: tuple[Act, ...]
    set_aside: tuple[Act, ...]
    """Consents that do not count because their giver is barred (R8)."""
    refusals: tuple[Refusal, ...]
    stops: tuple[Authority, ...]
    """An authority's stops that cover the recipient now (R35)."""
    orders: tuple[Order, ...]
    """Orders that count."""
    referral: OpenReferral | None
    team: tuple[TeamMember, ...]
    """What the recipient does in the case now."""
    receiver: bool
    """A report is owed to the recipient."""
    due: tuple[Proof, ...]
    agreed: tuple[Proof, ...]
    """Reports to the recipient that leave with consent only (R19)."""
    told: tuple[Proof, ...]
    emergencies: tuple[Proof, ...]
    plans: tuple[Proof, ...]
    treating: tuple[Proof, ...]
    overrides: tuple[Proof, ...]


def context_of(disclosure: Disclosure, facts: Facts, edition: Edition, at: datetime, profile: str) -> Context:
    """Read the facts once for this recipient, these purposes and this moment."""
    people, recipient = people_at(facts, at, edition), disclosure.recipient
    me = recipient.id
    referral = None
    if disclosure.referral:
        referral = next((one for one in facts.referrals if one.id == disclosure.referral), None)
    service = referral.service if referral is not None else ""
    team = tuple([one for one in facts.team if one.agency == me and one.span.holds(at)])
    # Of no purpose nothing is proven: it must be stated (R2), and goes with whatever leaves (R27).
    legal = bool(disclosure.purposes) and disclosure.purposes <= edition.purposes
    legal = legal and disclosure.action in edition.actions
    asks = _asks(disclosure, facts, at, profile) if facts.consents else ()
    due, agreed = _reports_due(disclosure, facts, at, edition, people, team) if legal and facts.reports else ((), ())
    return Context(
        disclosure=disclosure,
        facts=facts,
        at=at,
        edition=edition,
        people=people,
        recipient=recipient,
        sector=recipient.sector,
        names=frozenset({me, *recipient.references}) - {""},
        legal=legal,
        asks=asks,
        acts=acts_at(facts, people, at, edition, asks) if asks else (),
        set_aside=set_aside(facts, people, asks) if asks else (),
        refusals=refusals_at(facts, people, at, disclosure, service) if facts.refusals else (),
        stops=tuple([one for one in facts.authorities if one.kind == "stop" and _covers(one, me, at)]),
        orders=tuple([order for order in facts.orders if not order_fault(order, at, facts.zone)]),
        referral=referral,
        team=team,
        receiver=bool([one for one in facts.reports if me in one.agencies and one.span.holds(at)]),
        due=due,
        agreed=agreed,
        told=_told(disclosure, facts, edition) if legal and facts.reports else (),
        emergencies=_emergencies(facts, recipient, at, edition) if legal and facts.emergencies else (),
        plans=_plans(facts, me, at) if legal and facts.plans else (),
        treating=_treating(facts, me, at) if legal and facts.treating else (),
        overrides=_overrides(facts, me, at) if legal and facts.authorities else (),
    )


def _asks(disclosure: Disclosure, facts: Facts, at: datetime, profile: str) -> tuple[Ask, ...]:
    """The request once for each of its purposes, all of which must be covered."""
    return tuple(
        Ask(
            recipient=disclosure.recipient,
            sender=disclosure.sender,
            purpose=purpose,
            action=disclosure.action.value,
            at=at,
            zone=facts.zone,
            classes=frozenset(disclosure.classes),
            profile=profile,
        )
        for purpose in sorted([str(one) for one in disclosure.purposes]) or [""]
    )


# --- proofs of each basis -----------------------------------------------------------------------------------


def order_proofs(data_class: DataClass, item: Item, context: Context) -> list[Proof]:
    """The lines of counting orders that name the item."""
    return [
        Proof(order.ref, "R22", "R22-order-permits", wanted.officer, wanted.codes, ends=order.span.end)
        for order in context.orders
        for wanted in order.items
        if order_names(wanted, data_class, item, context.recipient, context.facts.zone)
    ]


def referral_proofs(context: Context) -> list[Proof]:
    """The counting orders that the recipient's own open referral carries out."""
    referral = context.referral
    if referral is None or not referral.order_number:
        return []
    parties = {referral.requester, referral.performer}
    return [
        Proof(order.ref, "R22", "R22-order-permits", ends=order.span.end)
        for order in context.orders
        if order.number == referral.order_number
        and parties & {order.body, *(wanted.recipient for wanted in order.items)}
    ]


def _reports_due(
    disclosure: Disclosure, facts: Facts, at: datetime, edition: Edition, people: People, team: tuple[TeamMember, ...]
) -> tuple[tuple[Proof, ...], tuple[Proof, ...]]:
    """R18 and R19: the reports to the recipient that must leave, and those that may at 16 and 17: by consent, where it
    is neither grave danger nor a crime."""
    if disclosure.event not in edition.report_events:
        return (), ()
    owed = [one for one in facts.reports if one.span.holds(at) and disclosure.recipient.id in one.agencies]
    officers = [member.officer for member in team if member.officer] or [""]
    if people.age is None or people.age < edition.numbers["report.under"]:
        return _reports(owed, "R18", "R18-report-permits", officers), ()
    if people.age >= edition.numbers["report.grave_under"]:
        return (), ()
    grave = [one for one in owed if one.grave]
    others = [one for one in owed if not one.grave]
    return (
        _reports(grave, "R19", "R19-report-permits", officers),
        _reports(others, "R19", "R19-consent-permits", officers),
    )


def _reports(reports: list[Report], rule: str, code: str, officers: list[str]) -> tuple[Proof, ...]:
    return tuple([Proof(one.ref, rule, code, officer, ends=one.span.end) for one in reports for officer in officers])


def _told(disclosure: Disclosure, facts: Facts, edition: Edition) -> tuple[Proof, ...]:
    """R23: asked without an order, by an agency already told of the case."""
    if disclosure.event not in edition.told_events:
        return ()
    return tuple(
        Proof(report.ref, "R23", "R23-already-told", ends=report.span.end)
        for report in facts.reports
        if disclosure.recipient.id in report.told
    )


def emergency_ends(emergency: Emergency, edition: Edition) -> datetime | None:
    """When an asserted emergency ends by itself; None without a start, which never counts."""
    if emergency.span.start is None:
        return None
    rule = "break_glass.hours" if emergency.kind == "break-glass" else "vital.hours"
    return emergency.span.start + timedelta(hours=edition.numbers[rule])


def _emergencies(facts: Facts, recipient: Party, at: datetime, edition: Edition) -> tuple[Proof, ...]:
    """R20 and R21: asserted by the responder itself, with a reason, not over; break-glass by a named person."""
    found = []
    for emergency in facts.emergencies:
        ends = emergency_ends(emergency, edition)
        broken = emergency.kind == "break-glass"
        if emergency.agency != recipient.id or not emergency.reason or not emergency.span.holds(at):
            continue
        if ends is None or at >= ends or emergency.kind not in ("vital", "break-glass"):
            continue
        named = emergency.officer and emergency.officer == recipient.officer
        if broken and not (emergency.second_factor and named):
            continue
        rule = "R21" if broken else "R20"
        code = "R21-break-glass-permits" if broken else "R20-vital-permits"
        classes = frozenset(DataClass) - edition.break_glass_never if broken else frozenset[DataClass]()
        ends = min(ends, emergency.span.end) if emergency.span.end is not None else ends
        found.append(Proof(emergency.ref, rule, code, emergency.officer, classes=classes, ends=ends))
    return tuple(found)


def _plans(facts: Facts, me: str, at: datetime) -> tuple[Proof, ...]:
    """Basis D: an approved, dated plan that names the recipient."""
    return tuple(
        Proof(plan.ref, "matrix", "D-plan-permits", classes=plan.data_classes, ends=plan.span.end)
        for plan in facts.plans
        if plan.approved_by and plan.span.start is not None and plan.span.holds(at) and me in plan.agencies
    )


def _treating(facts: Facts, me: str, at: datetime) -> tuple[Proof, ...]:
    """Basis T: a recorded treating relationship."""
    return tuple(
        Proof(treating.ref, "matrix", "T-treating-permits", ends=treating.span.end)
        for treating in facts.treating
        if treating.agency == me and treating.span.holds(at)
    )


def _overrides(facts: Facts, me: str, at: datetime) -> tuple[Proof, ...]:
    """R29: approved by somebody else than who asked, for this recipient and stated classes."""
    return tuple(
        Proof(one.ref, "R29", "R29-override-permits", classes=one.data_classes, ends=one.span.end)
        for one in facts.authorities
        if one.kind == "override"
        and _covers(one, me, at)
        and one.agency == me
        and one.data_classes
        and one.legal_basis
        and one.reason
        and one.requested_by
        and one.approved_by
        and one.requested_by != one.approved_by
    )


def _covers(authority: Authority, me: str, at: datetime) -> bool:
    return authority.span.holds(at) and authority.agency in ("", me)


def own_proofs(item: Item, context: Context) -> tuple[Proof, ...]:
    """Basis own: what the recipient itself said."""
    if item.author and item.author in context.names:
        return (Proof(FactRef("author", context.recipient.id, 0), "matrix", "own-permits"),)
    return ()
