"""What is bought once, over HTTP: its owner follows it, an administrator reads it, and nobody else does."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from avtale.domain.money import Money
from avtale.domain.purchase import PurchaseTerms
from avtale.storage import tenants

from .conftest import World

MOVIE = PurchaseTerms(
    product_id="movie",
    name="En film",
    description=None,
    price=Money(4900, "NOK"),
    access_days=2,
    vat_basis_points=2500,
)


async def buy(world: World) -> dict[str, Any]:
    async with world.db.tenant(world.film.id) as tx:
        await tenants.save_products(tx, [MOVIE])
    drafted = await world.draft(productId="movie")
    assert drafted["agreementId"] is None
    return drafted


@pytest.mark.shows("payments:postV1PayVippsCheckout", "payments:getV1Purchases", "payments:listV1Purchases")
async def test_a_purchase_is_followed_by_its_owner_alone(world: World) -> None:
    drafted = await buy(world)
    path = f"/api/v1/purchases/{drafted['purchaseId']}"
    mine = await world.call("GET", path, token=world.anna())
    assert (mine.status, mine.json["status"], mine.json["price"]["amount"]) == (200, "pending", 4900)
    assert (await world.call("GET", "/api/v1/purchases", token=world.anna())).json["purchases"] == [mine.json]
    assert (await world.call("GET", path, token=world.admin())).json == mine.json
    stranger = await world.call("GET", path, token=world.bjorn())
    assert (stranger.status, stranger.code) == (404, "purchase_not_found")
    assert (await world.call("GET", "/api/v1/purchases", token=world.bjorn())).json == {"purchases": []}
    unknown = await world.call("GET", f"/api/v1/purchases/{uuid4()}", token=world.anna())
    assert unknown.code == "purchase_not_found"
