"""The serving process is killed (SIGKILL) under traffic over both doors, inside every window, on both databases.

    commit -> ACK           `accepted`: the message is kept, its sender never hears so, and says it again
    claim -> send           `claimed`, `recorded`: in hand or recorded, no byte left
    send -> outcome         `sent`: the recipient has it, the hub does not know
    recorded -> effective   a withdrawal is committed while a send of its case is under way

After each kill: what was acknowledged reaches every recipient once in effect (one id, the same bytes) and in order, and
nothing leaves after an effective withdrawal. A window that was not hit fails the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.conftest import Postgres, wait_for
from tests.faults.bugs import BUGS
from tests.faults.city import City, Nursery, Withdrawn, city

KILLS = 3
HITS = 5
"""Needed in each window; every kill finds two threads or more in each."""
WINDOWS = ("commit to ACK", "claim to send", "send to outcome", "recorded to effective")
DOORS = ("mllp", "rest")


class NotHit(AssertionError):
    """A window was not hit: the run proves nothing."""


def reach(town: City, place: str) -> None:
    """Wait until a thread of the hub is stopped there."""
    with suppress(AssertionError):
        wait_for(lambda: town.stopped(place), 15)
    if not town.stopped(place):
        raise NotHit(place)


def later(work: Callable[[], object]) -> Thread:
    """Something that will not come back before the hub is killed."""

    def run() -> None:
        with suppress(httpx.HTTPError, RuntimeError):
            work()

    thread = Thread(target=run, daemon=True)
    thread.start()
    return thread


def one_kill(town: City, children: Sequence[Withdrawn]) -> Counter[str]:
    """Bring threads of the hub into every window, kill it there, and say how many it found in each."""
    waiting = [recording_withdrawal(town, child, over) for child, over in zip(children, DOORS, strict=True)]
    # Child A's exams go to three hospitals: one delivery stops in hand, two when their recipient has them.
    town.arm("claimed")
    assert town.tell("mllp").acknowledged
    reach(town, "claimed")
    for over in DOORS:
        town.arm("sent")
        assert town.tell(over).acknowledged
        reach(town, "sent")
    # At each door one more message is kept, but not yet acknowledged.
    unheard = [town.note(over) for over in DOORS]
    for told in unheard:
        town.arm("accepted")
        waiting.append(later(partial(town.say_once_more, told)))
        reach(town, "accepted")
    # The last one is acknowledged a moment before the end.
    assert town.tell("rest").acknowledged
    town.kill()
    for thread in waiting:
        thread.join(10)
    return Counter(
        {
            "commit to ACK": sum(not told.acknowledged for told in unheard),
            "claim to send": 1 + len(children),
            "send to outcome": len(DOORS),
            "recorded to effective": sum(town.effective(child) is None for child in children),
        }
    )


def recording_withdrawal(town: City, child: Withdrawn, over: str) -> Thread:
    """A send about the child is recorded and about to leave when its consent is withdrawn."""
    town.arm("recorded")
    assert town.say(child.name, over)
    reach(town, "recorded")
    town.arm("withdrawal-recorded")
    where = f"/cases/{child.case}/consents/{child.consent}/withdraw"
    thread = later(lambda: town.admin.tell("POST", where, {"by": child.person}))
    reach(town, "withdrawal-recorded")
    return thread


def campaign(town: City, kills: int) -> Counter[str]:
    """Kill the hub again and again, let it come to rest each time, and say how often each window was hit."""
    each = len(DOORS)
    hits: Counter[str] = Counter()
    town.settle_in(kills * each)
    for number in range(kills):
        hits += one_kill(town, town.withdrawn[number * each : (number + 1) * each])
        town.start()
        town.repeat()
        with suppress(AssertionError):
            wait_for(town.resting, 20)
    for window in WINDOWS:
        if hits[window] < kills * each:
            raise NotHit(f"{window}: {hits[window]} hits with {kills} kills")
    return hits


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One warm process for the whole campaign."""
    warm = Nursery()
    yield warm
    warm.close()


@pytest.mark.timeout(240)
def test_no_kill_breaks_a_promise(tmp_path: Path, database_url: str, nursery: Nursery) -> None:
    """Killed in every window, again and again, the hub loses nothing, doubles nothing, and leaks nothing."""
    with city(tmp_path / "hub", database_url, nursery) as town:
        hits = campaign(town, KILLS)
        assert town.violations() == []
        assert all(told.acknowledged for told in town.told)
        assert all(town.effective(child) is not None for child in town.withdrawn)
    assert min(hits[window] for window in WINDOWS) >= HITS


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("bug", "broken"), BUGS.values(), ids=BUGS)
def test_the_campaign_bites(tmp_path: Path, postgres: Postgres, nursery: Nursery, bug: str, broken: str) -> None:
    """A hub with a bug seeded on purpose breaks the promise that the bug is about, after a single kill."""
    with city(tmp_path / "hub", postgres.fresh(), nursery, bug) as town:
        found = judged(town)
    assert any(each.startswith(broken) for each in found), found


def judged(town: City) -> list[str]:
    """What one kill shows: broken promises, or the window that could not be hit."""
    try:
        campaign(town, 1)
    except NotHit as missed:
        return [str(missed)]
    return town.violations()
