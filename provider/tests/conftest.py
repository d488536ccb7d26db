"""Real parts for every test: one PostgreSQL and one sandbox for each test process, emptied for each test."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from avtale.storage.database import Database
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.home import OWNER_ROLE, Home, make_home
from avtale.storage.migrate import migrate

_TEMPLATE = "template_avtale"

#: When every test begins that has a sandbox.
START = datetime(2027, 1, 15, 9, tzinfo=UTC)

#: What the sandbox returns to before each test.
_NEW = "new"

#: Never through a proxy: the sandbox is near.
_near = urllib.request.build_opener(urllib.request.ProxyHandler({}))


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


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sandbox process, whose clock stands still."""
    ready = tmp_path_factory.mktemp("sandbox") / "ready.json"
    start = START.isoformat().replace("+00:00", "Z")
    process = subprocess.Popen(
        [
            *(Path(sysconfig.get_path("scripts")) / "avtale-sandbox", "serve", "--port", "0"),
            *("--clock", "frozen", "--start-at", start, "--ready-file", ready),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(1500):
            if ready.exists():
                break
            assert process.poll() is None, "the sandbox ended"
            time.sleep(0.02)
        url = str(json.loads(ready.read_text())["url"])
        _order(url, "/snapshots", {"name": _NEW})
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def sandbox(sandbox_process: str) -> str:
    """The address of a sandbox in which nothing has happened yet; its time is `START`."""
    _order(sandbox_process, f"/snapshots/{_NEW}/restore")
    return sandbox_process


def _order(url: str, path: str, body: Any = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    with _near.open(urllib.request.Request(f"{url}/_sandbox{path}", data, method="POST"), timeout=30) as answer:
        assert answer.status < 300
