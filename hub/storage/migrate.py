"""Brings a database to the schema of :mod:`hub.storage.tables`: the same migrations on SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from hub.storage.store import Store

_LOCK = 7_220_911
"""Advisory lock on PostgreSQL, so that two processes that start together migrate one after the other."""


def migrate(store: Store) -> list[str]:
    """Apply what is pending, all of it in one transaction; says which migrations were applied."""
    with store.write() as unit:
        if not store.is_sqlite:
            unit.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config = configuration()
        missing = _missing(config, MigrationContext.configure(unit))
        config.attributes["connection"] = unit
        if missing:
            command.upgrade(config, "head")
    return missing


def pending(store: Store) -> list[str]:
    """Names of the migrations that this database still lacks, oldest first; empty when it is up to date."""
    with store.read() as unit:
        return _missing(configuration(), MigrationContext.configure(unit))


def configuration() -> Config:
    """Alembic's configuration, without any file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _missing(config: Config, context: MigrationContext) -> list[str]:
    applied = context.get_current_revision()
    scripts = ScriptDirectory.from_config(config).iterate_revisions("head", applied or "base")
    return [script.revision for script in scripts if script.revision != applied][::-1]
