"""Recorded before sent, and a withdrawal's two instants."""

from __future__ import annotations

from datetime import timedelta
from threading import Event, Thread

import pytest

from hub.errors import NotFound, Stale
from hub.states import AttemptState, DeliveryState
from hub.storage import attempts, deliveries, processes, withdrawals
from hub.storage.attempts import Attempt, Ground
from hub.storage.deliveries import Claim
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.cases import an_attempt, new_case, next_epoch, offer


def claim(store: Store, clock: SetClock, process: str = "p1") -> Claim:
    with store.write() as unit:
        if not processes.known(unit, process):
            processes.announce(unit, process, "host", 1, 1, clock.now())
        held = deliveries.claim(unit, process, clock.now(), timedelta(minutes=2))
    assert held is not None
    return held


def under_way(store: Store, clock: SetClock, case: str) -> Attempt:
    offer(store, case, clock.now())
    with store.read() as unit:
        epoch = 0 if not withdrawals.of_case(unit, case) else withdrawals.of_case(unit, case)[-1].epoch
    held = claim(store, clock)
    with store.write() as unit:
        return attempts.record(unit, held, an_attempt(epoch=epoch), clock.now())


def withdraw(store: Store, clock: SetClock, case: str) -> str:
    with store.write() as unit:
        return withdrawals.record(unit, case, "consent", next_epoch(unit, case), "consent-admin", clock.now())


def settle(store: Store, clock: SetClock) -> list[str]:
    with store.write() as unit:
        return [settled.id for settled in withdrawals.settle(unit, clock.now())]


def test_with_nothing_under_way_a_withdrawal_is_effective_at_once(store: Store, clock: SetClock) -> None:
    """It settles at the first look, and only once."""
    case = new_case(store, clock.now())
    withdrawal = withdraw(store, clock, case)
    assert settle(store, clock) == [withdrawal]
    assert settle(store, clock) == []
    with store.read() as unit:
        assert withdrawals.get(unit, withdrawal).effective_at == clock.now()
        assert withdrawals.waiting(unit) == []


@pytest.mark.parametrize("end", [state for state in AttemptState if state is not AttemptState.OPEN])
def test_a_send_under_way_holds_a_withdrawal_back_until_it_has_closed(
    store: Store, clock: SetClock, end: AttemptState
) -> None:
    """The attempt is asked to stop; whichever way it then reports, the withdrawal takes effect."""
    case = new_case(store, clock.now())
    attempt = under_way(store, clock, case)
    withdrawal = withdraw(store, clock, case)
    assert settle(store, clock) == []
    with store.read() as unit:
        assert attempts.to_abort(unit, attempt.process) == [attempt.id]
        assert attempts.to_abort(unit, "another") == []
    with store.write() as unit:
        attempts.close(unit, attempt.id, end, clock.now())
    assert settle(store, clock) == [withdrawal]


def test_a_lapsed_lease_does_not_make_a_withdrawal_effective(store: Store, clock: SetClock) -> None:
    """A silent process may still send; only its confirmed death counts."""
    case = new_case(store, clock.now())
    attempt = under_way(store, clock, case)
    withdrawal = withdraw(store, clock, case)
    clock.advance(days=2)
    with store.write() as unit:
        (lapsed,) = deliveries.lapsed(unit, clock.now())
        deliveries.give_back(unit, lapsed, clock.now())
        assert deliveries.get(unit, attempt.delivery).state is DeliveryState.UNKNOWN
    assert settle(store, clock) == []
    with store.write() as unit:
        processes.end(unit, attempt.process, clock.now())
    assert settle(store, clock) == [withdrawal]


def test_an_attempt_that_read_the_new_facts_holds_nothing_back(store: Store, clock: SetClock) -> None:
    """What was decided after the withdrawal, on another ground, is not in its way."""
    case = new_case(store, clock.now())
    withdrawal = withdraw(store, clock, case)
    under_way(store, clock, case)
    assert settle(store, clock) == [withdrawal]


def test_a_decision_on_older_facts_is_not_recorded(store: Store, clock: SetClock) -> None:
    """Between deciding and recording the facts changed: nothing may leave on the old decision."""
    case = new_case(store, clock.now())
    delivery = offer(store, case, clock.now())
    held = claim(store, clock)
    withdraw(store, clock, case)
    with pytest.raises(Stale), store.write() as unit:
        attempts.record(unit, held, an_attempt(epoch=0), clock.now())
    with store.read() as unit:
        assert attempts.of_delivery(unit, delivery) == []


def test_recording_and_withdrawing_wait_for_one_another(store: Store, clock: SetClock) -> None:
    """A withdrawal that comes while an attempt is being recorded sees that attempt and asks it to stop."""
    case = new_case(store, clock.now())
    offer(store, case, clock.now())
    held = claim(store, clock)
    recorded, go_on = Event(), Event()

    def record() -> None:
        with store.write() as unit:
            attempts.record(unit, held, an_attempt(epoch=0), clock.now())
            recorded.set()
            go_on.wait(5)

    recorder = Thread(target=record)
    recorder.start()
    assert recorded.wait(5)
    withdrawer = Thread(target=withdraw, args=(store, clock, case))
    withdrawer.start()
    withdrawer.join(0.3)
    assert withdrawer.is_alive()
    go_on.set()
    recorder.join(5)
    withdrawer.join(5)
    assert settle(store, clock) == []
    with store.read() as unit:
        (attempt,) = attempts.under_way(unit, ["p1"])
        assert attempt.abort_requested


def test_a_late_certainty_replaces_unknown_and_nothing_replaces_a_certainty(store: Store, clock: SetClock) -> None:
    """Unknown may become delivered or failed; delivered stays delivered."""
    attempt = under_way(store, clock, new_case(store, clock.now()))
    with store.write() as unit:
        assert attempts.close(unit, attempt.id, AttemptState.UNKNOWN, clock.now(), "no-answer")
        assert not attempts.close(unit, attempt.id, AttemptState.UNKNOWN, clock.now())
        assert attempts.close(unit, attempt.id, AttemptState.DELIVERED, clock.now())
        assert not attempts.close(unit, attempt.id, AttemptState.FAILED, clock.now())
        assert attempts.get(unit, attempt.id).state is AttemptState.DELIVERED


def test_the_grounds_of_an_attempt_lead_back_to_it(store: Store, clock: SetClock) -> None:
    """Who holds something that rested on a consent is found through it, unless the attempt surely failed."""
    case = new_case(store, clock.now())
    grounds = (Ground("C", "consent", "consent-1", 1), Ground("P", "order", "order-1", 2))
    found = []
    for end in (AttemptState.DELIVERED, AttemptState.UNKNOWN, AttemptState.FAILED, AttemptState.ABORTED):
        offer(store, case, clock.now())
        held = claim(store, clock)
        with store.write() as unit:
            attempt = attempts.record(unit, held, an_attempt(grounds=grounds), clock.now())
            attempts.close(unit, attempt.id, end, clock.advance(seconds=1))
            deliveries.finish(unit, held, DeliveryState.DELIVERED, clock.now())
            found.append(attempt.id)
    with store.read() as unit:
        assert [held.id for held in attempts.resting_on(unit, ["consent-1"])] == found[:2]
        assert attempts.resting_on(unit, ["consent-2"]) == []
        assert attempts.grounds_of(unit, found[0]) == list(grounds)
        assert [held.id for held in attempts.by_outbound_token(unit, attempt.outbound_token)] == [found[3]]


def test_attempts_of_one_delivery_are_numbered(store: Store, clock: SetClock) -> None:
    """Each try of a delivery has its own row and number."""
    attempt = under_way(store, clock, new_case(store, clock.now()))
    with store.write() as unit:
        (held,) = deliveries.in_hand(unit, "p1")
        again = attempts.record(unit, held, an_attempt(), clock.now())
    assert (attempt.number, again.number) == (1, 2)


def test_what_is_not_there_is_not_found(store: Store) -> None:
    """Asking for an unknown attempt, delivery, process or withdrawal says so."""
    for get in (attempts.get, deliveries.get, processes.get, withdrawals.get):
        with pytest.raises(NotFound), store.read() as unit:
            get(unit, "nothing")
