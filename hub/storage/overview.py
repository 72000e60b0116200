"""What operators look at: messages, refusals and deliveries by state; opaque ids and codes, no personal data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Table, func, select

from hub.storage.store import Unit
from hub.storage.tables import delivery, message, refusal, vault_key

MESSAGE: tuple[str, ...] = ("id", "agency", "transport", "type", "event", "pack", "state", "received_at")
DELIVERY: tuple[str, ...] = (
    "id", "strand", "agency", "addressee", "lane", "state", "event", "route", "created_at", "due_at", "deadline",
    "tries", "last_failure", "closed_at",
)  # fmt: skip
REFUSAL: tuple[str, ...] = ("id", "agency", "at", "transport", "type", "faults")


def messages(unit: Unit, *, agency: str = "", state: str = "", limit: int = 100) -> list[Mapping[str, Any]]:
    """The newest messages, newest first."""
    return _newest(unit, message, MESSAGE, "received_at", {"agency": agency, "state": state}, limit)


def deliveries(
    unit: Unit, *, agency: str = "", state: str = "", strands: tuple[str, ...] | None = None, limit: int = 100
) -> list[Mapping[str, Any]]:
    """The newest deliveries, newest first; of certain strands with `strands`."""
    return _newest(unit, delivery, DELIVERY, "created_at", {"agency": agency, "state": state}, limit, strands)


def refusals(unit: Unit, *, agency: str = "", limit: int = 100) -> list[Mapping[str, Any]]:
    """The newest refusals, newest first."""
    return _newest(unit, refusal, REFUSAL, "at", {"agency": agency}, limit)


def delivery_counts(unit: Unit) -> dict[str, int]:
    """How many deliveries are in each state."""
    found = select(delivery.c.state, func.count()).group_by(delivery.c.state)
    return {state: int(count) for state, count in unit.execute(found)}


def oldest_waiting(unit: Unit, fetching: Collection[str] = ()) -> datetime | None:
    """When the delivery that has waited longest for the hub was due; None when nothing waits.

    What waits for an agency that fetches (`fetching`) waits for that agency.
    """
    addressee = func.coalesce(delivery.c.addressee, delivery.c.agency)
    waiting = select(func.min(delivery.c.due_at)).where(delivery.c.state == "pending", addressee.not_in(fetching))
    found: datetime | None = unit.scalar(waiting)
    return found


def some_key(unit: Unit) -> str | None:
    """Id of any vault key that was not destroyed: to try the root key on."""
    found: str | None = unit.scalar(select(vault_key.c.id).where(vault_key.c.wrapped.is_not(None)).limit(1))
    return found


def database_time(unit: Unit) -> datetime | None:
    """The database server's clock; None where it is this machine's (SQLite)."""
    if unit.dialect.name == "sqlite":
        return None
    found: datetime | None = unit.scalar(select(func.now()))
    return found


def _newest(
    unit: Unit,
    table: Table,
    columns: tuple[str, ...],
    moment: str,
    wanted: Mapping[str, str],
    limit: int,
    strands: tuple[str, ...] | None = None,
) -> list[Mapping[str, Any]]:
    found = select(*(table.c[name] for name in columns)).order_by(table.c[moment].desc(), table.c.id).limit(limit)
    for name, value in wanted.items():
        if value:
            found = found.where(table.c[name] == value)
    if strands is not None:
        found = found.where(table.c.strand.in_(strands))
    return [dict(row._mapping) for row in unit.execute(found)]
