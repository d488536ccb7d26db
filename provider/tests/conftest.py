"""Real PostgreSQL for every test: one server for each test process, one fresh database for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from avtale.storage.database import Database
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.home import OWNER_ROLE, Home, make_home
from avtale.storage.migrate import migrate

_TEMPLATE = "template_avtale"


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running server in a short temporary directory; it forgets everything afterwards."""
    data_dir = Path(tempfile.mkdtemp(prefix="avtale-pg-"))
    try:
        with EmbeddedPostgres(data_dir, durable=False) as server:
            yield server
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres) -> Home:
    """A migrated database that the tests' databases are copies of."""
    home = make_home(postgres, postgres.data_dir, _TEMPLATE)
    migrate(home.owner_url, home.url)
    return home


@pytest.fixture
def home(postgres: EmbeddedPostgres, template: Home) -> Iterator[Home]:
    """The addresses of a migrated, empty database of its own."""
    name = f"t{uuid4().hex}"
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(_TEMPLATE), sql.Identifier(OWNER_ROLE)
            )
        )
        yield make_home(postgres, postgres.data_dir, name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def db(home: Home) -> AsyncIterator[Database]:
    """The database, entered as the application role, on a clock that tests turn."""
    database = Database(home.url, virtual_clock=True, pool_size=8)
    yield database
    await database.close()
