"""A living business goes into a file, comes out of it on another server, and goes on; and its key is changed."""

from __future__ import annotations

import asyncio
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from avtale.domain.charge import ChargeStatus
from avtale.gateways.outbound import Outbound
from avtale.runtime import TenantGateways
from avtale.service.endpoints import add_endpoint
from avtale.service.notifying import read_events
from avtale.service.rotating import rotate_key
from avtale.storage.copies import CopyRefused, export_database, import_database
from avtale.storage.database import Database
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.home import Home, make_home
from avtale.storage.sealing import SealBroken, Sealer, new_key
from avtale.storage.tenants import get_vipps_account

from .conftest import OPERATOR, Shop

AVTALE = Path(sysconfig.get_path("scripts")) / "avtale"


@pytest.fixture
def server(postgres: EmbeddedPostgres) -> Iterator[Home]:
    """A database of its own in which there is nothing yet, not even a table."""
    name = f"s{uuid4().hex}"
    yield make_home(postgres, postgres.data_dir, name)
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def avtale(home: Home, *command: str) -> tuple[int, str]:
    """One command as a person gives it: its exit code, and what it said."""
    settings = {"AVTALE_DATABASE_URL": home.url, "AVTALE_DATABASE_OWNER_URL": home.owner_url}
    process = await asyncio.create_subprocess_exec(
        AVTALE,
        *command,
        env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_a_business_moves_to_another_server_and_goes_on(
    shop: Shop, home: Home, server: Home, tmp_path: Path
) -> None:
    agreement_id = await shop.subscribe()
    await shop.rent()
    file = tmp_path / "copy.avtale"
    code, said = await avtale(home, "db", "export", str(file))
    assert (code, "keep AVTALE_ENCRYPTION_KEY with it" in " ".join(said.split())) == (0, True), said
    assert file.stat().st_mode & 0o077 == 0
    assert (await avtale(home, "db", "export", str(file)))[0] == 1
    books, told = await shop.books(), await read_events(shop.db, shop.tenant, 0, 1000)

    code, said = await avtale(server, "db", "import", str(file))
    assert code == 0, said
    with pytest.raises(CopyRefused, match="not empty"):
        import_database(server.owner_url, server.url, file, lambda table, rows: None)
    there = Database(server.url, virtual_clock=True)
    async with Outbound() as outbound:
        gateways = TenantGateways(there, shop.sealer, outbound, call_seconds_max=4.0)
        moved = replace(shop, db=there, gateways=gateways)
        assert await moved.books() == books
        assert await read_events(there, shop.tenant, 0, 1000) == told
        await moved.advance_to(datetime(2027, 2, 16, tzinfo=UTC))
        charges = (await moved.see(agreement_id)).charges
        assert [charge.status for charge in charges] == [ChargeStatus.PAID, ChargeStatus.PAID]
        await moved.books()
    await there.close()


def test_a_file_that_is_damaged_or_of_a_later_version_fills_nothing(home: Home, server: Home, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    export_database(home.url, whole, lambda table, rows: None)
    cut.write_bytes(whole.read_bytes()[:-200])
    for file in (cut, tmp_path / "nothing", Path(__file__)):
        with pytest.raises(CopyRefused, match="no whole copy"):
            import_database(server.owner_url, server.url, file, lambda table, rows: None)
    with psycopg.connect(server.owner_url) as connection:
        assert connection.execute("SELECT to_regclass('tenants')").fetchone() == (None,)


async def test_a_new_key_replaces_the_old_one_for_every_secret(shop: Shop) -> None:
    await add_endpoint(shop.db, shop.sealer, shop.tenant, "https://film.example/events", OPERATOR)
    with pytest.raises(SealBroken):
        await rotate_key(shop.db, Sealer([new_key()]))
    old, new = shop.sealer, new_key()
    both = Sealer([new, *shop.keys])
    assert await rotate_key(shop.db, both) == 3
    assert await rotate_key(shop.db, both) == 0
    async with shop.db.tenant(shop.tenant.id) as tx:
        account = await get_vipps_account(tx)
    assert account is not None
    assert Sealer([new]).open(account.client_secret_sealed) == "dev-client-secret"
    with pytest.raises(SealBroken):
        old.open(account.client_secret_sealed)
