"""Who is linked to a suspect, whose acts count, and whose consent an age asks for (rules R3 to R9, R40)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from consent.model import FactRef, Facts, Party, Relationship, Tie
from consent.moments import age_at
from consent.rulebook import Band, Edition


@dataclass(frozen=True, slots=True)
class People:
    """What the recorded ties say at one moment."""

    age: int | None
    band: Band
    suspects: frozenset[str]
    linked: frozenset[str]
    """Persons who are suspects, live with one, are their kin or a recorded associate; never the child."""
    linked_units: frozenset[str]
    """Agencies with a suspect on their staff."""
    guardians: frozenset[str]
    """Persons with a recorded guardianship now, barred ones too."""
    unbarred: frozenset[str]
    """Guardians whose consent, refusal and withdrawal count."""
    read: tuple[FactRef, ...]


def people_at(facts: Facts, at: datetime, edition: Edition) -> People:
    """Read all ties as they hold at `at`."""
    clear_needs = edition.numbers["suspects.clear_needs"]
    suspicions = [
        suspicion
        for suspicion in facts.suspicions
        if suspicion.span.holds(at) and len(set(suspicion.cleared_by) - {""}) < clear_needs
    ]
    suspects = frozenset(suspicion.person for suspicion in suspicions)
    ties = [tie for tie in facts.relationships if tie.span.holds(at)]
    housemates = _households(ties)
    with_suspects = {person for house in housemates if not suspects.isdisjoint(house) for person in house}
    near = {
        one
        for tie in ties
        if tie.tie in (Tie.KIN, Tie.ASSOCIATE)
        for one, other in ((tie.person, tie.to), (tie.to, tie.person))
        if other in suspects
    }
    barred = suspects | with_suspects
    barred |= {contact.person for contact in facts.no_contacts if contact.span.holds(at)}
    guardians = frozenset(tie.person for tie in ties if tie.tie is Tie.GUARDIAN and tie.to == facts.person)
    limited = {tie.person for tie in ties if tie.tie is Tie.GUARDIAN and tie.to == facts.person and not tie.may_consent}
    age = age_at(facts.birth_date, at, facts.zone)
    return People(
        age=age,
        band=band_for(age, edition),
        suspects=suspects,
        linked=(suspects | frozenset(with_suspects) | frozenset(near)) - {facts.person},
        linked_units=frozenset(tie.to for tie in ties if tie.tie is Tie.STAFF and tie.person in suspects),
        guardians=guardians,
        unbarred=guardians - barred - limited,
        read=(
            *((facts.birth_ref,) if facts.birth_ref else ()),
            *(suspicion.ref for suspicion in suspicions),
            *(tie.ref for tie in ties),
            *(contact.ref for contact in facts.no_contacts if contact.span.holds(at)),
        ),
    )


def band_for(age: int | None, edition: Edition) -> Band:
    """The age band; the stricter one for an unknown age (R7)."""
    if age is None:
        return edition.unknown_age
    for band in edition.bands:
        if band.below is None or age < band.below:
            return band
    return edition.unknown_age


def _households(ties: Iterable[Relationship]) -> list[set[str]]:
    """Who lives together: living with the same person is living together."""
    houses: list[set[str]] = []
    for tie in ties:
        if tie.tie is not Tie.HOUSEHOLD:
            continue
        joined = {tie.person, tie.to}
        apart: list[set[str]] = []
        for house in houses:
            if joined.isdisjoint(house):
                apart.append(house)
            else:
                joined |= house
        houses = [*apart, joined]
    return houses


def is_linked(party: Party, people: People) -> bool:
    """Whether a recipient is linked to a suspect: a unit by its staff or its named officer, a person by their ties."""
    names = {party.id, *party.references}
    return (
        not people.linked_units.isdisjoint(names)
        or party.officer in people.suspects
        or (party.id in people.linked)
        or (party.person and party.officer in people.linked)
    )
