"""The schema keeps its promises: keys begin with the tenant, rows are walled off, facts are only added."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import ForeignKeyConstraint, UniqueConstraint, create_engine, insert, select, text
from sqlalchemy.exc import ProgrammingError

from avtale.storage import tables as t
from avtale.storage.database import Database, sqlalchemy_url
from avtale.storage.home import Home
from avtale.storage.migrate import migrate
from avtale.storage.readiness import NotReady, check_ready
from avtale.storage.revisions import head_revision


def test_every_key_begins_with_the_tenant() -> None:
    for name in t.TENANT_TABLES:
        table = t.metadata.tables[name]
        keys = [list(table.primary_key.columns)]
        keys += [list(c.columns) for c in table.constraints if isinstance(c, UniqueConstraint | ForeignKeyConstraint)]
        keys += [list(index.columns) for index in table.indexes]
        for key in keys:
            assert key[0].name == "tenant_id", f"{name}: {[column.name for column in key]}"


def test_the_migrated_database_is_what_the_code_describes(home: Home) -> None:
    engine = create_engine(sqlalchemy_url(home.owner_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, t.metadata)
    engine.dispose()
    assert differences == []


def test_migrating_again_changes_nothing(home: Home) -> None:
    assert migrate(home.owner_url, home.url) == head_revision()


def test_every_table_of_tenants_is_walled_off(home: Home) -> None:
    with psycopg.connect(home.owner_url) as connection:
        rows = connection.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class "
            "JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = 'public' AND relkind = 'r'"
        ).fetchall()
    walled = {name for name, forced in rows if forced}
    assert walled == set(t.TENANT_TABLES)


def _product(tenant_id: object) -> dict[str, object]:
    return {
        "tenant_id": tenant_id,
        "id": "p",
        "name": "P",
        "price": 1,
        "currency": "NOK",
        "interval_unit": "month",
        "interval_count": 1,
        "vat_basis_points": 0,
        "agreement_url": "https://example.test",
        "on_sale": True,
    }


async def test_a_tenant_sees_only_its_own_rows(db: Database) -> None:
    mine, other = uuid4(), uuid4()
    for tenant_id in (mine, other):
        async with db.tenant(tenant_id) as tx:
            await tx.conn.execute(insert(t.products).values(_product(tenant_id)))
    async with db.tenant(mine) as tx:
        assert [row.tenant_id for row in await tx.conn.execute(select(t.products))] == [mine]
    async with db.routing() as tx:
        assert (await tx.conn.execute(select(t.products))).all() == []


async def test_a_row_of_another_tenant_cannot_be_written(db: Database) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with db.tenant(uuid4()) as tx:
            await tx.conn.execute(insert(t.products).values(_product(uuid4())))


@pytest.mark.parametrize("table", ["acts", "ledger", "receipts"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = NULL", "DELETE FROM {}", "TRUNCATE {}"])
async def test_facts_are_only_ever_added(db: Database, table: str, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with db.tenant(uuid4()) as tx:
            await tx.conn.execute(text(statement.format(table)))


async def test_a_role_that_owns_the_tables_does_not_serve(home: Home) -> None:
    database = Database(home.owner_url)
    with pytest.raises(NotReady, match="would see every tenant's rows"):
        await check_ready(database)
    await database.close()


async def test_the_application_role_serves(db: Database) -> None:
    await check_ready(db)


async def test_business_time_is_the_row_where_there_is_one(db: Database) -> None:
    async with db.routing() as tx:
        assert tx.now == tx.wall
        at = datetime(2027, 1, 1, tzinfo=UTC)
        await tx.conn.execute(insert(t.business_clock).values(id=1, at=at, running=False, set_wall=tx.wall))
    async with db.routing() as tx:
        assert tx.now == at
