"""Wakes the workers: in this process by default, over Kafka where `HUB_KAFKA` is set (`hub.messaging.kafka`).

A wake is a hint and never the truth: the database orders the work, claims it and fences it. A lost wake only delays,
because whoever runs a dispatcher is also called at each sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from queue import Empty, SimpleQueue
from threading import Event
from typing import Protocol

Handle = Callable[[], None]
"""Look for due work now; returns soon."""


class Dispatcher(Protocol):
    """Carries wakes from whoever committed a delivery to whoever delivers."""

    def wake(self, delivery_ids: Collection[str] = ()) -> None:
        """These deliveries are due (after their commit). Never raises and never waits."""

    def run(self, handle: Handle, stop: Event) -> None:
        """Call `handle` for wakes and at each sweep until `stop` is set."""

    def close(self) -> None:
        """Let go of what it holds; no wake comes through any more."""


class EmbeddedDispatcher:
    """Workers are threads of this process: a queue, and a sweep every few seconds."""

    def __init__(self, sweep: float = 2.0) -> None:
        """`sweep` in seconds."""
        self._sweep = sweep
        self._woken: SimpleQueue[None] = SimpleQueue()

    def wake(self, delivery_ids: Collection[str] = ()) -> None:
        """These deliveries are due; none named = look around."""
        self._woken.put(None)

    def run(self, handle: Handle, stop: Event) -> None:
        """Call `handle` for wakes and at each sweep until `stop` is set (`close` ends the wait)."""
        while not stop.is_set():
            handle()
            self._wait()

    def close(self) -> None:
        """End a wait under way."""
        self._woken.put(None)

    def _wait(self) -> None:
        """Until woken or swept; what woke in the meantime counts as one."""
        try:
            self._woken.get(timeout=self._sweep)
            while True:
                self._woken.get_nowait()
        except Empty:
            return
