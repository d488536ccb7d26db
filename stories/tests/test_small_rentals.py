"""Small stories of things bought once: one thing goes wrong, and both houses still end in the same state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stories.clients import Refused
from stories.world import Rental, World

pytestmark = pytest.mark.story

CREATE = {"method": "POST", "path": "/epayment/v1/payments"}
CAPTURE = {"method": "POST", "path": "/epayment/v1/payments/[^/]+/capture"}
REFUND = {"method": "POST", "path": "/epayment/v1/payments/[^/]+/refund"}
PRICE = 3900


async def sums(rental: Rental) -> tuple[str, int, int, int]:
    """The payment at the gateway: its state, and what was captured, refunded and cancelled."""
    theirs = await rental.at_gateway()
    return theirs["state"], theirs["captured"], theirs["refunded"], theirs["cancelled"]


async def papers(rental: Rental) -> list[tuple[str, int]]:
    """The owner's receipts and credit notes for it, oldest first."""
    mine: list[dict[str, Any]] = await rental.person.provider.receipts()
    return [(r["kind"], r["amount"]["amount"]) for r in reversed(mine) if r["purchaseId"] == rental.purchase_id]


async def test_a_film_is_paid_seen_for_two_days_and_can_be_rented_again(world: World) -> None:
    henrik = await world.person("Henrik")
    rental = await world.shop.rent(henrik)
    now = await rental.now()
    assert (now["status"], now["accessUntil"]) == ("paid", "2027-02-02T09:00:00Z")
    assert await sums(rental) == ("AUTHORIZED", PRICE, 0, 0)
    assert await papers(rental) == [("receipt", PRICE)]
    with pytest.raises(Refused) as refused:
        await world.shop.offer(henrik)
    assert (refused.value.status, refused.value.code) == (409, "purchase_active")
    assert refused.value.body["purchaseId"] == rental.purchase_id
    await world.advance_to("2027-02-02T10:00")
    again = await world.shop.rent(henrik)
    assert again.purchase_id != rental.purchase_id


async def test_a_no_on_the_phone_is_aborted_and_costs_nothing(world: World) -> None:
    rental = await world.shop.rent(await world.person("Frank", "rejects"))
    assert await rental.status() == "aborted"
    assert await sums(rental) == ("ABORTED", 0, 0, 0)
    assert await papers(rental) == []


async def test_a_payment_that_nobody_answers_expires(world: World) -> None:
    rental = await world.shop.rent(await world.person("Grete", "waits"))
    assert await rental.status() == "pending"
    await world.advance_to("2027-01-31T10:15")
    assert await rental.status() == "expired"
    assert (await rental.now())["confirmationUrl"] is None


@pytest.mark.parametrize("kind", ["effect-then-hang", "effect-then-close"])
async def test_a_capture_that_took_effect_and_never_answered_takes_the_money_once(world: World, kind: str) -> None:
    await world.sandbox.fault(CAPTURE, {"kind": kind})
    rental = await world.shop.rent(await world.person("Henrik"))
    assert await rental.status() == "paid"
    assert await sums(rental) == ("AUTHORIZED", PRICE, 0, 0)
    assert await papers(rental) == [("receipt", PRICE)]


async def test_a_capture_that_is_refused_gives_the_reservation_up(world: World) -> None:
    await world.sandbox.fault(CAPTURE, {"kind": "status", "status": 400})
    rental = await world.shop.rent(await world.person("Henrik"))
    now = await rental.now()
    assert (now["status"], now["accessUntil"]) == ("cancelled", None)
    assert now["endReason"].startswith("capture refused: ")
    assert await sums(rental) == ("AUTHORIZED", 0, 0, PRICE)


async def test_a_payment_that_was_made_and_never_answered_is_the_same_payment(world: World) -> None:
    henrik = await world.person("Henrik")
    await world.sandbox.fault(CREATE, {"kind": "effect-then-close"})
    with pytest.raises(Refused) as unknown:
        await world.shop.offer(henrik, key="basket-1")
    assert (unknown.value.status, unknown.value.code) == (504, "gateway_unknown")
    rental = await world.shop.offer(henrik, key="basket-1")
    assert rental.purchase_id == unknown.value.body["purchaseId"]
    await rental.open_phone()
    await world.settle()
    assert await rental.status() == "paid"
    assert len((await world.sandbox.export())["payments"]) == 1


async def test_webhooks_that_never_come_are_made_up_for_by_asking(world: World) -> None:
    await world.sandbox.fault({"webhook": "*"}, {"kind": "drop"}, times=1000)
    rental = await world.shop.rent(await world.person("Henrik"))
    # The shop asks when the person comes back: that settles it, and access is there at once.
    asked = await rental.now()
    assert (asked["status"], asked["accessUntil"]) == ("authorized", "2027-02-02T09:00:00Z")
    await world.settle()
    assert await rental.status() == "paid"


async def test_webhooks_that_never_come_and_a_shop_that_never_asks_cost_minutes(world: World) -> None:
    await world.sandbox.fault({"webhook": "*"}, {"kind": "drop"}, times=1000)
    rental = await world.shop.rent(await world.person("Henrik"))
    await world.advance_to("2027-01-31T10:15")
    assert await sums(rental) == ("AUTHORIZED", PRICE, 0, 0)
    assert (await rental.now())["accessUntil"] == "2027-02-02T09:11:00Z"


async def test_webhooks_twice_and_in_the_wrong_order_change_nothing(world: World) -> None:
    await world.sandbox.fault({"webhook": "*"}, {"kind": "duplicate", "copies": 3}, times=4)
    await world.sandbox.fault({"webhook": "*"}, {"kind": "reorder"}, times=2)
    rental = await world.shop.rent(await world.person("Henrik"))
    assert await rental.status() == "paid"
    assert await papers(rental) == [("receipt", PRICE)]


async def test_a_killed_worker_leaves_no_capture_undone(world: World) -> None:
    henrik = await world.person("Henrik")
    rental = await world.shop.offer(henrik)
    world.houses.processes.kill("worker-1")
    await rental.open_phone()
    assert (await rental.now())["status"] == "authorized"
    world.houses.processes.restart("worker-1")
    await world.settle()
    assert await rental.status() == "paid"


async def test_two_refunds_at_once_give_back_no_more_than_was_taken(world: World) -> None:
    rental = await world.shop.rent(await world.person("Henrik"))
    answers = await asyncio.gather(*(rental.give_back(2500) for _ in range(2)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert [(one.status, one.code) for one in refused] == [(409, "refund_exceeds_captured")]
    await rental.give_back(PRICE - 2500)
    await world.settle()
    assert await sums(rental) == ("AUTHORIZED", PRICE, PRICE, 0)
    assert await papers(rental) == [("receipt", PRICE), ("credit_note", 2500), ("credit_note", PRICE - 2500)]
    assert (await rental.now())["accessUntil"] is None


async def test_a_refund_that_took_effect_and_never_answered_is_made_once(world: World) -> None:
    rental = await world.shop.rent(await world.person("Henrik"))
    await world.sandbox.fault(REFUND, {"kind": "effect-then-close"})
    assert (await rental.give_back(1000))["status"] == "unknown"
    await world.settle()
    assert await sums(rental) == ("AUTHORIZED", PRICE, 1000, 0)
    assert (await rental.now())["charge"]["status"] == "partially_refunded"
