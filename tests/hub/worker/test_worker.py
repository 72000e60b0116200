"""The worker delivers each thing once, in order, and leaves nothing behind that it cannot account for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Lock

import pytest

from hub.clock import SystemClock
from hub.errors import Permanent, Transient
from hub.messaging.transport import Abort
from hub.parts import Parts
from hub.presence import Presence, here, started
from hub.security.vault import Vault
from hub.states import AttemptState, DeliveryState
from hub.storage import attempts, audits, deliveries, processes, tasks, vault_keys, withdrawals
from hub.storage.deliveries import Claim
from hub.storage.store import Store, Unit
from hub.storage.withdrawals import Withdrawal
from hub.worker import Worker
from hub.worker.keeping import Keeper
from tests.conftest import wait_for
from tests.fakes.cases import an_attempt, new_case, next_epoch, offer
from tests.fakes.engine import engine, line

Deliver = Callable[[Parts, Claim], DeliveryState]


@pytest.fixture
def parts(store: Store, vault: Vault) -> Parts:
    """An engine room whose clock runs."""
    return engine(store, SystemClock(), vault)


def no_recall(parts: Parts, unit: Unit, settled: Iterable[Withdrawal]) -> list[str]:
    return []


@contextmanager
def working(parts: Parts, deliver: Deliver, threads: int = 4) -> Iterator[Worker]:
    worker = Worker(parts, deliver, no_recall, threads)
    worker.start()
    try:
        yield worker
    finally:
        assert worker.stop(10)


def state(parts: Parts, delivery: str) -> DeliveryState:
    with parts.store.read() as unit:
        return deliveries.get(unit, delivery).state


def test_everything_arrives_once_and_in_the_order_of_its_stream(parts: Parts) -> None:
    """Five deliveries each to four agencies of one case arrive in order, whatever the threads do."""
    at = parts.clock.now()
    case = new_case(parts.store, at)
    offered = {name: [offer(parts.store, case, at, name) for _ in range(5)] for name in ("a", "b", "c", "d")}
    arrived: list[tuple[str, str]] = []
    lock = Lock()

    def take(claim: Claim, attempt: str, abort: Abort) -> None:
        with lock:
            arrived.append((claim.delivery.agency, claim.delivery.id))

    with working(parts, line(take)):
        parts.dispatcher.wake([])
        wait_for(lambda: len(arrived) == 20)
    assert {name: [id_ for agency, id_ in arrived if agency == name] for name in offered} == offered


def test_what_fails_for_now_is_tried_again_until_it_works(parts: Parts) -> None:
    """A recipient that refuses connections four times gets it the fifth time; each try has its own attempt."""
    at = parts.clock.now()
    delivery = offer(parts.store, new_case(parts.store, at), at)
    tries: list[str] = []

    def refuse(claim: Claim, attempt: str, abort: Abort) -> None:
        tries.append(attempt)
        if len(tries) < 5:
            raise Transient(kind="refused-connection")

    with working(parts, line(refuse)):
        wait_for(lambda: state(parts, delivery) is DeliveryState.DELIVERED)
    with parts.store.read() as unit:
        ended = [attempt.state for attempt in attempts.of_delivery(unit, delivery)]
        assert ended == [AttemptState.FAILED] * 4 + [AttemptState.DELIVERED]
        assert deliveries.get(unit, delivery).tries == 4


@pytest.mark.parametrize("failure", [Transient(kind="nack-AE"), ZeroDivisionError()])
def test_the_same_failure_three_times_parks_its_stream_and_no_other(parts: Parts, failure: Exception) -> None:
    """Poison parks with an alarm; other streams go on; what recorded an attempt and broke is possibly held."""
    at = parts.clock.now()
    case = new_case(parts.store, at)
    poison, behind = offer(parts.store, case, at, "a"), offer(parts.store, case, at, "a")
    other = offer(parts.store, case, at, "b")

    def break_down(claim: Claim, attempt: str, abort: Abort) -> None:
        if claim.delivery.id == poison:
            raise failure

    with working(parts, line(break_down)):
        wait_for(lambda: state(parts, poison) is DeliveryState.PARKED)
        wait_for(lambda: state(parts, other) is DeliveryState.DELIVERED)
        assert state(parts, behind) is DeliveryState.PENDING
    with parts.store.read() as unit:
        tried = attempts.of_delivery(unit, poison)
        assert len(tried) == 3
        expected = AttemptState.FAILED if isinstance(failure, Transient) else AttemptState.UNKNOWN
        assert {attempt.state for attempt in tried} == {expected}
        if isinstance(failure, ZeroDivisionError):
            (alarm,) = tasks.listing(unit, kinds=["alarm"])
            assert alarm.subject == {"delivery": poison}
            assert len(audits.listing(unit, delivery=poison, kinds=["outcome"])) == 3


def test_a_refusal_for_good_parks_at_once(parts: Parts) -> None:
    """What will not work without a change is not tried again."""
    at = parts.clock.now()
    delivery = offer(parts.store, new_case(parts.store, at), at)

    def refuse(claim: Claim, attempt: str, abort: Abort) -> None:
        raise Permanent(kind="http-400")

    with working(parts, line(refuse)):
        wait_for(lambda: state(parts, delivery) is DeliveryState.PARKED)
    with parts.store.read() as unit:
        assert len(attempts.of_delivery(unit, delivery)) == 1


def test_a_slow_recipient_does_not_take_every_thread(parts: Parts) -> None:
    """While one agency holds as many sends as it may, another one is served."""
    at = parts.clock.now()
    slow = [offer(parts.store, new_case(parts.store, at), at, "slow") for _ in range(6)]
    release = Event()

    def dawdle(claim: Claim, attempt: str, abort: Abort) -> None:
        if claim.delivery.agency == "slow":
            release.wait(10)

    with working(parts, line(dawdle), threads=3):
        wait_for(lambda: len(parts.underway.ids()) == parts.lanes.per_agency)
        quick = offer(parts.store, new_case(parts.store, at), at, "quick")
        parts.dispatcher.wake([quick])
        wait_for(lambda: state(parts, quick) is DeliveryState.DELIVERED)
        assert len(parts.underway.ids()) == parts.lanes.per_agency
        release.set()
        wait_for(lambda: all(state(parts, each) is DeliveryState.DELIVERED for each in slow))


def test_a_withdrawal_cuts_what_is_under_way_and_then_takes_effect(parts: Parts) -> None:
    """The send is told to stop, reports aborted, and only then is the withdrawal effective."""
    at = parts.clock.now()
    case = new_case(parts.store, at)
    delivery = offer(parts.store, case, at)
    began, cut = Event(), Event()

    def hang(claim: Claim, attempt: str, abort: Abort) -> None:
        with abort.cutting(cut.set):
            began.set()
            if cut.wait(10):
                raise Transient(kind="aborted")

    with working(parts, line(hang)):
        assert began.wait(5)
        with parts.store.write() as unit:
            withdrawal = withdrawals.record(unit, case, "consent", next_epoch(unit, case), "admin", parts.clock.now())
        wait_for(lambda: _effective(parts, withdrawal))
    assert cut.is_set()
    with parts.store.read() as unit:
        attempt = attempts.of_delivery(unit, delivery)[0]
        assert attempt.state is AttemptState.ABORTED
        assert attempt.closed_at is not None
        effective = withdrawals.get(unit, withdrawal).effective_at
        assert effective is not None
        assert attempt.closed_at <= effective


def _effective(parts: Parts, withdrawal: str) -> bool:
    with parts.store.read() as unit:
        return withdrawals.get(unit, withdrawal).effective_at is not None


def test_an_effective_withdrawal_is_recalled_in_the_same_commit(parts: Parts) -> None:
    """The recall is asked for once with what settled; if it breaks, the withdrawal is not effective either."""
    case = new_case(parts.store, parts.clock.now())
    with parts.store.write() as unit:
        withdrawal = withdrawals.record(unit, case, "consent", next_epoch(unit, case), "admin", parts.clock.now())
    asked: list[list[str]] = []

    def recall(parts: Parts, unit: Unit, settled: Iterable[Withdrawal]) -> list[str]:
        asked.append([each.id for each in settled])
        if len(asked) == 1:
            raise ZeroDivisionError
        return []

    keeper = Keeper(parts, recall, lambda: None, Event())
    with pytest.raises(ZeroDivisionError):
        keeper.settle()
    assert not _effective(parts, withdrawal)
    keeper.settle()
    keeper.settle()
    assert _effective(parts, withdrawal)
    assert asked == [[withdrawal], [withdrawal]]


def dead_process(parts: Parts) -> str:
    """A process that ran here and certainly runs no more."""
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    presence = Presence(pid=ended.pid)
    with parts.store.write() as unit:
        presence.announce(unit, parts.clock.now())
        assert processes.get(unit, presence.id).ticks == started(ended.pid)
    ended.kill()
    ended.communicate()
    return presence.id


def left_behind(parts: Parts, process: str, send: bool) -> str:
    """A delivery in the hand of `process`, with or without an attempt under way."""
    at = parts.clock.now()
    delivery = offer(parts.store, new_case(parts.store, at), at)
    with parts.store.write() as unit:
        claim = deliveries.claim(unit, process, at, timedelta(minutes=2), only=delivery)
        assert claim is not None
        if send:
            attempts.record(unit, claim, an_attempt(), at)
    return delivery


def test_what_a_dead_process_left_is_taken_over(parts: Parts) -> None:
    """A claim without attempt is pending again, one with an attempt is unknown, and both are then delivered."""
    process = dead_process(parts)
    claimed, sending = left_behind(parts, process, send=False), left_behind(parts, process, send=True)
    keeper = Keeper(parts, no_recall, lambda: None, Event())
    keeper.keep_house()
    assert state(parts, claimed) is DeliveryState.PENDING
    assert state(parts, sending) is DeliveryState.UNKNOWN
    with parts.store.read() as unit:
        assert attempts.of_delivery(unit, sending)[0].state is AttemptState.UNKNOWN
        assert processes.get(unit, process).ended_at is not None
    with working(parts, line(lambda claim, attempt, abort: None)):
        wait_for(lambda: state(parts, claimed) is state(parts, sending) is DeliveryState.DELIVERED)


def test_a_process_that_only_fell_silent_keeps_its_attempts_open(parts: Parts) -> None:
    """Its lease lapses and the work goes on elsewhere, but its attempt is not called closed."""
    silent = Presence(host="elsewhere/x/another-boot/pid:[1]")
    with parts.store.write() as unit:
        silent.announce(unit, parts.clock.now())
    delivery = left_behind(parts, silent.id, send=True)
    keeper = Keeper(parts, no_recall, lambda: None, Event())
    keeper.keep_house()
    assert state(parts, delivery) is DeliveryState.SENDING
    later = parts.clock.now() + timedelta(minutes=3)
    with parts.store.write() as unit:
        (lapsed,) = deliveries.lapsed(unit, later)
        deliveries.give_back(unit, lapsed, parts.clock.now())
    with working(parts, line(lambda claim, attempt, abort: None)):
        wait_for(lambda: state(parts, delivery) is DeliveryState.DELIVERED)
    with parts.store.read() as unit:
        ended = [attempt.state for attempt in attempts.of_delivery(unit, delivery)]
        assert ended == [AttemptState.OPEN, AttemptState.DELIVERED]
        assert processes.get(unit, silent.id).ended_at is None


def test_a_delivery_that_keeps_ending_its_process_is_parked(parts: Parts) -> None:
    """After as many dead processes as the policy allows, a person looks at it first."""
    at = parts.clock.now()
    delivery = offer(parts.store, new_case(parts.store, at), at)
    for _ in range(parts.lanes.died_limit):
        process = dead_process(parts)
        with parts.store.write() as unit:
            later = parts.clock.now() + timedelta(minutes=1)
            assert deliveries.claim(unit, process, later, timedelta(minutes=2)) is not None
        Keeper(parts, no_recall, lambda: None, Event()).keep_house()
    assert state(parts, delivery) is DeliveryState.PARKED


def test_a_worker_that_was_declared_dead_stops(parts: Parts) -> None:
    """It cuts its sends and claims nothing more, because withdrawals may count on its death."""
    cut, began = Event(), Event()
    at = parts.clock.now()
    offer(parts.store, new_case(parts.store, at), at)

    def hang(claim: Claim, attempt: str, abort: Abort) -> None:
        with abort.cutting(cut.set):
            began.set()
            if cut.wait(10):
                raise Transient(kind="aborted")

    with working(parts, line(hang)) as worker:
        assert began.wait(5)
        with parts.store.write() as unit:
            processes.end(unit, parts.presence.id, parts.clock.now())
        worker.wait()
        wait_for(cut.is_set)
        after = offer(parts.store, new_case(parts.store, at), at)
    assert state(parts, after) is DeliveryState.PENDING


def test_a_worker_that_leaves_in_order_says_so(parts: Parts) -> None:
    """After stopping nothing is in hand, and the process is known to have ended."""
    with working(parts, line(lambda claim, attempt, abort: None)), parts.store.read() as unit:
        assert [process.id for process in processes.running(unit)] == [parts.presence.id]
    with parts.store.read() as unit:
        assert processes.running(unit) == []


def test_time_limits_are_kept_without_anyone_asking(parts: Parts) -> None:
    """What waited past its deadline expires with an alarm, and an intake key past its time is destroyed."""
    at = parts.clock.now()
    late = offer(parts.store, new_case(parts.store, at), at - timedelta(hours=30))
    with parts.store.write() as unit:
        key = parts.vault.new_key(unit, "intake", at, at)
    Keeper(parts, no_recall, lambda: None, Event()).keep_house()
    assert state(parts, late) is DeliveryState.EXPIRED
    with parts.store.read() as unit:
        assert [task.reason for task in tasks.listing(unit)] == ["expired"]
        kept = vault_keys.get(unit, key)
        assert kept is not None
        assert kept.wrapped is None


def test_here_is_always_the_same_place() -> None:
    """Two looks from one process name the same machine, boot and process namespace."""
    assert here() == here()
    assert len(here().split("/")) == 4
