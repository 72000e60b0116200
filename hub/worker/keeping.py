"""Keeping house: who is alive, what must be cut, what a dead process left, what is too late, what is now effective."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event
from typing import Final

import structlog

from hub import referrals
from hub.errors import Fenced
from hub.lanes import DIED, after_failure
from hub.parts import Parts
from hub.presence import confirmed_dead, here
from hub.states import AttemptState, DeliveryState
from hub.storage import attempts, audits, deliveries, locks, processes, tasks, vault_keys, withdrawals
from hub.storage.attempts import Attempt
from hub.storage.deliveries import Claim
from hub.storage.store import Unit
from hub.storage.withdrawals import Withdrawal

HUB = "hub"
LOOK_AGAIN: Final = timedelta(hours=6)
LOOK_BACK: Final = timedelta(days=14)
OPERATOR = "operator"

log = structlog.get_logger()


class Keeper:
    """One thread's work between the sends of the others."""

    def __init__(
        self,
        parts: Parts,
        recall: Callable[[Parts, Unit, Iterable[Withdrawal]], list[str]],
        look: Callable[[], None],
        stop: Event,
        passing: Callable[[Parts, datetime], object] = lambda *_: None,
    ) -> None:
        """`look` calls the senders; `stop` is set when this process was taken for dead; `passing` is what time does."""
        self._passing = passing
        self._parts, self._recall, self._look, self._stop = parts, recall, look, stop
        self._place = here()
        self._beaten = self._swept = float("-inf")
        self._looked: datetime | None = None

    def run(self) -> None:
        """Until stopped."""
        while not self._stop.wait(self._parts.lanes.abort_poll):
            try:
                self._tick()
            except Exception:
                # The database is away: sends go on to their end, and their outcomes are noted later.
                log.exception("keeper-fault")

    def keep_house(self) -> None:
        """Everything that has no minute of its own: recovery, expiry, what is late, erasure, settling."""
        parts, at = self._parts, self._parts.clock.now()
        with parts.store.write() as unit:
            locks.hold(unit, "keep-house")
            for process in processes.running(unit):
                if process.id != parts.presence.id and confirmed_dead(process, self._place):
                    bury(parts, unit, process.id, at)
            for attempt in attempts.under_way(unit, [parts.presence.id]):
                # Its thread could not report, and holds it no longer.
                if attempt.id not in parts.underway.ids() and attempt.opened_at + parts.lanes.lease <= at:
                    _close_unknown(unit, attempt, at)
            for claim in deliveries.lapsed(unit, at):
                take_over(parts, unit, claim, at)
            for late in deliveries.expire(unit, at):
                alarm(unit, late.id, late.case, "expired", at)
            referrals.call_for_late(unit, at)
            for key in vault_keys.expired(unit, at):
                parts.vault.destroy(unit, key, at)
        self.settle()
        self._look_again(at)

    def settle(self) -> None:
        """Make withdrawals effective that nothing holds back any more, with their recalls, in one commit."""
        parts = self._parts
        with parts.store.read() as unit:
            if not withdrawals.waiting(unit):
                return
        with parts.store.write() as unit:
            settled = withdrawals.settle(unit, parts.clock.now())
            wake = self._recall(parts, unit, settled) if settled else []
        for withdrawal in settled:
            log.info("withdrawal-effective", withdrawal=withdrawal.id)
        if wake:
            parts.dispatcher.wake(wake)

    def _look_again(self, at: datetime) -> None:
        """A few times a day: what time alone changed; at first, what it changed while no process ran."""
        if self._looked is not None and at - self._looked < LOOK_AGAIN:
            return
        self._passing(self._parts, self._looked or at - LOOK_BACK)
        self._looked = at

    def leave(self) -> None:
        """This process sends nothing any more."""
        with self._parts.store.write() as unit:
            processes.end(unit, self._parts.presence.id, self._parts.clock.now())

    def _tick(self) -> None:
        lanes, now = self._parts.lanes, time.monotonic()
        if self._parts.underway.ids():
            with self._parts.store.read() as unit:
                asked = attempts.to_abort(unit, self._parts.presence.id)
            self._parts.underway.stop(asked)
        if now - self._beaten >= lanes.heartbeat:
            self._beat()
            self._beaten = now
        if now - self._swept >= lanes.sweep:
            self.keep_house()
            self._swept = now
        else:
            self.settle()

    def _beat(self) -> None:
        with self._parts.store.write() as unit:
            alive = processes.beat(unit, self._parts.presence.id, self._parts.clock.now())
        if not alive:
            # Somebody declared this process dead; withdrawals may count on it.
            log.critical("taken-for-dead", process=self._parts.presence.id)
            self._parts.underway.stop()
            self._stop.set()
            self._look()


def bury(parts: Parts, unit: Unit, process: str, at: datetime) -> None:
    """A process is certainly dead: what it was sending is possibly held, what it had in hand goes back.

    For an operator's word as well, where death cannot be seen from here.
    """
    processes.end(unit, process, at)
    for attempt in attempts.under_way(unit, [process]):
        _close_unknown(unit, attempt, at)
    for claim in deliveries.in_hand(unit, process):
        take_over(parts, unit, claim, at)
    log.warning("process-dead", process=process)


def take_over(parts: Parts, unit: Unit, claim: Claim, at: datetime) -> None:
    """Give a delivery back whose holder is dead or silent beyond its lease. An attempt of a silent one stays open."""
    with suppress(Fenced):
        _give_back(parts, unit, claim, DIED, at, 0.0)


def note_failure(parts: Parts, claim: Claim, failure: Exception | str, chance: float) -> None:
    """A try ended in a fault of our own: whatever it recorded is possibly held, and the delivery waits or parks."""
    at = parts.clock.now()
    try:
        with parts.store.write() as unit:
            for attempt in attempts.of_delivery(unit, claim.delivery.id):
                if attempt.fence == claim.fence and attempt.state is AttemptState.OPEN:
                    _close_unknown(unit, attempt, at)
            _give_back(parts, unit, claim, failure, at, chance)
    except Fenced:
        log.warning("delivery-taken-over", delivery=claim.delivery.id)
    except Exception:
        # The database is away. The claim lapses, and the next sweep after that finds it.
        log.exception("outcome-unnoted", delivery=claim.delivery.id)


def alarm(unit: Unit, delivery: str, case: str, reason: str, at: datetime) -> None:
    """Call an operator to a delivery."""
    tasks.start(unit, tasks.NewTask("alarm", reason, OPERATOR, case=case, subject={"delivery": delivery}), at)


def _give_back(parts: Parts, unit: Unit, claim: Claim, failure: Exception | str, at: datetime, chance: float) -> None:
    after = after_failure(parts.lanes, claim.delivery, failure, at, chance)
    deliveries.fail(unit, claim, after)
    if after.state is DeliveryState.PARKED:
        alarm(unit, claim.delivery.id, claim.delivery.case, after.kind, at)


def _close_unknown(unit: Unit, attempt: Attempt, at: datetime) -> None:
    if attempts.close(unit, attempt.id, AttemptState.UNKNOWN, at, DIED):
        entry = audits.Entry(
            "outcome", HUB, agency=attempt.agency, case=attempt.case, delivery=attempt.delivery, attempt=attempt.id,
            outcome=AttemptState.UNKNOWN.value,
        )  # fmt: skip
        audits.record(unit, entry, at)
