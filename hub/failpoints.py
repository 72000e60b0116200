"""Places where tests stop a process to kill it: in production nothing happens there.

Where ``HUB_FAILPOINTS`` names a folder, a file in it with a place's name stops the first thread that gets there:
the file is renamed to ``PLACE.hit`` and the thread waits there for good. Other threads go on.

    accepted              a message is committed, its acknowledgement has not left
    claimed               a delivery is in hand, nothing is recorded or sent
    recorded              an attempt is committed, no byte has left
    sent                  the recipient has it, the outcome is not committed
    withdrawal-recorded   a withdrawal is committed and not yet effective
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event
from typing import Final

PLACES: Final = ("accepted", "claimed", "recorded", "sent", "withdrawal-recorded")


def reached(place: str) -> None:
    """Say that the work got to `place`; returns at once unless a test wants it stopped there."""
    folder = os.environ.get("HUB_FAILPOINTS")
    if not folder:
        return
    try:
        os.rename(Path(folder, place), Path(folder, f"{place}.hit"))
    except FileNotFoundError:
        return
    Event().wait()
