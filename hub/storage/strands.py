"""One child's part of a message: canonical bundle and the child's own source leaves, sealed under the case's key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import insert, select, update

from hub.storage.deliveries import next_seq
from hub.storage.rows import all_made, made
from hub.storage.sealing import Seals, open_json, reseal, seal_json
from hub.storage.store import Unit
from hub.storage.tables import case, strand


@dataclass(frozen=True, slots=True)
class Strand:
    """A strand as kept, without its content."""

    id: str
    message: str | None
    ordinal: int
    agency: str
    person: str
    case: str
    referral: str | None
    event: str
    state: str
    created_at: datetime
    focus: str | None
    moved_from: str | None


def add(unit: Unit, vault: Seals, key: str, kept: Strand, bundle: Mapping[str, Any], leaves: Mapping[str, str]) -> None:
    """Keep a strand under its case's key, behind what its case holds already; the case stays locked."""
    row: dict[str, Any] = {name: getattr(kept, name) for name in kept.__slots__}
    row["seq"] = next_seq(unit, kept.case)
    row["bundle"] = seal_json(unit, vault, key, bundle, f"strand:{kept.id}")
    row["leaves"] = seal_json(unit, vault, key, leaves, f"leaves:{kept.id}") if leaves else None
    unit.execute(insert(strand).values(row))


def get(unit: Unit, strand_id: str) -> Strand | None:
    """One strand."""
    found = unit.execute(select(strand).where(strand.c.id == strand_id)).mappings().first()
    return made(Strand, found) if found else None


def bundle_of(unit: Unit, vault: Seals, strand_id: str) -> dict[str, Any]:
    """Its labelled canonical bundle. Raises :class:`hub.errors.KeyLost` once the case was erased."""
    sealed, key = unit.execute(
        select(strand.c.bundle, case.c.vault_key)
        .join(case, case.c.id == strand.c["case"])
        .where(strand.c.id == strand_id)
    ).one()
    return cast(dict[str, Any], open_json(unit, vault, key, sealed, f"strand:{strand_id}"))


def of_case(unit: Unit, case_id: str) -> tuple[Strand, ...]:
    """All strands of a case, oldest first."""
    rows = unit.execute(select(strand).where(strand.c["case"] == case_id).order_by(strand.c.seq)).mappings()
    return all_made(Strand, rows)


def of_message(unit: Unit, message_id: str) -> tuple[Strand, ...]:
    """The strands that a message was split into."""
    rows = unit.execute(select(strand).where(strand.c.message == message_id).order_by(strand.c.ordinal)).mappings()
    return all_made(Strand, rows)


def current_of(strands: tuple[Strand, ...]) -> tuple[Strand, ...]:
    """Of strands given oldest first, only the newest of each focus: what holds now."""
    newest = {(each.agency, each.event, each.focus or each.id): each.id for each in strands}
    kept = set(newest.values())
    return tuple(each for each in strands if each.id in kept)


def set_state(unit: Unit, strand_id: str, state: str) -> None:
    """Ready, held or unrouted."""
    unit.execute(update(strand).where(strand.c.id == strand_id).values(state=state))


def mark_moved(unit: Unit, strand_id: str, from_case: str) -> None:
    """Say that a strand belongs to another case, so that undoing the link takes it there."""
    unit.execute(update(strand).where(strand.c.id == strand_id).values(moved_from=from_case))


def move(unit: Unit, vault: Seals, source: tuple[str, str], target: tuple[str, str, str], back: bool = False) -> int:
    """Re-seal and move strands from `source` (case, key) to `target` (case, key, person); how many.

    With `back`, only those that a link had taken from the target before, and their mark is removed.
    """
    here, old = source
    there, new, person = target
    wanted = select(strand.c.id, strand.c.bundle, strand.c.leaves).where(strand.c["case"] == here)
    wanted = wanted.order_by(strand.c.seq)
    rows = unit.execute(wanted.where(strand.c.moved_from == there) if back else wanted).all()
    for id_, bundle, leaves in rows:
        changed: dict[str, Any] = {
            "case": there,
            "person": person,
            "seq": next_seq(unit, there),
            "moved_from": None if back else here,
            "bundle": reseal(unit, vault, old, new, bundle, f"strand:{id_}"),
            "leaves": None if leaves is None else reseal(unit, vault, old, new, leaves, f"leaves:{id_}"),
        }
        unit.execute(update(strand).where(strand.c.id == id_).values(changed))
    return len(rows)
