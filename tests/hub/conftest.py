"""A small hub in one process."""

from __future__ import annotations

import pytest

from hub.security.vault import Vault
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.world import World


@pytest.fixture
def world(store: Store, vault: Vault, clock: SetClock) -> World:
    """A hub with synthetic agencies."""
    return World(store, vault, clock)
