"""Tells holders to give back what they were told on a ground that has ended, naming the message and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from consent.vocabulary import Basis, Event, View
from hub.bundles import recall_bundle
from hub.disclosing import HUB, disclose
from hub.outgoing import read_by
from hub.parts import Parts
from hub.states import Lane, StrandState
from hub.storage import attempts, audits, deliveries, persons, strands
from hub.storage.attempts import Attempt
from hub.storage.deliveries import Offer
from hub.storage.ids import new_id
from hub.storage.store import Unit
from hub.storage.strands import Strand
from hub.storage.withdrawals import Withdrawal

PATIENCE = timedelta(days=20)
"""Third parties must have answered by then (R13); overdue ones are alarmed when the delivery expires."""


def recall(parts: Parts, unit: Unit, settled: Iterable[Withdrawal]) -> list[str]:
    """Offer recalls to who holds what rested on these withdrawn consents alone; deliveries to wake after the commit.

    Call it with what `withdrawals.settle` returned, in the same transaction.
    """
    at = parts.clock.now()
    queued: list[str] = []
    for withdrawn in settled:
        for held in attempts.resting_on(unit, [withdrawn.consent]):
            if not _recalled(unit, held) and _ended(parts, unit, held, withdrawn.consent, at):
                queued.append(_offer(parts, unit, held, at))
    return queued


def _recalled(unit: Unit, held: Attempt) -> bool:
    earlier = deliveries.listing(unit, case_id=held.case, event=Event.RECALL, limit=10_000)
    return any(each.recalls == held.id for each in earlier)


def _ended(parts: Parts, unit: Unit, held: Attempt, consent: str, at: datetime) -> bool:
    """Whether something that left on that consent would not leave now: another ground that still holds keeps it."""
    on_consent = {each.fact for each in attempts.grounds_of(unit, held.id) if each.basis == Basis.CONSENT.value}
    delivery = deliveries.get(unit, held.delivery)
    strand = strands.get(unit, delivery.strand)
    if consent not in on_consent or strand is None:
        return False
    officer = read_by(unit, held)
    now = disclose(parts, unit, strand, held.agency, delivery.purposes, at, officer=officer).places()
    before = _left(parts, unit, held)
    return any(now.get(place, View.NONE).rank < View(view).rank for place, view in before.items())


def _left(parts: Parts, unit: Unit, held: Attempt) -> dict[str, str]:
    """What left in that attempt, and how much of it, as its audit row keeps it."""
    key = persons.get_case(unit, held.case).vault_key
    for row in audits.listing(unit, delivery=held.delivery, kinds=("attempt",), limit=1000):
        if row.entry.attempt == held.id and row.entry.replay is not None:
            plain = parts.vault.open(unit, key, row.entry.replay, f"replay:{held.id}".encode())
            verdicts: list[dict[str, Any]] = msgspec.json.decode(plain)["decision"]["verdicts"]
            return {each["place"]: each["view"] for each in verdicts if each["view"] != View.NONE.value}
    return {}


def _offer(parts: Parts, unit: Unit, held: Attempt, at: datetime) -> str:
    case = persons.get_case(unit, held.case)
    strand = Strand(
        id=new_id(),
        message=None,
        ordinal=0,
        agency=HUB.id,
        person=case.person,
        case=case.id,
        referral=None,
        event=Event.RECALL.value,
        state=StrandState.READY.value,
        created_at=at,
        focus=None,
        moved_from=None,
    )
    strands.add(unit, parts.vault, case.vault_key, strand, recall_bundle(held.outbound_id, at.isoformat()), {})
    offered = Offer(
        strand=strand.id,
        case=case.id,
        agency=held.agency,
        lane=Lane.URGENT,
        event=Event.RECALL.value,
        route="recall",
        purposes=(),
        deadline=at + PATIENCE,
        due_at=at,
        offered_epoch=case.epoch,
        recalls=held.id,
    )
    return deliveries.offer(unit, offered, at)
