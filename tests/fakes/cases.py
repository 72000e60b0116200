"""A case with its key and a queued delivery, put straight into the store: enough for whoever tests the engine room."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import insert, update

from hub.states import Lane
from hub.storage import deliveries
from hub.storage.attempts import Ground, NewAttempt
from hub.storage.deliveries import Offer
from hub.storage.ids import new_id
from hub.storage.store import Store, Unit
from hub.storage.tables import case


def new_case(store: Store, at: datetime, epoch: int = 0) -> str:
    """An open case of nobody."""
    case_id = new_id()
    with store.write() as unit:
        unit.execute(
            insert(case).values(
                id=case_id, person=new_id(), vault_key=new_id(), state="open", opened_at=at, epoch=epoch, next_seq=1
            )
        )
    return case_id


def next_epoch(unit: Unit, case_id: str) -> int:
    """The facts of the case change."""
    moved = update(case).where(case.c.id == case_id).values(epoch=case.c.epoch + 1).returning(case.c.epoch)
    return int(unit.execute(moved).scalar_one())


def offer(
    store: Store, case_id: str, at: datetime, agency: str = "police", lane: Lane = Lane.ORDINARY, hours: float = 24
) -> str:
    """One delivery at the end of its stream, due at once."""
    with store.write() as unit:
        offered = Offer(
            strand=new_id(),
            case=case_id,
            agency=agency,
            lane=lane,
            event="result",
            route="test",
            purposes=("HLEGAL",),
            deadline=at + timedelta(hours=hours),
            due_at=at,
            offered_epoch=0,
        )
        return deliveries.offer(unit, offered, at)


def an_attempt(agency: str = "police", epoch: int = 0, grounds: tuple[Ground, ...] = ()) -> NewAttempt:
    """Something about to leave."""
    outbound = new_id()
    return NewAttempt(
        agency=agency,
        outbound_id=outbound,
        outbound_token=outbound,
        release_hash="00",
        frozen=b"sealed",
        media_type="text/plain",
        facts_epoch=epoch,
        grounds=grounds,
    )
