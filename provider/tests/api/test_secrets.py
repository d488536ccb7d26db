"""Where the keys of the gateways are, and where they are not: in no table, in no answer, in no log."""

from __future__ import annotations

import hmac
from typing import Any

import psycopg
import pytest
from psycopg import sql

from avtale.service.registering import ensure_webhook, live_secrets
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.home import Home
from avtale.storage.sealing import SealBroken, Sealer, new_key
from avtale.storage.tenants import get_vipps_account

from .conftest import CLOCK_TOKEN, World
from .test_webhooks import deliver

#: What the tenant's account at the sandbox is entered with.
KEYS = ("dev-client-secret", "dev-subscription-key")


async def test_no_table_holds_a_key_that_could_be_used(world: World, postgres: EmbeddedPostgres, home: Home) -> None:
    await ensure_webhook(world.db, world.house.gateways, world.house.sealer, world.film)
    await world.paid()
    async with world.db.tenant(world.film.id) as tx:
        (webhook_secret,) = await live_secrets(tx, world.house.sealer)
    database = home.url.rsplit("/", 1)[1].split("?")[0]
    everything: list[str] = []
    with psycopg.connect(f"{postgres.superuser_url.rsplit('/', 1)[0]}/{database}") as connection:
        tables = connection.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|info)'")
        for schema, table in tables.fetchall():
            rows = connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table)))
            everything += [row[0] for row in rows.fetchall()]
    assert any("dev-client-id" in row for row in everything), "the account is not where this looks"
    for secret in (*KEYS, webhook_secret):
        for form in (secret, secret.encode().hex()):
            assert [row for row in everything if form in row] == []


async def test_a_key_opens_only_what_it_sealed(world: World) -> None:
    async with world.db.tenant(world.film.id) as tx:
        account = await get_vipps_account(tx)
    assert account is not None
    assert world.house.sealer.open(account.client_secret_sealed) == KEYS[0]
    with pytest.raises(SealBroken):
        Sealer([new_key()]).open(account.client_secret_sealed)


async def test_what_proves_who_somebody_is_is_compared_in_constant_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_webhook(world.db, world.house.gateways, world.house.sealer, world.film)
    compared: list[Any] = []
    honest = hmac.compare_digest

    def watched(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return honest(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    said = {"now": "2027-01-15T09:01:00Z", "running": False, "waitSecondsMax": 0}
    await world.call("POST", "/admin/clock", token="almost", json=said)
    assert (b"Bearer almost", f"Bearer {CLOCK_TOKEN}".encode()) in compared
    compared.clear()
    await deliver(world, "another secret")
    assert compared


async def test_no_answer_is_kept_or_guessed_at(world: World) -> None:
    for path in ("/admin/health/live", "/api/v1/agreements", "/nowhere"):
        answer = await world.call("GET", path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
