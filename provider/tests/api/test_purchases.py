"""What is bought once, as its owner, a stranger and an administrator use it over HTTP, on the real sandbox."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from .conftest import World

CHECKOUT = "/api/v1/pay/vipps/checkout"
WISH = {"productId": "film-rent", "returnUrl": "https://film.example/back"}


def path(purchase: dict[str, Any]) -> str:
    return f"/api/v1/purchases/{purchase['purchaseId']}"


async def rent(world: World) -> dict[str, Any]:
    """A purchase that Anna has approved on her phone: the answer to her shop's first poll."""
    phone = f"47{uuid4().int % 10**8:08}"
    await world.control("POST", "/people", {"phoneNumber": phone, "name": "Anna", "temperament": "approves"})
    started = await world.draft(**WISH)
    opened = await world.control("POST", f"/phone/{phone}/open", {"url": started["confirmationUrl"]})
    assert opened["decision"] == "approved", opened
    answer = await world.call("GET", path(started), token=world.anna())
    assert answer.status == 200, answer.body
    return dict(answer.json)


async def test_a_checkout_of_a_single_product_is_a_purchase(world: World) -> None:
    started = await world.draft(**WISH)
    assert started["agreementId"] is None
    assert str(UUID(started["purchaseId"])) == started["purchaseId"]
    assert (started["status"], started["expiresAt"]) == ("pending", "2027-01-15T09:10:00Z")
    polled = (await world.call("GET", path(started), token=world.anna())).json
    assert (polled["status"], polled["confirmationUrl"]) == ("pending", started["confirmationUrl"])
    subscription = await world.draft()
    assert (subscription["purchaseId"], subscription["agreementId"] is None) == (None, False)


@pytest.mark.shows("payments:postV1PayVippsCheckout", "payments:getV1Purchases")
async def test_from_checkout_to_a_film_with_a_receipt(world: World) -> None:
    purchase = await rent(world)
    assert (purchase["status"], purchase["accessUntil"]) == ("authorized", "2027-01-17T09:00:00Z")
    await world.settle()
    await world.settle()
    purchase = (await world.call("GET", path(purchase), token=world.anna())).json
    charge = purchase.pop("charge")
    assert purchase.pop("purchaseId")
    assert purchase == {
        "provider": "vipps",
        "productId": "film-rent",
        "status": "paid",
        "price": {"amount": 3900, "currency": "NOK"},
        "createdAt": "2027-01-15T09:00:00Z",
        "expiresAt": "2027-01-15T09:10:00Z",
        "confirmationUrl": None,
        "accessUntil": "2027-01-17T09:00:00Z",
        "endReason": None,
    }
    assert charge.pop("chargeId")
    assert charge == {
        "period": None,
        "periodStart": "2027-01-15",
        "periodEnd": "2027-01-17",
        "dueDate": "2027-01-15",
        "amount": {"amount": 3900, "currency": "NOK"},
        "status": "paid",
        "captured": 3900,
        "refunded": 0,
        "failureReason": None,
    }
    (receipt,) = (await world.call("GET", "/api/v1/receipt", token=world.anna())).json["receipts"]
    assert (receipt["agreementId"], receipt["period"], receipt["product"]) == (None, None, "Film for two days")
    assert receipt["vat"] == {"amount": 780, "currency": "NOK", "rateBasisPoints": 2500}


@pytest.mark.shows("payments:postV1ChargesRefunds")
async def test_an_administrator_gives_a_purchase_back(world: World) -> None:
    purchase = await rent(world)
    await world.settle()
    await world.settle()
    there = f"/api/v1/charges/{purchase['charge']['chargeId']}/refunds"
    wish = {"amount": 3900, "reason": "A film that would not play"}
    assert (await world.call("POST", there, token=world.anna(), json=wish)).status == 403
    too_much = await world.call("POST", there, token=world.admin(), json=wish | {"amount": 3901})
    assert (too_much.status, too_much.code) == (409, "refund_exceeds_captured")
    answer = await world.call("POST", there, token=world.admin(), json=wish)
    assert (answer.status, answer.json["status"]) == (200, "accepted")
    await world.settle()
    now = (await world.call("GET", path(purchase), token=world.admin())).json
    assert (now["status"], now["charge"]["status"], now["accessUntil"]) == ("paid", "refunded", None)
    note, receipt = (await world.call("GET", "/api/v1/receipt", token=world.anna())).json["receipts"]
    assert (note["kind"], note["correctsReceiptId"]) == ("credit_note", receipt["receiptId"])
    assert note["purchaseId"] == receipt["purchaseId"] == purchase["purchaseId"]


@pytest.mark.shows("payments:listV1Purchases", "payments:getV1Purchases")
async def test_a_stranger_sees_nothing_and_the_owner_a_list(world: World) -> None:
    started = await world.draft(**WISH)
    refused = await world.call("GET", path(started), token=world.bjorn())
    assert (refused.status, refused.code) == (404, "purchase_not_found")
    assert (await world.call("GET", "/api/v1/purchases", token=world.bjorn())).json == {"purchases": []}
    (mine,) = (await world.call("GET", "/api/v1/purchases", token=world.anna())).json["purchases"]
    assert mine["purchaseId"] == started["purchaseId"]
    assert (await world.call("GET", path(started), token=world.admin())).json == mine
    nothing = await world.call("GET", "/api/v1/purchases/7", token=world.anna())
    assert (nothing.status, nothing.code) == (404, "purchase_not_found")
    assert (await world.call("GET", path(started))).status == 401


async def test_a_payment_company_that_does_not_answer_names_the_purchase_to_poll(world: World) -> None:
    await world.script("createPayment", kind="hang")
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH)
    assert (answer.status, answer.code) == (504, "gateway_unknown")
    polled = await world.call("GET", path(answer.json), token=world.anna())
    assert (polled.status, polled.json["status"], polled.json["confirmationUrl"]) == (200, "pending", None)
    # The same wish asks for the same payment again, and gets its address.
    again = await world.draft(**WISH)
    assert again["purchaseId"] == answer.json["purchaseId"]


async def test_what_somebody_has_is_not_sold_again(world: World) -> None:
    purchase = await rent(world)
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH)
    assert (answer.status, answer.code) == (409, "purchase_active")
    assert answer.json["purchaseId"] == purchase["purchaseId"]


async def test_a_return_address_that_vipps_refuses_is_told(world: World) -> None:
    answer = await world.call("POST", CHECKOUT, token=world.anna(), json=WISH | {"returnUrl": "http://film.example/"})
    assert (answer.status, answer.code) == (502, "gateway_refused")
    assert answer.json["reason"] == "4090"
