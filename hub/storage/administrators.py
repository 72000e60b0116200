"""Keeps administrators: who may do what, and the public keys with which they prove who they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select

from hub.storage.store import Unit
from hub.storage.tables import administrator


@dataclass(frozen=True, slots=True)
class Administrator:
    """A person who works on the hub itself."""

    id: str
    roles: tuple[str, ...]
    jwks: Mapping[str, Any]
    created_at: datetime
    disabled_at: datetime | None


def add(unit: Unit, administrator_id: str, roles: Iterable[str], jwks: Mapping[str, Any], at: datetime) -> bool:
    """Keep a new administrator; False, and nothing kept, if the id is taken."""
    if get(unit, administrator_id) is not None:
        return False
    unit.execute(
        administrator.insert().values(
            id=administrator_id, roles=sorted(roles), jwks=dict(jwks), created_at=at, disabled_at=None
        )
    )
    return True


def get(unit: Unit, administrator_id: str) -> Administrator | None:
    """The administrator, disabled or not."""
    row = unit.execute(select(administrator).where(administrator.c.id == administrator_id)).one_or_none()
    return None if row is None else _read(row._mapping)


def everyone(unit: Unit) -> list[Administrator]:
    """All administrators, by id."""
    return [_read(row._mapping) for row in unit.execute(select(administrator).order_by(administrator.c.id))]


def disable(unit: Unit, administrator_id: str, at: datetime) -> bool:
    """From `at` on the administrator may do nothing; False if there is none in force."""
    done = unit.execute(
        administrator.update()
        .where(administrator.c.id == administrator_id, administrator.c.disabled_at.is_(None))
        .values(disabled_at=at)
    )
    return done.rowcount == 1


def set_keys(unit: Unit, administrator_id: str, jwks: Mapping[str, Any]) -> bool:
    """Replace the public keys; False if there is no such administrator."""
    done = unit.execute(administrator.update().where(administrator.c.id == administrator_id).values(jwks=dict(jwks)))
    return done.rowcount == 1


def _read(row: RowMapping) -> Administrator:
    return Administrator(row["id"], tuple(row["roles"]), row["jwks"], row["created_at"], row["disabled_at"])
