"""The migrated schema and `tables.py` are one and the same, on both databases."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from hub.storage.migrate import migrate, pending
from hub.storage.store import Store
from hub.storage.tables import metadata
from tests.conftest import Postgres


def test_the_migrated_schema_is_the_one_described(store: Store) -> None:
    """Migrations and tables.py agree; if not, run tools/draft_migration.py."""
    with store.read() as unit:
        context = MigrationContext.configure(unit, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_empty_database_lacks_everything_and_then_nothing(tmp_path: object, postgres: Postgres) -> None:
    """Before migrating every step is pending; afterwards none, and migrating again does nothing."""
    for url in (f"sqlite:///{tmp_path}/empty.db", postgres.empty()):
        fresh = Store(url)
        steps = pending(fresh)
        assert steps[0] == "0001"
        assert migrate(fresh) == steps
        assert pending(fresh) == []
        assert migrate(fresh) == []
        with fresh.read() as unit:
            assert "delivery" in inspect(unit).get_table_names()
        fresh.close()
