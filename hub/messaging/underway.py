"""The sends of this process that are under way, so that a withdrawal can cut them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import Lock

from hub.messaging.transport import Abort


class Underway:
    """Attempt id -> the way to stop it, from before the attempt is recorded until its outcome is."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._lock = Lock()
        self._aborts: dict[str, Abort] = {}

    @contextmanager
    def sending(self, attempt_id: str) -> Iterator[Abort]:
        """While inside, the attempt can be told to stop; begin before the attempt is committed."""
        abort = Abort()
        with self._lock:
            self._aborts[attempt_id] = abort
        try:
            yield abort
        finally:
            with self._lock:
                del self._aborts[attempt_id]

    def ids(self) -> frozenset[str]:
        """The attempts under way."""
        with self._lock:
            return frozenset(self._aborts)

    def stop(self, attempt_ids: Collection[str] | None = None) -> None:
        """Cut these sends, or all of them."""
        with self._lock:
            asked = [abort for key, abort in self._aborts.items() if attempt_ids is None or key in attempt_ids]
        for abort in asked:
            abort.ask()
