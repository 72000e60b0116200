"""The ledger: what was accepted, told, changed and read, by whom and on what ground. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, or_, select

from hub.storage.ids import new_id
from hub.storage.store import Unit
from hub.storage.tables import audit


@dataclass(frozen=True, slots=True)
class Entry:
    """One row to be written; holds opaque ids and codes, no personal data outside `replay`."""

    kind: str
    """``accepted``, ``attempt``, ``outcome``, ``withheld``, ``fact``, ``withdrawal``, ``read``, ``admin``, ..."""
    actor: str
    """Agency id, administrator id, or ``hub``."""
    agency: str | None = None
    """The agency told, if one was."""
    case: str | None = None
    message: str | None = None
    strand: str | None = None
    delivery: str | None = None
    attempt: str | None = None
    outcome: str | None = None
    reasons: tuple[str, ...] = ()
    """Reason codes and rules."""
    policy_version: str | None = None
    input_hash: str | None = None
    read: tuple[tuple[str, str, int], ...] = ()
    """(kind, fact id, version) of each fact that was read."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    replay: bytes | None = field(default=None, repr=False)
    """The decision's arguments and answer, sealed under the case's key."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the ledger."""

    id: str
    at: datetime
    entry: Entry


def record(unit: Unit, entry: Entry, at: datetime) -> str:
    """Add a row and return its id."""
    row = {name: getattr(entry, name) for name in Entry.__slots__}
    row |= {
        "id": new_id(),
        "at": at,
        "reasons": list(entry.reasons),
        "read": [list(reference) for reference in entry.read],
        "detail": dict(entry.detail),
    }
    unit.execute(insert(audit).values(row))
    return str(row["id"])


def get(unit: Unit, row_id: str) -> Recorded | None:
    """One row by its id."""
    row = unit.execute(select(audit).where(audit.c.id == row_id)).one_or_none()
    return None if row is None else _recorded(row)


def listing(
    unit: Unit,
    *,
    case: str | None = None,
    agency: str | None = None,
    delivery: str | None = None,
    message: str | None = None,
    kinds: Collection[str] = (),
    since: datetime | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 200,
) -> list[Recorded]:
    """Rows that fit, the oldest first; `after` is (at, id) of the last one already seen."""
    found = select(audit).order_by(audit.c.at, audit.c.id).limit(limit)
    wanted = {"case": case, "agency": agency, "delivery": delivery, "message": message}
    for name, value in wanted.items():
        if value is not None:
            found = found.where(audit.c[name] == value)
    if kinds:
        found = found.where(audit.c.kind.in_(list(kinds)))
    if since is not None:
        found = found.where(audit.c.at >= since)
    if after is not None:
        found = found.where(or_(audit.c.at > after[0], and_(audit.c.at == after[0], audit.c.id > after[1])))
    return [_recorded(row) for row in unit.execute(found)]


def _recorded(row: Row[Any]) -> Recorded:
    values = dict(row._mapping)
    values["reasons"] = tuple(row.reasons)
    values["read"] = tuple((kind, fact, version) for kind, fact, version in row.read)
    return Recorded(values.pop("id"), values.pop("at"), Entry(**values))
