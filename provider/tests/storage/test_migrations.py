"""Rows that an older schema wrote mean the same after the upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from avtale.storage import migrate as migrating
from avtale.storage.database import sqlalchemy_url
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.home import APPLICATION_ROLE, Home, make_home
from avtale.storage.migrate import head_revision, migrate


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[Home]:
    """A database in which nothing has been migrated."""
    name = f"m{uuid4().hex}"
    yield make_home(postgres, postgres.data_dir, name)
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_access_through_an_agreement_outlives_the_purchases(empty: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine(sqlalchemy_url(empty.owner_url), poolclass=NullPool)
    with engine.begin() as connection:
        config = migrating._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        # Secured as 0001 was, so that the upgrade meets rows that its own role does not see.
        migrating._secure(connection, APPLICATION_ROLE)
    tenant, agreement = uuid4(), uuid4()
    with psycopg.connect(empty.owner_url) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant)])
        connection.execute(
            "INSERT INTO agreements VALUES (%s, %s, 'i', 's', 'p', 'P', NULL, 9900, 'NOK', 'month', 1, 2500, "
            "'https://u', 'active', 'agr_1', '2027-01-31', 1, NULL, now(), NULL, now(), NULL, NULL, NULL, 1)",
            [tenant, agreement],
        )
        connection.execute(
            "INSERT INTO entitlements VALUES (%s, %s, 'i', 's', 'p', '2027-03-01T00:00:00Z')", [tenant, agreement]
        )
    assert migrate(empty.owner_url, empty.url) == head_revision()
    with psycopg.connect(empty.url) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant)])
        found = connection.execute("SELECT id, agreement_id, purchase_id FROM entitlements").fetchall()
    assert found == [(agreement, agreement, None)]
