"""The parts that the line works with, made once by `hub.wiring` and handed to everything above the rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub.lanes import Lanes, read_lanes
from hub.messaging.underway import Underway
from hub.presence import Presence
from hub.referrals.offering import Router

if TYPE_CHECKING:
    from adapters.pack import Pack
    from consent.rulebook import Policy
    from hub.clock import Clock
    from hub.directory import Registry
    from hub.messaging.dispatcher import Dispatcher
    from hub.messaging.transport import Transport
    from hub.referrals.routes import Routes
    from hub.security.vault import Vault
    from hub.settings import Settings
    from hub.storage.store import Store


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that reads or keeps something; no part knows another one's insides."""

    settings: Settings
    clock: Clock
    store: Store
    vault: Vault
    registry: Registry
    packs: Mapping[str, Pack]
    """By pack id."""
    policy: Policy
    """What `consent.read_policy` gave."""
    routes: Routes
    """What `hub.referrals.routes.read_routes` gave."""
    dispatcher: Dispatcher
    transports: Mapping[str, Transport]
    """By the `type` of an agency's transport out: ``webhook``, ``mllp``, ...; an inbox needs none."""
    lanes: Lanes = field(default_factory=read_lanes)
    """How long a claim lasts, how often to try again, when to park (`hub/policy/delivery.yaml`)."""
    underway: Underway = field(default_factory=Underway)
    """The sends of this process that a withdrawal may have to cut."""
    presence: Presence = field(default_factory=Presence)
    """Who this process is; `announce` it before it claims."""

    @property
    def router(self) -> Router:
        """What offering goes by."""
        return Router(self.routes, self.registry, self.policy)
