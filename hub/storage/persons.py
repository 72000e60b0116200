"""Children, their cases, and the blind indexes by which a later message finds them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import delete, insert, select, update

from hub.errors import NotFound
from hub.storage.ids import new_id
from hub.storage.rows import all_made, made
from hub.storage.sealing import Seals, open_json, seal_json
from hub.storage.store import Unit
from hub.storage.tables import case, person, person_record, person_token


@dataclass(frozen=True, slots=True)
class Person:
    """One child across agencies."""

    id: str
    provisional: bool
    linked_to: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """One child's protection case. `epoch` counts changes of its facts."""

    id: str
    person: str
    vault_key: str
    state: str
    opened_at: datetime
    closed_at: datetime | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Token:
    """A blind index entry: `token` is an HMAC, `kind` is identifier, name or birth-date."""

    kind: str
    token: str


def add_person(unit: Unit, at: datetime, provisional: bool) -> Person:
    """A child not known before."""
    new = Person(new_id(), provisional, None, at)
    unit.execute(insert(person).values(id=new.id, provisional=provisional, linked_to=None, created_at=at))
    return new


def open_case(unit: Unit, person_id: str, vault_key: str, state: str, at: datetime) -> Case:
    """A case of a person: provisional or open."""
    new = Case(new_id(), person_id, vault_key, state, at, None, 0)
    row: dict[str, Any] = {name: getattr(new, name) for name in new.__slots__}
    unit.execute(insert(case).values(row | {"next_seq": 1}))
    return new


def get_person(unit: Unit, person_id: str) -> Person:
    """One person. Raises :class:`hub.errors.NotFound`."""
    found = unit.execute(select(person).where(person.c.id == person_id)).mappings().first()
    if found is None:
        raise NotFound
    return made(Person, found)


def get_case(unit: Unit, case_id: str, lock: bool = False) -> Case:
    """One case; with `lock`, nobody changes it before this transaction ends. Raises :class:`hub.errors.NotFound`."""
    wanted = select(case).where(case.c.id == case_id)
    found = unit.execute(wanted.with_for_update() if lock else wanted).mappings().first()
    if found is None:
        raise NotFound
    return made(Case, found)


def case_of(unit: Unit, person_id: str) -> Case:
    """The person's case that is not closed, else the newest. Raises :class:`hub.errors.NotFound`."""
    found = (
        unit.execute(
            select(case)
            .where(case.c.person == person_id)
            .order_by(case.c.closed_at.is_not(None), case.c.opened_at.desc())
        )
        .mappings()
        .first()
    )
    if found is None:
        raise NotFound
    return made(Case, found)


def cases(unit: Unit) -> tuple[Case, ...]:
    """Every case that is not merged into another, oldest first."""
    rows = unit.execute(select(case).where(case.c.state != "merged").order_by(case.c.opened_at)).mappings()
    return all_made(Case, rows)


def set_case(unit: Unit, case_id: str, state: str, closed_at: datetime | None = None) -> None:
    """Provisional, open, closed, merged or erased."""
    unit.execute(update(case).where(case.c.id == case_id).values(state=state, closed_at=closed_at))


def set_person(unit: Unit, person_id: str, *, provisional: bool, linked_to: str | None) -> None:
    """What a match review found."""
    unit.execute(update(person).where(person.c.id == person_id).values(provisional=provisional, linked_to=linked_to))


def linked(unit: Unit, person_id: str) -> tuple[Person, ...]:
    """Persons that were found to be this one."""
    return all_made(Person, unit.execute(select(person).where(person.c.linked_to == person_id)).mappings())


def next_epoch(unit: Unit, case_id: str) -> int:
    """Count one change of facts; the caller holds the case's lock."""
    unit.execute(update(case).where(case.c.id == case_id).values(epoch=case.c.epoch + 1))
    return int(unit.execute(select(case.c.epoch).where(case.c.id == case_id)).scalar_one())


def known_by(unit: Unit, tokens: Iterable[str]) -> dict[str, frozenset[str]]:
    """Persons by token."""
    found: dict[str, set[str]] = {}
    wanted = list(tokens)
    if not wanted:
        return {}
    rows = unit.execute(select(person_token.c.token, person_token.c.person).where(person_token.c.token.in_(wanted)))
    for token, person_id in rows:
        found.setdefault(token, set()).add(person_id)
    return {token: frozenset(persons) for token, persons in found.items()}


def add_tokens(unit: Unit, person_id: str, tokens: Iterable[Token]) -> None:
    """Index a person; what is indexed already stays as it is."""
    wanted = {each.token: each.kind for each in tokens}
    held = set(
        unit.execute(
            select(person_token.c.token).where(
                person_token.c.person == person_id, person_token.c.token.in_(list(wanted))
            )
        ).scalars()
    )
    rows = [{"token": t, "kind": k, "person": person_id} for t, k in sorted(wanted.items()) if t not in held]
    if rows:
        unit.execute(insert(person_token), rows)


def add_record(
    unit: Unit, vault: Seals, key: str, person_id: str, agency: str, record: Mapping[str, Any], at: datetime
) -> None:
    """Keep how an agency calls a person: names, birth date, sex, place; one record for each agency, the newest."""
    unit.execute(delete(person_record).where(person_record.c.person == person_id, person_record.c.agency == agency))
    id_ = new_id()
    unit.execute(
        insert(person_record).values(
            id=id_,
            person=person_id,
            agency=agency,
            record=seal_json(unit, vault, key, record, f"person_record:{id_}"),
            vault_key=key,
            recorded_at=at,
        )
    )


def records(unit: Unit, vault: Seals, person_id: str) -> tuple[dict[str, Any], ...]:
    """How each agency calls a person: `{agency, recorded_at, ...}`."""
    rows = unit.execute(
        select(person_record).where(person_record.c.person == person_id).order_by(person_record.c.recorded_at)
    ).mappings()
    return tuple(
        cast(dict[str, Any], open_json(unit, vault, row["vault_key"], row["record"], f"person_record:{row['id']}"))
        | {"agency": row["agency"], "recorded_at": row["recorded_at"]}
        for row in rows
    )


def clear_tokens(unit: Unit, person_id: str) -> None:
    """Take a person out of the index, before it is indexed anew."""
    unit.execute(delete(person_token).where(person_token.c.person == person_id))
