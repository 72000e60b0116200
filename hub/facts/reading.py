"""Reads the facts of a case for a decision, as of the case's present epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from consent import model
from consent.model import FactRef, Facts
from consent.vocabulary import DataClass, Event
from hub.facts.bodies import BirthDate, read_body
from hub.states import DeliveryState
from hub.storage import deliveries, facts, persons, referrals
from hub.storage.sealing import Seals
from hub.storage.store import Unit

FIELDS = {
    "guardian": "relationships",
    "household": "relationships",
    "kin": "relationships",
    "associate": "relationships",
    "staff": "relationships",
    "suspect": "suspicions",
    "no-contact": "no_contacts",
    "order": "orders",
    "refusal": "refusals",
    "team": "team",
    "treating": "treating",
    "plan": "plans",
    "emergency": "emergencies",
    "report": "reports",
    "authority": "authorities",
    "consent": "consents",
}
"""Which part of `Facts` a kind goes to; claims and withdrawals go to none."""


def facts_of(unit: Unit, vault: Seals, case_id: str, zone: str = "Asia/Ho_Chi_Minh") -> Facts:
    """Everything that a decision about this case may read. Raises `NotFound`, `KeyLost`."""
    case = persons.get_case(unit, case_id)
    child = persons.get_person(unit, case.person)
    kept = facts.of_case(unit, vault, case.vault_key, case_id)
    aliases = frozenset(each.id for each in persons.linked(unit, case.person))
    born, born_ref = _birth(kept)
    parts: dict[str, list[Any]] = {name: [] for name in FIELDS.values()}
    for each in kept:
        if each.kind in FIELDS:
            body: Any = read_body(each.kind, own_name(each.body, aliases, case.person))
            parts[FIELDS[each.kind]].append(body.read(FactRef(each.kind, each.id, each.version), case.person))
    told = _told(unit, case_id)
    parts["reports"] = [replace(each, told=tuple(sorted({*each.told, *told}))) for each in parts["reports"]]
    recorded: dict[str, Any] = {name: tuple(values) for name, values in parts.items()}
    return Facts(
        person=case.person,
        birth_date=born,
        birth_ref=born_ref,
        match_certain=not child.provisional,
        **recorded,
        referrals=_referrals(unit, vault, case_id),
        case_closed=case.closed_at,
        zone=zone,
        epoch=case.epoch,
    )


def own_name(body: Any, aliases: frozenset[str], child: str) -> Any:
    """The same body with the child under its one id, where a linked record calls it by another."""
    if isinstance(body, str):
        return child if body in aliases else body
    if isinstance(body, Mapping):
        return {key: own_name(value, aliases, child) for key, value in body.items()}
    if isinstance(body, list):
        return [own_name(value, aliases, child) for value in body]
    return body


def _told(unit: Unit, case_id: str) -> tuple[str, ...]:
    """Agencies that hold a report of this case (R23)."""
    reports = deliveries.listing(unit, case_id=case_id, event=Event.REPORT, states=(DeliveryState.DELIVERED,))
    return tuple(sorted({each.addressee or each.agency for each in reports}))


def _birth(kept: Iterable[facts.Fact]) -> tuple[date | None, FactRef | None]:
    for each in sorted((each for each in kept if each.kind == "birth-date"), key=lambda each: -each.epoch):
        body = read_body(each.kind, dict(each.body))
        assert isinstance(body, BirthDate)
        return body.date, FactRef(each.kind, each.id, each.version)
    return None, None


def _referrals(unit: Unit, vault: Seals, case_id: str) -> tuple[model.OpenReferral, ...]:
    return tuple(
        model.OpenReferral(
            FactRef("referral", each.id, each.version),
            each.id,
            each.requester,
            each.performer or "",
            each.state,
            referrals.numbers_of(unit, vault, each.id).get("decision", ""),
            frozenset(DataClass(name) for name in each.asked),
            each.service or "",
        )
        for each in referrals.of_case(unit, case_id)
    )
