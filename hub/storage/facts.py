"""Facts of a case, every version of them, sealed under the case's key; and the persons that they speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import insert, select, update

from hub.storage.ids import new_id
from hub.storage.sealing import Seals, open_json, reseal, seal_json
from hub.storage.store import Unit
from hub.storage.tables import fact, related_person


@dataclass(frozen=True, slots=True)
class Fact:
    """One version of one fact."""

    id: str
    version: int
    case: str
    kind: str
    body: Mapping[str, Any]
    epoch: int
    recorded_at: datetime
    recorded_by: str
    current: bool


def add(unit: Unit, vault: Seals, key: str, new: Fact) -> None:
    """Keep a version; the one before is no longer current."""
    unit.execute(update(fact).where(fact.c.id == new.id, fact.c.current).values(current=False))
    unit.execute(
        insert(fact).values(
            id=new.id,
            version=new.version,
            case=new.case,
            kind=new.kind,
            body=seal_json(unit, vault, key, new.body, f"fact:{new.id}:{new.version}"),
            epoch=new.epoch,
            recorded_at=new.recorded_at,
            recorded_by=new.recorded_by,
            current=True,
        )
    )


def of_case(unit: Unit, vault: Seals, key: str, case_id: str, *, all_versions: bool = False) -> tuple[Fact, ...]:
    """A case's facts, oldest first; only their newest versions unless `all_versions`."""
    wanted = select(fact).where(fact.c["case"] == case_id).order_by(fact.c.epoch, fact.c.id, fact.c.version)
    rows = unit.execute(wanted if all_versions else wanted.where(fact.c.current)).mappings()
    return tuple(
        Fact(
            row["id"],
            row["version"],
            row["case"],
            row["kind"],
            cast(dict[str, Any], open_json(unit, vault, key, row["body"], f"fact:{row['id']}:{row['version']}")),
            row["epoch"],
            row["recorded_at"],
            row["recorded_by"],
            row["current"],
        )
        for row in rows
    )


def add_related(
    unit: Unit, vault: Seals, key: str, case_id: str, body: Mapping[str, Any], at: datetime, by: str
) -> str:
    """Keep a related person of a case; answers the opaque id."""
    id_ = new_id()
    unit.execute(
        insert(related_person).values(
            id=id_,
            case=case_id,
            body=seal_json(unit, vault, key, body, f"related_person:{id_}"),
            recorded_at=at,
            recorded_by=by,
        )
    )
    return id_


def related(unit: Unit, vault: Seals, key: str, case_id: str) -> dict[str, dict[str, Any]]:
    """Related persons of a case by id."""
    rows = unit.execute(select(related_person).where(related_person.c["case"] == case_id)).mappings()
    return {row["id"]: open_json(unit, vault, key, row["body"], f"related_person:{row['id']}") for row in rows}


def move(unit: Unit, vault: Seals, source: tuple[str, str], target: tuple[str, str], back: bool = False) -> int:
    """Re-seal and move facts and related persons between cases (case, key); as `strands.move`; how many."""
    (here, old), (there, new) = source, target
    mark = {"case": there, "moved_from": None if back else here}
    wanted = select(fact.c.id, fact.c.version, fact.c.body).where(fact.c["case"] == here)
    rows = unit.execute(wanted.where(fact.c.moved_from == there) if back else wanted).all()
    for id_, version, body in rows:
        sealed = reseal(unit, vault, old, new, body, f"fact:{id_}:{version}")
        unit.execute(update(fact).where(fact.c.id == id_, fact.c.version == version).values(mark | {"body": sealed}))
    people = select(related_person.c.id, related_person.c.body).where(related_person.c["case"] == here)
    found = unit.execute(people.where(related_person.c.moved_from == there) if back else people).all()
    for id_, body in found:
        sealed = reseal(unit, vault, old, new, body, f"related_person:{id_}")
        unit.execute(update(related_person).where(related_person.c.id == id_).values(mark | {"body": sealed}))
    return len(rows) + len(found)
