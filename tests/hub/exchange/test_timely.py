"""What time alone changes is offered anew, though nobody recorded anything."""

from __future__ import annotations

from datetime import timedelta

from hub import casework, timely
from hub.storage import tasks
from tests.conftest import SetClock
from tests.fakes.world import CENTRE, HOSPITAL, World, consent, exam


def test_a_plan_that_begins_later_opens_on_its_day(world: World, clock: SetClock) -> None:
    """A plan dated next week opens nothing today, and sends the present state when its day has come."""
    start = clock.now() + timedelta(days=7)
    world.say(HOSPITAL, exam())
    world.fact("team", {"agency": CENTRE, "role": "owner"})
    world.fact("plan", {"members": [CENTRE], "approved_by": "truong-phong", "start": start.isoformat()})
    world.deliver_all()
    assert world.received(CENTRE) == []
    before = clock.now()
    clock.advance(days=8)
    assert timely.look_again(world.parts, before) == 1
    world.deliver_all()
    assert len(world.received(CENTRE)) == 1
    assert timely.look_again(world.parts, clock.now()) == 0


def test_a_birthday_is_decided_again(world: World, clock: SetClock) -> None:
    """At 16 her own consent is enough: what her mother's silence held back goes on her birthday (R5, R6)."""
    world.say(HOSPITAL, exam())
    world.fact("birth-date", {"date": "2010-11-25"})
    world.fact("team", {"agency": CENTRE, "role": "owner"})
    world.fact("consent", consent(world.child(), "child", CENTRE, world.child()))
    world.deliver_all()
    assert world.received(CENTRE) == []
    before = clock.now()
    clock.advance(days=4)
    assert timely.look_again(world.parts, before) == 1
    world.deliver_all()
    assert len(world.received(CENTRE)) == 1


def test_a_key_is_forgotten_after_its_time(world: World, clock: SetClock) -> None:
    """A message key is kept for 30 days; then the same key is a new message."""
    world.say(HOSPITAL, exam())
    clock.advance(days=29)
    assert timely.forget_keys(world.parts) == 0
    assert world.say(HOSPITAL, exam()).duplicate
    clock.advance(days=2)
    assert timely.forget_keys(world.parts) == 1
    assert not world.say(HOSPITAL, exam()).duplicate


def test_a_consent_that_soon_ends_is_seen_to_once(world: World, clock: SetClock) -> None:
    """R15: thirty days before its end a consent administrator is asked, and not again; a withdrawn one ends nothing."""
    world.say(HOSPITAL, exam())
    world.fact("birth-date", {"date": "2010-05-20"})
    given = world.fact("consent", consent(world.child(), "child", CENTRE, world.child()))
    clock.advance(days=364 - 31)
    assert timely.warn_of_ends(world.parts) == 0
    clock.advance(days=2)
    assert timely.warn_of_ends(world.parts) == 1
    assert ("consent-ends", "R15") in world.tasks()
    with world.parts.store.write() as unit:
        (task,) = tasks.listing(unit, kinds=("consent-ends",))
        assert task.due_at is not None
        assert timedelta(days=29) < task.due_at - clock.now() <= timedelta(days=30)
        tasks.close(unit, task.id, "quan-tri", clock.now())
    assert timely.warn_of_ends(world.parts) == 0
    casework.withdraw(world.parts, "quan-tri", world.case(), given.fact, world.child())
    clock.advance(days=1)
    assert timely.warn_of_ends(world.parts) == 0
