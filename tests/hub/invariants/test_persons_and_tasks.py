"""Invariants 19, 20, 23 and 24 where people act: tasks come to them, and links widen only by their word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from consent.vocabulary import View
from hub import casework
from hub.disclosing import disclose
from hub.storage import audits, persons, strands, tasks
from tests.fakes.world import CENTRE, HOSPITAL, SHELTER, World, agency, consent, exam, patient

ADMIN = "quan-tri"
SECOND_HOSPITAL = "benh-vien-hai-mau"


def consented(world: World) -> tuple[str, str]:
    """The centre works on the case, and mother and child agree that it is told; returns both persons."""
    world.say(HOSPITAL, exam("FIRST"))
    mother, child = world.relate("Thử-Nghiệm Thị Mẹ"), world.child()
    world.fact("guardian", {"person": mother, "role": "MTH"})
    world.fact("team", {"agency": CENTRE, "role": "owner"})
    world.fact("consent", consent(mother, "representative", CENTRE, child), by=ADMIN)
    world.fact("consent", consent(child, "child", CENTRE, child), by=ADMIN)
    return mother, child


def test_19_voices_that_clash_close_the_way_and_raise_a_task(hubs: Callable[[], World]) -> None:
    """What left on the consent of both stays in once the child refuses or a second parent does, and a task is there."""
    for who in ("child", "father"):
        world = hubs()
        _, child = consented(world)
        world.deliver_all()
        before = len(world.received(CENTRE))
        assert before > 0
        by = child
        if who == "father":
            by = world.relate("Thử-Nghiệm Văn Cha")
            world.fact("guardian", {"person": by, "role": "FTH"})
        world.fact("refusal", {"by": by})
        world.say(HOSPITAL, exam("SECOND"))
        world.deliver_all()
        said = [one for one in world.received(CENTRE)[before:] if "exam-record" in str(one)]
        assert said == []
        kinds = {kind for kind, _ in world.tasks()}
        assert ("child-dissents" if who == "child" else "parents-disagree") in kinds


def test_20_an_emergency_ends_by_itself(hubs: Callable[[], World]) -> None:
    """A day after an asserted emergency the responder is told nothing of what it would have been told in time."""
    told = []
    for late in (False, True):
        world = hubs()
        world.parts.registry.add_all([agency(SECOND_HOSPITAL, "health", "emergency")], "test")
        world.say(HOSPITAL, exam("FIRST"))
        world.fact("team", {"agency": SECOND_HOSPITAL, "role": "transport"})
        start = world.parts.clock.now().isoformat()
        world.fact("emergency", {"agency": SECOND_HOSPITAL, "reason": "thử nghiệm", "kind": "vital", "start": start})
        if late:
            world.clock.advance(hours=24)  # type: ignore[attr-defined]
        world.say(HOSPITAL, exam("SECOND"))
        with world.parts.store.read() as unit:
            newest = strands.of_case(unit, world.case())[-1]
            answer = disclose(world.parts, unit, newest, SECOND_HOSPITAL, {"TREAT"}, world.parts.clock.now())
        told.append({str(one.basis) for one in answer.decision.verdicts if one.view is not View.NONE})
    assert told == [{"V"}, set()]


def test_23_a_link_by_likeness_never_widens(hubs: Callable[[], World]) -> None:
    """A record with the child's name and no number is held apart: nothing that the child's consents open leaves of it,
    until a person confirms, which is in the ledger with who did it."""
    world = hubs()
    consented(world)
    known = world.cases()[0]
    world.deliver_all()
    before = len(world.received(CENTRE))
    world.say(SHELTER, exam("THEIRS", child=patient(number="", record="NT-7")))
    world.deliver_all()
    assert len(world.received(CENTRE)) == before, "nothing of the uncertain record leaves on the known child's consents"
    (provisional,) = [case for case in world.cases() if case != known]
    with world.parts.store.read() as unit:
        assert {str(one.state) for one in strands.of_case(unit, provisional)} == {"held-for-match"}
        (review,) = [one for one in tasks.listing(unit) if one.kind == "match-review"]
        person = persons.get_case(unit, known).person
    casework.resolve_match(world.parts, "can-bo-b", review.id, person)
    world.deliver_all()
    assert len(world.received(CENTRE)) > before, "a person's confirmation may widen"
    with world.parts.store.read() as unit:
        rows = audits.listing(unit, case=known, kinds=("match",), limit=10)
    assert [(row.entry.actor, row.entry.outcome) for row in rows] == [("can-bo-b", "resolved")]


def test_24_an_error_in_a_decision_withholds_and_asks_somebody(hubs: Callable[[], World]) -> None:
    """With a policy that is not in force yet nothing leaves, deliveries are closed as withheld, and a task says so."""
    world = hubs()
    consented(world)
    world.say(HOSPITAL, exam("SECOND"))
    tomorrow = world.parts.clock.now() + timedelta(days=1)
    later = tuple((tomorrow, edition) for _, edition in world.parts.policy.editions)
    world.parts = replace(world.parts, policy=replace(world.parts.policy, editions=later))
    assert set(world.deliver_all()) <= {"withheld"}
    assert world.received(CENTRE) == []
    assert "internal-error" in {kind for kind, _ in world.tasks()}
