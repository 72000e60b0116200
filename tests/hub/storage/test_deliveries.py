"""The outbox: one head a stream, one holder a delivery, and a fence against whoever lost it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from hub.errors import Fenced, NotFound
from hub.states import AttemptState, DeliveryState, Lane
from hub.storage import attempts, deliveries
from hub.storage.deliveries import Failure
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.cases import an_attempt, new_case, offer

LEASE = timedelta(seconds=120)


def claim(store: Store, clock: SetClock, process: str = "p1", **how: object) -> deliveries.Claim | None:
    with store.write() as unit:
        return deliveries.claim(unit, process, clock.now(), LEASE, **how)  # type: ignore[arg-type]


def test_only_the_head_of_a_stream_is_claimed(store: Store, clock: SetClock) -> None:
    """What stands behind waits until what stands before it is final, in whatever state that one rests."""
    case = new_case(store, clock.now())
    first, second = offer(store, case, clock.now()), offer(store, case, clock.now())
    held = claim(store, clock)
    assert held is not None
    assert held.delivery.id == first
    assert claim(store, clock) is None
    with store.write() as unit:
        deliveries.fail(unit, held, Failure(DeliveryState.PARKED, clock.now(), "nack-AE", 1))
    assert claim(store, clock) is None
    with store.write() as unit:
        assert deliveries.unpark(unit, first, clock.now())
    again = claim(store, clock)
    assert again is not None
    with store.write() as unit:
        deliveries.finish(unit, again, DeliveryState.DELIVERED, clock.now())
    last = claim(store, clock)
    assert last is not None
    assert last.delivery.id == second


def test_streams_do_not_wait_for_one_another(store: Store, clock: SetClock) -> None:
    """Another agency, another lane and another case each have their own head; urgent comes first."""
    case, other = new_case(store, clock.now()), new_case(store, clock.now())
    offered = {
        offer(store, case, clock.now()),
        offer(store, case, clock.now(), agency="school"),
        offer(store, other, clock.now()),
    }
    urgent = offer(store, case, clock.now(), lane=Lane.URGENT)
    claims = [claim(store, clock) for _ in range(5)]
    ids = [held.delivery.id for held in claims if held is not None]
    assert ids[0] == urgent
    assert set(ids[1:]) == offered
    assert claims[4] is None


def test_nothing_is_claimed_before_it_is_due_or_after_its_deadline(store: Store, clock: SetClock) -> None:
    """A delivery waits for its time, and expires once, with its deadline."""
    case = new_case(store, clock.now())
    waiting = offer(store, case, clock.now() + timedelta(hours=1))
    assert claim(store, clock) is None
    clock.advance(hours=30)
    assert claim(store, clock) is None
    with store.write() as unit:
        assert [late.id for late in deliveries.expire(unit, clock.now())] == [waiting]
        assert deliveries.expire(unit, clock.now()) == []
        assert deliveries.get(unit, waiting).state is DeliveryState.EXPIRED


def test_an_agency_can_be_left_alone(store: Store, clock: SetClock) -> None:
    """What goes to a skipped agency is neither due nor claimed."""
    delivery = offer(store, new_case(store, clock.now()), clock.now(), agency="shelter")
    assert claim(store, clock, skip={"shelter"}) is None
    with store.read() as unit:
        assert deliveries.due(unit, clock.now(), skip={"shelter"}) == []
        assert deliveries.due(unit, clock.now()) == [delivery]
    assert claim(store, clock, only="another") is None
    assert claim(store, clock, only=delivery) is not None


def test_who_lost_a_delivery_cannot_write_any_more(store: Store, clock: SetClock) -> None:
    """After a take-over the older fence records no attempt and no outcome."""
    delivery = offer(store, new_case(store, clock.now()), clock.now())
    old = claim(store, clock)
    assert old is not None
    clock.advance(seconds=121)
    with store.write() as unit:
        (lapsed,) = deliveries.lapsed(unit, clock.now())
        deliveries.fail(unit, lapsed, Failure(DeliveryState.PENDING, clock.now(), "process-died", 1))
    new = claim(store, clock, "p2")
    assert new is not None
    assert new.fence == old.fence + 1
    for write in (
        lambda unit: attempts.record(unit, old, an_attempt(), clock.now()),
        lambda unit: deliveries.finish(unit, old, DeliveryState.DELIVERED, clock.now()),
        lambda unit: deliveries.give_back(unit, old, clock.now()),
    ):
        with pytest.raises(Fenced), store.write() as unit:
            write(unit)
    with store.read() as unit:
        assert deliveries.get(unit, delivery).owner_process == "p2"
        assert attempts.of_delivery(unit, delivery) == []


def test_a_delivery_possibly_held_stays_unknown(store: Store, clock: SetClock) -> None:
    """A later failure before the first byte does not make an earlier unknown attempt undone."""
    delivery = offer(store, new_case(store, clock.now()), clock.now())
    held = claim(store, clock)
    assert held is not None
    with store.write() as unit:
        attempt = attempts.record(unit, held, an_attempt(), clock.now())
        attempts.close(unit, attempt.id, AttemptState.UNKNOWN, clock.now(), "no-answer")
        deliveries.fail(unit, held, Failure(DeliveryState.UNKNOWN, clock.now(), "no-answer", 1))
    again = claim(store, clock)
    assert again is not None
    with store.write() as unit:
        deliveries.fail(unit, again, Failure(DeliveryState.PENDING, clock.now(), "refused-connection", 1))
        assert deliveries.get(unit, delivery).state is DeliveryState.UNKNOWN
        assert deliveries.get(unit, delivery).tries == 2
        assert deliveries.close(unit, delivery, DeliveryState.DELIVERED, clock.now())


def test_a_delivery_in_hand_is_not_closed_from_outside(store: Store, clock: SetClock) -> None:
    """Superseding waits for nobody: what is in hand or final is left alone."""
    delivery = offer(store, new_case(store, clock.now()), clock.now())
    held = claim(store, clock)
    assert held is not None
    with store.write() as unit:
        assert not deliveries.close(unit, delivery, DeliveryState.SUPERSEDED, clock.now())
        deliveries.finish(unit, held, DeliveryState.WITHHELD, clock.now())
    with store.write() as unit:
        assert not deliveries.close(unit, delivery, DeliveryState.SUPERSEDED, clock.now())
        assert not deliveries.unpark(unit, delivery, clock.now())
        assert deliveries.counts(unit) == {DeliveryState.WITHHELD: 1}
        assert deliveries.waiting(unit) == 0


def test_a_delivery_in_hand_ends_only_in_a_final_state(store: Store, clock: SetClock) -> None:
    """Finishing with a state that is not an end is a mistake of ours and is refused."""
    offer(store, new_case(store, clock.now()), clock.now())
    held = claim(store, clock)
    assert held is not None
    with pytest.raises(ValueError, match="does not end"), store.write() as unit:
        deliveries.finish(unit, held, DeliveryState.PENDING, clock.now())


def test_many_claimers_never_hold_the_same_stream(store: Store, clock: SetClock) -> None:
    """Eight threads claim and deliver forty deliveries of ten streams: each once, each stream in its order."""
    cases = [new_case(store, clock.now()) for _ in range(10)]
    offered = {case: [offer(store, case, clock.now()) for _ in range(4)] for case in cases}
    delivered: list[tuple[str, str]] = []

    def work(name: str) -> None:
        while True:
            with store.write() as unit:
                if deliveries.waiting(unit) == 0:
                    return
            held = claim(store, clock, name)
            if held is None:
                continue
            delivered.append((held.delivery.case, held.delivery.id))
            with store.write() as unit:
                deliveries.finish(unit, held, DeliveryState.DELIVERED, clock.now())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [f"p{number}" for number in range(8)]))
    assert len(delivered) == 40
    assert {case: [id_ for of, id_ in delivered if of == case] for case in cases} == offered


def test_offers_to_a_case_that_is_not_there_are_refused(store: Store, clock: SetClock) -> None:
    """A delivery belongs to a case."""
    with pytest.raises(NotFound):
        offer(store, "nobody", clock.now())


def test_a_move_renumbers_behind_the_other_case(store: Store, clock: SetClock) -> None:
    """After a link the moved deliveries follow those of the case that they came to, in their old order."""
    one, other = new_case(store, clock.now()), new_case(store, clock.now())
    mine = [offer(store, one, clock.now()), offer(store, one, clock.now())]
    theirs = [offer(store, other, clock.now()), offer(store, other, clock.now())]
    with store.write() as unit:
        assert deliveries.move(unit, other, one) == 2
    with store.read() as unit:
        found = sorted(deliveries.listing(unit, case_id=one), key=lambda delivery: delivery.seq)
        assert [delivery.id for delivery in found] == mine + theirs
