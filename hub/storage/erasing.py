"""Erasing one child's case: its keys are destroyed, and whatever could find the child again is deleted.

What was sealed stays where it is and can never be read again; ids, codes and times stay, so that the ledger is whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy import delete, select, update

from hub.storage import persons
from hub.storage.persons import Case
from hub.storage.store import Unit
from hub.storage.tables import case, message, person_record, person_token, referral, referral_token, strand


class Destroys(Protocol):
    """What erasing needs of the vault."""

    def destroy(self, unit: Unit, key_id: str, at: datetime) -> None:
        """Erase a key."""


def erase(unit: Unit, vault: Destroys, held: Case, at: datetime) -> None:
    """Erase a case and those that were joined with it. An original about another child too lives to its own end."""
    people = [held.person, *(each.id for each in persons.linked(unit, held.person))]
    rows = unit.execute(select(case.c.id, case.c.vault_key).where(case.c.person.in_(people)))
    cases = {row.id: row.vault_key for row in rows}
    for key in (*cases.values(), *_originals(unit, list(cases))):
        vault.destroy(unit, key, at)
    for table in (person_record, person_token):
        unit.execute(delete(table).where(table.c.person.in_(people)))
    theirs = select(referral.c.id).where(referral.c.case.in_(cases))
    unit.execute(delete(referral_token).where(referral_token.c.referral.in_(theirs)))
    unit.execute(update(referral).where(referral.c.case.in_(cases)).values(order_token=None, body=None))
    unit.execute(update(strand).where(strand.c.case.in_(cases)).values(focus=None))
    for id_ in cases:
        persons.set_case(unit, id_, "erased", held.closed_at)


def _originals(unit: Unit, cases: list[str]) -> list[str]:
    """Intake keys of the messages that were about nobody else."""
    said = select(strand.c.message).where(strand.c.case.in_(cases), strand.c.message.is_not(None))
    others = select(strand.c.message).where(strand.c.case.not_in(cases), strand.c.message.is_not(None))
    kept = select(message.c.intake_key).where(message.c.id.in_(said), message.c.id.not_in(others))
    return [key for key in unit.scalars(kept) if key is not None]
