"""Who is linked to a suspect, whose acts count, and whose consent an age asks for (rules R3 to R9, R40)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from consent.model import FactRef, Facts, Party, Relationship, Tie
from consent.moments import age_at
from consent.rulebook import Band, Edition


class People(msgspec.Struct, frozen=True):
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
    suspects = frozenset([suspicion.person for suspicion in suspicions])
    ties = [tie for tie in facts.relationships if tie.span.holds(at)]
    contacts = [contact for contact in facts.no_contacts if contact.span.holds(at)]
    housemates = _housemates(ties, suspects) if suspects else frozenset()
    barred = suspects | housemates | {contact.person for contact in contacts}
    guardianships = [tie for tie in ties if tie.tie is Tie.GUARDIAN and tie.to == facts.person]
    guardians = frozenset([tie.person for tie in guardianships])
    limited = {tie.person for tie in guardianships if not tie.may_consent}
    age = age_at(facts.birth_date, at, facts.zone)
    refs = [*(one.ref for one in suspicions), *(one.ref for one in ties), *(one.ref for one in contacts)]
    return People(
        age=age,
        band=band_for(age, edition),
        suspects=suspects,
        linked=(suspects | housemates | _near(ties, suspects)) - {facts.person} if suspects else suspects,
        linked_units=frozenset([tie.to for tie in ties if tie.tie is Tie.STAFF and tie.person in suspects]),
        guardians=guardians,
        unbarred=guardians - barred - limited,
        read=(facts.birth_ref, *refs) if facts.birth_ref else tuple(refs),
    )


def _housemates(ties: list[Relationship], suspects: frozenset[str]) -> frozenset[str]:
    """Who lives with a suspect."""
    return frozenset(person for house in _households(ties) if not suspects.isdisjoint(house) for person in house)


def _near(ties: list[Relationship], suspects: frozenset[str]) -> frozenset[str]:
    """A suspect's kin and recorded associates, from whichever side the tie was recorded."""
    return frozenset(
        one
        for tie in ties
        if tie.tie in (Tie.KIN, Tie.ASSOCIATE)
        for one, other in ((tie.person, tie.to), (tie.to, tie.person))
        if other in suspects
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
    """Whether a recipient is linked to a suspect: a unit by its staff, a person by their ties, and so is whoever reads
    for a unit: what the named officer learns, a linked person has learnt."""
    names = {party.id, party.officer, *party.references} - {""}
    return not people.linked_units.isdisjoint(names) or not people.linked.isdisjoint(names)
