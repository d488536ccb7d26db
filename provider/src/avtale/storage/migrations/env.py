"""How Alembic runs: on the connection that `avtale.storage.migrate` gives it."""

from __future__ import annotations

from alembic import context

from avtale.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
