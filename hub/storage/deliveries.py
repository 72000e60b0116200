"""The outbox: which delivery is next in its stream, who holds it, how it ended (design, `delivery.md`, rules 3, 4, 8).

A stream is (case, agency, officer, lane): what waits for an officer alone holds up nobody else. Only its head, the open
delivery with the lowest `seq`, may be claimed; a claim carries a fence, and whoever holds an older fence may not write
any more (:class:`hub.errors.Fenced`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, insert, select, update

from hub.errors import Fenced, NotFound
from hub.states import NEXT, AttemptState, DeliveryState, Lane, may_follow
from hub.storage.ids import new_id
from hub.storage.store import Unit
from hub.storage.tables import attempt, delivery
from hub.storage.tables import case as case_table

D = DeliveryState
CLAIMABLE: Final = (D.PENDING, D.UNKNOWN)
OPEN: Final = tuple(state for state, after in NEXT.items() if after)
"""States that are not final; one of them holds back what follows in its stream."""
_before = delivery.alias("before")


@dataclass(frozen=True, slots=True)
class Offer:
    """One agency is to be told (if the decision then allows it) what one strand says."""

    strand: str
    case: str
    agency: str
    lane: Lane
    event: str
    route: str
    """Which row of the routes offered it."""
    purposes: tuple[str, ...]
    deadline: datetime
    due_at: datetime
    offered_epoch: int
    """The case's epoch at this offer."""
    referral: str | None = None
    recalls: str | None = None
    """Attempt id whose message this one recalls."""
    officer: str = ""
    """Who alone reads it there; "" = the agency's desk."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as stored."""

    id: str
    strand: str
    case: str
    agency: str
    addressee: str | None
    officer: str
    lane: Lane
    seq: int
    state: DeliveryState
    event: str
    route: str
    purposes: tuple[str, ...]
    referral: str | None
    recalls: str | None
    created_at: datetime
    due_at: datetime
    deadline: datetime
    tries: int
    same_failures: int
    last_failure: str | None
    owner_process: str | None
    fence: int
    lease_until: datetime | None
    closed_at: datetime | None
    offered_epoch: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery in hand: valid while no other claim has a higher fence."""

    delivery: Delivery
    process: str
    fence: int
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed try leads to; made by :func:`hub.lanes.after_failure`."""

    state: DeliveryState
    """``pending`` or ``unknown`` (tried again at `due_at`), or ``parked``."""
    due_at: datetime
    kind: str
    same_failures: int


# --- offering ------------------------------------------------------------------------------------------------------


def offer(unit: Unit, offered: Offer, at: datetime) -> str:
    """Queue a delivery at the end of its stream and return its id.

    Locks the case's row, so that streams are numbered in the order in which their offers commit.
    """
    delivery_id = new_id()
    unit.execute(
        insert(delivery).values(
            id=delivery_id,
            seq=next_seq(unit, offered.case),
            state=D.PENDING.value,
            created_at=at,
            tries=0,
            same_failures=0,
            fence=0,
            strand=offered.strand,
            case=offered.case,
            agency=offered.agency,
            officer=offered.officer,
            lane=offered.lane.value,
            event=offered.event,
            route=offered.route,
            purposes=list(offered.purposes),
            deadline=offered.deadline,
            due_at=offered.due_at,
            offered_epoch=offered.offered_epoch,
            referral=offered.referral,
            recalls=offered.recalls,
        )
    )
    return delivery_id


def next_seq(unit: Unit, case_id: str) -> int:
    """Draw the case's next sequence number; holds the case's row until the commit."""
    drawn = update(case_table).where(case_table.c.id == case_id).values(next_seq=case_table.c.next_seq + 1)
    number = unit.execute(drawn.returning(case_table.c.next_seq)).scalar_one_or_none()
    if number is None:
        raise NotFound
    return int(number) - 1


def move(unit: Unit, from_case: str, to_case: str) -> int:
    """Give the open and closed deliveries of one case to another, renumbered behind its own; says how many.

    The caller holds both cases, lowest id first, and sees to the strands and keys.
    """
    of_case = select(delivery.c.id).where(delivery.c.case == from_case).order_by(delivery.c.seq)
    ids = list(unit.scalars(of_case))
    for delivery_id in ids:
        values = {"case": to_case, "seq": next_seq(unit, to_case)}
        unit.execute(update(delivery).where(delivery.c.id == delivery_id).values(values))
    return len(ids)


# --- claiming ------------------------------------------------------------------------------------------------------


def claim(
    unit: Unit,
    process: str,
    at: datetime,
    lease: timedelta,
    *,
    skip: Collection[str] = (),
    only: str | None = None,
) -> Claim | None:
    """Take the most urgent due stream head, or None; never waits for another claimer.

    `skip` names agencies that are to be left alone now (busy, or served by a pull inbox); `only` one delivery id.
    """
    heads = _heads(at, skip)
    if only is not None:
        heads = heads.where(delivery.c.id == only)
    found = unit.scalars(heads.limit(1).with_for_update(of=delivery, skip_locked=True)).first()
    if found is None:
        return None
    until = at + lease
    taken = update(delivery).where(delivery.c.id == found)
    taken = taken.values(state=D.SENDING.value, owner_process=process, fence=delivery.c.fence + 1, lease_until=until)
    row = unit.execute(taken.returning(delivery)).one()
    held = _delivery(row)
    return Claim(held, process, held.fence, until)


def due(unit: Unit, at: datetime, limit: int = 1000, *, skip: Collection[str] = ()) -> list[str]:
    """Ids of deliveries that could be claimed now, the most urgent first, at most `limit`; not those of `skip`."""
    return list(unit.scalars(_heads(at, skip).limit(limit)))


def waiting(unit: Unit) -> int:
    """How many deliveries are not final: what the queue's bound is held against."""
    return int(unit.scalar(select(func.count()).select_from(delivery).where(delivery.c.state.in_(OPEN))) or 0)


def hold(unit: Unit, held: Claim) -> None:
    """Make sure inside this transaction that the claim still counts, and keep it so until the commit.

    Raises :class:`hub.errors.Fenced`.
    """
    locked = select(delivery.c.id).where(_held(held)).with_for_update()
    if unit.execute(locked).one_or_none() is None:
        raise Fenced


# --- how it ended --------------------------------------------------------------------------------------------------


def finish(unit: Unit, held: Claim, state: DeliveryState, at: datetime) -> None:
    """Close a claimed delivery for good: delivered, withheld, withdrawn, expired or superseded.

    Raises :class:`hub.errors.Fenced`.
    """
    if not may_follow(D.SENDING, state) or NEXT[state]:
        raise ValueError(f"a delivery in hand does not end as {state}")
    _write(unit, held, state=state.value, closed_at=at, owner_process=None, lease_until=None)


def fail(unit: Unit, held: Claim, failure: Failure) -> None:
    """Give a claimed delivery back after a failure: to wait or to park.

    Raises :class:`hub.errors.Fenced`.
    """
    state = _waiting_state(unit, held) if failure.state is D.PENDING else failure.state
    _write(
        unit,
        held,
        state=state.value,
        due_at=failure.due_at,
        last_failure=failure.kind,
        same_failures=failure.same_failures,
        tries=delivery.c.tries + 1,
        owner_process=None,
        lease_until=None,
    )


def give_back(unit: Unit, held: Claim, due_at: datetime) -> None:
    """Return a claimed delivery untried (the facts moved, or the process stops). Raises :class:`hub.errors.Fenced`."""
    state = _waiting_state(unit, held)
    _write(unit, held, state=state.value, due_at=due_at, owner_process=None, lease_until=None)


def address(unit: Unit, held: Claim, addressee: str) -> None:
    """Note the alternate addressee that is really used (R40). Raises :class:`hub.errors.Fenced`."""
    _write(unit, held, addressee=addressee)


def attend(unit: Unit, held: Claim, officer: str) -> None:
    """Note who alone reads it there, and let it go on in that reader's stream. Raises :class:`hub.errors.Fenced`."""
    _write(unit, held, officer=officer)


def readdress(unit: Unit, delivery_id: str, addressee: str | None) -> None:
    """Say who is to be told instead of the agency that a waiting delivery was routed to (R40); None = itself again."""
    waits = and_(delivery.c.id == delivery_id, delivery.c.state.in_([D.PENDING, D.UNKNOWN, D.PARKED]))
    unit.execute(update(delivery).where(waits).values(addressee=addressee))


def close(unit: Unit, delivery_id: str, state: DeliveryState, at: datetime) -> bool:
    """Close a delivery that nobody holds (superseded, withdrawn, expired, or confirmed by a late answer).

    False when it is in hand or already final, and then nothing changes.
    """
    free = and_(delivery.c.id == delivery_id, delivery.c.state.in_([D.PENDING, D.UNKNOWN, D.PARKED]))
    closed = update(delivery).where(free).values(state=state.value, closed_at=at)
    return unit.execute(closed).rowcount == 1


def unpark(unit: Unit, delivery_id: str, at: datetime, deadline: datetime | None = None) -> bool:
    """Let a parked delivery try again now, with a clean count of failures; False when it is not parked."""
    values: dict[str, Any] = {"state": D.PENDING.value, "due_at": at, "same_failures": 0}
    if deadline is not None:
        values["deadline"] = deadline
    parked = update(delivery).where(delivery.c.id == delivery_id, delivery.c.state == D.PARKED.value)
    return unit.execute(parked.values(values)).rowcount == 1


def expire(unit: Unit, at: datetime, limit: int = 200) -> list[Delivery]:
    """Close what waited past its deadline, in nobody's hand; returns what was closed, for the alarm."""
    late = select(delivery.c.id).where(delivery.c.state.in_(CLAIMABLE), delivery.c.deadline <= at).limit(limit)
    ids = list(unit.scalars(late.with_for_update(skip_locked=True)))
    closed = update(delivery).where(delivery.c.id.in_(ids)).values(state=D.EXPIRED.value, closed_at=at)
    return [_delivery(row) for row in unit.execute(closed.returning(delivery))]


def lapsed(unit: Unit, at: datetime, limit: int = 200) -> list[Claim]:
    """Claims whose lease ran out; it proves nothing of who held them, but the fence keeps them from writing again."""
    late = select(delivery).where(delivery.c.state == D.SENDING.value, delivery.c.lease_until <= at).limit(limit)
    return [held_by(_delivery(row)) for row in unit.execute(late)]


def in_hand(unit: Unit, process: str) -> list[Claim]:
    """The claims of one process."""
    held = select(delivery).where(delivery.c.state == D.SENDING.value, delivery.c.owner_process == process)
    return [held_by(_delivery(row)) for row in unit.execute(held)]


def held_by(held: Delivery) -> Claim:
    """The claim that a delivery in state ``sending`` is under."""
    if held.owner_process is None or held.lease_until is None:
        raise Fenced
    return Claim(held, held.owner_process, held.fence, held.lease_until)


# --- looking -------------------------------------------------------------------------------------------------------


def get(unit: Unit, delivery_id: str) -> Delivery:
    """One delivery. Raises :class:`hub.errors.NotFound`."""
    row = unit.execute(select(delivery).where(delivery.c.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound
    return _delivery(row)


def listing(
    unit: Unit,
    *,
    states: Collection[DeliveryState] = (),
    agency: str | None = None,
    case_id: str | None = None,
    strand: str | None = None,
    event: str | None = None,
    reaches: str | None = None,
    limit: int = 200,
) -> list[Delivery]:
    """Deliveries that fit, in stream order within a case, the oldest first; `reaches` = who would really be told."""
    found = select(delivery).order_by(delivery.c.created_at, delivery.c.case, delivery.c.seq).limit(limit)
    if states:
        found = found.where(delivery.c.state.in_([state.value for state in states]))
    wanted = {"agency": agency, "case": case_id, "strand": strand, "event": event}
    for name, value in wanted.items():
        if value is not None:
            found = found.where(delivery.c[name] == value)
    if reaches is not None:
        found = found.where(_reaches() == reaches)
    return [_delivery(row) for row in unit.execute(found)]


def counts(unit: Unit) -> dict[DeliveryState, int]:
    """How many deliveries are in each state."""
    found = select(delivery.c.state, func.count()).group_by(delivery.c.state)
    return {DeliveryState(state): int(number) for state, number in unit.execute(found)}


def is_head(unit: Unit, delivery_id: str) -> bool:
    """Whether nothing open stands before it in its stream."""
    return unit.scalar(select(delivery.c.id).where(delivery.c.id == delivery_id, _is_head())) is not None


def _heads(at: datetime, skip: Collection[str]) -> Select[tuple[str]]:
    """What could be claimed now, the most urgent first; whom it really goes to (R40) is who may be skipped."""
    heads = select(delivery.c.id).where(_due(at), _is_head())
    if skip:
        heads = heads.where(_reaches().not_in(list(skip)))
    return heads.order_by(delivery.c.lane.desc(), delivery.c.due_at)


def _reaches() -> ColumnElement[str]:
    return func.coalesce(delivery.c.addressee, delivery.c.agency)


def _due(at: datetime) -> ColumnElement[bool]:
    return and_(delivery.c.state.in_(CLAIMABLE), delivery.c.due_at <= at, delivery.c.deadline > at)


def _is_head() -> ColumnElement[bool]:
    return ~exists().where(
        _before.c.case == delivery.c.case,
        _before.c.agency == delivery.c.agency,
        _before.c.officer == delivery.c.officer,
        _before.c.lane == delivery.c.lane,
        _before.c.seq < delivery.c.seq,
        _before.c.state.in_(OPEN),
    )


def _held(held: Claim) -> ColumnElement[bool]:
    return and_(
        delivery.c.id == held.delivery.id,
        delivery.c.fence == held.fence,
        delivery.c.owner_process == held.process,
        delivery.c.state == D.SENDING.value,
    )


def _waiting_state(unit: Unit, held: Claim) -> DeliveryState:
    """`unknown` as long as the recipient possibly holds an earlier attempt, else `pending`."""
    possibly_held = attempt.c.state.in_([AttemptState.OPEN.value, AttemptState.UNKNOWN.value])
    found = select(attempt.c.id).where(attempt.c.delivery == held.delivery.id, possibly_held).limit(1)
    return D.PENDING if unit.scalar(found) is None else D.UNKNOWN


def _write(unit: Unit, held: Claim, **values: Any) -> None:
    if unit.execute(update(delivery).where(_held(held)).values(values)).rowcount != 1:
        raise Fenced


def _delivery(row: Row[Any]) -> Delivery:
    values = dict(row._mapping)
    values["lane"], values["state"] = Lane(row.lane), DeliveryState(row.state)
    values["purposes"] = tuple(row.purposes)
    return Delivery(**values)
