"""Hubs in one process, many and small: on SQLite, since what is asked here is asked of the line, not of a database."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.security.vault import Vault
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.world import World


@pytest.fixture
def hubs(sqlite_template: Path, tmp_path: Path, vault: Vault, clock: SetClock) -> Iterator[Callable[[], World]]:
    """Makes a fresh hub with synthetic agencies each time."""
    opened: list[Store] = []

    def make() -> World:
        path = tmp_path / f"{len(opened)}.db"
        shutil.copy(sqlite_template, path)
        opened.append(Store(f"sqlite:///{path}"))
        return World(opened[-1], vault, clock)

    yield make
    for store in opened:
        store.close()
