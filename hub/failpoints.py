"""Places where tests stop a process to kill it: in production nothing happens there.

``HUB_FAILPOINT=accepted,sent@3`` stops the first thread that gets to `accepted` and the third that gets to `sent`,
after adding a line with the place's name to the file ``HUB_FAILPOINT_FILE``. A stopped thread stays so; others go on.

    accepted              a message is committed, its acknowledgement has not left
    claimed               a delivery is in hand, nothing is recorded or sent
    recorded              an attempt is committed, no byte has left
    sent                  the recipient has it, the outcome is not committed
    withdrawal-recorded   a withdrawal is committed and not yet effective
"""

from __future__ import annotations

import os
from threading import Event, Lock

PLACES = ("accepted", "claimed", "recorded", "sent", "withdrawal-recorded")

_lock = Lock()
_left = {
    name: int(nth or 1)
    for name, _, nth in (part.partition("@") for part in os.environ.get("HUB_FAILPOINT", "").split(",") if part)
}


def reached(place: str) -> None:
    """Say that the work got to `place`; returns at once unless a test wants it stopped there."""
    if not _left or place not in _left:
        return
    with _lock:
        _left[place] -= 1
        if _left[place] != 0:
            return
        with open(os.environ["HUB_FAILPOINT_FILE"], "a") as marks:
            marks.write(place + "\n")
            marks.flush()
            os.fsync(marks.fileno())
    Event().wait()
