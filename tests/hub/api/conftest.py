"""A door for every test of the HTTP API, on both databases."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
import structlog

from hub import logging
from hub.security.vault import Vault
from hub.storage.store import Store
from tests.conftest import SetClock
from tests.fakes.door import Door
from tests.fakes.world import World


@pytest.fixture
def door(store: Store, vault: Vault, clock: SetClock) -> Iterator[Door]:
    """The HTTP door over a small hub, which logs as the real one does."""
    logging.configure(io.StringIO())
    yield Door(World(store, vault, clock), clock)
    structlog.reset_defaults()
