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


@pytest.mark.shows("payments:postV1PayStripeCheckout", "payments:postV1WebhookStripe2")
async def test_a_subscription_begins_with_what_stripe_tells(world: World, secret: str) -> None:
    anna = world.anna()
    wish = {"productId": "film-month", "email": "anna@film.example", "consents": True}
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
    assert agreement["withdrawal"]["consentedAt"] == "2027-01-15T09:00:00Z"
    assert {status for _, status in await kept(world)} == {"done"}
    refused = await world.call("POST", CHECKOUT, token=anna, json=wish)
    assert (refused.status, refused.code) == (409, "agreement_active")
    # The owner stops it; nobody else could.
    stop = f"/api/v1/agreements/{started['agreementId']}/stop"
    assert (await world.call("POST", stop, token=world.bjorn())).status == 404
    assert (await world.call("POST", stop, token=anna)).json["status"] == "stopped"


@pytest.mark.shows("payments:postV1WebhookStripe", "payments:postV1WebhookStripe2")
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


@pytest.mark.shows("payments:postV1PayStripeCheckout")
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


@pytest.mark.shows(
    "payments:listV1Customer",
    "payments:postV1Customer",
    "payments:putV1Customer",
    "payments:listV1CustomerPaymentMethods",
    "payments:deleteV1CustomerPaymentMethodsRemove",
)
async def test_what_somebody_pays_with_is_theirs_and_never_less_than_needed(world: World, secret: str) -> None:
    anna, customer, methods = world.anna(), "/api/v1/customer", "/api/v1/customer/paymentMethods"
    assert (await world.call("GET", customer, token=anna)).code == "customer_not_found"
    assert (await world.call("GET", methods, token=anna)).json == {"paymentMethods": []}
    made = (await world.call("POST", f"{customer}/", token=anna, json={"email": "anna@film.example"})).json
    again = (await world.call("POST", customer, token=anna, json={"name": "Anna"})).json
    assert (again["customerId"], again["email"], again["name"]) == (made["customerId"], "anna@film.example", "Anna")
    begun = await world.call("POST", CHECKOUT, token=anna, json={"productId": "film-month"})
    await world.control("POST", "/stripe/confirm", {"clientSecret": begun.json["clientSecret"], "card": "visa"})
    status = f"/api/v1/pay/vipps/recurring/agreements/{begun.json['agreementId']}"
    assert (await world.call("GET", status, token=anna)).json["status"] == "active"
    (visa,) = (await world.call("GET", methods, token=anna)).json["paymentMethods"]
    assert (visa["brand"], visa["last4"]) == ("visa", "4242")

    remove = f"{methods}/{visa['paymentMethodId']}/remove"
    needed = await world.call("DELETE", remove, token=anna)
    assert (needed.status, needed.code) == (409, "payment_method_needed")
    other = await world.stripe("POST", "/payment_methods/pm_card_mastercard/attach", {"customer": made["customerId"]})
    for wish, code in (
        ({"defaultPaymentMethodId": "pm_others"}, "payment_method_not_found"),
        ({"x": 1}, "invalid_request"),
    ):
        assert (await world.call("PUT", customer, token=anna, json=wish)).code == code
    changed = await world.call("PUT", customer, token=anna, json={"defaultPaymentMethodId": visa["paymentMethodId"]})
    assert changed.json["defaultPaymentMethodId"] == visa["paymentMethodId"]
    assert (await world.call("DELETE", remove, token=world.bjorn())).code == "payment_method_not_found"
    # The default goes, and another takes its place: for the customer and for what they subscribe to.
    gone = await world.call("DELETE", remove, token=anna)
    assert (gone.status, gone.json["defaultPaymentMethodId"]) == (200, other["id"])
    (left,) = (await world.call("GET", methods, token=anna)).json["paymentMethods"]
    assert (left["paymentMethodId"], left["isDefault"]) == (other["id"], True)
    (subscription,) = (await world.stripe("GET", "/subscriptions"))["data"]
    assert subscription["default_payment_method"] == other["id"]
    assert (await world.call("DELETE", remove, token=anna)).status == 404


@pytest.mark.shows("payments:postV1PayStripeTvod")
async def test_a_film_is_bought_once(world: World, secret: str) -> None:
    anna, rent = world.anna(), {"productId": "film-rent"}
    begun = (await world.call("POST", "/api/v1/pay/stripe/tvod", token=anna, json=rent)).json
    assert (await world.call("POST", "/api/v1/pay/stripe/tvod", token=anna, json=rent)).json == begun
    said = {"clientSecret": begun["clientSecret"], "card": "threeDSecure2Required", "authentication": "approve"}
    assert (await world.control("POST", "/stripe/confirm", said))["status"] == "succeeded"
    bought = (await world.call("GET", f"/api/v1/purchases/{begun['purchaseId']}", token=anna)).json
    assert (bought["provider"], bought["status"], bought["charge"]["captured"]) == ("stripe", "paid", 3900)
    assert bought["accessUntil"] == "2027-01-17T09:00:00Z"
    (receipt,) = (await world.call("GET", "/api/v1/receipt", token=anna)).json["receipts"]
    assert receipt["purchaseId"] == begun["purchaseId"]
    refused = await world.call("POST", "/api/v1/pay/stripe/tvod", token=anna, json=rent)
    assert (refused.status, refused.code) == (409, "purchase_active")
    refund = f"/api/v1/charges/{bought['charge']['chargeId']}/refunds"
    given = await world.call("POST", refund, token=world.admin(), json={"amount": 3900, "reason": "It was dark"})
    assert given.json["status"] == "accepted"
    await world.settle()
    bought = (await world.call("GET", f"/api/v1/purchases/{begun['purchaseId']}", token=anna)).json
    assert (bought["charge"]["status"], bought["accessUntil"]) == ("refunded", None)
    subscription = await world.call("POST", "/api/v1/pay/stripe/tvod", token=anna, json={"productId": "film-month"})
    assert (subscription.status, subscription.code) == (400, "product_unknown")
