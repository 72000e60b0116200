"""The only place where real parts are made and put together."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from adapters.library import load_packs
from adapters.pack import Pack
from consent import Policy, policy_documents, read_policy
from hub.clock import Clock, SystemClock
from hub.directory import Registry
from hub.edges.hl7 import Hl7Door
from hub.errors import Permanent
from hub.lanes import read_lanes
from hub.messaging.dispatcher import Dispatcher, EmbeddedDispatcher
from hub.messaging.mllp import MllpSender, mllp_destination
from hub.messaging.webhook import WebhookSender, webhook_address
from hub.parts import Parts
from hub.referrals.routes import read_routes
from hub.security.signing import webhook_secret
from hub.security.vault import Vault, make_root_key, read_root_key
from hub.settings import Settings
from hub.storage.migrate import migrate
from hub.storage.store import Store


def build(settings: Settings, clock: Clock | None = None) -> Parts:
    """Open the database (bringing its schema up to date), the keys, the packs and the ways out.

    Raises :class:`hub.errors.Misconfigured`.
    """
    clock = clock or SystemClock()
    vault = Vault(read_root_key(settings))
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = Store(settings.database)
    migrate(store)
    answers = _Answers()
    secret_of, client_tls = partial(webhook_secret, vault), partial(_client_tls, settings)
    https = ssl.create_default_context()
    webhooks = WebhookSender(lambda outbound: webhook_address(outbound, secret_of, https), clock)
    mllp = MllpSender(lambda outbound: mllp_destination(outbound, client_tls), answers, clock)
    parts = Parts(
        settings=settings,
        clock=clock,
        store=store,
        vault=vault,
        registry=Registry(store, clock),
        packs=_Packs(settings.pack_folders),
        policy=_policy(),
        routes=read_routes(),
        dispatcher=_dispatcher(settings),
        transports={"webhook": webhooks, "mllp": mllp},
    )
    answers.door = Hl7Door(parts)
    return parts


def close(parts: Parts) -> None:
    """Let go of connections, threads and the database."""
    parts.dispatcher.close()
    for transport in parts.transports.values():
        if isinstance(transport, MllpSender):
            transport.close()
    parts.store.close()


@contextmanager
def opened(settings: Settings, clock: Clock | None = None) -> Iterator[Parts]:
    """The parts, for as long as the block lasts."""
    parts = build(settings, clock)
    try:
        yield parts
    finally:
        close(parts)


def make_key_if_new(settings: Settings) -> bool:
    """Make the root key of a hub that never ran: embedded, without database and without key; whether it was made."""
    fresh = not settings.database_url and not (settings.data_dir / "hub.db").exists()
    if not fresh or settings.root_key is not None or settings.key_file.exists():
        return False
    make_root_key(settings.key_file)
    return True


class _Packs(Mapping[str, Pack]):
    """The packs, loaded when the first one is asked for: most commands at the desk need none."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._folders = folders

    def __getitem__(self, name: str) -> Pack:
        return _loaded(self._folders)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_loaded(self._folders))

    def __len__(self) -> int:
        return len(_loaded(self._folders))


@cache
def _loaded(folders: tuple[Path, ...]) -> Mapping[str, Pack]:
    return load_packs(*folders)


@cache
def _policy() -> Policy:
    return read_policy(policy_documents())


class _Answers:
    """What comes back on a connection that we opened: it goes through the door, which is made after the parts."""

    door: Hl7Door | None = None

    def __call__(self, agency: str, raw: bytes) -> bytes | None:
        return self.door.inbound(agency, raw) if self.door is not None else None


def _dispatcher(settings: Settings) -> Dispatcher:
    lanes = read_lanes()
    if not settings.kafka:
        return EmbeddedDispatcher(lanes.sweep)
    from hub.messaging.kafka import KafkaDispatcher

    return KafkaDispatcher(settings.kafka, settings.kafka_topic, lanes.sweep)


def _client_tls(settings: Settings, out: Mapping[str, Any]) -> ssl.SSLContext:
    """Mutual TLS: our certificate, and a recipient's signed by who the registry says."""
    if settings.mllp_tls_cert is None or settings.mllp_tls_key is None:
        raise Permanent("MLLP off this machine needs HUB_MLLP_TLS_CERT and HUB_MLLP_TLS_KEY.", kind="no-certificate")
    own = out.get("ca")
    trusted = str(settings.mllp_tls_ca) if settings.mllp_tls_ca and not own else None
    context = ssl.create_default_context(cafile=trusted, cadata=own)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.mllp_tls_cert, settings.mllp_tls_key)
    return context
