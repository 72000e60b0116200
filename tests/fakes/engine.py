"""The engine room's parts around a real store, without agencies' formats: `deliver` is a test's own small line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from hub.directory import Registry
from hub.errors import SendFailed
from hub.lanes import Lanes, after_failure, read_lanes
from hub.messaging.dispatcher import Dispatcher, EmbeddedDispatcher
from hub.messaging.transport import Abort
from hub.parts import Parts
from hub.security.vault import Vault
from hub.settings import Settings
from hub.states import AttemptState, DeliveryState
from hub.storage import attempts, deliveries
from hub.storage.deliveries import Claim
from hub.storage.store import Store
from tests.fakes.cases import an_attempt

QUICK = read_lanes("""
version: "test"
lease: 120
backoff:
  urgent:   {first: 0.02, factor: 2, most: 1, jitter: 0}
  ordinary: {first: 0.02, factor: 2, most: 1, jitter: 0}
same_failure_limit: 3
patient_with: [refused-connection]
died_limit: 3
sweep: 0.05
heartbeat: 0.1
abort_poll: 0.02
per_agency: 2
""")
"""The hub's patience, a hundred times as quick."""


def engine(store: Store, clock: Any, vault: Vault, lanes: Lanes = QUICK, dispatcher: Dispatcher | None = None) -> Parts:
    """Parts for a worker whose `deliver` needs no packs and no policy."""
    nothing = cast(Any, None)
    return Parts(
        settings=Settings(), clock=clock, store=store, vault=vault, registry=Registry(store, clock), packs={},
        policy=nothing, routes=nothing, dispatcher=dispatcher or EmbeddedDispatcher(0.05), transports={}, lanes=lanes,
    )  # fmt: skip


def line(hand_over: Callable[[Claim, str, Abort], None]) -> Callable[[Parts, Claim], DeliveryState]:
    """A `deliver` that records, calls `hand_over(claim, attempt id, abort)` and notes how it ended."""

    def deliver(parts: Parts, claim: Claim) -> DeliveryState:
        new = an_attempt(claim.delivery.agency)
        with parts.underway.sending(new.id) as abort:
            with parts.store.write() as unit:
                attempts.record(unit, claim, new, parts.clock.now())
            try:
                hand_over(claim, new.id, abort)
            except SendFailed as failure:
                return _failed(parts, claim, new.id, failure, abort)
        with parts.store.write() as unit:
            attempts.close(unit, new.id, AttemptState.DELIVERED, parts.clock.now())
            deliveries.finish(unit, claim, DeliveryState.DELIVERED, parts.clock.now())
        return DeliveryState.DELIVERED

    return deliver


def _failed(parts: Parts, claim: Claim, attempt: str, failure: SendFailed, abort: Abort) -> DeliveryState:
    after = after_failure(parts.lanes, claim.delivery, failure, parts.clock.now(), 0)
    with parts.store.write() as unit:
        ended = AttemptState.ABORTED if abort.asked else AttemptState.FAILED
        attempts.close(unit, attempt, ended, parts.clock.now(), failure.kind)
        deliveries.fail(unit, claim, after)
    return after.state
