"""The threads that deliver, and the one that keeps house for them.

    dispatcher   is told that something is due, and calls the senders
    senders      claim the next due stream head and hand it to `deliver`, one each
    keeper       heartbeat; cuts sends that a withdrawal asked to stop; recovers, expires, settles
                 (`hub.worker.keeping`)

The database orders the work and fences it; every thread may stop at any instruction and nothing is lost.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from threading import Condition, Event, Lock, Thread

import structlog

from hub.errors import Fenced
from hub.failpoints import reached
from hub.parts import Parts
from hub.states import DeliveryState
from hub.storage import deliveries
from hub.storage.deliveries import Claim
from hub.storage.store import Unit
from hub.storage.withdrawals import Withdrawal
from hub.worker.keeping import Keeper, note_failure

Deliver = Callable[[Parts, Claim], DeliveryState]
Recall = Callable[[Parts, Unit, Iterable[Withdrawal]], list[str]]
Passing = Callable[[Parts, datetime], object]

log = structlog.get_logger()


class Worker:
    """Delivers until it is stopped."""

    def __init__(
        self, parts: Parts, deliver: Deliver, recall: Recall, threads: int = 4, passing: Passing = lambda *_: None
    ) -> None:
        """`deliver` and `recall` are :mod:`hub.exchange`'s, `passing` is `hub.timely.pass_time`; starts nothing yet."""
        self._parts, self._deliver = parts, deliver
        self._stop, self._looks = Event(), Condition()
        self._look = 0
        self._hand_lock = Lock()
        self._in_hand: Counter[str] = Counter()
        self._keeper = Keeper(parts, recall, self.look, self._stop, passing)
        self._threads = [self._thread("dispatcher", self._dispatch), self._thread("keeper", self._keeper.run)]
        self._threads += [self._thread(f"sender-{number}", self._send) for number in range(threads)]

    def start(self) -> None:
        """Announce this process, take over what dead ones left, and begin."""
        with self._parts.store.write() as unit:
            self._parts.presence.announce(unit, self._parts.clock.now())
        self._keeper.keep_house()
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 30.0) -> bool:
        """Finish what is in hand and leave; whether everything was finished in time.

        A process that could not finish does not say that it left: its death will be confirmed instead.
        """
        self._stop.set()
        self._parts.dispatcher.close()
        self.look()
        for thread in self._threads:
            thread.join(seconds)
        finished = not any(thread.is_alive() for thread in self._threads) and not self._parts.underway.ids()
        if finished:
            self._keeper.leave()
        return finished

    def wait(self) -> None:
        """Until somebody stops it, or it was taken for dead and stopped itself."""
        self._stop.wait()

    def look(self) -> None:
        """There may be work: every idle sender looks."""
        with self._looks:
            self._look += 1
            self._looks.notify_all()

    def _dispatch(self) -> None:
        self._parts.dispatcher.run(self.look, self._stop)

    def _thread(self, name: str, work: Callable[[], None]) -> Thread:
        return Thread(target=work, name=name, daemon=True)

    def _send(self) -> None:
        """One sender: as long as there is something due, take it; then wait to be called."""
        while not self._stop.is_set():
            seen = self._look
            try:
                while not self._stop.is_set() and self._deliver_next():
                    pass
            except Exception:
                # The database is away, or something else that another look may find mended.
                log.exception("worker-fault")
            with self._looks:
                while self._look == seen and not self._stop.is_set():
                    self._looks.wait()

    def _deliver_next(self) -> bool:
        claim = self._claim()
        if claim is None:
            return False
        try:
            reached("claimed")
            state = self._deliver(self._parts, claim)
            log.info("delivery", delivery=claim.delivery.id, agency=claim.delivery.agency, state=state.value)
        except Fenced:
            log.warning("delivery-taken-over", delivery=claim.delivery.id)
        except Exception as failure:
            log.exception("delivery-fault", delivery=claim.delivery.id, agency=claim.delivery.agency)
            note_failure(self._parts, claim, failure, random.random())
        finally:
            with self._hand_lock:
                self._in_hand[claim.delivery.agency] -= 1
        # What stood behind it in its stream, or waited for its agency, may be due now.
        self.look()
        return True

    def _claim(self) -> Claim | None:
        parts = self._parts
        at = parts.clock.now()
        with self._hand_lock:
            busy = {agency for agency, number in self._in_hand.items() if number >= parts.lanes.per_agency}
            skip = busy | {agency.id for agency in parts.registry.list() if agency.transports.fetches}
            with parts.store.read() as unit:
                if not deliveries.due(unit, at, 1, skip=skip):
                    return None
            with parts.store.write() as unit:
                claim = deliveries.claim(unit, parts.presence.id, at, parts.lanes.lease, skip=skip)
            if claim is not None:
                self._in_hand[claim.delivery.agency] += 1
        return claim
