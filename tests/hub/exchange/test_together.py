"""Many at once: whatever comes at the same moment gives the same as one after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hub import casework
from hub.envelope import Acknowledgement
from hub.storage import persons, strands
from tests.fakes.world import CENTRE, HOSPITAL, POLICE, World, exam, forensic_request, patient

Value = TypeVar("Value")


def test_the_same_message_at_once_is_taken_once(world: World) -> None:
    """Eight copies of one message that arrive together make one message and seven repeated answers."""
    told: list[Acknowledgement] = _together([lambda: world.say(HOSPITAL, exam()) for _ in range(8)])
    assert sorted(each.duplicate for each in told) == [False] + [True] * 7
    assert len({each.message for each in told}) == 1


def test_messages_about_an_unknown_child_at_once_make_one_child(world: World) -> None:
    """Eight messages about a child that nobody knew before, arriving together, make one case."""
    agencies = [HOSPITAL, CENTRE, POLICE, HOSPITAL] * 2
    _together(
        [
            lambda n=n, agency=agency: world.say(agency, exam(f"EX-{n}", child=patient(record=f"{agency}-{n}")))
            for n, agency in enumerate(agencies)
        ]
    )
    with world.parts.store.read() as unit:
        assert len(strands.of_case(unit, world.case())) == 8


def test_messages_about_the_same_children_in_any_order_do_not_block_each_other(world: World) -> None:
    """Two messages that name two children in opposite order are both taken."""
    other = patient(number="079312000002", record="BN-0002", name="Thử-Nghiệm Văn Hai")
    _together(
        [
            lambda n=n: world.say(HOSPITAL, *([exam(f"X-{n}"), exam(f"X-{n}", child=other)][:: 1 if n % 2 else -1]))
            for n in range(6)
        ]
    )
    assert len(world.cases()) == 2


def test_facts_and_messages_at_once_count_every_change(world: World) -> None:
    """Facts recorded while messages come in are all kept, each with an epoch of its own."""
    world.say(HOSPITAL, exam())
    case = world.case()
    jobs: list[Callable[[], object]] = [
        lambda n=n: casework.record(world.parts, f"can-bo-{n}", case, "team", {"agency": CENTRE, "role": f"r{n}"})
        for n in range(4)
    ]
    jobs += [lambda n=n: world.say(POLICE, forensic_request(f"RQ-{n}")) for n in range(4)]
    _together(jobs)
    epochs = [each.epoch for each in casework.history(world.parts, "can-bo-a", case)]
    assert len(epochs) == len(set(epochs)) == 8
    with world.parts.store.read() as unit:
        assert persons.get_case(unit, case).epoch == 8


def _together(jobs: list[Callable[[], Value]]) -> list[Value]:
    with ThreadPoolExecutor(len(jobs)) as threads:
        return [each.result() for each in [threads.submit(job) for job in jobs]]
