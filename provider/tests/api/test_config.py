"""What is wrong with a tenant's set-up, as its administrator is told: found by really asking."""

from __future__ import annotations

from typing import Any

import pytest

from avtale.service.configuring import apply_tenant
from avtale.service.registering import ensure_webhook
from avtale.service.tenants_file import TenantEntry

from .conftest import World, tenant_entry

PATH = "/api/v1/config/errors"


async def codes(world: World) -> list[str]:
    """What is wrong, but at Stripe: that has its own tests."""
    answer = await world.call("GET", PATH, token=world.admin())
    assert answer.status == 200
    errors = answer.json["errors"]
    assert all(one["message"] and one["action"] and one["subject"] for one in errors)
    return [one["code"] for one in errors if one["provider"] != "stripe"]


async def register(world: World) -> None:
    await ensure_webhook(world.db, world.house.gateways, world.house.sealer, world.film)


async def change(world: World, **changes: Any) -> None:
    """Apply the tenant anew with another file; `vipps` and `seller` are changes within theirs."""
    entry = tenant_entry("film", "127.0.0.1", world.film.public_url, world.issuer.url, world.sandbox).model_dump(
        mode="json"
    )
    for name, value in changes.items():
        entry[name] = entry[name] | value if isinstance(value, dict) else value
    world.film = await apply_tenant(
        world.db, world.house.gateways, world.house.sealer, "nordlys", TenantEntry.model_validate(entry), {}
    )
    world.house.gateways._made.clear()  # believed for some seconds otherwise


@pytest.mark.shows("payments:listV1ConfigErrors")
async def test_a_tenant_in_order_has_no_errors(world: World) -> None:
    await register(world)
    assert await codes(world) == []


async def test_a_webhook_that_is_not_registered_or_was_deleted(world: World) -> None:
    assert await codes(world) == ["webhook_missing"]
    await register(world)
    gateway = await world.house.gateways.recurring(world.film.id)
    for webhook in (await gateway.list_webhooks()).value:
        await gateway.delete_webhook(webhook.id)
    assert await codes(world) == ["webhook_missing"]


async def test_a_webhook_whose_secret_we_do_not_hold(world: World) -> None:
    gateway = await world.house.gateways.recurring(world.film.id)
    url = f"{world.film.public_url}/api/v1/webhook/vipps/nordlys/film"
    await gateway.register_webhook(url, world.house.gateways.webhooks.events)
    assert await codes(world) == ["webhook_secret_unknown"]


async def test_a_webhook_that_does_not_tell_everything(world: World) -> None:
    await register(world)
    reader = world.house.gateways.webhooks
    before = reader.events
    reader.events = (*before, "recurring.agreement-of-tomorrow.v1")
    try:
        assert await codes(world) == ["webhook_events_missing"]
    finally:
        reader.events = before


@pytest.mark.shows("payments:listV1ConfigErrors")
@pytest.mark.parametrize("name", ["client_secret", "subscription_key"])
async def test_keys_that_vipps_does_not_accept(world: World, name: str) -> None:
    await register(world)
    await change(world, vipps={name: "wrong"})
    assert await codes(world) == ["vipps_credentials_refused"]


async def test_a_vipps_that_does_not_answer(world: World) -> None:
    await change(world, vipps={"base_url": "http://127.0.0.1:9"})
    assert await codes(world) == ["vipps_unreachable"]


async def test_an_issuer_that_does_not_tell_its_keys(world: World) -> None:
    await register(world)
    await change(
        world,
        issuers=[
            {"issuer": world.issuer.url, "audience": "film"},
            {"issuer": "http://127.0.0.1:9/nobody", "audience": "film"},
        ],
    )
    assert "issuer_unavailable" in await codes(world)


async def test_a_catalogue_without_anything_and_vat_of_who_has_none(world: World) -> None:
    await register(world)
    await change(world, seller={"vat_registered": False})
    assert await codes(world) == ["vat_without_registration"] * 2  # of the subscription and of the rent
    await change(world, products=[])
    assert await codes(world) == ["nothing_on_sale"]


@pytest.mark.shows("payments:listV1ConfigErrors")
async def test_only_administrators_are_told(world: World) -> None:
    answer = await world.call("GET", PATH, token=world.anna())
    assert (answer.status, answer.code) == (403, "admin_only")
    assert (await world.call("GET", PATH)).status == 401
    assert (await world.call("GET", PATH, token=world.admin(), host="avis.localhost")).status == 401
