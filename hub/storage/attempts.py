"""Attempts: what was about to leave is recorded before its first byte does, with its frozen bytes and its grounds.

Design, `delivery.md`, rules 2, 5, 6. An attempt is `open` from the commit that records it until its own process
reports how it ended, or is confirmed dead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, and_, func, insert, select, update

from hub.errors import NotFound, Stale
from hub.states import AttemptState
from hub.storage import deliveries
from hub.storage.ids import new_id
from hub.storage.store import Unit
from hub.storage.tables import attempt, ground
from hub.storage.tables import case as case_table

A = AttemptState
HELD: Final = (A.DELIVERED, A.UNKNOWN)
"""States in which the recipient holds the message, or possibly does."""


@dataclass(frozen=True, slots=True, order=True)
class Ground:
    """One fact that a disclosure rested on, and as which basis."""

    basis: str
    fact_kind: str
    fact: str
    fact_version: int


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """What is about to leave."""

    agency: str
    """To whom it really goes (R40)."""
    outbound_id: str
    outbound_token: str
    """Blind index of (agency, outbound id), to match an answer that names it."""
    release_hash: str
    frozen: bytes = field(repr=False)
    """The bytes that leave, sealed under the case's key."""
    media_type: str
    facts_epoch: int
    """The epoch that the decision read."""
    grounds: tuple[Ground, ...] = ()
    replaces: str | None = None
    """An earlier outbound id that this one replaces."""
    id: str = field(default_factory=new_id)
    """Drawn by the caller where sealing or the audit row needs it first."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as stored."""

    id: str
    delivery: str
    case: str
    number: int
    agency: str
    process: str
    fence: int
    state: AttemptState
    outbound_id: str
    outbound_token: str
    replaces: str | None
    release_hash: str
    frozen: bytes = field(repr=False)
    media_type: str
    facts_epoch: int
    opened_at: datetime
    closed_at: datetime | None
    failure: str | None
    abort_requested: bool


def record(unit: Unit, held: deliveries.Claim, new: NewAttempt, at: datetime) -> Attempt:
    """Record an attempt before its first byte leaves; it is `open` from this commit on.

    Raises :class:`hub.errors.Fenced` when another worker took the delivery over, and :class:`hub.errors.Stale` when the
    facts changed since `new.facts_epoch`: decide again.
    """
    deliveries.hold(unit, held)
    case_id = held.delivery.case
    now = select(case_table.c.epoch).where(case_table.c.id == case_id).with_for_update(read=True)
    if unit.scalar(now) != new.facts_epoch:
        raise Stale
    earlier = select(func.count()).select_from(attempt).where(attempt.c.delivery == held.delivery.id)
    recorded = (
        insert(attempt)
        .values(
            id=new.id,
            delivery=held.delivery.id,
            case=case_id,
            number=int(unit.scalar(earlier) or 0) + 1,
            agency=new.agency,
            process=held.process,
            fence=held.fence,
            state=A.OPEN.value,
            outbound_id=new.outbound_id,
            outbound_token=new.outbound_token,
            replaces=new.replaces,
            release_hash=new.release_hash,
            frozen=new.frozen,
            media_type=new.media_type,
            facts_epoch=new.facts_epoch,
            opened_at=at,
            abort_requested=False,
        )
        .returning(attempt)
    )
    row = unit.execute(recorded).one()
    rows = [{"attempt": new.id, **_ground_row(rests_on)} for rests_on in sorted(set(new.grounds))]
    if rows:
        unit.execute(insert(ground), rows)
    return _attempt(row)


def close(unit: Unit, attempt_id: str, state: AttemptState, at: datetime, failure: str | None = None) -> bool:
    """Report how an attempt ended. False when that was known before and nothing changed.

    A late certainty replaces an `unknown`; nothing replaces a certainty.
    """
    before = (A.OPEN.value,) if state is A.UNKNOWN else (A.OPEN.value, A.UNKNOWN.value)
    found = update(attempt).where(attempt.c.id == attempt_id, attempt.c.state.in_(before))
    return unit.execute(found.values(state=state.value, closed_at=at, failure=failure)).rowcount == 1


def get(unit: Unit, attempt_id: str) -> Attempt:
    """One attempt. Raises :class:`hub.errors.NotFound`."""
    row = unit.execute(select(attempt).where(attempt.c.id == attempt_id)).one_or_none()
    if row is None:
        raise NotFound
    return _attempt(row)


def of_delivery(unit: Unit, delivery_id: str) -> list[Attempt]:
    """All attempts of a delivery, the first one first."""
    found = select(attempt).where(attempt.c.delivery == delivery_id).order_by(attempt.c.number)
    return [_attempt(row) for row in unit.execute(found)]


def by_outbound_token(unit: Unit, token: str) -> list[Attempt]:
    """Attempts that went out under this message id (a re-send keeps the id), the newest first."""
    found = select(attempt).where(attempt.c.outbound_token == token).order_by(attempt.c.opened_at.desc())
    return [_attempt(row) for row in unit.execute(found)]


def under_way(unit: Unit, processes: Collection[str] | None = None) -> list[Attempt]:
    """Attempts not yet reported closed, of some processes or of all."""
    found = select(attempt).where(attempt.c.state == A.OPEN.value).order_by(attempt.c.opened_at)
    if processes is not None:
        found = found.where(attempt.c.process.in_(list(processes)))
    return [_attempt(row) for row in unit.execute(found)]


def request_abort(unit: Unit, case_id: str, before_epoch: int) -> list[str]:
    """Ask every attempt of the case that read an earlier epoch and is under way to stop; returns their ids."""
    found = and_(attempt.c.case == case_id, attempt.c.state == A.OPEN.value, attempt.c.facts_epoch < before_epoch)
    asked = update(attempt).where(found).values(abort_requested=True).returning(attempt.c.id)
    return list(unit.scalars(asked))


def to_abort(unit: Unit, process: str) -> list[str]:
    """Attempts under way in this process that somebody asked to stop."""
    asked = and_(attempt.c.process == process, attempt.c.state == A.OPEN.value, attempt.c.abort_requested.is_(True))
    return list(unit.scalars(select(attempt.c.id).where(asked)))


def grounds_of(unit: Unit, attempt_id: str) -> list[Ground]:
    """What a disclosure rested on."""
    found = select(ground).where(ground.c.attempt == attempt_id).order_by(ground.c.basis, ground.c.fact)
    return [Ground(row.basis, row.fact_kind, row.fact, row.fact_version) for row in unit.execute(found)]


def resting_on(unit: Unit, facts: Iterable[str]) -> list[Attempt]:
    """Attempts whose recipient holds or possibly holds something that rested on any of these facts."""
    rests = select(ground.c.attempt).where(ground.c.fact.in_(list(facts)))
    found = select(attempt).where(attempt.c.id.in_(rests), attempt.c.state.in_([state.value for state in HELD]))
    return [_attempt(row) for row in unit.execute(found.order_by(attempt.c.opened_at))]


def _ground_row(rests_on: Ground) -> dict[str, Any]:
    return {name: getattr(rests_on, name) for name in ("basis", "fact_kind", "fact", "fact_version")}


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(**{**row._mapping, "state": AttemptState(row.state)})
