"""What time does to payments: expiry, links, deadlines, guarantees."""

from __future__ import annotations

from typing import Any

import pytest

ANNA = "4791234567"
PRICE = 4900


def code(reply: Any) -> str:
    """The error code in a problem."""
    return str(reply["extraDetails"][0]["reason"])


@pytest.mark.shows("rule:P1", "event:epayments.payment.expired.v1")
async def test_a_payment_waits_ten_minutes_and_not_a_second_longer(till: Any, told: Any, quiet: Any) -> None:
    reference, url = await till.created()
    await till.open(url)
    await till.sandbox.advance_to("2027-01-15T09:09:59Z")
    assert (await till.sums(reference))[0] == "CREATED"
    await till.sandbox.advance_to("2027-01-15T09:10:00Z")
    assert (await till.sums(reference))[0] == "EXPIRED"
    events = (await till.events(reference)).body
    assert events[-1]["timestamp"] == "2027-01-15T09:10:00Z"
    assert "idempotencyKey" not in events[-1]
    await quiet()
    assert [one["name"] for one in told.got] == ["CREATED", "EXPIRED"]


@pytest.mark.shows("rule:P2")
async def test_a_link_is_dead_after_five_minutes_unless_somebody_opened_it(till: Any) -> None:
    (opened, first), (ignored, second) = await till.created(), await till.created()
    await till.sandbox.advance_to("2027-01-15T09:04:59Z")
    assert (await till.open(first))["state"] == "CREATED"
    await till.sandbox.advance_to("2027-01-15T09:05:00Z")
    assert (await till.open(second)).status == 409
    assert (await till.decide("approve", ignored)).status == 409
    assert code(await till.force(ignored, {"customer": {"phoneNumber": ANNA}})) == "10010"
    assert (await till.sums(ignored))[0] == "CREATED"
    assert (await till.decide("approve", opened))["state"] == "AUTHORIZED"


@pytest.mark.shows("rule:P4", "error:6100", "error:6030", "event:epayments.payment.cancelled.v1")
@pytest.mark.parametrize(
    ("market", "currency", "late", "last"),
    [
        ("NO", "NOK", False, "2027-07-14T09:00:00Z"),
        ("DK", "DKK", False, "2027-01-29T09:00:00Z"),
        ("FI", "EUR", False, "2027-01-29T09:00:00Z"),
        ("FI", "EUR", True, "2027-07-14T09:00:00Z"),
    ],
)
async def test_a_reservation_is_released_at_its_markets_deadline(
    till: Any, told: Any, quiet: Any, market: str, currency: str, late: bool, last: str
) -> None:
    await till.allow(market=market, lateCaptureAllowed=late)
    amount = {"currency": currency, "value": PRICE}
    reference, whole = await till.paid(amount=amount), await till.paid(amount=amount)
    assert (await till.capture(whole, PRICE, currency)).status == 200
    await till.sandbox.advance_to(last.replace("09:00:00", "08:59:59"))
    assert (await till.capture(reference, 900, currency)).status == 200
    await till.sandbox.advance_to(last)
    assert await till.sums(reference) == ("AUTHORIZED", PRICE, 4000, 900, 0)
    assert (await till.events(reference)).body[-1]["timestamp"] == last
    assert code(await till.capture(reference, 100, currency)) == "6100"
    assert code(await till.cancel(reference)) == "6030"
    assert (await till.refund(reference, 900, currency)).status == 200
    # What was captured whole has nothing to release.
    assert [name for name, _ in await till.log(whole)] == ["CREATED", "AUTHORIZED", "CAPTURED"]
    await quiet()
    (released,) = [one for one in told.got if one["name"] == "CANCELLED"]
    assert released["amount"] == {"currency": currency, "value": 4000}


@pytest.mark.shows("rule:P5", "error:6220")
async def test_a_refund_is_possible_for_a_year_after_the_reservation(till: Any) -> None:
    reference = await till.paid()
    await till.sandbox.advance(by="P30D")
    await till.capture(reference, PRICE)
    await till.sandbox.advance_to("2028-01-15T09:00:00Z")
    assert (await till.refund(reference, 100)).status == 200
    await till.sandbox.advance_to("2028-01-15T09:00:01Z")
    assert code(await till.refund(reference, 100)) == "6220"
    assert (await till.sums(reference))[4] == 100


@pytest.mark.shows("rule:P6", "error:6260")
async def test_a_late_capture_needs_money_on_the_card(till: Any) -> None:
    poor = await till.sandbox.person("4790000007", noFunds=[{"from": "2027-01-16", "until": "2027-02-01"}])
    reference = await till.paid(poor)
    assert (await till.get(reference))["captureGuaranteedUntil"] == "2027-01-22T09:00:00.000+00:00"
    await till.sandbox.advance_to("2027-01-22T09:00:00Z")
    assert (await till.capture(reference, 100)).status == 200
    await till.sandbox.advance_to("2027-01-22T09:00:01Z")
    refused = await till.capture(reference, 100)
    assert (refused.status, code(refused)) == (400, "6260")
    assert (await till.sums(reference))[3] == 100
    await till.sandbox.advance_to("2027-02-01T09:00:00Z")
    assert (await till.capture(reference, 100)).status == 200
