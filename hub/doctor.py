"""Examines a hub from outside in and says how to mend what is wrong. It changes nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from hub.clock import SystemClock
from hub.directory import Agency, Registry
from hub.errors import HubError, KeyLost
from hub.settings import Settings, is_loopback
from hub.storage.store import Store

EARLIEST: Final = datetime(2026, 11, 1, tzinfo=UTC)
"""No clock can be earlier than this software."""
SKEW: Final = timedelta(seconds=5)
"""How far this machine's clock may be from the database's."""
BROKER_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    ok: bool
    says: str
    mend: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Every check, in the order in which to mend."""
    found: list[Finding] = []
    for name, check in CHECKS:
        try:
            found.extend(check(settings))
        except HubError as error:
            found.append(Finding(name, False, "does not work", str(error)))
        except Exception as error:
            found.append(Finding(name, False, f"fails with {type(error).__name__}", "see the log of `hub serve`"))
    return tuple(found)


def _database(settings: Settings) -> Iterator[Finding]:
    from hub.storage.migrate import pending

    kind = "PostgreSQL" if settings.database_url.startswith("postgres") else "SQLite"
    if not settings.database_url and not (settings.data_dir / "hub.db").exists():
        yield Finding("database", True, "none yet: `hub serve` makes it")
        return
    store = Store(settings.database)
    try:
        missing = pending(store)
    except Exception:
        yield Finding("database", False, f"{kind} does not answer", "check HUB_DATABASE_URL and that it is running")
        return
    finally:
        store.close()
    yield Finding("database", True, f"{kind} answers")
    yield Finding(
        "migrations",
        not missing,
        "up to date" if not missing else f"{len(missing)} pending",
        "start `hub serve`: it brings the schema up to date",
    )


def _keys(settings: Settings) -> Iterator[Finding]:
    from hub.security.vault import Vault, read_root_key
    from hub.storage.overview import some_key

    vault = Vault(read_root_key(settings))
    yield Finding("root key", True, "is there, and only its owner can read it")
    with _store(settings) as store:
        if store is None:
            return
        try:
            with store.read() as unit:
                kept = some_key(unit)
                if kept is not None:
                    vault.seal(unit, kept, b"", b"doctor")
        except KeyLost:
            yield Finding(
                "root key and database", False, "the key does not open what is stored",
                "restore the root key that this database was written with",
            )  # fmt: skip
            return
        yield Finding("root key and database", True, "belong together" if kept else "nothing is stored yet")


def _packs(settings: Settings) -> Iterator[Finding]:
    from adapters.errors import BrokenPack
    from adapters.library import load_packs

    try:
        packs = load_packs(*settings.pack_folders)
    except BrokenPack as error:
        yield Finding("packs", False, str(error), "mend the pack's data, or take it off HUB_PACKS_PATH")
        return
    yield Finding("packs", True, ", ".join(sorted(packs)))
    unknown = [
        f"{one.id} ({name})"
        for one in _agencies(settings)
        for name in (*one.packs.in_, one.packs.out)
        if name is not None and name not in packs
    ]
    mend = "mend packs.in and packs.out of these agencies, or add the pack to HUB_PACKS_PATH"
    yield Finding("registry and packs", not unknown, ", ".join(unknown) or "every agency speaks a known format", mend)


def _broker(settings: Settings) -> Iterator[Finding]:
    if not settings.kafka:
        yield Finding("broker", True, "not used: embedded dispatcher")
        return
    for address in settings.kafka.split(","):
        host, _, port = address.strip().rpartition(":")
        reached = _answers(host, int(port or 9092), BROKER_SECONDS)
        says = f"{address.strip()} {'answers' if reached else 'does not answer'}"
        yield Finding("broker", reached, says, "start the broker, or unset HUB_KAFKA: nothing is lost meanwhile")


def _ports(settings: Settings) -> Iterator[Finding]:
    for name, host, port in (
        ("http port", settings.http_host, settings.http_port),
        ("mllp port", settings.mllp_host, settings.mllp_port),
    ):
        if port == 0 or _answers(host, port, 1):
            yield Finding(name, True, f"{host}:{port} {'any free one' if port == 0 else 'somebody listens there'}")
        else:
            yield _bindable(name, host, port)


def _clock(settings: Settings) -> Iterator[Finding]:
    from hub.storage.overview import database_time

    now = SystemClock().now()
    yield Finding("clock", now > EARLIEST, now.strftime("%Y-%m-%d %H:%MZ"), "set this machine's clock (NTP)")
    with _store(settings) as store:
        if store is None:
            return
        with store.read() as unit:
            theirs = database_time(unit)
    if theirs is not None:
        apart = abs(theirs - SystemClock().now())
        yield Finding(
            "database's clock", apart < SKEW, f"{apart.total_seconds():.1f} s apart", "run NTP on both machines"
        )


def _plaintext(settings: Settings) -> Iterator[Finding]:
    yield Finding(
        "http door", not settings.http_is_plain_off_loopback,
        "is open in plain text off this machine" if settings.http_is_plain_off_loopback else "is safe",
        "set HUB_HTTP_TLS_CERT and HUB_HTTP_TLS_KEY, or HUB_BASE_URL=https://... behind a proxy that speaks TLS",
    )  # fmt: skip
    bare = not is_loopback(settings.mllp_host) and settings.mllp_tls_cert is None
    yield Finding(
        "mllp door", not bare, "is open in plain text off this machine" if bare else "is safe",
        "set HUB_MLLP_TLS_CERT, HUB_MLLP_TLS_KEY and HUB_MLLP_TLS_CA, or listen on 127.0.0.1",
    )  # fmt: skip
    plain = [one.id for one in _agencies(settings) if one.transports.mllp and one.transports.mllp.plaintext]
    plain += [one.id for one in _agencies(settings) if getattr(one.transports.out, "plaintext", False)]
    yield Finding(
        "agencies in plain text", not plain, ", ".join(plain) or "none",
        "give them certificates and take `plaintext: true` out of the registry",
    )  # fmt: skip


def _stuck(settings: Settings) -> Iterator[Finding]:
    from hub.storage.overview import delivery_counts

    with _store(settings) as store:
        if store is None:
            return
        with store.read() as unit:
            parked = delivery_counts(unit).get("parked", 0)
    yield Finding(
        "parked deliveries", not parked, str(parked), "see `hub message list --parked`, then `hub message retry`"
    )


@contextmanager
def _store(settings: Settings) -> Iterator[Store | None]:
    """The database, or None while there is none that could be asked."""
    from hub.storage.migrate import pending

    if not settings.database_url and not (settings.data_dir / "hub.db").exists():
        yield None
        return
    store = Store(settings.database)
    try:
        yield None if pending(store) else store
    finally:
        store.close()


def _agencies(settings: Settings) -> tuple[Agency, ...]:
    with _store(settings) as store:
        return () if store is None else Registry(store, SystemClock()).list()


def _answers(host: str, port: int, seconds: float) -> bool:
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def _bindable(name: str, host: str, port: int) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Finding(name, False, f"{host}:{port} cannot be opened ({error.strerror})", "choose another address")
    return Finding(name, True, f"{host}:{port} is free")


CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("database", _database),
    ("root key", _keys),
    ("packs", _packs),
    ("broker", _broker),
    ("ports", _ports),
    ("clock", _clock),
    ("plaintext doors", _plaintext),
    ("parked deliveries", _stuck),
)
