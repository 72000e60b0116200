"""Whose child it is: certain by identifier only, and a person decides the rest (R33)."""

from __future__ import annotations

import pytest

from hub import casework
from hub.errors import Conflict
from hub.identity.identifiers import folded, identifiers
from hub.storage import persons, strands, tasks
from tests.fakes.world import CENTRE, HOSPITAL, POLICE, World, exam, identifier, patient


def test_a_personal_number_is_the_same_child_everywhere(world: World) -> None:
    """Two agencies with record numbers of their own and one personal number speak of one child."""
    world.say(HOSPITAL, exam("A"))
    world.say(CENTRE, exam("B", child=patient(record="CT-0001")))
    assert len(world.cases()) == 1


def test_a_record_number_counts_inside_its_agency_only(world: World) -> None:
    """Two agencies that both count from BN-0001 speak of two children."""
    world.say(HOSPITAL, exam("A", child=patient(number="")))
    world.say(HOSPITAL, exam("B", child=patient(number="")))
    other = patient(number="", name="Thử-Nghiệm Văn Khác", born="2014-01-01")
    world.say(CENTRE, exam("C", child=other))
    assert len(world.cases()) == 2


def test_an_assigners_own_system_is_known_to_all() -> None:
    """An OID or URL says who assigned a number; without one the speaking agency did."""
    global_ = {"identifier": [identifier("MR", "7", "urn:oid:2.16.840.1.113883.3.1")]}
    local = {"identifier": [identifier("MR", "7")]}
    assert identifiers(global_, "a") == identifiers(global_, "b")
    assert identifiers(local, "a") != identifiers(local, "b")


def test_a_visit_number_names_nobody() -> None:
    """Numbers of visits, accounts and requests are not used to find a person."""
    visit = {"identifier": [identifier("VN", "1"), identifier("AN", "2"), identifier("PLAC", "3")]}
    assert identifiers(visit, "a") == ()


def test_names_are_compared_without_tones_and_order() -> None:
    """A name typed without tones or in another order is the same name, in either Unicode form."""
    assert folded("Thử-Nghiệm Thị Mẫu") == folded("MAU THI THU NGHIEM") == folded("Thử-Nghiệm Thị Mẫu")
    assert folded("Đỗ Mẫu") == folded("do mau")


def test_an_uncertain_child_is_reviewed_once(world: World) -> None:
    """A child with another's name and a number of its own is one child with one review, however often it is named."""
    world.say(HOSPITAL, exam("A"))
    other = patient(number="999000000777", record="")
    for key in ("B", "C", "D"):
        world.say(CENTRE, exam(key, child=other))
    assert len(world.cases()) == 2
    with world.parts.store.read() as unit:
        assert [each.kind for each in tasks.listing(unit)].count("match-review") == 1


def test_a_name_alone_is_never_certain(world: World) -> None:
    """The same name and birth date without a number makes a provisional case, held, and a review with its candidate."""
    world.say(HOSPITAL, exam("A"))
    world.say(CENTRE, exam("B", child=patient(number="", record="CT-0001")))
    assert len(world.cases()) == 2
    assert ("match-review", "R33-uncertain-match") in world.tasks()
    with world.parts.store.read() as unit:
        (held,) = [each for case in world.cases() for each in strands.of_case(unit, case) if each.agency == CENTRE]
    assert held.state == "held-for-match"


def test_a_number_that_names_another_looking_child_is_not_certain(world: World) -> None:
    """A personal number with another name and another birth date may be mistyped: a person has to look."""
    world.say(HOSPITAL, exam("A"))
    world.say(POLICE, exam("B", child=patient(record="HS-1", name="Nguyễn-Mẫu Văn Khác", born="2010-02-02")))
    assert len(world.cases()) == 2
    assert ("match-review", "R33-uncertain-match") in world.tasks()


def test_an_uncertain_child_is_found_again_by_its_own_number(world: World) -> None:
    """A second message about a provisional child goes to the same provisional case, not to a third one."""
    world.say(HOSPITAL, exam("A"))
    for key in ("B", "C"):
        world.say(CENTRE, exam(key, child=patient(number="", record="CT-0001")))
    assert len(world.cases()) == 2


def test_a_person_links_two_records_and_can_undo_it(world: World) -> None:
    """Linking moves what the provisional case held; unlinking gives back what is this child's own."""
    world.say(HOSPITAL, exam("A"))
    known = world.cases()[0]
    world.say(CENTRE, exam("B", child=patient(number="", record="CT-0001")))
    provisional = next(case for case in world.cases() if case != known)
    found = casework.resolve_match(world.parts, "can-bo-a", _review(world), _person(world, known))
    assert (found.case, found.certain) == (known, True)
    assert world.cases() == [known]
    assert [each.agency for each in _strands(world, known)] == [HOSPITAL, CENTRE]
    assert {each.state for each in _strands(world, known)} == {"ready"}

    # What the other agency sends from now on is found by its number.
    world.say(CENTRE, exam("C", child=patient(number="", record="CT-0001")))
    assert world.cases() == [known]

    split = casework.unlink(world.parts, "can-bo-a", _person(world, provisional))
    assert split.case == provisional
    assert [each.agency for each in _strands(world, provisional)] == [CENTRE, CENTRE]
    assert [each.agency for each in _strands(world, known)] == [HOSPITAL]
    with world.parts.store.read() as unit:
        assert strands.bundle_of(unit, world.parts.vault, _strands(world, provisional)[0].id)["entry"]

    # Apart again, each is found by its own number.
    world.say(CENTRE, exam("D", child=patient(number="", record="CT-0001")))
    world.say(HOSPITAL, exam("E"))
    assert sorted(world.cases()) == sorted([known, provisional])


def test_a_child_of_its_own_is_certain_from_then_on(world: World) -> None:
    """A reviewer who finds another child lets what was held go on; the review is closed and cannot be used twice."""
    world.say(HOSPITAL, exam("A"))
    known = world.cases()[0]
    world.say(CENTRE, exam("B", child=patient(number="", record="CT-0001")))
    review = _review(world)
    found = casework.resolve_match(world.parts, "can-bo-a", review, None)
    assert found.certain
    assert found.case != known
    assert {each.state for each in _strands(world, found.case)} == {"ready"}
    with pytest.raises(Conflict):
        casework.resolve_match(world.parts, "can-bo-a", review, None)


def test_a_search_finds_by_number_or_by_name(world: World) -> None:
    """A case worker finds a child by number, or by whole name and birth date, and each look is in the ledger."""
    world.say(HOSPITAL, exam("A"))
    by_number = {"identifiers": [{"type": "NI", "value": "079312000001"}]}
    by_name = {"name": "MAU THI THU NGHIEM", "birth_date": "2016-05-20"}
    (first,) = casework.find(world.parts, "can-bo-a", by_number)
    assert casework.find(world.parts, "can-bo-a", by_name) == (first,)
    assert casework.find(world.parts, "can-bo-a", {"name": "MAU THI THU NGHIEM"}) == ()


def _review(world: World) -> str:
    with world.parts.store.read() as unit:
        return next(each.id for each in tasks.listing(unit, kinds=("match-review",)))


def _person(world: World, case: str) -> str:
    with world.parts.store.read() as unit:
        return persons.get_case(unit, case).person


def _strands(world: World, case: str) -> tuple[strands.Strand, ...]:
    with world.parts.store.read() as unit:
        return strands.of_case(unit, case)
