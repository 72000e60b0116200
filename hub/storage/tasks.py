"""Work that waits for a person: reviews, alarms, conflicts. Each has an owner; none is dropped silently."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from hub.errors import NotFound
from hub.storage.ids import new_id
from hub.storage.store import Unit
from hub.storage.tables import task

OPEN = "open"
DONE = "done"


@dataclass(frozen=True, slots=True)
class NewTask:
    """What somebody has to do; `subject` holds opaque ids only."""

    kind: str
    """``match-review``, ``consent-conflict``, ``alarm``, ``withdrawal-review``, ..."""
    reason: str
    owner: str
    """A role, or an agency id."""
    case: str | None = None
    due_at: datetime | None = None
    subject: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """A task as stored."""

    id: str
    case: str | None
    kind: str
    reason: str
    owner: str
    state: str
    opened_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    subject: Mapping[str, Any]


def start(unit: Unit, new: NewTask, at: datetime) -> str:
    """Open a task and return its id; one that is open for the same thing already is returned instead."""
    same = select(task).where(task.c.kind == new.kind, task.c.reason == new.reason, task.c.state == OPEN)
    same = same.where(task.c.case.is_(None) if new.case is None else task.c.case == new.case)
    for row in unit.execute(same):
        if row.subject == dict(new.subject):
            return str(row.id)
    task_id = new_id()
    values = {name: getattr(new, name) for name in NewTask.__slots__} | {"subject": dict(new.subject)}
    unit.execute(insert(task).values(**values, id=task_id, state=OPEN, opened_at=at))
    return task_id


def close(unit: Unit, task_id: str, by: str, at: datetime) -> bool:
    """Mark a task as done; False when it was done before."""
    still_open = update(task).where(task.c.id == task_id, task.c.state == OPEN)
    return unit.execute(still_open.values(state=DONE, closed_at=at, closed_by=by)).rowcount == 1


def get(unit: Unit, task_id: str) -> Task:
    """One task. Raises :class:`hub.errors.NotFound`."""
    row = unit.execute(select(task).where(task.c.id == task_id)).one_or_none()
    if row is None:
        raise NotFound
    return _task(row)


def listing(
    unit: Unit,
    *,
    state: str | None = OPEN,
    kinds: Collection[str] = (),
    owner: str | None = None,
    case: str | None = None,
    limit: int = 200,
) -> list[Task]:
    """Tasks that fit, the oldest first; `state` None = in any state."""
    found = select(task).order_by(task.c.opened_at, task.c.id).limit(limit)
    for name, value in {"state": state, "owner": owner, "case": case}.items():
        if value is not None:
            found = found.where(task.c[name] == value)
    if kinds:
        found = found.where(task.c.kind.in_(list(kinds)))
    return [_task(row) for row in unit.execute(found)]


def _task(row: Row[Any]) -> Task:
    return Task(**row._mapping)
