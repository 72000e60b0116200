"""A failpoint stops exactly one thread, and only where a test asks for it."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from hub.failpoints import PLACES, reached
from tests.conftest import wait_for


def test_without_a_folder_nothing_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production every place is passed."""
    monkeypatch.delenv("HUB_FAILPOINTS", raising=False)
    for place in PLACES:
        reached(place)


def test_the_first_thread_stops_and_the_next_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is renamed by the one that stops; others, and other places, go on."""
    monkeypatch.setenv("HUB_FAILPOINTS", str(tmp_path))
    (tmp_path / "sent").touch()
    stopped = Thread(target=reached, args=("sent",), daemon=True)
    stopped.start()
    wait_for((tmp_path / "sent.hit").exists)
    reached("sent")
    reached("claimed")
    assert stopped.is_alive()
