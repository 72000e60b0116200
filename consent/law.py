"""The legal layer: what each step of the precedence says about one item, from the matrix and the recorded facts.

Bases are proven by facts, never assumed. A step answers with grants (ways the item may leave) or with a denial; the
order of steps is policy data, so nothing here knows what outranks what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from consent.acts import Act, Said
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
    OrderItem,
    Refusal,
)
from consent.people import People
from consent.rulebook import Edition, Grant, Never
from consent.trees import Ask
from consent.vocabulary import Basis, DataClass, Sensitivity, View


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that is the same for all items of one disclosure."""

    disclosure: Disclosure
    facts: Facts
    at: datetime
    edition: Edition
    people: People
    acts: tuple[Act, ...]
    asks: tuple[Ask, ...]
    orders: tuple[Order, ...]
    """Orders that count."""
    referral: OpenReferral | None
    refusals: tuple[Refusal, ...]
    legal: bool
    """The purposes and the action are ones that a legal basis can cover."""
    names: frozenset[str]
    """Registry id and references of the recipient."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A recorded fact that proves a basis."""

    ref: FactRef
    rule: str
    code: str
    officer: str = ""
    codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class Granted:
    """One way that an item may leave."""

    view: View
    projection: str
    basis: Basis
    code: str
    rule: str
    citation: str
    read: tuple[FactRef, ...]
    sealed: str = ""


@dataclass(frozen=True, slots=True)
class Denied:
    """A step closes everything below it."""

    code: str
    rule: str
    citation: str = ""
    read: tuple[FactRef, ...] = ()
    alarm: str = ""


Step = Callable[[DataClass, Item, Said, Context], tuple[Granted, ...] | Denied]


# --- orders (R22, R24, R28) ---------------------------------------------------------------------------------


def order_fault(order: Order, at: datetime) -> str:
    """Why an order does not count at `at`: a reason code, or "" when it does."""
    if not (order.number and order.body and order.issued and order.items):
        return "R22-order-incomplete"
    if order.outside_jurisdiction or order.revoked or not order.span.holds(at) or order.issued > at.date():
        return "R24-order-not-valid"
    second = order.verified_by and order.verified_by != order.entered_by
    if not second and not order.verified_by.startswith("signature:"):
        return "R22-order-not-verified"
    return ""


def order_names(wanted: OrderItem, data_class: DataClass, item: Item, context: Context) -> bool:
    """Whether one line of an order names this item for this recipient; what the line leaves out does not narrow,
    except class and recipient, without which it names nothing."""
    recipient = context.disclosure.recipient
    bounded = wanted.period.start is not None or wanted.period.end is not None
    return (
        wanted.data_class is data_class
        and wanted.recipient != ""
        and wanted.recipient == recipient.id
        and (not wanted.officer or wanted.officer == recipient.officer)
        and (not wanted.codes or not set(wanted.codes).isdisjoint(item.codes))
        and (not wanted.episode or wanted.episode == item.episode)
        and (not bounded or _dated_within(wanted, item, context))
    )


def _dated_within(wanted: OrderItem, item: Item, context: Context) -> bool:
    if item.at is None:
        return False
    if isinstance(item.at, datetime):
        return wanted.period.holds(item.at)
    start, end = wanted.period.start, wanted.period.end
    return (start is None or start.date() <= item.at) and (end is None or item.at < end.date())


def order_proofs(data_class: DataClass, item: Item, context: Context) -> list[Proof]:
    """The lines of counting orders that name the item."""
    return [
        Proof(order.ref, "R22", "R22-order-permits", wanted.officer, wanted.codes)
        for order in context.orders
        for wanted in order.items
        if order_names(wanted, data_class, item, context)
    ]


def referral_proofs(context: Context) -> list[Proof]:
    """The counting orders that the recipient's own open referral carries out."""
    referral = context.referral
    if referral is None or not referral.order_number:
        return []
    parties = {referral.requester, referral.performer}
    return [
        Proof(order.ref, "R22", "R22-order-permits")
        for order in context.orders
        if order.number == referral.order_number
        and parties & {order.body, *(wanted.recipient for wanted in order.items)}
    ]


# --- proofs of the other bases ------------------------------------------------------------------------------


def _report_due(context: Context) -> list[Proof]:
    """R18 and R19: a report that is owed to the recipient; 16 and 17 only in grave danger or for a crime."""
    age, numbers = context.people.age, context.edition.numbers
    young = age is None or age < numbers["report.under"]
    grave_age = age is not None and age < numbers["report.grave_under"]
    return [
        Proof(report.ref, "R18" if young else "R19", "R18-report-permits" if young else "R19-report-permits", officer)
        for report in context.facts.reports
        if report.span.holds(context.at)
        and context.disclosure.recipient.id in report.agencies
        and context.disclosure.event in context.edition.report_events
        and (young or (grave_age and report.grave))
        for officer in _team_officers(context) or [""]
    ]


def _told(context: Context) -> list[Proof]:
    """R23: asked without an order, by an agency already told of the case."""
    if context.disclosure.event not in context.edition.told_events:
        return []
    return [
        Proof(report.ref, "R23", "R23-already-told")
        for report in context.facts.reports
        if context.disclosure.recipient.id in report.told
    ]


def emergency_ends(emergency: Emergency, edition: Edition) -> datetime | None:
    """When an asserted emergency ends by itself; None without a start, which never counts."""
    if emergency.span.start is None:
        return None
    rule = "break_glass.hours" if emergency.kind == "break-glass" else "vital.hours"
    return emergency.span.start + timedelta(hours=edition.numbers[rule])


def _emergencies(data_class: DataClass, context: Context) -> list[Proof]:
    """R20 and R21: asserted by the responder itself, with a reason, not over; break-glass by a named person."""
    recipient, found = context.disclosure.recipient, []
    for emergency in context.facts.emergencies:
        ends = emergency_ends(emergency, context.edition)
        broken = emergency.kind == "break-glass"
        if emergency.agency != recipient.id or not emergency.reason or not emergency.span.holds(context.at):
            continue
        if ends is None or context.at >= ends or emergency.kind not in ("vital", "break-glass"):
            continue
        if broken and not (
            emergency.second_factor
            and emergency.officer
            and emergency.officer == recipient.officer
            and data_class not in context.edition.break_glass_never
        ):
            continue
        rule = "R21" if broken else "R20"
        code = "R21-break-glass-permits" if broken else "R20-vital-permits"
        found.append(Proof(emergency.ref, rule, code, emergency.officer))
    return found


def _plans(data_class: DataClass, context: Context) -> list[Proof]:
    return [
        Proof(plan.ref, "matrix", "D-plan-permits")
        for plan in context.facts.plans
        if plan.approved_by
        and plan.span.start is not None
        and plan.span.holds(context.at)
        and context.disclosure.recipient.id in plan.agencies
        and (not plan.data_classes or data_class in plan.data_classes)
    ]


def _treating(context: Context) -> list[Proof]:
    return [
        Proof(treating.ref, "matrix", "T-treating-permits")
        for treating in context.facts.treating
        if treating.agency == context.disclosure.recipient.id and treating.span.holds(context.at)
    ]


def _own(item: Item, context: Context) -> list[Proof]:
    if item.author and item.author in context.names:
        return [Proof(FactRef("author", context.disclosure.recipient.id, 0), "matrix", "own-permits")]
    return []


def _team_officers(context: Context) -> list[str]:
    return [
        member.officer
        for member in context.facts.team
        if member.agency == context.disclosure.recipient.id and member.span.holds(context.at) and member.officer
    ]


# --- conditions beside a basis ------------------------------------------------------------------------------


def _roles(context: Context) -> set[str]:
    return {
        member.role
        for member in context.facts.team
        if member.agency == context.disclosure.recipient.id and member.span.holds(context.at)
    }


def _is_party(context: Context) -> bool:
    return context.referral is not None and bool(
        context.names & {context.referral.requester, context.referral.performer}
    )


def _is_receiver(context: Context) -> bool:
    return any(
        context.disclosure.recipient.id in report.agencies
        for report in context.facts.reports
        if report.span.holds(context.at)
    )


def _named_reader(roles: set[str], context: Context) -> bool:
    """Somebody of the recipient with one of these roles in the case, named, and that person reads (R31)."""
    recipient = context.disclosure.recipient
    return any(
        member.agency == recipient.id
        and member.role in roles
        and member.officer
        and member.officer == recipient.officer
        and member.span.holds(context.at)
        for member in context.facts.team
    )


def _officer_named(proof: Proof, context: Context) -> bool:
    return bool(proof.officer) and proof.officer == context.disclosure.recipient.officer


def _employed_there(context: Context) -> bool:
    return not context.people.linked_units.isdisjoint(context.disclosure.recipient.alternate_for)


def holds(need: str, proof: Proof, item: Item, context: Context) -> bool:
    """Whether one condition of a cell holds beside `proof`; an unknown condition never does."""
    match need:
        case "own":
            return _is_party(context) or bool(_own(item, context))
        case "examiner":
            forensic = context.referral is not None and context.referral.performer in context.names
            return "examiner" in _roles(context) or forensic
        case "exam-owner":
            return bool(_own(item, context)) or bool({"examiner", "exam-owner"} & _roles(context))
        case "case-owner-or-shelter":
            return _named_reader({"owner", "case-owner", "shelter"}, context)
        case "shelter-clinician":
            return context.disclosure.recipient.unit == "shelter" and _named_reader({"clinician"}, context)
        case "named-officer" | "sealed":
            return _officer_named(proof, context)
        case "named-codes":
            return bool(proof.codes)
        case "transport":
            return "transport" in _roles(context)
        case "receiver":
            return _is_receiver(context)
        case "employed-there":
            return _employed_there(context)
    return False


# --- the steps ----------------------------------------------------------------------------------------------


def grants_of(
    data_class: DataClass,
    item: Item,
    grants: Iterable[Grant],
    basis: Basis,
    proofs: list[Proof],
    context: Context,
    referral: Iterable[Proof] = (),
) -> tuple[Granted, ...]:
    """The ways through `grants` on one basis that a proof opens, conditions and sensitive labels considered."""
    sector = context.disclosure.recipient.sector
    found = []
    for grant in grants:
        if basis not in grant.bases:
            continue
        candidates = [*proofs, *(referral if grant.via_referral else ())]
        for proof in candidates:
            if not all(holds(need, proof, item, context) for need in grant.needs):
                continue
            if not explicit(data_class, item, basis, proof, context.edition):
                continue
            place = f"matrix:{sector.value if sector else 'person'}/{data_class.value}"
            sealed = context.disclosure.recipient.officer if "sealed" in grant.needs else ""
            found.append(
                Granted(
                    view=grant.view,
                    projection=grant.projection,
                    basis=basis,
                    code=proof.code,
                    rule=grant.rule or (place if proof.rule == "matrix" else proof.rule),
                    citation=grant.citation or context.edition.citations.get(proof.rule, ""),
                    read=(proof.ref,),
                    sealed=sealed,
                )
            )
    return tuple(found)


def explicit(data_class: DataClass, item: Item, basis: Basis, proof: Proof, edition: Edition) -> bool:
    """R26: a sensitive label needs a ground that names it; "all medical" does not."""
    if basis in edition.explicit_bases or basis is Basis.CONSENT:
        # Whether a consent names the label was judged clause by clause in `consent.acts`.
        return True
    labels = {label for label in item.labels if label in edition.inherent}
    if not labels or (basis is Basis.ORDER and proof.codes):
        return True
    return all(data_class in edition.inherent[label] for label in labels)


def _never(rows: Iterable[Never], data_class: DataClass, item: Item, context: Context) -> Never | None:
    return next((row for row in rows if _closed(row, data_class, item, context)), None)


def _closed(row: Never, data_class: DataClass, item: Item, context: Context) -> bool:
    """Whether a never covers this item for this recipient; a row without sectors covers every one."""
    recipient, people = context.disclosure.recipient, context.people
    if row.to == "linked":
        applies = recipient.id in people.linked or not people.linked_units.isdisjoint(context.names)
    elif row.to == "family":
        applies = recipient.person
    else:
        applies = not row.sectors or recipient.sector in row.sectors
    return (
        applies
        and (not row.classes or data_class in row.classes)
        and (not row.labels or not row.labels.isdisjoint(item.labels))
        and not _excepted(row, item, context)
    )


def _excepted(row: Never, item: Item, context: Context) -> bool:
    if not row.unless:
        return False
    return bool(_own(item, context)) or (row.unless == "author-or-receiver" and _is_receiver(context))


def step_absolute(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Absolute nevers; an order that would open one raises an alarm."""
    row = _never(context.edition.absolute_never, data_class, item, context)
    if row is None:
        return ()
    alarm = "order-opens-absolute-never" if order_proofs(data_class, item, context) else ""
    return Denied("R1-absolute-never", row.rule, row.citation or row.id, alarm=alarm)


def step_never(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Other closed flows, which only a verified order opens."""
    row = _never(context.edition.never_flow, data_class, item, context)
    return () if row is None else Denied(f"{row.rule}-never-flow", row.rule, row.citation or row.id)


def step_order(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Verified, complete orders: only the items that they name."""
    if not context.legal:
        return ()
    cell = context.edition.cell(data_class, context.disclosure.recipient.sector)
    grants = [grant for grant in cell if Basis.ORDER in grant.bases]
    if not grants and context.disclosure.recipient.sector is not None:
        # The matrix foresees no order here, but an order outranks it: no more than the cell's widest view.
        widest = max(cell, key=lambda grant: grant.view.rank, default=None)
        view, projection = (widest.view, widest.projection) if widest else (View.FULL, "")
        grants = [Grant(view, frozenset({Basis.ORDER}), projection=projection, rule="R22")]
    proofs = order_proofs(data_class, item, context)
    return grants_of(data_class, item, grants, Basis.ORDER, proofs, context, referral_proofs(context))


def step_report(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """The mandatory report's legal minimum, and what police already told of a case may ask."""
    if not context.legal:
        return ()
    sector = context.disclosure.recipient.sector
    if sector is None:
        return ()
    cell = (*context.edition.cell(data_class, sector), *context.edition.report_also.get((data_class, sector), ()))
    due = grants_of(data_class, item, cell, Basis.REPORT, _report_due(context), context)
    told = context.edition.told_grants.get((data_class, sector), ())
    return due + grants_of(data_class, item, told, Basis.REPORT, _told(context), context)


def step_vital(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Vital interest, break-glass being one way to assert it."""
    sector = context.disclosure.recipient.sector
    if not context.legal or sector is None:
        return ()
    cell = (*context.edition.cell(data_class, sector), *context.edition.vital_also.get((data_class, sector), ()))
    return grants_of(data_class, item, cell, Basis.VITAL, _emergencies(data_class, context), context)


def step_refusal(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Refusals that count, stated denials in consents, and an authority's stop."""
    for authority in context.facts.authorities:
        if authority.kind == "stop" and _authority_covers(authority, data_class, context):
            return Denied("R35-stopped", "R35", read=(authority.ref,))
    for refusal in context.refusals:
        if refusal.data_class in (None, data_class):
            rule = "R16" if refusal.service else "R17"
            return Denied(_dissent(refusal, said, context) or f"{rule}-refused", rule, read=(refusal.ref,))
    if said.refused:
        code = said.code if said.code != "C-permits" else "R2-indeterminate"
        return Denied(code, said.rule, read=said.read)
    return ()


def _dissent(refusal: Refusal, said: Said, context: Context) -> str:
    if refusal.by == context.facts.person and said.representative_permits:
        return "R11-child-dissents"
    if refusal.by != context.facts.person and said.representative_permits:
        return "R10-parents-disagree"
    return ""


def _authority_covers(authority: Authority, data_class: DataClass, context: Context) -> bool:
    return (
        authority.span.holds(context.at)
        and authority.agency in ("", context.disclosure.recipient.id)
        and (not authority.data_classes or data_class in authority.data_classes)
    )


def step_duty(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Protection duty: a recorded, dated, approved plan that names the recipient."""
    if not context.legal:
        return ()
    cell = context.edition.cell(data_class, context.disclosure.recipient.sector)
    return grants_of(data_class, item, cell, Basis.DUTY, _plans(data_class, context), context)


def step_treatment(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Treatment: a recorded treating relationship."""
    if not context.legal:
        return ()
    cell = context.edition.cell(data_class, context.disclosure.recipient.sector)
    return grants_of(data_class, item, cell, Basis.TREATMENT, _treating(context), context)


def step_own(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """What the recipient itself said, and the account that a person of the family may ask for (R41)."""
    cell = context.edition.cell(data_class, context.disclosure.recipient.sector)
    if context.disclosure.recipient.person:
        return _account(data_class, item, said, context)
    return grants_of(data_class, item, cell, Basis.OWN, _own(item, context), context)


def _account(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...]:
    account, people = context.edition.account, context.people
    asker = context.disclosure.recipient.id
    if data_class not in account["classes"] or not context.disclosure.purposes:
        return ()
    if not context.disclosure.purposes <= account["purposes"]:
        return ()
    is_child = asker == context.facts.person and "child" in people.band.needs
    is_guardian = asker in people.unbarred and (
        "representative" in people.band.needs or (people.band.rule == "R5" and said.child_permits)
    )
    if not is_child and not is_guardian:
        return ()
    proof = Proof(FactRef("person", asker, 0), "R41", "R41-account")
    return grants_of(data_class, item, (account["grant"],), Basis.OWN, [proof], context)


def step_consent(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Consents of everyone who must consent, or an approved override where one is missing (R29)."""
    cell = context.edition.cell(data_class, context.disclosure.recipient.sector)
    if said.permit:
        proofs = [Proof(ref, said.rule, said.code) for ref in said.read[:1]]
        found = grants_of(data_class, item, cell, Basis.CONSENT, proofs, context)
        return tuple(_with_clauses(granted, said) for granted in found)
    if said.indeterminate or not context.legal:
        return ()
    labels = {label for label in item.labels if label in {one.value for one in Sensitivity}}
    if any(data_class not in context.edition.inherent[label] for label in labels):
        return ()
    proofs = [
        Proof(authority.ref, "R29", "R29-override-permits")
        for authority in context.facts.authorities
        if authority.kind == "override" and _approved(authority, data_class, context)
    ]
    return grants_of(data_class, item, cell, Basis.CONSENT, proofs, context)


def _with_clauses(granted: Granted, said: Said) -> Granted:
    clause = said.clauses[0] if said.clauses else granted.rule
    return Granted(
        granted.view, granted.projection, granted.basis, granted.code, clause, granted.citation, said.read,
        granted.sealed,
    )  # fmt: skip


def _approved(authority: Authority, data_class: DataClass, context: Context) -> bool:
    return (
        _authority_covers(authority, data_class, context)
        and authority.agency == context.disclosure.recipient.id
        and data_class in authority.data_classes
        and bool(authority.legal_basis and authority.reason and authority.requested_by and authority.approved_by)
        and authority.requested_by != authority.approved_by
    )


STEPS: dict[str, Step] = {
    "absolute-never": step_absolute,
    "P": step_order,
    "never-flow": step_never,
    "R": step_report,
    "V": step_vital,
    "refusal": step_refusal,
    "D": step_duty,
    "T": step_treatment,
    "own": step_own,
    "C": step_consent,
}
