"""How long to hold on, read from data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources

import pytest

from hub.errors import Ambiguous, Misconfigured, Permanent, Transient
from hub.lanes import DIED, Backoff, after_failure, read_lanes
from hub.states import DeliveryState, Lane
from hub.storage.deliveries import Delivery

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
HELD = Delivery(
    id="d", strand="s", case="c", agency="a", addressee=None, officer="", lane=Lane.ORDINARY, seq=1,
    state=DeliveryState.SENDING, event="result", route="r", purposes=(), referral=None, recalls=None, created_at=AT,
    due_at=AT, deadline=AT + timedelta(days=1), tries=0, same_failures=0, last_failure=None, owner_process="p",
    fence=1, lease_until=AT, closed_at=None, offered_epoch=0,
)  # fmt: skip


def test_waits_grow_to_their_limit_and_are_spread() -> None:
    """Each wait is twice the last, never above the most, and shortened by chance by no more than the jitter."""
    backoff = Backoff(first=5, factor=2, most=900, jitter=0.3)
    waits = [backoff.wait(tries, 0).total_seconds() for tries in range(1, 11)]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert backoff.wait(10_000, 0).total_seconds() == 900
    assert backoff.wait(1, 0.999).total_seconds() > 3.5


def test_what_a_failure_leads_to() -> None:
    """For now: waits. Possibly held: unknown. For good: parks. The same own fault three times: parks."""
    lanes = read_lanes()
    failed = lanes.same_failure_limit - 1

    def after(failure: Exception | str, **earlier: object) -> DeliveryState:
        return after_failure(lanes, replace(HELD, **earlier), failure, AT, 0).state  # type: ignore[arg-type]

    assert after(Transient(kind="refused-connection")) is DeliveryState.PENDING
    assert after(Transient(kind="refused-connection"), last_failure="refused-connection", same_failures=99) == "pending"
    assert after(Ambiguous(kind="no-answer")) is DeliveryState.UNKNOWN
    assert after(Permanent(kind="http-400")) is DeliveryState.PARKED
    assert after(Transient(kind="nack-AE"), last_failure="nack-AE", same_failures=failed) is DeliveryState.PARKED
    assert after(Transient(kind="nack-AE"), last_failure="nack-AR", same_failures=failed) is DeliveryState.PENDING
    assert after(KeyError(), last_failure="keyerror", same_failures=failed) is DeliveryState.PARKED
    assert after(DIED, last_failure=DIED, same_failures=failed) is DeliveryState.PENDING
    assert after(DIED, last_failure=DIED, same_failures=lanes.died_limit - 1) is DeliveryState.PARKED


def test_a_dead_process_delays_nothing() -> None:
    """What it had in hand is due again at once; anything else waits for its turn."""
    lanes = read_lanes()
    assert after_failure(lanes, HELD, DIED, AT, 0).due_at == AT
    assert after_failure(lanes, HELD, Transient(kind="busy"), AT, 0).due_at == AT + timedelta(seconds=5)


def test_a_broken_policy_is_refused() -> None:
    """A lane without its backoff, or a time that is none, is a wrong setting and not a default."""
    text = resources.files("hub.policy").joinpath("delivery.yaml").read_text("utf-8")
    for broken in (text.replace("  urgent:", "  hasty:"), text.replace("lease: 120", "lease: soon"), "[]", "a: ["):
        with pytest.raises(Misconfigured, match=r"delivery\.yaml"):
            read_lanes(broken)
