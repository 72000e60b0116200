"""Records facts: one version after another, each counted in the case's epoch."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

from hub.errors import Fault, Invalid, NotFound
from hub.facts.bodies import Body, read_body
from hub.storage import facts, persons
from hub.storage.ids import new_id
from hub.storage.sealing import Seals
from hub.storage.store import Unit


def record(
    unit: Unit,
    vault: Seals,
    case_id: str,
    kind: str,
    body: Mapping[str, Any],
    at: datetime,
    by: str,
    fact_id: str = "",
) -> facts.Fact:
    """Keep a new fact, or the next version of `fact_id`; the case's epoch grows and the case stays locked.

    Raises :class:`hub.errors.Invalid`, or `NotFound` when the case holds no such fact of that kind.
    """
    case = persons.get_case(unit, case_id, lock=True)
    checked = read_body(kind, dict(body))
    _require_persons(unit, vault, case, checked)
    version = newest(unit, vault, case_id, fact_id, kind).version + 1 if fact_id else 1
    kept = facts.Fact(
        fact_id or new_id(),
        version,
        case_id,
        kind,
        checked.model_dump(mode="json", exclude_defaults=True),
        persons.next_epoch(unit, case_id),
        at,
        by,
        True,
    )
    facts.add(unit, vault, case.vault_key, kept)
    return kept


def newest(unit: Unit, vault: Seals, case_id: str, fact_id: str, kind: str = "") -> facts.Fact:
    """The newest version of a fact of this case. Raises :class:`hub.errors.NotFound`."""
    case = persons.get_case(unit, case_id)
    for each in facts.of_case(unit, vault, case.vault_key, case_id):
        if each.id == fact_id and kind in ("", each.kind):
            return each
    raise NotFound


def suspend_consents(unit: Unit, vault: Seals, case_id: str, at: datetime, by: str) -> bool:
    """An agency reports a withdrawal: each consent of the case waits until a person has looked; whether any does."""
    case = persons.get_case(unit, case_id, lock=True)
    held = [each for each in facts.of_case(unit, vault, case.vault_key, case_id) if each.kind == "consent"]
    standing = [each for each in held if not each.body.get("suspended") and not each.body.get("withdrawn_at")]
    for each in standing:
        record(unit, vault, case_id, "consent", {**each.body, "suspended": True}, at, by, each.id)
    return bool(standing)


def require_known(body: Body, agencies: Container[str]) -> None:
    """Refuse a fact that names an agency that the registry does not have. Raises :class:`hub.errors.Invalid`."""
    if any(each not in agencies for each in body.agencies()):
        fault = Fault("agency", "unknown", "use the id of a registered agency")
        raise Invalid("The fact names an agency that is not registered.", faults=(fault,))


def _require_persons(unit: Unit, vault: Seals, case: persons.Case, body: Body) -> None:
    named = set(body.persons()) - {case.person} - {each.id for each in persons.linked(unit, case.person)}
    if named and not named <= set(facts.related(unit, vault, case.vault_key, case.id)):
        fault = Fault("person", "unknown", "record the related person first and use the id given")
        raise Invalid("The fact names a person that this case does not have.", faults=(fault,))
