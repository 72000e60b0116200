"""A case is closed, opened again and erased by two persons; what was erased is nowhere any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub import casework, closing
from hub.closing import Ending
from hub.errors import Conflict, KeyLost
from hub.parts import Parts
from hub.storage import deliveries, messages, strands, tasks
from hub.storage.tables import metadata
from tests.conftest import SetClock
from tests.fakes.world import (
    CENTRE,
    HOSPITAL,
    PERSONAL_NUMBER,
    POLICE,
    World,
    accepted,
    consent,
    exam,
    forensic_request,
    message,
    order,
    patient,
    result,
)

ONE, OTHER = "can-bo-a", "can-bo-b"
Act = Callable[[Parts, str, str], Ending]


def both(world: World, act: Act) -> Ending:
    """Two persons ask for it."""
    case = world.case()
    act(world.parts, ONE, case)
    return act(world.parts, OTHER, case)


@pytest.fixture
def told(world: World) -> World:
    """An exam is on record, and a centre of the team is told of it by consent."""
    world.say(HOSPITAL, exam())
    world.fact("birth-date", {"date": "2016-05-20"})
    mother = world.relate("Thử-Nghiệm Thị Mẹ")
    world.fact("guardian", {"person": mother, "role": "MTH"})
    world.fact("team", {"agency": CENTRE, "role": "owner"})
    for giver, part in ((mother, "representative"), (world.child(), "child")):
        world.fact("consent", consent(giver, part, CENTRE, world.child()))
    world.deliver_all()
    assert len(world.received(CENTRE)) == 1
    return world


@pytest.mark.parametrize("act", [closing.close, closing.reopen, closing.erase])
def test_it_takes_two_persons(told: World, act: Act) -> None:
    """Who asks twice is still one person; the other one completes it."""
    if act is not closing.close:
        both(told, closing.close)
    first = act(told.parts, ONE, told.case())
    assert first.waits
    assert act(told.parts, ONE, told.case()) == first
    second = act(told.parts, OTHER, told.case())
    assert not second.waits
    assert second.state != first.state


def test_a_referral_that_is_open_keeps_its_case_open(world: World) -> None:
    """Nobody is left waiting for an answer by a closing."""
    world.say(POLICE, forensic_request())
    world.say(HOSPITAL, accepted())
    with pytest.raises(Conflict, match="1 referrals"):
        closing.close(world.parts, ONE, world.case())
    world.say(HOSPITAL, result())
    assert not both(world, closing.close).waits


def test_consents_end_with_the_case_and_stay_ended(told: World, clock: SetClock) -> None:
    """R15: after the closing nothing is told on them, not even when the case is opened again; a new one opens."""
    both(told, closing.close)
    told.say(HOSPITAL, exam("AFTER"))
    told.deliver_all()
    assert len(told.received(CENTRE)) == 1
    clock.advance(minutes=1)
    both(told, closing.reopen)
    told.deliver_all()
    assert len(told.received(CENTRE)) == 1
    mother = next(each.body["given_by"] for each in _consents(told) if each.body["as"] == "representative")
    for giver, part in ((mother, "representative"), (told.child(), "child")):
        told.fact("consent", consent(giver, part, CENTRE, told.child()))
    told.deliver_all()
    assert len(told.received(CENTRE)) > 1


def test_what_is_said_after_the_closing_joins_the_case_and_calls_a_person(told: World) -> None:
    """A child who is hurt again is the same child, with the same suspects; somebody has to look."""
    both(told, closing.close)
    told.say(HOSPITAL, exam("AFTER"))
    assert ("said-again", "case-closed") in told.tasks()
    assert len(told.cases()) == 1


def test_only_a_closed_case_is_erased(told: World) -> None:
    """An open one is closed first."""
    with pytest.raises(Conflict, match="open"):
        closing.erase(told.parts, ONE, told.case())


def test_a_request_that_came_after_the_closing_keeps_the_case_from_being_erased(told: World) -> None:
    """She is hurt again and somebody asks for help: what asks for it is not destroyed before it has ended."""
    both(told, closing.close)
    told.say(POLICE, forensic_request())
    with pytest.raises(Conflict, match="1 referrals"):
        closing.erase(told.parts, ONE, told.cases()[0])


def test_an_erased_child_is_nowhere_any_more(told: World) -> None:
    """Nothing sealed can be opened, no index finds the child, no task and no delivery waits."""
    case = told.case()
    both(told, closing.close)
    both(told, closing.erase)
    with pytest.raises(KeyLost):
        casework.history(told.parts, ONE, case)
    with told.parts.store.read() as unit:
        assert [_opens(told, unit, each.id) for each in strands.of_case(unit, case)] == [False]
        assert tasks.listing(unit, case=case) == []
        waiting = {each.state.value for each in deliveries.listing(unit, case_id=case)} - {"delivered", "withdrawn"}
        assert not waiting
    query = {"identifiers": [{"type": "NI", "value": PERSONAL_NUMBER}]}
    assert casework.find(told.parts, ONE, query) == ()
    assert _rows(told, "person_token") == _rows(told, "person_record") == _rows(told, "referral_token") == 0


def test_the_original_of_an_erased_child_is_erased_and_a_siblings_is_not(world: World) -> None:
    """The bytes of a message about her alone go with her; those about a brother too live to their own end."""
    brother = exam("B", child=patient(number="079312000002", record="BN-2", name="Thử-Nghiệm Văn Hai"))
    alone, shared = world.say(HOSPITAL, exam("A")), world.say(HOSPITAL, exam("C"), brother)
    sister, _ = world.cases()
    for act in (closing.close, closing.erase):
        for who in (ONE, OTHER):
            act(world.parts, who, sister)
    assert [_original_opens(world, each.message) for each in (alone, shared)] == [False, True]


def test_an_answer_that_comes_after_the_erasing_is_about_a_child_not_known(world: World) -> None:
    """The late answer to a message of ours finds no referral of hers, and is no fault."""
    world.say(POLICE, forensic_request())
    world.fact("birth-date", {"date": "2016-05-20"})
    entered = world.fact("order", order({HOSPITAL: ("referral", "demographics")}))
    casework.verify_order(world.parts, OTHER, world.case(), entered.fact)
    world.deliver_all()
    (sent,) = world.received(HOSPITAL)
    world.say(HOSPITAL, accepted())
    world.say(HOSPITAL, result())
    first = world.case()
    both(world, closing.close)
    both(world, closing.erase)
    reply = {"response": {"identifier": sent["identifier"]["value"], "code": "ok"}}
    world.say(HOSPITAL, message("referral-status", "LATE", "child", {"child": patient()}, **reply))
    assert [each for each in world.cases() if each != first]


def test_the_ledger_says_who_ended_it(told: World) -> None:
    """Both persons stand in the ledger, with what they asked for."""
    case = told.case()
    both(told, closing.close)
    with told.parts.store.read() as unit:
        said = unit.exec_driver_sql("SELECT actor, outcome FROM audit WHERE kind = 'case' ORDER BY id").all()
    assert sorted(map(tuple, said)) == [(ONE, "asked"), (OTHER, "closed")]
    assert case


def _consents(world: World) -> list[Any]:
    return list(casework.history(world.parts, ONE, world.case(), "consent"))


def _opens(world: World, unit: Any, strand: str) -> bool:
    try:
        return bool(strands.bundle_of(unit, world.parts.vault, strand))
    except KeyLost:
        return False


def _original_opens(world: World, message_id: str) -> bool:
    with world.parts.store.read() as unit:
        kept = messages.get(unit, message_id)
        assert kept is not None
        assert kept.intake_key is not None
        assert kept.original is not None
        try:
            return bool(world.parts.vault.open(unit, kept.intake_key, kept.original, f"original:{kept.id}".encode()))
        except KeyLost:
            return False


def _rows(world: World, table: str) -> int:
    with world.parts.store.read() as unit:
        return len(unit.execute(metadata.tables[table].select()).all())
