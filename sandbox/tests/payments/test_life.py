"""A payment's life: asked for, approved or not, captured, released, given back; and where the money is."""

from __future__ import annotations

from typing import Any

import pytest

ANNA = "4791234567"
PRICE = 4900


@pytest.mark.shows("operation:createPayment", "operation:getPayment")
async def test_a_new_payment_waits_and_moves_no_money(till: Any) -> None:
    reply = await till.create(metadata={"order": "7"})
    assert set(reply.body) == {"reference", "redirectUrl"}
    assert reply["redirectUrl"].startswith(till.sandbox.url + "/pay?token=eyJ")
    body = (await till.get(reply["reference"])).body
    assert body["state"] == "CREATED"
    assert body["amount"] == {"currency": "NOK", "value": PRICE}
    assert body["paymentMethod"] == {"type": "WALLET"}
    assert body["profile"] == {}
    assert body["metadata"] == {"order": "7"}
    assert body["redirectUrl"] == reply["redirectUrl"]
    assert await till.sums(reply["reference"]) == ("CREATED", 0, 0, 0, 0)
    assert await till.log(reply["reference"]) == [("CREATED", PRICE)]


@pytest.mark.shows("operation:capturePayment", "operation:cancelPayment", "operation:refundPayment")
async def test_approve_capture_in_parts_cancel_the_rest_refund_in_parts(till: Any) -> None:
    reference = await till.paid(amount={"currency": "NOK", "value": 1000})
    assert "redirectUrl" not in (await till.get(reference)).body
    assert await till.sums(reference) == ("AUTHORIZED", 1000, 0, 0, 0)
    for step, sums in (
        (till.capture(reference, 150), (1000, 0, 150, 0)),
        (till.capture(reference, 100), (1000, 0, 250, 0)),
        (till.cancel(reference), (1000, 750, 250, 0)),
        (till.refund(reference, 100), (1000, 750, 250, 100)),
        (till.refund(reference, 150), (1000, 750, 250, 250)),
    ):
        reply = await step
        assert reply.status == 200, reply.body
        assert reply["amount"]["value"] == 1000
        assert tuple(one["value"] for one in reply["aggregate"].values()) == sums
        assert await till.sums(reference) == ("AUTHORIZED", *sums)
    assert await till.log(reference) == [
        ("CREATED", 1000),
        ("AUTHORIZED", 1000),
        ("CAPTURED", 150),
        ("CAPTURED", 100),
        ("CANCELLED", 750),
        ("REFUNDED", 100),
        ("REFUNDED", 150),
    ]


@pytest.mark.shows("operation:getPaymentEventLog")
async def test_each_event_has_its_own_reference_and_the_payment_has_its_first(till: Any) -> None:
    reference = await till.paid()
    captured = await till.capture(reference, PRICE, key="take-it")
    await till.refund(reference, 900, key="give-back")
    events = (await till.events(reference)).body
    own = [event["pspReference"] for event in events]
    assert len(set(own)) == len(own)
    assert (await till.get(reference))["pspReference"] == captured["pspReference"] == own[0]
    assert [event.get("idempotencyKey") for event in events[2:]] == ["take-it", "give-back"]
    assert events[0]["idempotencyKey"] == events[1]["idempotencyKey"]
    assert all(event["success"] and event["reference"] == reference for event in events)


@pytest.mark.parametrize(
    ("end", "state", "sums"),
    [
        ("reject", "ABORTED", (0, 0, 0, 0)),
        ("cancel", "TERMINATED", (0, PRICE, 0, 0)),
        ("wait", "EXPIRED", (0, 0, 0, 0)),
    ],
)
async def test_the_ends_without_money(till: Any, end: str, state: str, sums: tuple[int, ...]) -> None:
    reference, _ = await till.created()
    if end == "reject":
        assert (await till.decide("reject", reference))["state"] == "ABORTED"
    elif end == "cancel":
        assert (await till.cancel(reference))["state"] == "TERMINATED"
    else:
        await till.sandbox.advance(by="PT10M")
    assert await till.sums(reference) == (state, *sums)
    assert await till.log(reference) == [("CREATED", PRICE), (state, PRICE)]
    # It is final: nobody can do anything with it any more.
    assert (await till.decide("approve", reference)).status == 409
    assert (await till.decide("reject", reference)).status == 409
    for reply in (await till.cancel(reference), await till.capture(reference, 100), await till.refund(reference, 100)):
        assert reply.status == 400
    assert await till.sums(reference) == (state, *sums)


async def test_a_full_cancel_leaves_the_state(till: Any) -> None:
    reference = await till.paid()
    assert (await till.cancel(reference, {"cancelTransactionOnly": False})).status == 200
    assert await till.sums(reference) == ("AUTHORIZED", PRICE, PRICE, 0, 0)


async def test_a_card_without_money_can_be_tried_again(till: Any) -> None:
    window = {"from": "2027-01-15", "until": "2027-01-15T09:05:00Z"}
    await till.sandbox.person("4790000007", noFunds=[window])
    reference, _ = await till.created()
    reply = await till.decide("approve", reference, "4790000007")
    assert (reply["decision"], reply["state"]) == ("failed", "CREATED")
    assert "money" in reply["reason"]
    assert await till.log(reference) == [("CREATED", PRICE)]
    await till.sandbox.advance(by="PT6M")
    assert (await till.decide("approve", reference, "4790000007"))["state"] == "AUTHORIZED"


async def test_the_telephone_answers_as_its_owner_is(till: Any) -> None:
    for number, temperament, state in (
        ("4790000001", "approves", "AUTHORIZED"),
        ("4790000002", "rejects", "ABORTED"),
        ("4790000003", "waits", "CREATED"),
        ("4790000004", "asks", "CREATED"),
    ):
        await till.sandbox.person(number, temperament=temperament)
        _, url = await till.created()
        reply = await till.open(url, number)
        assert reply["state"] == state
        back = "https://film.example/thanks?order=7" if state != "CREATED" else None
        assert reply["redirectUrl"] == back
        shown = (await till.sandbox.control("GET", f"/phone/{number}"))["payments"]
        assert [one["state"] for one in shown] == [state]


async def test_other_peoples_references_are_not_there(till: Any) -> None:
    reference = await till.paid()
    other = {
        "clientId": "other",
        "clientSecret": "other",
        "subscriptionKey": "other",
        "merchantSerialNumber": "654321",
    }
    await till.sandbox.control("POST", "/merchants", other)
    keys = {"client_id": "other", "client_secret": "other", "Ocp-Apim-Subscription-Key": "other"}
    till.sandbox.keys, till.sandbox.token = keys, ""
    headers = {"Merchant-Serial-Number": "654321"}
    path = f"/epayment/v1/payments/{reference}"
    assert (await till.call("GET", path, headers=headers)).status == 404
    assert (
        await till.call("POST", "/epayment/v1/payments", till.body(reference=reference), headers=headers)
    ).status == 201
    assert (await till.call("GET", path, headers=headers))["state"] == "CREATED"


@pytest.mark.shows(
    "event:epayments.payment.created.v1",
    "event:epayments.payment.authorized.v1",
    "event:epayments.payment.captured.v1",
    "event:epayments.payment.cancelled.v1",
    "event:epayments.payment.refunded.v1",
    "event:epayments.payment.aborted.v1",
    "event:epayments.payment.terminated.v1",
    "event:epayments.payment.expired.v1",
)
async def test_webhooks_tell_every_step_in_order(till: Any, told: Any, quiet: Any) -> None:
    reference = await till.paid()
    await till.capture(reference, 1000, key="first")
    await till.cancel(reference)
    await till.refund(reference, 400)
    aborted, _ = await till.created()
    await till.decide("reject", aborted)
    terminated, _ = await till.created()
    await till.cancel(terminated)
    expired, _ = await till.created()
    await till.sandbox.advance(by="PT10M")
    await quiet()
    mine = [one for one in told.got if one["reference"] == reference]
    assert [(one["name"], one["amount"]["value"]) for one in mine] == await till.log(reference)
    events = (await till.events(reference)).body
    assert [one["pspReference"] for one in mine] == [event["pspReference"] for event in events]
    assert mine[2]["idempotencyKey"] == "first"
    assert "idempotencyKey" not in mine[3]
    assert mine[1]["captureGuaranteedUntil"] == "2027-01-22T09:00:00.000+00:00"
    assert all(one["msn"] == "123456" and one["success"] is True for one in told.got)
    for other, end in ((aborted, "ABORTED"), (terminated, "TERMINATED"), (expired, "EXPIRED")):
        assert [one["name"] for one in told.got if one["reference"] == other] == ["CREATED", end]


async def test_the_export_tells_where_the_money_is(till: Any) -> None:
    reference = await till.paid()
    await till.capture(reference, 4000)
    await till.sandbox.advance(by="PT1H")
    await till.refund(reference, 500)
    (payment,) = (await till.sandbox.control("GET", "/export"))["payments"]
    assert payment["pspReference"] == (await till.get(reference))["pspReference"]
    kept = ("reference", "merchantSerialNumber", "phoneNumber", "state", "amount", "currency")
    assert [payment[name] for name in kept] == [reference, "123456", ANNA, "AUTHORIZED", PRICE, "NOK"]
    sums = ("authorized", "captured", "refunded", "cancelled")
    assert [payment[name] for name in sums] == [PRICE, 4000, 500, 0]
    assert [(one["event"], one["amount"], one["occurred"]) for one in payment["history"]][2:] == [
        ("CAPTURED", 4000, "2027-01-15T09:00:00Z"),
        ("REFUNDED", 500, "2027-01-15T10:00:00Z"),
    ]
