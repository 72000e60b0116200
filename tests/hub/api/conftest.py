"""A door for every test of the HTTP API, on both databases."""

from __future__ import annotations

import pytest

from hub.security.vault import Vault
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.door import Door
from tests.fakes.world import World


@pytest.fixture
def door(store: Store, vault: Vault, clock: SetClock) -> Door:
    """The HTTP door over a small hub."""
    return Door(World(store, vault, clock), clock)
