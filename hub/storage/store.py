"""Opens the database and hands out transactions: the same promises on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL

Unit = Connection
"""One transaction. Functions of this package take it first; nobody else calls its methods."""


class Store:
    """A database. `write` is one durable commit; `read` is a snapshot that changes nothing."""

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy reads it; ``sqlite:///path`` or ``postgresql+psycopg://...``."""
        self.url = _driver(make_url(url))
        self.engine = _engine(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded default is in use."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Unit]:
        """One transaction; commits on a clean exit, else nothing of it remains."""
        with self.engine.begin() as unit:
            yield unit

    @contextmanager
    def read(self) -> Iterator[Unit]:
        """A transaction that is rolled back at the end."""
        with self.engine.connect() as unit:
            if self.is_sqlite:
                unit = unit.execution_options(hub_reads=True)
            yield unit

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()


def _driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_size=16, max_overflow=16, pool_pre_ping=True)
    engine = create_engine(url, pool_size=16, max_overflow=16, connect_args={"timeout": 30})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(unit: Connection) -> None:
    """Take the write lock at once, so that a transaction never fails half-way for want of it."""
    reads = unit.get_execution_options().get("hub_reads", False)
    unit.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
