"""Which processes of the hub run, run no longer, or are not known to have stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from hub.errors import NotFound
from hub.storage.store import Unit
from hub.storage.tables import process


@dataclass(frozen=True, slots=True)
class Process:
    """One process as it announced itself."""

    id: str
    host: str
    """Machine, boot and process namespace, so that the pid means something (:mod:`hub.presence`)."""
    pid: int
    ticks: int | None
    """When it started, in clock ticks since the boot; None where the system does not say."""
    started_at: datetime
    heartbeat_at: datetime
    ended_at: datetime | None
    """Left in order, or confirmed dead."""


def announce(unit: Unit, process_id: str, host: str, pid: int, ticks: int | None, at: datetime) -> None:
    """A process begins to work."""
    row = {"id": process_id, "host": host, "pid": pid, "ticks": ticks, "started_at": at, "heartbeat_at": at}
    unit.execute(insert(process).values(row))


def known(unit: Unit, process_id: str) -> bool:
    """Whether it has announced itself."""
    return unit.scalar(select(process.c.id).where(process.c.id == process_id)) is not None


def beat(unit: Unit, process_id: str, at: datetime) -> bool:
    """The process still runs; False when it was taken for dead, and then it must stop sending at once."""
    running = update(process).where(process.c.id == process_id, process.c.ended_at.is_(None))
    return unit.execute(running.values(heartbeat_at=at)).rowcount == 1


def end(unit: Unit, process_id: str, at: datetime) -> None:
    """The process left in order, or is confirmed dead; either way it sends nothing any more."""
    unit.execute(update(process).where(process.c.id == process_id, process.c.ended_at.is_(None)).values(ended_at=at))


def get(unit: Unit, process_id: str) -> Process:
    """One process. Raises :class:`hub.errors.NotFound`."""
    row = unit.execute(select(process).where(process.c.id == process_id)).one_or_none()
    if row is None:
        raise NotFound
    return _process(row)


def running(unit: Unit) -> list[Process]:
    """Processes not known to have ended, by id: some of them may be dead without anyone having confirmed it."""
    return [_process(row) for row in unit.execute(select(process).where(process.c.ended_at.is_(None)).order_by("id"))]


def _process(row: Row[Any]) -> Process:
    return Process(**row._mapping)
