"""Whose child is this? Identifiers first; what is not certain waits for a person (R33)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from hub.identity.identifiers import (
    NATIONAL,
    contradicts,
    identifier_tokens,
    name_tokens,
    record_of,
    uncertain_tokens,
)
from hub.storage import locks, persons
from hub.storage.persons import Case, Person, Token
from hub.storage.sealing import Seals
from hub.storage.store import Unit


class Vault(Seals, Protocol):
    """What matching needs of the vault."""

    def token(self, kind: str, *parts: str) -> str:
        """A blind index."""

    def new_key(self, unit: Unit, kind: str, at: datetime, expires: datetime | None = None) -> str:
        """A new key."""


@dataclass(frozen=True, slots=True)
class Match:
    """Whose strand it is. `candidates` are persons that it might be too, when it is not certain."""

    person: Person
    case: Case
    candidates: tuple[str, ...] = ()

    @property
    def certain(self) -> bool:
        """Whether no person needs to look."""
        return not self.person.provisional


def hold(unit: Unit, vault: Vault, patients: Iterable[Mapping[str, Any] | None], agency: str) -> None:
    """Lock all identifiers and names of these children, so that two messages about an unknown child make one child."""
    named = [each for each in patients if each is not None]
    tokens = {token.token for each in named for token in _tokens(vault, each, agency)}
    locks.hold(unit, *tokens)


def match(
    unit: Unit,
    vault: Vault,
    patient: Mapping[str, Any] | None,
    agency: str,
    at: datetime,
    hint: str | None = None,
) -> Match:
    """The child that `patient` names, or a new one; certain by identifier, else provisional with its candidates.

    `hint` is the child of the referral that the message belongs to: it counts unless an identifier says otherwise.
    The caller holds the identifiers (`hold`).
    """
    if patient is None:
        return _of(unit, hint) if hint else _new(unit, vault, None, agency, at, ())
    strong = identifier_tokens(patient, agency, vault.token)
    weak = name_tokens(patient, vault.token)
    again = _people(unit, [each.token for each in uncertain_tokens(patient, agency, vault.token)])
    if len(again) == 1 and not contradicts(patient, persons.records(unit, vault, again[0])):
        return _known(unit, vault, patient, agency, at, again[0])
    known = tuple(sorted({*_people(unit, [each.token for each in strong]), *((hint,) if hint else ())}))
    if len(known) == 1 and not contradicts(patient, persons.records(unit, vault, known[0])):
        return _known(unit, vault, patient, agency, at, known[0])
    alike = known or _people(unit, [each.token for each in weak])
    return _new(unit, vault, patient, agency, at, alike)


def said_same(
    unit: Unit, vault: Vault, replaced: Iterable[Mapping[str, Any]], agency: str, person_id: str
) -> tuple[str, ...]:
    """Other children known by a number that the agency says is `person_id`'s: for a person to decide, never linked."""
    tokens = [token.token for each in replaced for token in identifier_tokens(each, agency, vault.token)]
    return tuple(each for each in _people(unit, tokens) if each != person_id)


def find(unit: Unit, vault: Vault, patient: Mapping[str, Any], agency: str = "") -> tuple[Match, ...]:
    """Children that a case worker's search names, by identifier, or by whole name and birth date."""
    found = _people(unit, [each.token for each in _tokens(vault, patient, agency)])
    return tuple(_of(unit, each) for each in found)


def _of(unit: Unit, person_id: str) -> Match:
    return Match(persons.get_person(unit, person_id), persons.case_of(unit, person_id))


def _tokens(vault: Vault, patient: Mapping[str, Any], agency: str) -> tuple[Token, ...]:
    known = (*identifier_tokens(patient, agency, vault.token), *name_tokens(patient, vault.token))
    return (*known, *uncertain_tokens(patient, agency, vault.token))


def _people(unit: Unit, tokens: list[str]) -> tuple[str, ...]:
    """Persons known by any token; a linked one as the person that it was found to be."""
    found = persons.known_by(unit, tokens)
    people = (persons.get_person(unit, each) for held in found.values() for each in held)
    return tuple(sorted({each.linked_to or each.id for each in people}))


def _known(unit: Unit, vault: Vault, patient: Mapping[str, Any], agency: str, at: datetime, person_id: str) -> Match:
    child, case = persons.get_person(unit, person_id), persons.case_of(unit, person_id)
    _remember(unit, vault, case, patient, agency, at)
    return Match(child, case)


def _new(
    unit: Unit,
    vault: Vault,
    patient: Mapping[str, Any] | None,
    agency: str,
    at: datetime,
    candidates: tuple[str, ...],
) -> Match:
    uncertain = bool(candidates) or patient is None
    child = persons.add_person(unit, at, provisional=uncertain)
    key = vault.new_key(unit, "case", at)
    case = persons.open_case(unit, child.id, key, "provisional" if uncertain else "open", at)
    if patient is not None:
        _remember(unit, vault, case, patient, agency, at)
    return Match(child, case, candidates)


def _remember(unit: Unit, vault: Vault, case: Case, patient: Mapping[str, Any], agency: str, at: datetime) -> None:
    """Keep how the agency calls the child, and index it."""
    persons.add_record(unit, vault, case.vault_key, case.person, agency, record_of(patient), at)
    strong, weak = identifier_tokens(patient, agency, vault.token), name_tokens(patient, vault.token)
    if case.state == "provisional":
        strong, weak = _own(unit, vault, patient, agency), ()
    persons.add_tokens(unit, case.person, (*strong, *weak))


def _own(unit: Unit, vault: Vault, patient: Mapping[str, Any], agency: str) -> tuple[Token, ...]:
    """An uncertain child is found again by numbers that nobody else has, and by what this agency calls it."""
    local = {
        "identifier": [
            each
            for each in patient.get("identifier", ())
            if not any(coding.get("code") in NATIONAL for coding in each.get("type", {}).get("coding", ()))
        ]
    }
    tokens = identifier_tokens(local, agency, vault.token)
    taken = persons.known_by(unit, [each.token for each in tokens])
    mine = uncertain_tokens(patient, agency, vault.token)
    return (*(each for each in tokens if each.token not in taken), *mine)
