"""Keeps registry entries: every version of every agency, the newest last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from hub.storage.store import Unit
from hub.storage.tables import agency


@dataclass(frozen=True, slots=True)
class AgencyVersion:
    """One version of an entry."""

    id: str
    version: int
    document: Mapping[str, Any]
    recorded_at: datetime
    recorded_by: str


def add_version(unit: Unit, agency_id: str, document: Mapping[str, Any], at: datetime, by: str) -> int:
    """Keep `document` as the newest version; return its number (from 1)."""
    newest = unit.execute(select(func.max(agency.c.version)).where(agency.c.id == agency_id)).scalar()
    version = int(newest or 0) + 1
    unit.execute(
        agency.insert().values(id=agency_id, version=version, document=dict(document), recorded_at=at, recorded_by=by)
    )
    return version


def newest(unit: Unit) -> list[AgencyVersion]:
    """The newest version of every agency, by id."""
    last = select(agency.c.id, func.max(agency.c.version).label("version")).group_by(agency.c.id).subquery()
    rows = unit.execute(
        select(agency)
        .join(last, (agency.c.id == last.c.id) & (agency.c.version == last.c.version))
        .order_by(agency.c.id)
    )
    return [AgencyVersion(**row._mapping) for row in rows]


def history(unit: Unit, agency_id: str) -> list[AgencyVersion]:
    """Every version of one agency, oldest first; empty if there is none."""
    rows = unit.execute(select(agency).where(agency.c.id == agency_id).order_by(agency.c.version))
    return [AgencyVersion(**row._mapping) for row in rows]
