"""The end of a case: closed, opened again, or erased; each takes two persons (domain.md, Workflow, row 14).

Closing ends the consents of the case (R15) and nothing else: what a suspect's fact or an order forbids goes on holding,
and what is said of the child later still joins the case. Erasing destroys the case's key, and with it everything that
was said of the child or recorded; what remains are opaque ids, codes and times, in the ledger too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from consent.moments import interval
from hub import facts, referrals
from hub.errors import Conflict
from hub.parts import Parts
from hub.states import CaseState, DeliveryState
from hub.storage import audits, deliveries, erasing, persons, tasks
from hub.storage import facts as stored
from hub.storage import referrals as kept_referrals
from hub.storage.persons import Case
from hub.storage.store import Unit

_WAITING: Final = (DeliveryState.PENDING, DeliveryState.UNKNOWN, DeliveryState.PARKED)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a case stands after somebody asked."""

    case: str
    state: str
    """`open`, `closed` or `erased`."""
    waits: bool
    """True while a second person has to ask for the same."""


def close(parts: Parts, actor: str, case: str) -> Ending:
    """Close a case: one of the two persons that it takes.

    Raises :class:`hub.errors.Conflict` while a referral is open, or whose record it is has not been decided.
    """
    return _ask(parts, actor, case, CaseState.OPEN, CaseState.CLOSED)


def reopen(parts: Parts, actor: str, case: str) -> Ending:
    """Open a closed case again: one of the two persons that it takes. Consents that ended with it stay ended."""
    return _ask(parts, actor, case, CaseState.CLOSED, CaseState.OPEN)


def erase(parts: Parts, actor: str, case: str) -> Ending:
    """Erase a closed case for good: one of the two persons that it takes.

    Raises :class:`hub.errors.Conflict` unless the case is closed, no referral is open that came after the closing, and
    nothing of it is just being sent.
    """
    return _ask(parts, actor, case, CaseState.CLOSED, CaseState.ERASED)


def _ask(parts: Parts, actor: str, case: str, now: CaseState, wanted: CaseState) -> Ending:
    """Do it if somebody else asked for it before; else note that this one asks."""
    at, queued = parts.clock.now(), list[str]()
    with parts.store.write() as unit:
        held = persons.get_case(unit, case, lock=True)
        _refuse(unit, held, now, wanted)
        seconded = _seconded(unit, held, actor, wanted, at)
        if seconded:
            queued = _turn(parts, unit, actor, held, wanted, at)
    if queued:
        parts.dispatcher.wake(queued)
    return Ending(case, wanted.value if seconded else now.value, waits=not seconded)


def _refuse(unit: Unit, held: Case, now: CaseState, wanted: CaseState) -> None:
    if held.state != now:
        raise Conflict(f"The case is {held.state}.")
    still_open = [each for each in kept_referrals.of_case(unit, held.id) if each.closed_at is None]
    if wanted is not CaseState.OPEN and still_open:
        raise Conflict(f"{len(still_open)} referrals of this case have not ended: see to them first.")
    sending = deliveries.listing(unit, case_id=held.id, states=(DeliveryState.SENDING,), limit=1)
    if wanted is CaseState.ERASED and sending:
        raise Conflict("Something of this case is just being sent: ask again in a minute.")


def _seconded(unit: Unit, held: Case, actor: str, wanted: CaseState, at: datetime) -> bool:
    kind = f"case-to-{wanted.value}"
    asked = tasks.listing(unit, kinds=(kind,), case=held.id)
    seconded = any(each.subject["by"] != actor for each in asked)
    outcome = wanted.value if seconded else "asked"
    audits.record(unit, audits.Entry("case", actor, case=held.id, outcome=outcome, detail={"to": wanted.value}), at)
    if seconded:
        for each in asked:
            tasks.close(unit, each.id, actor, at)
    else:
        tasks.start(unit, tasks.NewTask(kind, "second-person", "case-worker", held.id, subject={"by": actor}), at)
    return seconded


def _turn(parts: Parts, unit: Unit, actor: str, held: Case, wanted: CaseState, at: datetime) -> list[str]:
    """The case in its new state, what waits decided again; answers the deliveries to wake."""
    persons.next_epoch(unit, held.id)
    if wanted is CaseState.ERASED:
        for delivery in deliveries.listing(unit, case_id=held.id, states=_WAITING, limit=100_000):
            deliveries.close(unit, delivery.id, DeliveryState.WITHDRAWN, at)
        for task in tasks.listing(unit, case=held.id, limit=100_000):
            tasks.close(unit, task.id, actor, at)
        erasing.erase(unit, parts.vault, held, at)
        return []
    persons.set_case(unit, held.id, wanted.value, at if wanted is CaseState.CLOSED else None)
    if wanted is CaseState.CLOSED:
        _end_consents(parts, unit, actor, held, at)
    known = facts.facts_of(unit, parts.vault, held.id, parts.settings.zone)
    return referrals.offer_case(unit, parts.vault, parts.router, held.id, known, at)


def _end_consents(parts: Parts, unit: Unit, actor: str, held: Case, at: datetime) -> None:
    """R15: consents end with the case, and do not begin again with it."""
    for each in stored.of_case(unit, parts.vault, held.vault_key, held.id):
        if each.kind == "consent":
            ended = {**each.body, "resource": _ended(each.body["resource"], at, parts.settings.zone)}
            facts.record(unit, parts.vault, held.id, "consent", ended, at, actor, each.id)


def _ended(resource: Mapping[str, Any], at: datetime, zone: str) -> dict[str, Any]:
    """A Consent that runs until `at` at the latest; R4 has the period in its root provision, R5 in itself."""
    root = resource.get("provision", {})
    holder = resource if isinstance(root, list) else root
    period = holder.get("period", {})
    until = interval(period.get("end"), zone)
    if until is None or until[1] > at:
        period = {**period, "end": at.isoformat()}
    ended = {**holder, "period": period}
    return ended if holder is resource else {**resource, "provision": ended}
