"""Withdrawal and its two instants: `recorded` (no send starts any more) and `effective` (no byte leaves any more).

Design, `delivery.md`, rule 5. A withdrawal is effective once every attempt of its case that read an earlier epoch has
closed. A lapsed lease proves nothing; an attempt of a process that is over counts as closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, insert, select, update

from hub.errors import NotFound
from hub.states import AttemptState
from hub.storage import attempts
from hub.storage.ids import new_id
from hub.storage.store import Unit
from hub.storage.tables import attempt, process, withdrawal


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A withdrawn consent."""

    id: str
    case: str
    consent: str
    """Fact id."""
    epoch: int
    """The case's epoch that the withdrawal made; attempts that read an earlier one must close first."""
    recorded_at: datetime
    recorded_by: str
    effective_at: datetime | None


def record(unit: Unit, case: str, consent: str, epoch: int, by: str, at: datetime) -> str:
    """Note a withdrawal in the transaction that changed the facts to `epoch`, and ask what is under way to stop.

    Returns its id. Wake the worker after the commit: it cuts the connections and settles.
    """
    withdrawal_id = new_id()
    row = {"id": withdrawal_id, "case": case, "consent": consent, "epoch": epoch, "recorded_at": at}
    unit.execute(insert(withdrawal).values(**row, recorded_by=by))
    attempts.request_abort(unit, case, epoch)
    return withdrawal_id


def settle(unit: Unit, at: datetime) -> list[Withdrawal]:
    """Make effective what nothing holds back any more, and return it: the caller then sends the recalls, once."""
    in_the_way = exists().where(
        attempt.c.case == withdrawal.c.case,
        attempt.c.facts_epoch < withdrawal.c.epoch,
        attempt.c.state == AttemptState.OPEN.value,
        ~exists().where(process.c.id == attempt.c.process, process.c.ended_at.is_not(None)),
    )
    free = select(withdrawal.c.id).where(withdrawal.c.effective_at.is_(None), ~in_the_way)
    ids = list(unit.scalars(free.with_for_update(of=withdrawal, skip_locked=True)))
    settled = update(withdrawal).where(withdrawal.c.id.in_(ids), withdrawal.c.effective_at.is_(None))
    rows = unit.execute(settled.values(effective_at=at).returning(withdrawal))
    return [_withdrawal(row) for row in rows]


def get(unit: Unit, withdrawal_id: str) -> Withdrawal:
    """One withdrawal. Raises :class:`hub.errors.NotFound`."""
    row = unit.execute(select(withdrawal).where(withdrawal.c.id == withdrawal_id)).one_or_none()
    if row is None:
        raise NotFound
    return _withdrawal(row)


def waiting(unit: Unit) -> list[Withdrawal]:
    """Recorded and not yet effective, the oldest first."""
    found = select(withdrawal).where(withdrawal.c.effective_at.is_(None)).order_by(withdrawal.c.recorded_at)
    return [_withdrawal(row) for row in unit.execute(found)]


def of_case(unit: Unit, case: str) -> Sequence[Withdrawal]:
    """Every withdrawal of a case, the oldest first."""
    found = select(withdrawal).where(withdrawal.c.case == case).order_by(withdrawal.c.recorded_at)
    return [_withdrawal(row) for row in unit.execute(found)]


def _withdrawal(row: Row[Any]) -> Withdrawal:
    return Withdrawal(**row._mapping)
