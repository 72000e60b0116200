"""A person decides what matching could not: two records are one child, or two; and a link can be undone.

A link moves what one case holds to the other and seals it under the other's key. What had left before stays in the
ledger of the case that it left from: the account of a child reads both.
"""

from __future__ import annotations

from hub.bundles import patient_of
from hub.errors import Conflict, Invalid
from hub.identity.identifiers import identifier_tokens, name_tokens
from hub.identity.matching import Match, Vault
from hub.states import StrandState
from hub.storage import facts, persons, referrals, strands
from hub.storage.persons import Case
from hub.storage.store import Unit
from hub.storage.strands import Strand


def link(unit: Unit, vault: Vault, person_id: str, same_as: str) -> Match:
    """`person_id` is the child `same_as`: its strands, facts and referrals move there, under both case locks.

    Raises :class:`hub.errors.Conflict` when either was linked already, `Invalid` when they are the same.
    """
    if person_id == same_as:
        raise Invalid("A child cannot be linked to itself.")
    source, target = _locked(unit, person_id, same_as)
    if persons.get_person(unit, same_as).linked_to or persons.get_person(unit, person_id).linked_to:
        raise Conflict("One of them was linked meanwhile; read the review again.")
    _move(unit, vault, source, target, back=False)
    persons.set_person(unit, person_id, provisional=False, linked_to=same_as)
    persons.set_case(unit, source.id, "merged")
    _index(unit, vault, target)
    return Match(persons.get_person(unit, same_as), persons.get_case(unit, target.id))


def settle(unit: Unit, vault: Vault, person_id: str) -> Match:
    """`person_id` is a child of its own: certain from now on, found again by all its identifiers."""
    case = persons.get_case(unit, persons.case_of(unit, person_id).id, lock=True)
    persons.set_person(unit, person_id, provisional=False, linked_to=None)
    persons.set_case(unit, case.id, "open")
    _index(unit, vault, case)
    return Match(persons.get_person(unit, person_id), persons.get_case(unit, case.id))


def unlink(unit: Unit, vault: Vault, person_id: str) -> Match:
    """Undo a link: what it had moved goes back, and what came since under numbers that only this child has.

    Other facts recorded since stay. Raises :class:`hub.errors.Conflict` when there is no link.
    """
    known = persons.get_person(unit, person_id).linked_to
    if known is None:
        raise Conflict("This child is not linked to another.")
    own, other = _locked(unit, person_id, known)
    _claim_back(unit, vault, own, other)
    persons.set_case(unit, own.id, "open")
    _move(unit, vault, other, own, back=True)
    persons.set_person(unit, person_id, provisional=False, linked_to=None)
    for each in (other, own):
        persons.clear_tokens(unit, each.person)
        _index(unit, vault, each)
    return Match(persons.get_person(unit, person_id), persons.get_case(unit, own.id))


def _claim_back(unit: Unit, vault: Vault, own: Case, other: Case) -> None:
    """Mark strands that came while linked and name this child by its own numbers alone."""
    named = {each: _numbers(unit, vault, each) for each in strands.of_case(unit, other.id)}
    theirs = {token for each, tokens in named.items() if each.moved_from == own.id for token in tokens}
    rest = {token for each, tokens in named.items() if each.moved_from != own.id for token in tokens - theirs}
    for each, tokens in named.items():
        if each.moved_from != own.id and tokens & theirs and not tokens & rest:
            strands.mark_moved(unit, each.id, own.id)


def _numbers(unit: Unit, vault: Vault, strand: Strand) -> frozenset[str]:
    patient = patient_of(strands.bundle_of(unit, vault, strand.id)) or {}
    return frozenset(each.token for each in identifier_tokens(patient, strand.agency, vault.token))


def _locked(unit: Unit, first: str, second: str) -> tuple[Case, Case]:
    """Both cases, locked lowest id first."""
    ids = [persons.case_of(unit, each).id for each in (first, second)]
    held = {each: persons.get_case(unit, each, lock=True) for each in sorted(ids)}
    return held[ids[0]], held[ids[1]]


def _move(unit: Unit, vault: Vault, source: Case, target: Case, *, back: bool) -> None:
    here, there = (source.id, source.vault_key), (target.id, target.vault_key)
    strands.move(unit, vault, here, (*there, target.person), back)
    facts.move(unit, vault, here, there, back)
    referrals.move(unit, vault, here, there, back)
    for each in (source, target):
        persons.next_epoch(unit, each.id)


def _index(unit: Unit, vault: Vault, case: Case) -> None:
    """Index the child by what its strands say, and let the strands that were held go on."""
    for each in strands.of_case(unit, case.id):
        patient = patient_of(strands.bundle_of(unit, vault, each.id))
        if patient is not None:
            tokens = (*identifier_tokens(patient, each.agency, vault.token), *name_tokens(patient, vault.token))
            persons.add_tokens(unit, case.person, tokens)
        if each.state == StrandState.HELD_FOR_MATCH:
            strands.set_state(unit, each.id, StrandState.READY)
