"""Vouchers of the catalogue: what they make of an agreement, and that no use of one is taken twice or lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import ChargeStatus
from avtale.domain.errors import Conflict, Invalid
from avtale.service.checkout import Checkout, Person
from avtale.service.reading import list_agreements

from .conftest import START, Shop
from .stripe_shop import StripeShop, open_stripe

VOUCHERS: list[dict[str, Any]] = [
    {"code": "SPRING", "price_minor": 4900, "periods": 1, "uses_max": 2},
    {"code": "LAST", "price_minor": 4900, "periods": 2, "uses_max": 1},
    {"code": "WEEK", "free_days": 7},
    {"code": "CHEAP", "price_minor": 200, "periods": 1},
    {"code": "LATER", "free_days": 7, "valid_from": "2027-06-01"},
    {"code": "OVER", "free_days": 7, "valid_until": "2027-01-15"},
]
BO, CECILIE = Person("https://id.example", "bo"), Person("https://id.example", "cecilie")


@pytest.fixture
async def stripe(shop: Shop) -> StripeShop:
    return await open_stripe(shop, vouchers=VOUCHERS)


async def code_of(attempt: Any) -> str:
    with pytest.raises((Conflict, Invalid)) as refused:
        await attempt
    return refused.value.code


async def test_the_first_periods_or_days_cost_what_the_voucher_says(shop: Shop, stripe: StripeShop) -> None:
    anna = await shop.subscribe(voucher="spring")
    bo = await stripe.subscribe(person=BO, voucher="SPRING")
    cecilie = await shop.subscribe(CECILIE, voucher="WEEK")
    await shop.advance_to(datetime(2027, 2, 15, 14, tzinfo=UTC))
    view = await shop.see(anna)
    assert (view.agreement.voucher, view.agreement.terms.price.amount) == ("SPRING", 9900)
    for seen in (view, await shop.see(bo, BO)):
        assert [one.price.amount for one in seen.charges] == [4900, 9900]
    weeks = (await shop.see(cecilie, CECILIE)).charges
    assert [(one.period_start.isoformat(), one.price.amount) for one in weeks[:2]] == [
        ("2027-01-15", 0),
        ("2027-01-22", 9900),
    ]
    assert sorted(row["amount"] for row in (await shop.books())["receipts"]) == [4900, 4900, 9900, 9900, 9900]


async def test_of_two_who_take_the_last_use_one_gets_it_and_an_abandoned_checkout_gives_it_back(
    shop: Shop, stripe: StripeShop
) -> None:
    tried = await asyncio.gather(
        shop.checkout(voucher="LAST"), shop.checkout(BO, voucher="LAST"), return_exceptions=True
    )
    (got,) = [one for one in tried if isinstance(one, Checkout)]
    (refused,) = [one for one in tried if isinstance(one, Conflict)]
    assert refused.code == "voucher_used"
    winner, loser = (shop.anna, BO) if tried[0] is got else (BO, shop.anna)
    # Whoever has it may begin again: one agreement at most comes of it.
    assert (await shop.checkout(winner, voucher="LAST")).agreement_id == got.agreement_id
    assert await code_of(stripe.checkout(loser, voucher="LAST")) == "voucher_used"
    await shop.advance_to(START + timedelta(minutes=12))
    assert (await shop.see(got.agreement_id, winner)).agreement.status is AgreementStatus.EXPIRED
    started = await stripe.checkout(loser, voucher="LAST")
    assert await code_of(shop.checkout(winner, voucher="LAST")) == "voucher_used"
    await stripe.confirm(started.client_secret)
    await shop.poll(started.agreement_id, loser)
    (theirs,) = await stripe.subscriptions()
    assert [one["amount"] for one in theirs["invoices"]] == [4900]


async def test_a_voucher_that_cannot_be_taken_is_refused(shop: Shop, stripe: StripeShop) -> None:
    for voucher, code in (("LATER", "voucher_over"), ("OVER", "voucher_over"), ("NONE", "voucher_unknown")):
        assert await code_of(shop.checkout(voucher=voucher)) == code
    assert await code_of(stripe.checkout(voucher="CHEAP")) == "voucher_unsuited"


async def test_free_days_with_stripe_take_a_card_first_and_money_when_they_are_over(
    shop: Shop, stripe: StripeShop
) -> None:
    started = await stripe.checkout(voucher="WEEK")
    left = await stripe.checkout(BO, voucher="WEEK")
    assert started.confirms == "setup"
    # Without a card nothing has begun, whatever Stripe calls it.
    await shop.poll(started.agreement_id)
    waiting = await shop.see(started.agreement_id)
    assert (waiting.agreement.status, waiting.access_until) == (AgreementStatus.PENDING, None)
    await stripe.confirm(started.client_secret)
    await shop.poll(started.agreement_id)
    await shop.work()
    view = await shop.see(started.agreement_id)
    assert (view.agreement.status, view.next_period_start) == (AgreementStatus.ACTIVE, "2027-01-22")
    assert view.access_until == datetime(2027, 1, 27, 23, tzinfo=UTC)
    assert (await shop.books())["receipts"] == []
    await shop.advance_to(datetime(2027, 2, 22, 14, tzinfo=UTC))
    charged = (await shop.see(started.agreement_id)).charges
    assert [(one.period_start.isoformat(), one.price.amount, one.status) for one in charged] == [
        ("2027-01-15", 0, ChargeStatus.WAIVED),
        ("2027-01-22", 9900, ChargeStatus.PAID),
        ("2027-02-22", 9900, ChargeStatus.PAID),
    ]
    assert [row["amount"] for row in (await shop.books())["receipts"]] == [9900, 9900]
    # Who leaves the page without a card has nothing, and nothing goes on for them at Stripe.
    gone = await shop.see(left.agreement_id, BO)
    assert (gone.agreement.status, gone.charges) == (AgreementStatus.EXPIRED, ())
    assert sorted(one["status"] for one in await stripe.subscriptions()) == ["active", "canceled"]
    again = await stripe.checkout(BO, voucher="WEEK")
    assert again.agreement_id != left.agreement_id


async def test_free_days_begin_at_once_with_a_card_that_is_there(shop: Shop, stripe: StripeShop) -> None:
    await stripe.subscribe()
    (theirs,) = await stripe.subscriptions()
    card = (await stripe.api("GET", f"/customers/{theirs['customer']}/payment_methods"))["data"][0]["id"]
    await stripe.api("DELETE", f"/subscriptions/{theirs['subscription']}")
    await shop.advance_to(START + timedelta(days=8))
    assert await code_of(stripe.checkout(voucher="WEEK", payment_method_id=card)) == "checkout_ended"
    mine = await list_agreements(shop.db, shop.tenant, shop.anna)
    (begun,) = [one for one in mine if one.agreement.status is AgreementStatus.ACTIVE]
    assert [one.status for one in begun.charges] == [ChargeStatus.WAIVED]
