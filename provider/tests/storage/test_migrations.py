"""Rows that an older schema wrote mean the same after the upgrade."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from threading import Event, Thread
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.rows import TupleRow
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from avtale.storage import migrate as migrating
from avtale.storage.database import sqlalchemy_url
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.home import APPLICATION_ROLE, Home, make_home
from avtale.storage.migrate import migrate
from avtale.storage.revisions import head_revision, known_revisions

#: The revision that the release before this one is at.
BEFORE_HEAD = str(ScriptDirectory.from_config(migrating._config()).get_revision("head").down_revision)


def test_revisions_are_known_by_their_files() -> None:
    """Processes that start ask for the head without the tool that would say it."""
    told = ScriptDirectory.from_config(migrating._config()).walk_revisions()
    assert known_revisions() == tuple(reversed([one.revision for one in told]))


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Iterator[Home]:
    """A database in which nothing has been migrated."""
    name = f"m{uuid4().hex}"
    yield make_home(postgres, postgres.data_dir, name)
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def upgraded(home: Home, revision: str) -> None:
    """Bring it to a revision, and secure it as that revision's release did."""
    engine = create_engine(sqlalchemy_url(home.owner_url), poolclass=NullPool)
    with engine.begin() as connection:
        config = migrating._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        # So that the upgrade meets rows that its own role does not see.
        migrating._secure(connection, APPLICATION_ROLE)


def test_access_through_an_agreement_outlives_the_purchases(empty: Home) -> None:
    upgraded(empty, "0001")
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


class Traffic(Thread):
    """Transactions as the fleet makes them, with rows of its own, in an order of tables of its own."""

    def __init__(self, url: str, tables: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.url, self.tables = url, tables
        self.tenant, self.id = uuid4(), uuid4()
        self.committed = 0
        self.failed: Exception | None = None
        self.over = Event()

    def run(self) -> None:
        try:
            with psycopg.connect(self.url) as connection:
                self._begin(connection)
                while not self.over.is_set():
                    self._enter(connection)
                    for table in self.tables:
                        connection.execute(f"UPDATE {table} SET version = version + 1")
                        connection.execute("SELECT pg_sleep(0.01)")
                    connection.commit()
                    self.committed += 1
                    self.over.wait(0.02)
        except Exception as error:
            self.failed = error

    def wait_for(self, more: int) -> None:
        """Wait until it has committed so many more."""
        goal, deadline = self.committed + more, time.monotonic() + 60
        while self.committed < goal and self.failed is None:
            assert time.monotonic() < deadline
            self.over.wait(0.01)

    def _begin(self, connection: psycopg.Connection[TupleRow]) -> None:
        self._enter(connection)
        connection.execute(
            "INSERT INTO agreements (tenant_id, id, issuer, subject, product_id, product_name, price, currency, "
            "interval_unit, interval_count, vat_basis_points, agreement_url, status, last_period, created_at, gateway, "
            "version) VALUES (%s, %s, 'i', 's', 'p', 'P', 9900, 'NOK', 'month', 1, 2500, 'https://u', 'pending', 0, "
            "now(), 'vipps', 0)",
            [self.tenant, self.id],
        )
        connection.execute(
            "INSERT INTO charges (tenant_id, id, agreement_id, kind, period, period_start, period_end, due, price, "
            "currency, vat_basis_points, status, captured, refunded, cancelled, version) VALUES (%s, %s, %s, "
            "'recurring', 1, '2027-01-31', '2027-02-28', '2027-01-31', 9900, 'NOK', 2500, 'open', 0, 0, 0, 0)",
            [self.tenant, self.id, self.id],
        )
        connection.commit()

    def _enter(self, connection: psycopg.Connection[TupleRow]) -> None:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(self.tenant)])


def test_a_migration_gives_way_to_a_fleet_that_works_and_takes_no_row_from_it(empty: Home) -> None:
    upgraded(empty, BEFORE_HEAD)
    fleet = [Traffic(empty.url, order) for order in (("agreements", "charges"), ("charges", "agreements"))]
    for one in fleet:
        one.start()
        one.wait_for(2)
    for _ in range(2):  # the second finds nothing to do, and is in nobody's way
        assert migrate(empty.owner_url, empty.url) == head_revision()
        for one in fleet:
            one.wait_for(2)
    for one in fleet:
        one.over.set()
        one.join()
        assert one.failed is None
        with psycopg.connect(empty.url) as connection:
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(one.tenant)])
            for table in one.tables:
                assert connection.execute(f"SELECT id, version FROM {table}").fetchall() == [(one.id, one.committed)]
