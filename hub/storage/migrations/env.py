"""What Alembic runs: uses the open transaction that :mod:`hub.storage.migrate` hands it, and commits nothing itself."""

from __future__ import annotations

from alembic import context

from hub.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
