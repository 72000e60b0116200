"""The serving process is killed (SIGKILL) under traffic, five times inside every window, on both databases.

    commit -> ACK           `accepted`: the message is kept, its sender never hears so, and says it again
    claim -> send           `claimed`, `recorded`: in hand or recorded, no byte left
    send -> outcome         `sent`: the recipient has it, the hub does not know
    recorded -> effective   a withdrawal is committed while a send of its case is under way

After each kill: what was acknowledged reaches every recipient once in effect (one id, the same bytes) and in order, and
nothing leaves after an effective withdrawal. A window that was not hit fails the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.conftest import wait_for
from tests.faults.city import City, city

ROUNDS = 5
WINDOWS = ("commit to ACK", "claim to send", "send to outcome", "recorded to effective")


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


def one_round(town: City, number: int) -> Counter[str]:
    """Bring threads of the hub into every window, kill it there, and say which windows were hit."""
    child, over = town.withdrawn[number], ("mllp", "rest")
    # A send of the child whose consent is withdrawn is under way ...
    town.arm("recorded")
    assert town.say(f"B{number}", over[number % 2])
    reach(town, "recorded")
    # ... when the withdrawal is recorded.
    town.arm("withdrawal-recorded")
    where = f"/cases/{child.case}/consents/{child.consent}/withdraw"
    withdrawing = later(lambda: town.admin.tell("POST", where, {"by": child.person}))
    reach(town, "withdrawal-recorded")
    # Child A's exam goes to three hospitals: one delivery stops in hand, one when its recipient has it.
    town.arm("claimed")
    assert town.tell(over[number % 2]).acknowledged
    reach(town, "claimed")
    town.arm("sent")
    assert town.tell(over[(number + 1) % 2]).acknowledged
    reach(town, "sent")
    # And one more message is kept, but not yet acknowledged.
    town.arm("accepted")
    unheard = town.note(over[number % 2])
    saying = later(lambda: town.say_once_more(unheard))
    reach(town, "accepted")
    town.kill()
    saying.join(10)
    withdrawing.join(10)
    hits = Counter({"claim to send": 2, "send to outcome": 1})
    hits["commit to ACK"] += not unheard.acknowledged
    hits["recorded to effective"] += town.effective(child) is None
    return hits


def campaign(town: City, rounds: int) -> Counter[str]:
    """Kill the hub `rounds` times, let it come to rest after each, and say how often each window was hit."""
    hits: Counter[str] = Counter()
    town.settle_in(rounds)
    for number in range(rounds):
        hits += one_round(town, number)
        town.start()
        town.repeat()
        with suppress(AssertionError):
            wait_for(town.resting, 20)
    for window in WINDOWS:
        if hits[window] < rounds:
            raise NotHit(f"{window}: {hits[window]} of {rounds}")
    return hits


@pytest.mark.timeout(180)
def test_no_kill_breaks_a_promise(tmp_path: Path, database_url: str) -> None:
    """Killed in every window, again and again, the hub loses nothing, doubles nothing, and leaks nothing."""
    with city(tmp_path / "hub", database_url) as town:
        hits = campaign(town, ROUNDS)
        assert town.violations() == []
        assert all(told.acknowledged for told in town.told)
        assert all(town.effective(child) is not None for child in town.withdrawn)
    assert min(hits[window] for window in WINDOWS) >= ROUNDS
