"""Referrals: who asked whom for what, and how far it is. Numbers are sealed, and found again by keyed tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import RowMapping, func, insert, select, update

from hub.storage.rows import made
from hub.storage.sealing import Seals, open_json, reseal, seal_json
from hub.storage.store import Unit
from hub.storage.tables import case, referral, referral_token

UNANSWERED: Final = "unanswered"
UNFINISHED: Final = "unfinished"


@dataclass(frozen=True, slots=True)
class Referral:
    """One referral, without its numbers."""

    id: str
    case: str
    requester: str
    performer: str | None
    service: str | None
    state: str
    state_at: datetime
    asked: tuple[str, ...]
    opened_at: datetime
    deadline: datetime | None
    closed_at: datetime | None
    answer_by: datetime | None
    """Until when its performer has time to answer; None = it is not watched."""
    late: str | None
    """What a person was called for: ``unanswered``, ``unfinished``."""
    version: int


def add(unit: Unit, vault: Seals, key: str, new: Referral, numbers: Mapping[str, Any], order_token: str | None) -> None:
    """Keep a new referral; `numbers` holds what identifies it elsewhere."""
    row: dict[str, Any] = {name: getattr(new, name) for name in new.__slots__}
    sealed = seal_json(unit, vault, key, numbers, f"referral:{new.id}")
    unit.execute(insert(referral).values(row | {"asked": list(new.asked), "body": sealed, "order_token": order_token}))


def get(unit: Unit, referral_id: str) -> Referral | None:
    """One referral."""
    found = unit.execute(select(referral).where(referral.c.id == referral_id)).mappings().first()
    return _made(found) if found else None


def of_case(unit: Unit, case_id: str) -> tuple[Referral, ...]:
    """A case's referrals, oldest first."""
    rows = unit.execute(
        select(referral).where(referral.c["case"] == case_id).order_by(referral.c.opened_at, referral.c.id)
    ).mappings()
    return tuple(_made(row) for row in rows)


def numbers_of(unit: Unit, vault: Seals, referral_id: str) -> dict[str, Any]:
    """Placer and filler numbers and the decision claimed."""
    sealed, key = unit.execute(
        select(referral.c.body, case.c.vault_key)
        .join(case, case.c.id == referral.c["case"])
        .where(referral.c.id == referral_id)
    ).one()
    return (
        {} if sealed is None else cast(dict[str, Any], open_json(unit, vault, key, sealed, f"referral:{referral_id}"))
    )


def set_state(unit: Unit, referral_id: str, state: str, at: datetime, closed: bool) -> None:
    """Move a referral on; its version grows."""
    unit.execute(
        update(referral)
        .where(referral.c.id == referral_id)
        .values(state=state, state_at=at, closed_at=at if closed else None, version=referral.c.version + 1)
    )


def fall_late(unit: Unit, unanswered: str, at: datetime) -> tuple[Referral, ...]:
    """Mark what became late, and give it: once in the state `unanswered` past its time, once open past its end."""
    still_open = update(referral).where(referral.c.closed_at.is_(None))
    silent = still_open.where(referral.c.state == unanswered, referral.c.answer_by <= at, referral.c.late.is_(None))
    undone = still_open.where(referral.c.deadline <= at, func.coalesce(referral.c.late, "") != UNFINISHED)
    found: list[Referral] = []
    for late, name in ((silent, UNANSWERED), (undone, UNFINISHED)):
        found += [_made(row) for row in unit.execute(late.values(late=name).returning(referral)).mappings()]
    return tuple(found)


def add_tokens(unit: Unit, referral_id: str, tokens: Iterable[str]) -> None:
    """By what it will be found again; known ones stay."""
    wanted = set(tokens)
    held = set(unit.execute(select(referral_token.c.token).where(referral_token.c.referral == referral_id)).scalars())
    rows = [{"token": token, "referral": referral_id} for token in sorted(wanted - held)]
    if rows:
        unit.execute(insert(referral_token), rows)


def known_by(unit: Unit, tokens: Iterable[str]) -> tuple[Referral, ...]:
    """Referrals that any of these tokens names, oldest first."""
    wanted = list(tokens)
    if not wanted:
        return ()
    rows = unit.execute(
        select(referral)
        .where(referral.c.id.in_(select(referral_token.c.referral).where(referral_token.c.token.in_(wanted))))
        .order_by(referral.c.opened_at, referral.c.id)
    ).mappings()
    return tuple(_made(row) for row in rows)


def move(unit: Unit, vault: Seals, source: tuple[str, str], target: tuple[str, str], back: bool = False) -> int:
    """Re-seal and move referrals between cases (case, key); as `strands.move`; how many."""
    (here, old), (there, new) = source, target
    wanted = select(referral.c.id, referral.c.body).where(referral.c["case"] == here)
    rows = unit.execute(wanted.where(referral.c.moved_from == there) if back else wanted).all()
    for id_, body in rows:
        sealed = None if body is None else reseal(unit, vault, old, new, body, f"referral:{id_}")
        changed = {"case": there, "moved_from": None if back else here, "body": sealed}
        unit.execute(update(referral).where(referral.c.id == id_).values(changed))
    return len(rows)


def _made(row: RowMapping) -> Referral:
    return made(Referral, dict(row) | {"asked": tuple(row["asked"])})
