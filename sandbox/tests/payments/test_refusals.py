"""What is refused and how: steps that are not possible, keys used twice, headers, strangers, too many calls."""

from __future__ import annotations

from typing import Any

import pytest

ANNA = "4791234567"
PRICE = 4900
PATH = "/epayment/v1/payments"


def code(reply: Any) -> tuple[int, str]:
    """Status and error code of a problem."""
    assert reply.headers["Content-Type"] == "application/problem+json", reply.body
    return reply.status, str(reply["extraDetails"][0]["reason"])


@pytest.mark.shows("error:6080", "error:6020")
async def test_nothing_is_taken_or_given_back_before_the_approval(till: Any) -> None:
    reference, _ = await till.created()
    refused = await till.capture(reference, 100)
    assert code(refused) == (400, "6080")
    assert refused["title"] == "Cannot capture before reservation"
    assert refused["instance"] == f"/v1/payments/{reference}/capture"
    assert code(await till.refund(reference, 100)) == (400, "6020")


@pytest.mark.shows("error:6090", "error:6170", "error:6150", "error:6180", "error:6210", "error:6040")
async def test_no_more_is_taken_than_reserved_nor_given_back_than_taken(till: Any) -> None:
    reference = await till.paid()
    assert code(await till.refund(reference, 100)) == (400, "6210")
    assert code(await till.capture(reference, PRICE + 1)) == (400, "6090")
    assert (await till.capture(reference, 900)).status == 200
    assert code(await till.capture(reference, 4001)) == (400, "6090")
    assert code(await till.refund(reference, 901)) == (400, "6150")
    assert (await till.capture(reference, 4000)).status == 200
    assert code(await till.capture(reference, 1)) == (400, "6170")
    assert code(await till.cancel(reference)) == (400, "6040")
    assert (await till.refund(reference, PRICE)).status == 200
    assert code(await till.refund(reference, 1)) == (400, "6180")
    assert await till.sums(reference) == ("AUTHORIZED", PRICE, 0, PRICE, PRICE)


@pytest.mark.shows("error:6050", "error:6060", "error:6070")
async def test_what_was_released_is_gone(till: Any) -> None:
    reference = await till.paid()
    assert code(await till.cancel(reference, {"cancelTransactionOnly": True})) == (400, "6060")
    assert await till.sums(reference) == ("AUTHORIZED", PRICE, 0, 0, 0)
    assert (await till.cancel(reference, {})).status == 200
    assert code(await till.capture(reference, 1)) == (400, "6070")
    assert code(await till.cancel(reference)) == (400, "6050")
    waiting, _ = await till.created()
    assert (await till.cancel(waiting, {"cancelTransactionOnly": True}))["state"] == "TERMINATED"


@pytest.mark.shows("error:6190", "error:6200")
async def test_what_ended_without_money_stays_ended(till: Any) -> None:
    reference, _ = await till.created()
    await till.decide("reject", reference)
    assert code(await till.cancel(reference)) == (400, "6190")
    assert code(await till.capture(reference, 1)) == (400, "6200")
    assert code(await till.refund(reference, 1)) == (400, "6210")


@pytest.mark.shows("error:4040", "error:6140")
async def test_sums_that_are_none_and_shops_that_must_take_all(till: Any) -> None:
    reference = await till.paid()
    for verb in (till.capture, till.refund):
        if verb == till.refund:
            await till.capture(reference, PRICE)
        assert code(await verb(reference, 0)) == (400, "4040")
        assert code(await verb(reference, 100, "EUR")) == (400, "4040")
        assert code(await verb(reference, 10.5)) == (400, "4040")
        assert (await verb(reference, -1)).status == 400
        assert (await verb(reference, "100")).status == 400
    await till.allow(partialCaptureAllowed=False)
    whole = await till.paid()
    assert code(await till.capture(whole, PRICE - 1)) == (400, "6140")
    assert (await till.capture(whole, PRICE)).status == 200


async def test_a_cancel_may_have_a_body_or_none_but_no_list(till: Any) -> None:
    for body, status in ((None, 200), ({}, 200), ([], 400), ({"cancelTransactionOnly": "no"}, 400), (b"{", 400)):
        reference = await till.paid()
        assert (await till.cancel(reference, body)).status == status


@pytest.mark.shows("error:5090")
async def test_a_reference_that_nobody_used(till: Any) -> None:
    for reply in (
        await till.get("film-nobody"),
        await till.events("film-nobody"),
        await till.capture("film-nobody", 1),
        await till.refund("film-nobody", 1),
        await till.cancel("film-nobody"),
        await till.force("film-nobody", {"customer": {"phoneNumber": ANNA}}),
    ):
        assert code(reply) == (404, "5090")
        assert reply["detail"] == "The reference `film-nobody` does not exist for MSN 123456"
    assert (await till.get("%ff")).status == 404


@pytest.mark.shows("error:4150", "error:idempotency-conflict", "rule:T18")
async def test_a_key_has_one_effect_and_one_answer_for_ever(till: Any) -> None:
    body = till.body()
    first = await till.call("POST", PATH, body, key="create")
    await till.sandbox.advance(by="PT1M")
    again = await till.call("POST", PATH, body, key="create")
    assert (again.status, again.body) == (first.status, first.body) == (201, first.body)
    reference = body["reference"]
    await till.decide("approve", reference)
    captured = [await till.capture(reference, 900, key="take") for _ in range(3)]
    assert {one.status for one in captured} == {200}
    refunded = [await till.refund(reference, 300, key="give") for _ in range(2)]
    assert refunded[0].body == refunded[1].body
    assert await till.sums(reference) == ("AUTHORIZED", PRICE, 0, 900, 300)
    # The same key for something else.
    assert code(await till.call("POST", PATH, till.body(), key="create")) == (409, "4020")
    assert code(await till.capture(reference, 901, key="take")) == (409, "4010")
    other = await till.paid()
    assert code(await till.capture(other, 900, key="take")) == (409, "4010")
    conflict = await till.refund(reference, 301, key="give")
    assert (code(conflict), conflict["title"]) == ((409, "4150"), "Refund idempotency conflict")
    # Another key for the same reference.
    duplicate = await till.call("POST", PATH, body, key="another")
    assert (code(duplicate), duplicate["title"]) == ((409, "4150"), "Reference exists")
    # The reference is taken for ever, and counts letter by letter.
    await till.sandbox.advance(by="P2Y")
    assert code(await till.call("POST", PATH, body, key="late")) == (409, "4150")
    assert (await till.create(reference=reference.upper())).status == 201


async def test_a_refusal_sticks_to_its_key(till: Any) -> None:
    reference, _ = await till.created()
    assert code(await till.capture(reference, 100, key="early")) == (400, "6080")
    await till.decide("approve", reference)
    assert code(await till.capture(reference, 100, key="early")) == (400, "6080")
    assert (await till.capture(reference, 100, key="later")).status == 200


async def test_a_cancel_with_a_key_is_repeated_and_one_without_is_refused(till: Any) -> None:
    reference = await till.paid()
    path = f"{PATH}/{reference}/cancel"
    replies = [await till.call("POST", path, {}, key="off") for _ in range(2)]
    assert [one.status for one in replies] == [200, 200]
    assert replies[0].body == replies[1].body
    assert code(await till.cancel(reference)) == (400, "6050")
    assert [name for name, _ in await till.log(reference)] == ["CREATED", "AUTHORIZED", "CANCELLED"]


async def test_what_failed_on_the_way_is_tried_again_under_the_same_key(till: Any) -> None:
    reference = await till.paid()
    for status in (423, 429, 500):
        fault = {"match": {"operationId": "capturePayment"}, "times": 1, "action": {"kind": "status", "status": status}}
        assert (await till.sandbox.control("POST", "/faults", fault)).status == 201
        assert (await till.capture(reference, 100, key="once")).status == status
    assert (await till.capture(reference, 100, key="once")).status == 200
    assert (await till.sums(reference))[3] == 100


@pytest.mark.shows("error:validation-error")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Merchant-Serial-Number", None),
        ("Merchant-Serial-Number", "12"),
        ("Merchant-Serial-Number", "12345x"),
        ("Idempotency-Key", None),
        ("Idempotency-Key", ""),
        ("Idempotency-Key", "k" * 51),
        ("Vipps-System-Name", "s" * 31),
        ("Vipps-System-Plugin-Version", "1" * 31),
    ],
)
async def test_headers_that_are_missing_or_too_long(till: Any, name: str, value: str | None) -> None:
    reply = await till.call("POST", PATH, till.body(), headers={name: value})
    # A number that is a number, and not this merchant's, is the gateway's affair.
    assert reply.status in (400, 403)
    if reply.status == 400:
        assert [one["name"] for one in reply["extraDetails"]] == [name]
    assert (await till.sandbox.control("GET", "/export"))["payments"] == []


async def test_strangers_are_turned_away_in_the_gateways_own_shape(till: Any) -> None:
    for changes, status in (
        ({"Ocp-Apim-Subscription-Key": None}, 401),
        ({"Ocp-Apim-Subscription-Key": "wrong"}, 401),
        ({"Authorization": None}, 401),
        ({"Authorization": "bearer x"}, 401),
        ({"Merchant-Serial-Number": "654321"}, 403),
    ):
        reply = await till.call("GET", f"{PATH}/film-00000001", headers=changes)
        assert reply.status == status
        assert reply["statusCode"] == status
        assert set(reply.body) == {"statusCode", "message"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"amount": NaN}', b"\xff", b"[" * 9999])
async def test_bodies_that_are_none(till: Any, body: bytes) -> None:
    reference = await till.paid()
    for path in (PATH, f"{PATH}/{reference}/capture", f"{PATH}/{reference}/refund"):
        reply = await till.call("POST", path, body)
        assert reply.status == 400
        assert reply.headers["Content-Type"] == "application/problem+json"
    xml = {"Content-Type": "application/xml"}
    assert (await till.call("POST", PATH, till.body(), headers=xml)).status == 415


@pytest.mark.shows(
    "operation:forceApprove",
    "operation:forceApproveWithoutTest",
    "error:10010",
    "error:10020",
    "error:10030",
    "error:10060",
)
async def test_a_merchant_approves_in_the_payers_name(till: Any) -> None:
    for test in ("/test", ""):
        reference, url = await till.created()
        assert code(await till.force(reference, None, test)) == (400, "10030")
        assert code(await till.force(reference, {"token": "x"}, test)) == (400, "10010")
        reply = await till.force(reference, {"customer": {"phoneNumber": ANNA}}, test)
        assert (reply.status, reply.body) == (200, b"")
        assert (await till.sums(reference))[:2] == ("AUTHORIZED", PRICE)
        assert code(await till.force(reference, {"customer": {"phoneNumber": ANNA}}, test)) == (400, "10020")
    named, url = await till.created(customer={"phoneNumber": ANNA})
    assert (await till.force(named, {"token": url.partition("token=")[2]})).status == 200
    poor = await till.sandbox.person("4790000007", noFunds=[{}])
    broke, _ = await till.created()
    assert code(await till.force(broke, {"customer": {"phoneNumber": poor}})) == (400, "10010")
    both = {"customer": {"phoneNumber": ANNA, "personalQr": "https://qr.vipps.no/28/2/01/031/4791234567"}}
    assert (await till.force(broke, both)).status == 400
    assert (await till.sums(broke))[0] == "CREATED"


@pytest.mark.parametrize(("amount", "market", "fails"), [(151, "NO", True), (197, "NO", True), (197, "DK", False)])
async def test_the_amounts_that_the_test_environment_refuses(till: Any, amount: int, market: str, fails: bool) -> None:
    await till.allow(market=market)
    currency = "NOK" if market == "NO" else "DKK"
    reference, _ = await till.created(amount={"currency": currency, "value": amount})
    reply = await till.decide("approve", reference)
    assert reply["decision"] == ("failed" if fails else "approved")
    assert (await till.sums(reference))[0] == ("CREATED" if fails else "AUTHORIZED")


@pytest.mark.shows("error:5100", "error:6220")
async def test_the_amounts_that_the_test_environment_does_not_give_back(till: Any) -> None:
    reference = await till.paid()
    await till.capture(reference, PRICE)
    assert code(await till.refund(reference, 123)) == (400, "5100")
    assert code(await till.refund(reference, 124)) == (400, "6220")
    assert (await till.refund(reference, 125)).status == 200
    assert (await till.sums(reference))[4] == 125
