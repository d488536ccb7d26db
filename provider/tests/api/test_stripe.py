"""Paying with Stripe over HTTP: the payer's browser confirms, Stripe tells us, and only what it has signed is taken."""

from __future__ import annotations

import asyncio
import json
from time import time
from typing import Any

import pytest
from sqlalchemy import select
from stripe import WebhookSignature

from avtale.domain.gateway import GatewayName
from avtale.service.registering import ensure_webhooks, live_secrets
from avtale.storage import tables

from .conftest import World

CHECKOUT = "/api/v1/pay/stripe/checkout"
PATH = "/api/v1/webhook/stripe/nordlys"


@pytest.fixture
async def secret(world: World) -> str:
    """The secret of the endpoint that was made at Stripe."""
    await world.stripe_price()
    await ensure_webhooks(world.db, world.house.gateways, world.house.sealer, world.film)
    async with world.db.tenant(world.film.id) as tx:
        (only,) = await live_secrets(tx, world.house.sealer, GatewayName.STRIPE)
    return only


async def kept(world: World) -> list[Any]:
    async with world.db.tenant(world.film.id) as tx:
        mine = select(tables.inbox.c.key, tables.inbox.c.status).where(tables.inbox.c.gateway == "stripe")
        return [tuple(row) for row in await tx.conn.execute(mine)]


async def test_a_subscription_begins_with_what_stripe_tells(world: World, secret: str) -> None:
    anna = world.anna()
    wish = {"productId": "film-month", "email": "anna@film.example"}
    started = (await world.call("POST", CHECKOUT, token=anna, json=wish, headers={"Idempotency-Key": "1"})).json
    assert (started["status"], started["confirms"], started["publishableKey"]) == ("pending", "payment", "pk_test_dev")
    again = (await world.call("POST", CHECKOUT, token=anna, json=wish, headers={"Idempotency-Key": "1"})).json
    assert again == started
    await world.control("POST", "/stripe/confirm", {"clientSecret": started["clientSecret"], "card": "visa"})
    for _ in range(200):
        if len(await kept(world)) >= 5:
            break
        await asyncio.sleep(0.05)
    await world.settle()
    await world.settle()
    (agreement,) = (await world.call("GET", "/api/v1/agreements", token=anna)).json["agreements"]
    assert (agreement["agreementId"], agreement["provider"]) == (started["agreementId"], "stripe")
    assert (agreement["status"], [one["status"] for one in agreement["charges"]]) == ("active", ["paid"])
    assert {status for _, status in await kept(world)} == {"done"}
    refused = await world.call("POST", CHECKOUT, token=anna, json=wish)
    assert (refused.status, refused.code) == (409, "agreement_active")
    # The owner stops it; nobody else could.
    stop = f"/api/v1/agreements/{started['agreementId']}/stop"
    assert (await world.call("POST", stop, token=world.bjorn())).status == 404
    assert (await world.call("POST", stop, token=anna)).json["status"] == "stopped"


async def test_only_what_stripe_has_signed_is_kept_and_only_for_its_tenant(world: World, secret: str) -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "invoice.paid",
        "livemode": False,
        "data": {"object": {"id": "in_1", "object": "invoice"}},
    }

    async def tell(path: str = PATH, secret: str = secret, age: int = 0, **more: Any) -> tuple[int, str]:
        body = json.dumps(event | more)
        header = WebhookSignature.generate_signature_header(body, secret, int(time()) - age)
        headers = {"Stripe-Signature": header, "Content-Type": "application/json"}
        answer = await world.call("POST", path, data=body.encode(), headers=headers)
        return answer.status, "" if answer.status == 200 else answer.code

    assert await tell() == (200, "")
    assert await tell() == (200, "")
    assert await tell(path="/api/v1/webhook/stripe/", id="evt_2") == (200, "")
    assert await tell(id="evt_3", account="acct_sandboxdefault01") == (200, "")
    for outside in ({"livemode": True}, {"account": "acct_other"}):
        assert await tell(id="evt_4", **outside) == (200, "")
    assert await tell(id="evt_5", path=f"{PATH}?test") == (200, "")
    forged = (400, "webhook_not_authentic")
    assert await tell(id="evt_6", secret="whsec_other") == forged
    assert await tell(id="evt_6", age=301) == forged
    assert await tell(id="evt_6", path="/api/v1/webhook/stripe/nobody") == forged
    assert await tell(id="evt_6", object="invoice") == (400, "webhook_unreadable")
    assert [key for key, _ in sorted(await kept(world))] == ["evt_1", "evt_2", "evt_3", "evt_5"]


async def test_what_cannot_be_is_said_clearly(world: World, secret: str) -> None:
    for wish, answer in (
        ({"productId": "nothing"}, (400, "product_unknown")),
        ({"productId": "film-rent"}, (400, "product_unknown")),
        ({"productId": "film-month", "paymentMethodId": "card"}, (400, "invalid_request")),
        ({"productId": "film-month", "paymentMethodId": "pm_unknown"}, (409, "payment_method_refused")),
        ({"productId": "film-month", "paymentMethodId": "pm_card_chargeDeclined"}, (409, "payment_method_refused")),
    ):
        refused = await world.call("POST", CHECKOUT, token=world.anna(), json=wish)
        assert (refused.status, refused.code) == answer
    assert (await world.stripe("GET", "/subscriptions?status=all"))["data"] == []
    begun = await world.call(
        "POST", CHECKOUT, token=world.anna(), json={"productId": "film-month", "paymentMethodId": "pm_card_visa"}
    )
    assert begun.status == 200, begun.body
    token = world.issuer.token("auth0|anna", aud="avis")
    missing = await world.call("POST", CHECKOUT, token=token, json={"productId": "film-month"}, host="avis.localhost")
    assert (missing.status, missing.code) == (409, "stripe_not_configured")
