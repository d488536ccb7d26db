"""Something bought once: reserved, delivered, taken and given back, whatever the gateway does meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from avtale.domain.charge import AttemptStatus, ChargeStatus
from avtale.domain.errors import Conflict, GatewayBusy, GatewayRefused, GatewayUnknown, Invalid, NotFound
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import EventSubject
from avtale.domain.purchase import PurchaseStatus
from avtale.service.auditing import audit
from avtale.service.buying import check_out
from avtale.service.checkout import CheckoutWish, Person
from avtale.service.following import list_purchases
from avtale.service.ids import new_id
from avtale.service.refunding import refund_charge
from avtale.service.turning import turn_clock
from avtale.storage import charges, inbox
from avtale.storage.inbox import Arrival

from ..conftest import START
from .conftest import OPERATOR, PHONE, Shop

CREATE = {"operationId": "createPayment"}
CAPTURE = {"operationId": "capturePayment"}
REFUND = {"operationId": "refundPayment"}
TWO_DAYS = START + timedelta(days=2)


async def script(shop: Shop, match: dict[str, Any], times: int, **action: Any) -> None:
    await shop.control("POST", "/faults", {"match": match, "times": times, "action": action})


async def refund(shop: Shop, purchase_id: UUID, amount: int) -> str:
    view = await shop.see_purchase(purchase_id)
    answer = await refund_charge(shop.db, shop.gateways, shop.tenant, view.charge.id, amount, "Sorry", OPERATOR)
    return answer.status


async def test_a_film_is_reserved_delivered_and_paid_with_a_receipt(shop: Shop) -> None:
    started = await shop.buy()
    assert started.expires_at == START + timedelta(minutes=10)
    assert (await shop.see_purchase(started.purchase_id)).purchase.status is PurchaseStatus.PENDING
    await shop.approve(started.confirmation_url)
    view = await shop.poll_purchase(started.purchase_id)
    assert view.purchase.status is PurchaseStatus.AUTHORIZED
    assert view.access_until == TWO_DAYS
    assert view.charge.totals.captured == 0
    await shop.work()
    view = await shop.see_purchase(started.purchase_id)
    assert view.purchase.status is PurchaseStatus.PAID
    assert (view.charge.status, view.charge.totals.captured) == (ChargeStatus.PAID, 3900)
    assert view.access_until == TWO_DAYS
    (theirs,) = await shop.payments()
    assert (theirs["state"], theirs["captured"], theirs["cancelled"]) == ("AUTHORIZED", 3900, 0)
    books = await shop.books()
    (receipt,) = books["receipts"]
    assert (receipt["purchaseId"], receipt["agreementId"]) == (str(started.purchase_id), None)
    assert (receipt["number"], receipt["amount"], receipt["vat"]) == (1, 3900, 780)
    (entry,) = books["ledger"]
    assert (entry["purchaseId"], entry["kind"], entry["amount"]) == (str(started.purchase_id), "capture", 3900)


async def test_the_return_address_and_the_reference_are_ours(shop: Shop) -> None:
    started = await shop.buy()
    view = await shop.see_purchase(started.purchase_id)
    async with shop.db.tenant(shop.tenant.id) as tx:
        (attempt,) = await charges.attempts_of(tx, [view.charge.id])
    (theirs,) = await shop.payments()
    assert theirs["reference"] == str(attempt.id)
    await shop.control("PATCH", f"/people/{PHONE}", {"temperament": "approves"})
    opened = await shop.control("POST", f"/phone/{PHONE}/open", {"url": started.confirmation_url})
    assert opened["redirectUrl"] == f"https://shop.example/back?purchaseId={started.purchase_id}"


async def test_one_checkout_serves_both_forms_of_product(shop: Shop) -> None:
    def wish(product: str) -> CheckoutWish:
        return CheckoutWish(product, "https://shop.example/back", PHONE)

    bought = await check_out(shop.db, shop.gateways, shop.tenant, shop.anna, wish("film-rent"))
    drafted = await check_out(shop.db, shop.gateways, shop.tenant, shop.anna, wish("film-month"))
    assert len(await shop.payments()) == len(await shop.theirs()) == 1
    assert type(bought) is not type(drafted)
    with pytest.raises(Invalid) as refused:
        await check_out(shop.db, shop.gateways, shop.tenant, shop.anna, wish("film-none"))
    assert refused.value.code == "product_unknown"


async def test_a_repeated_checkout_is_the_same_purchase(shop: Shop) -> None:
    first = await shop.buy(key="k1")
    assert await shop.buy(key="k1") == first
    assert await shop.buy() == first
    other = Person("https://id.example", "berit")
    assert (await shop.buy(other, key="k1")).purchase_id != first.purchase_id
    await shop.advance_to(START + timedelta(minutes=4))
    # Too late for somebody who asks anew, but still this key's.
    assert await shop.buy(key="k1") == first
    assert (await shop.buy()).purchase_id != first.purchase_id


async def test_a_key_stands_for_one_wish_and_ends_with_its_purchase(shop: Shop) -> None:
    await shop.buy(key="k1")
    wish = CheckoutWish("film-rent", "https://shop.example/elsewhere", PHONE)
    with pytest.raises(Conflict) as other:
        await check_out(shop.db, shop.gateways, shop.tenant, shop.anna, wish, "k1")
    assert other.value.code == "idempotency_conflict"
    await shop.advance_to(START + timedelta(minutes=12))
    with pytest.raises(Conflict) as ended:
        await shop.buy(key="k1")
    assert ended.value.code == "checkout_ended"


async def test_what_somebody_has_is_not_sold_again_until_it_ends(shop: Shop) -> None:
    purchase_id = await shop.rent()
    with pytest.raises(Conflict) as refused:
        await shop.buy()
    assert (refused.value.code, refused.value.facts) == ("purchase_active", {"purchase_id": str(purchase_id)})
    await shop.buy(Person("https://id.example", "berit"))
    await shop.advance_to(TWO_DAYS)
    again = await shop.rent()
    assert again != purchase_id
    await shop.books()


async def test_two_payments_for_one_film_take_money_once(shop: Shop) -> None:
    first = await shop.buy()
    await shop.advance_to(START + timedelta(minutes=4))
    second = await shop.buy()
    for started in (first, second):
        await shop.approve(started.confirmation_url)
        await shop.poll_purchase(started.purchase_id)
    await shop.work()
    assert (await shop.see_purchase(first.purchase_id)).purchase.status is PurchaseStatus.PAID
    lost = await shop.see_purchase(second.purchase_id)
    assert (lost.purchase.status, lost.purchase.end_reason) == (PurchaseStatus.CANCELLED, "duplicate")
    assert (lost.charge.status, lost.access_until) == (ChargeStatus.CANCELLED, None)
    assert sorted((p["captured"], p["cancelled"]) for p in await shop.payments()) == [(0, 3900), (3900, 0)]
    await shop.books()


async def test_a_no_on_the_phone_is_the_end_and_costs_nothing(shop: Shop) -> None:
    started = await shop.buy()
    await shop.control("PATCH", f"/people/{PHONE}", {"temperament": "rejects"})
    await shop.control("POST", f"/phone/{PHONE}/open", {"url": started.confirmation_url})
    view = await shop.poll_purchase(started.purchase_id)
    assert (view.purchase.status, view.charge.status) == (PurchaseStatus.ABORTED, ChargeStatus.CANCELLED)
    assert view.access_until is None
    assert (await shop.buy()).purchase_id != started.purchase_id
    await shop.books()


async def test_a_payment_that_nobody_answers_expires(shop: Shop) -> None:
    started = await shop.buy()
    await shop.advance_to(START + timedelta(minutes=12))
    view = await shop.see_purchase(started.purchase_id)
    assert (view.purchase.status, view.charge.status) == (PurchaseStatus.EXPIRED, ChargeStatus.CANCELLED)


async def test_a_lost_webhook_delays_a_purchase_but_does_not_lose_it(shop: Shop) -> None:
    started = await shop.buy()
    await shop.approve(started.confirmation_url)
    await shop.advance_to(START + timedelta(minutes=12))
    view = await shop.see_purchase(started.purchase_id)
    assert view.purchase.status is PurchaseStatus.PAID
    # Access is counted from when it was given, not from a yes that we had not heard of.
    assert view.access_until == TWO_DAYS + timedelta(minutes=11)


async def test_a_webhook_before_our_own_commit_finds_its_purchase(shop: Shop) -> None:
    await script(shop, CREATE, 1, kind="effect-then-hang")
    with pytest.raises(GatewayUnknown) as unknown:
        await shop.buy()
    purchase_id = UUID(unknown.value.facts["purchase_id"])
    (theirs,) = await shop.payments()
    await shop.control("POST", f"/phone/{PHONE}/payments/{theirs['reference']}/approve", {})
    async with shop.db.tenant(shop.tenant.id) as tx:
        event = EventSubject("k", "epayments.payment.authorized.v1", None, None, theirs["reference"])
        assert await inbox.keep(tx, [Arrival(new_id(), GatewayName.VIPPS, event, b"{}")])
    await shop.work()
    assert (await shop.see_purchase(purchase_id)).purchase.status is PurchaseStatus.PAID
    assert [p["captured"] for p in await shop.payments()] == [3900]
    await shop.books()


async def test_a_payment_that_took_effect_without_an_answer_is_the_same_payment(shop: Shop) -> None:
    await script(shop, CREATE, 1, kind="effect-then-close")
    with pytest.raises(GatewayUnknown):
        await shop.buy(key="k1")
    started = await shop.buy(key="k1")
    await shop.approve(started.confirmation_url)
    await shop.poll_purchase(started.purchase_id)
    await shop.work()
    assert [p["captured"] for p in await shop.payments()] == [3900]
    await shop.books()


@pytest.mark.parametrize(("status", "raised"), [(400, GatewayRefused), (429, GatewayBusy), (503, GatewayUnknown)])
async def test_a_payment_that_cannot_be_made_says_why_and_can_be_tried_again(
    shop: Shop, status: int, raised: type[Exception]
) -> None:
    await script(shop, CREATE, 1, kind="status", status=status)
    with pytest.raises(raised):
        await shop.buy()
    started = await shop.buy()
    statuses = [v.purchase.status for v in await list_purchases(shop.db, shop.tenant, shop.anna)]
    # What was refused is over; what is not known is one purchase still.
    assert statuses == [PurchaseStatus.PENDING] + [PurchaseStatus.REFUSED] * (status == 400)
    await shop.approve(started.confirmation_url)
    await shop.poll_purchase(started.purchase_id)
    await shop.work()
    assert [p["captured"] for p in await shop.payments()] == [3900]
    await shop.books()


@pytest.mark.parametrize("kind", ["effect-then-hang", "effect-then-close", "hang"])
async def test_a_capture_without_an_answer_takes_the_money_once(shop: Shop, kind: str) -> None:
    await script(shop, CAPTURE, 1, kind=kind)
    purchase_id = await shop.rent()
    assert (await shop.see_purchase(purchase_id)).purchase.status is PurchaseStatus.PAID
    (theirs,) = await shop.payments()
    assert [e["event"] for e in theirs["history"]].count("CAPTURED") == 1
    await shop.books()


@pytest.mark.parametrize("status", [423, 429, 500, 503])
async def test_a_busy_or_broken_gateway_delays_a_capture(shop: Shop, status: int) -> None:
    await script(shop, CAPTURE, 2, kind="status", status=status, headers={"Retry-After": "1"})
    purchase_id = await shop.rent()
    assert (await shop.see_purchase(purchase_id)).purchase.status is PurchaseStatus.PAID


async def test_what_cannot_be_taken_is_given_up_and_access_ends(shop: Shop) -> None:
    await script(shop, CAPTURE, 1, kind="status", status=400)
    started = await shop.buy()
    await shop.approve(started.confirmation_url)
    assert (await shop.poll_purchase(started.purchase_id)).access_until == TWO_DAYS
    await shop.work()
    view = await shop.see_purchase(started.purchase_id)
    assert view.purchase.status is PurchaseStatus.CANCELLED
    assert (view.purchase.end_reason or "").startswith("capture refused: ")
    assert (view.charge.status, view.access_until) == (ChargeStatus.CANCELLED, None)
    (theirs,) = await shop.payments()
    assert (theirs["captured"], theirs["cancelled"]) == (0, 3900)
    await shop.books()


async def test_a_refused_capture_that_was_made_after_all_is_paid(shop: Shop) -> None:
    await script(shop, CAPTURE, 1, kind="effect-then-close")
    await script(shop, CAPTURE, 1, kind="status", status=400)
    purchase_id = await shop.rent()
    view = await shop.see_purchase(purchase_id)
    assert (view.purchase.status, view.purchase.end_reason) == (PurchaseStatus.PAID, None)
    assert view.access_until == TWO_DAYS
    await shop.books()


async def test_a_part_is_given_back_and_then_the_rest_with_the_access(shop: Shop) -> None:
    purchase_id = await shop.rent()
    assert await refund(shop, purchase_id, 1900) == "accepted"
    await shop.work()
    view = await shop.see_purchase(purchase_id)
    assert (view.charge.status, view.access_until) == (ChargeStatus.PARTIALLY_REFUNDED, TWO_DAYS)
    assert await refund(shop, purchase_id, 2000) == "accepted"
    await shop.work()
    view = await shop.see_purchase(purchase_id)
    assert (view.purchase.status, view.charge.status) == (PurchaseStatus.PAID, ChargeStatus.REFUNDED)
    assert view.access_until is None
    books = await shop.books()
    notes = [r for r in books["receipts"] if r["series"] == "credit_note"]
    assert [(n["number"], n["amount"], n["purchaseId"]) for n in notes] == [
        (1, 1900, str(purchase_id)),
        (2, 2000, str(purchase_id)),
    ]
    assert sum(n["vat"] for n in notes) == 780
    # Whoever got everything back may buy it again.
    await shop.rent()


async def test_two_refunds_at_once_never_exceed_what_was_captured(shop: Shop) -> None:
    purchase_id = await shop.rent()
    results = await asyncio.gather(
        *(refund(shop, purchase_id, amount) for amount in (2000, 2000, 3900)), return_exceptions=True
    )
    await shop.work()
    refused = [r for r in results if isinstance(r, Conflict)]
    assert len(refused) == 2
    assert {r.code for r in refused} == {"refund_exceeds_captured"}
    (theirs,) = await shop.payments()
    assert theirs["refunded"] in (2000, 3900)
    assert (await shop.see_purchase(purchase_id)).charge.totals.refunded == theirs["refunded"]
    await shop.books()


@pytest.mark.parametrize("kind", ["effect-then-hang", "hang"])
async def test_a_refund_without_an_answer_is_made_once(shop: Shop, kind: str) -> None:
    purchase_id = await shop.rent()
    await script(shop, REFUND, 1, kind=kind)
    assert await refund(shop, purchase_id, 1500) == "unknown"
    with pytest.raises(Conflict):
        await refund(shop, purchase_id, 2500)
    await shop.work()
    (theirs,) = await shop.payments()
    assert theirs["refunded"] == 1500
    await shop.books()


async def test_a_refused_refund_holds_nothing_back(shop: Shop) -> None:
    purchase_id = await shop.rent()
    await script(shop, REFUND, 1, kind="status", status=400)
    with pytest.raises(GatewayRefused):
        await refund(shop, purchase_id, 3900)
    await refund(shop, purchase_id, 3900)
    await shop.work()
    assert (await shop.see_purchase(purchase_id)).charge.status is ChargeStatus.REFUNDED
    await shop.books()


async def test_an_unpaid_purchase_has_nothing_to_give_back(shop: Shop) -> None:
    started = await shop.buy()
    with pytest.raises(Conflict) as refused:
        await refund(shop, started.purchase_id, 100)
    assert refused.value.code == "refund_exceeds_captured"


async def test_nobody_reads_the_purchase_of_somebody_else(shop: Shop) -> None:
    purchase_id = await shop.rent()
    eva = Person("https://id.example", "eva")
    with pytest.raises(NotFound) as refused:
        await shop.poll_purchase(purchase_id, eva)
    assert refused.value.code == "purchase_not_found"
    assert await list_purchases(shop.db, shop.tenant, eva) == []
    assert [v.purchase.id for v in await list_purchases(shop.db, shop.tenant, shop.anna)] == [purchase_id]


async def test_a_worker_that_dies_before_the_capture_loses_nothing(shop: Shop) -> None:
    started = await shop.buy()
    await shop.approve(started.confirmation_url)
    # A poll settles and writes the capture; whoever polled does not send it, and may die.
    view = await shop.poll_purchase(started.purchase_id)
    assert [p["captured"] for p in await shop.payments()] == [0]
    assert (await shop.poll_purchase(started.purchase_id)).purchase == view.purchase
    await shop.work()
    (theirs,) = await shop.payments()
    assert theirs["captured"] == 3900
    async with shop.db.tenant(shop.tenant.id) as tx:
        (attempt,) = await charges.attempts_of(tx, [view.charge.id])
    assert attempt.status is AttemptStatus.CAPTURED


async def test_our_own_audit_sees_a_purchase_that_has_no_end(shop: Shop) -> None:
    await script(shop, CAPTURE, 1000, kind="status", status=503)
    started = await shop.buy()
    await shop.approve(started.confirmation_url)
    await shop.poll_purchase(started.purchase_id)
    assert await audit(shop.db, shop.tenant) == []
    await shop.control("POST", "/clock/advance", {"to": "2027-01-17T00:00:00Z"})
    await turn_clock(shop.db, datetime(2027, 1, 17, tzinfo=UTC), running=False)
    assert [finding.code for finding in await audit(shop.db, shop.tenant)] == ["attempt_overdue"]


async def test_an_agreement_that_was_given_back_in_full_gives_no_access(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    (charge,) = (await shop.see(agreement_id)).charges
    await refund_charge(shop.db, shop.gateways, shop.tenant, charge.id, 9900, "Sorry", OPERATOR)
    await shop.work()
    view = await shop.see(agreement_id)
    assert (view.charges[0].status, view.access_until) == (ChargeStatus.REFUNDED, None)
