"""The legal layer: what each step of the precedence says about one item, from the matrix and the proofs at hand.

A step answers with grants (ways the item may leave) or with a denial; the order of steps is policy data, so nothing
here knows what outranks what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from consent.acts import Said
from consent.model import FactRef, Item, Refusal
from consent.naming import names_item, names_label
from consent.people import is_linked
from consent.proofs import Context, Proof, order_proofs, own_proofs, referral_proofs
from consent.rulebook import Edition, Grant, Never
from consent.vocabulary import Basis, DataClass, View


class Granted(msgspec.Struct, frozen=True):
    """One way that an item may leave."""

    view: View
    projection: str
    basis: Basis
    code: str
    rule: str
    citation: str
    read: tuple[FactRef, ...]
    sealed: str = ""
    ends: datetime | None = None
    """When the fact that it rests on ends."""


class Denied(msgspec.Struct, frozen=True):
    """A step closes everything below it."""

    code: str
    rule: str
    citation: str = ""
    read: tuple[FactRef, ...] = ()
    alarm: str = ""


Step = Callable[[DataClass, Item, Said, Context], tuple[Granted, ...] | Denied]


# --- conditions beside a basis ------------------------------------------------------------------------------


def _roles(context: Context) -> set[str]:
    return {member.role for member in context.team}


def _is_party(context: Context) -> bool:
    """Whether the recipient is a party to the referral, or spoken to instead of one that is linked (R40)."""
    if context.referral is None:
        return False
    parties = {context.referral.requester, context.referral.performer} - {""}
    return not parties.isdisjoint((*context.names, *context.recipient.alternate_for))


def _named_reader(roles: set[str], context: Context) -> bool:
    """Somebody of the recipient with one of these roles in the case, named, and that person reads (R31)."""
    return any(
        member.role in roles and member.officer and member.officer == context.recipient.officer
        for member in context.team
    )


def _officer_named(proof: Proof, context: Context) -> bool:
    return bool(proof.officer) and proof.officer == context.recipient.officer


def _employed_there(context: Context) -> bool:
    return not context.people.linked_units.isdisjoint(context.recipient.alternate_for)


def holds(need: str, proof: Proof, item: Item, context: Context) -> bool:
    """Whether one condition of a cell holds beside `proof`; an unknown condition never does."""
    match need:
        case "own":
            return _is_party(context) or bool(own_proofs(item, context))
        case "examiner":
            forensic = context.referral is not None and context.referral.performer in context.names
            return "examiner" in _roles(context) or forensic
        case "exam-owner":
            return bool(own_proofs(item, context)) or bool({"examiner", "exam-owner"} & _roles(context))
        case "case-owner-or-shelter":
            return _named_reader({"owner", "case-owner", "shelter"}, context)
        case "shelter-clinician":
            return context.recipient.unit == "shelter" and _named_reader({"clinician"}, context)
        case "named-officer" | "sealed":
            return _officer_named(proof, context)
        case "named-codes":
            return names_item(proof.codes, item, context.edition)
        case "transport":
            return "transport" in _roles(context)
        case "receiver":
            return context.receiver
        case "employed-there":
            return _employed_there(context)
    return False


# --- the steps ----------------------------------------------------------------------------------------------


def grants_of(
    data_class: DataClass,
    item: Item,
    grants: Iterable[Grant],
    basis: Basis,
    proofs: Sequence[Proof],
    context: Context,
    referral: Sequence[Proof] = (),
) -> tuple[Granted, ...]:
    """The ways through `grants` that a proof of `basis` opens, conditions and sensitive labels considered."""
    found = []
    for grant in grants:
        for proof in (*proofs, *referral) if grant.via_referral else proofs:
            if proof.classes and data_class not in proof.classes:
                continue
            if grant.needs and not all(holds(need, proof, item, context) for need in grant.needs):
                continue
            if not explicit(data_class, item, basis, proof, context.edition):
                continue
            found.append(
                Granted(
                    view=grant.view,
                    projection=grant.projection,
                    basis=basis,
                    code=proof.code,
                    rule=proof.clause or grant.rule or (grant.place if proof.rule == "matrix" else proof.rule),
                    citation=grant.citation or context.edition.citations.get(proof.rule, ""),
                    read=(proof.ref, *proof.others),
                    sealed=context.recipient.officer if "sealed" in grant.needs else "",
                    ends=proof.ends,
                )
            )
    return tuple(found)


def explicit(data_class: DataClass, item: Item, basis: Basis, proof: Proof, edition: Edition) -> bool:
    """R26: a sensitive label needs a ground that names it; "all medical" does not."""
    if basis in edition.explicit_bases or basis is Basis.CONSENT:
        # Whether a consent names the label was judged clause by clause in `consent.acts`.
        return True
    labels = item.labels & edition.sensitive
    return not labels or all(
        data_class in edition.inherent[label] or names_label(proof.codes, item, label, edition) for label in labels
    )


def _never(rows: Iterable[Never], item: Item, context: Context) -> Never | None:
    for row in rows:
        if _closed(row, item, context):
            return row
    return None


def _closed(row: Never, item: Item, context: Context) -> bool:
    """Whether a never for this class and sector covers this item and this recipient."""
    if row.to == "linked":
        applies = is_linked(context.recipient, context.people)
    else:
        applies = row.to != "family" or context.recipient.person
    return applies and (not row.labels or not row.labels.isdisjoint(item.labels)) and not _excepted(row, item, context)


def _excepted(row: Never, item: Item, context: Context) -> bool:
    if not row.unless:
        return False
    return bool(own_proofs(item, context)) or (row.unless == "author-or-receiver" and context.receiver)


def step_absolute(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Absolute nevers; an order that would open one raises an alarm."""
    row = _never(context.edition.absolute[data_class, context.sector], item, context)
    if row is None:
        return ()
    alarm = "order-opens-absolute-never" if order_proofs(data_class, item, context) else ""
    return Denied("R1-absolute-never", row.rule, row.citation or row.id, alarm=alarm)


def step_never(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Other closed flows, which only a verified order opens."""
    row = _never(context.edition.nevers[data_class, context.sector], item, context)
    return () if row is None else Denied(f"{row.rule}-never-flow", row.rule, row.citation or row.id)


def step_order(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Verified, complete orders: only the items that they name, in cells that foresee none too."""
    if not context.legal:
        return ()
    grants = context.edition.ways_by(data_class, context.sector, Basis.ORDER)
    proofs = order_proofs(data_class, item, context)
    return grants_of(data_class, item, grants, Basis.ORDER, proofs, context, referral_proofs(context))


def step_report(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """The mandatory report's legal minimum, and what police already told of a case may ask."""
    ways = context.edition.ways_by(data_class, context.sector, Basis.REPORT)
    due = grants_of(data_class, item, ways, Basis.REPORT, context.due, context)
    if not context.told or context.sector is None:
        return due
    told = context.edition.told_grants.get((data_class, context.sector), ())
    return due + grants_of(data_class, item, told, Basis.REPORT, context.told, context)


def step_vital(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Vital interest, break-glass being one way to assert it."""
    ways = context.edition.ways_by(data_class, context.sector, Basis.VITAL)
    return grants_of(data_class, item, ways, Basis.VITAL, context.emergencies, context)


def step_refusal(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Refusals that count, stated denials in consents, and an authority's stop."""
    for stop in context.stops:
        if not stop.data_classes or data_class in stop.data_classes:
            return Denied("R35-stopped", "R35", read=(stop.ref,))
    for refusal in context.refusals:
        if refusal.data_class in (None, data_class):
            code = _dissent(refusal, said, context) or ("R16-refused" if refusal.service else "R17-refused")
            return Denied(code, code.split("-")[0], read=(refusal.ref,))
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


def step_duty(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Protection duty: a recorded, dated, approved plan that names the recipient."""
    ways = context.edition.ways_by(data_class, context.sector, Basis.DUTY)
    return grants_of(data_class, item, ways, Basis.DUTY, context.plans, context)


def step_treatment(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Treatment: a recorded treating relationship."""
    ways = context.edition.ways_by(data_class, context.sector, Basis.TREATMENT)
    return grants_of(data_class, item, ways, Basis.TREATMENT, context.treating, context)


def step_own(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """What the recipient itself said, and the account that a person of the family may ask for (R41)."""
    if context.recipient.person:
        return _account(data_class, item, said, context)
    ways = context.edition.ways_by(data_class, context.sector, Basis.OWN)
    return grants_of(data_class, item, ways, Basis.OWN, own_proofs(item, context), context) if ways else ()


def _account(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...]:
    account, people = context.edition.account, context.people
    asker = context.recipient.id
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
    return grants_of(data_class, item, (account["grant"],), Basis.OWN, (proof,), context)


def step_consent(data_class: DataClass, item: Item, said: Said, context: Context) -> tuple[Granted, ...] | Denied:
    """Consents of everyone who must consent, or an approved override where one is missing (R29)."""
    ways = context.edition.ways_by(data_class, context.sector, Basis.CONSENT)
    if said.permit:
        clause = said.clauses[0] if said.clauses else ""
        proof = Proof(said.read[0], said.rule, said.code, clause=clause, others=said.read[1:], ends=said.ends)
        return grants_of(data_class, item, ways, Basis.CONSENT, (proof,), context) + _reported(
            data_class, item, proof, context
        )
    if not context.overrides or said.indeterminate or said.taken_back - context.edition.override_against:
        return ()
    labels = item.labels & context.edition.sensitive
    if any(data_class not in context.edition.inherent[label] for label in labels):
        return ()
    return grants_of(data_class, item, ways, Basis.CONSENT, context.overrides, context)


def _reported(data_class: DataClass, item: Item, proof: Proof, context: Context) -> tuple[Granted, ...]:
    """R19: a report that is owed but not mandatory leaves by the minor's consent, in the minimum of a report."""
    if not context.agreed:
        return ()
    ways = context.edition.ways_by(data_class, context.sector, Basis.REPORT)
    proofs = []
    for one in context.agreed:
        ends = min((end for end in (one.ends, proof.ends) if end is not None), default=None)
        proofs.append(msgspec.structs.replace(one, clause=proof.clause, others=(proof.ref, *proof.others), ends=ends))
    return grants_of(data_class, item, ways, Basis.CONSENT, proofs, context)


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


def steps_for(context: Context) -> tuple[Step, ...]:
    """The steps in the order of precedence, without those that nothing recorded could make speak."""
    silent = {
        "P": not context.orders,
        "R": not (context.due or context.told),
        "V": not context.emergencies,
        "refusal": not (context.acts or context.refusals or context.stops),
        "D": not context.plans,
        "T": not context.treating,
        "C": not (context.acts or context.overrides),
    }
    return tuple(STEPS[name] for name in context.edition.precedence if not silent.get(name))
