"""A subscription from checkout to its end: charged on time, once, with a receipt for every øre."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import ChargeStatus
from avtale.domain.errors import Conflict, IllegalStep, NotFound
from avtale.service.checkout import Person
from avtale.service.refunding import refund_charge
from avtale.service.stopping import stop_agreement

from ..conftest import START
from .conftest import OPERATOR, PHONE, Shop


async def test_three_months_are_three_charges_and_three_receipts(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    await shop.advance_to(datetime(2027, 3, 16, 12, tzinfo=UTC))
    view = await shop.see(agreement_id)
    assert view.agreement.status is AgreementStatus.ACTIVE
    assert [(c.period, c.period_start.isoformat(), c.status) for c in view.charges] == [
        (1, "2027-01-15", ChargeStatus.PAID),
        (2, "2027-02-15", ChargeStatus.PAID),
        (3, "2027-03-15", ChargeStatus.PAID),
    ]
    # 15 April and six days of grace, at midnight in Oslo.
    assert view.access_until == datetime(2027, 4, 20, 22, tzinfo=UTC)
    books = await shop.books()
    assert [receipt["number"] for receipt in books["receipts"]] == [1, 2, 3]
    (theirs,) = await shop.theirs()
    assert [charge["captured"] for charge in theirs["charges"]] == [9900, 9900, 9900]


async def test_a_rejected_agreement_is_rejected_and_costs_nothing(shop: Shop) -> None:
    started = await shop.checkout()
    await shop.control("PATCH", f"/people/{PHONE}", {"temperament": "rejects"})
    await shop.control("POST", f"/phone/{PHONE}/open", {"url": started.confirmation_url})
    view = await shop.poll(started.agreement_id)
    assert view.agreement.status is AgreementStatus.REJECTED
    assert view.charges == ()
    assert view.access_until is None


async def test_a_draft_that_nobody_answers_expires(shop: Shop) -> None:
    started = await shop.checkout()
    await shop.advance_to(START + timedelta(minutes=12))
    assert (await shop.see(started.agreement_id)).agreement.status is AgreementStatus.EXPIRED


async def test_a_lost_webhook_delays_an_activation_but_does_not_lose_it(shop: Shop) -> None:
    started = await shop.checkout()
    await shop.approve(started.confirmation_url)
    await shop.advance_to(START + timedelta(minutes=12))
    view = await shop.see(started.agreement_id)
    assert view.agreement.status is AgreementStatus.ACTIVE
    assert [c.status for c in view.charges] == [ChargeStatus.PAID]


async def test_a_declined_renewal_settles_when_the_money_comes(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    await shop.control(
        "PATCH", f"/people/{PHONE}", {"noFunds": [{"from": "2027-02-15", "until": "2027-02-17T12:00:00Z"}]}
    )
    await shop.advance_to(datetime(2027, 2, 20, tzinfo=UTC))
    renewal = (await shop.see(agreement_id)).charges[1]
    assert renewal.status is ChargeStatus.PAID
    (theirs,) = await shop.theirs()
    tries = theirs["charges"][1]["tries"]
    assert [one["ok"] for one in tries] == [False] * (len(tries) - 1) + [True]
    assert len(tries) > 2
    await shop.books()


async def test_a_renewal_that_fails_for_good_ends_the_agreement(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    await shop.control("PATCH", f"/people/{PHONE}", {"noFunds": [{"from": "2027-02-01", "until": "2028-01-01"}]})
    await shop.advance_to(datetime(2027, 4, 1, tzinfo=UTC))
    view = await shop.see(agreement_id)
    assert view.agreement.status is AgreementStatus.STOPPED
    assert view.agreement.stop_reason == "payment_failed"
    assert [c.status for c in view.charges] == [ChargeStatus.PAID, ChargeStatus.FAILED]
    assert view.charges[1].failure_reason == "user_action_required"
    assert view.access_until == datetime(2027, 2, 14, 23, tzinfo=UTC)
    (theirs,) = await shop.theirs()
    assert theirs["status"] == "STOPPED"


async def test_a_second_checkout_answers_the_same_draft_and_then_refuses(shop: Shop) -> None:
    first = await shop.checkout()
    assert await shop.checkout() == first
    await shop.approve(first.confirmation_url)
    await shop.poll(first.agreement_id)
    with pytest.raises(Conflict) as refused:
        await shop.checkout()
    assert refused.value.code == "agreement_active"
    assert len(await shop.theirs()) == 1


async def test_an_idempotency_key_stands_for_one_wish(shop: Shop) -> None:
    first = await shop.checkout(key="k1")
    assert await shop.checkout(key="k1") == first
    other = Person("https://id.example", "berit")
    assert (await shop.checkout(other, key="k1")).agreement_id != first.agreement_id


async def test_a_stop_keeps_access_to_the_end_of_what_is_paid(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    # The renewal is created three days ahead: the stop takes it along.
    await shop.advance_to(datetime(2027, 2, 13, tzinfo=UTC))
    assert len((await shop.see(agreement_id)).charges) == 2
    await stop_agreement(shop.db, shop.gateways, shop.tenant, shop.anna, agreement_id)
    await shop.work()
    view = await shop.see(agreement_id)
    assert view.agreement.status is AgreementStatus.STOPPED
    assert [c.status for c in view.charges] == [ChargeStatus.PAID, ChargeStatus.CANCELLED]
    assert view.access_until == datetime(2027, 2, 14, 23, tzinfo=UTC)
    await stop_agreement(shop.db, shop.gateways, shop.tenant, shop.anna, agreement_id)
    await shop.advance_to(datetime(2027, 6, 1, tzinfo=UTC))
    (theirs,) = await shop.theirs()
    assert sum(charge["captured"] for charge in theirs["charges"]) == 9900
    await shop.books()


async def test_nobody_stops_the_agreement_of_somebody_else(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    with pytest.raises(NotFound):
        await stop_agreement(shop.db, shop.gateways, shop.tenant, Person("https://id.example", "eva"), agreement_id)
    assert (await shop.see(agreement_id)).agreement.status is AgreementStatus.ACTIVE


async def test_a_draft_cannot_be_stopped(shop: Shop) -> None:
    started = await shop.checkout()
    with pytest.raises(IllegalStep):
        await stop_agreement(shop.db, shop.gateways, shop.tenant, shop.anna, started.agreement_id)


async def test_an_owner_who_stops_on_the_phone_is_not_charged_again(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    (theirs,) = await shop.theirs()
    await shop.control("POST", f"/phone/{PHONE}/agreements/{theirs['agreementId']}/stop")
    # No webhook reaches this shop: the weekly reading finds out.
    await shop.advance_to(datetime(2027, 4, 1, tzinfo=UTC))
    view = await shop.see(agreement_id)
    assert view.agreement.status is AgreementStatus.STOPPED
    assert [c.status for c in view.charges] == [ChargeStatus.PAID]


async def test_refunds_never_exceed_what_was_captured(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    charge = (await shop.see(agreement_id)).charges[0]

    async def refund(amount: int) -> object:
        return await refund_charge(shop.db, shop.gateways, shop.tenant, charge.id, amount, "Sorry", OPERATOR)

    await refund(4000)
    await shop.work()
    with pytest.raises(Conflict) as refused:
        await refund(5901)
    assert refused.value.code == "refund_exceeds_captured"
    await refund(5900)
    await shop.work()
    view = await shop.see(agreement_id)
    assert view.charges[0].status is ChargeStatus.REFUNDED
    books = await shop.books()
    notes = [r for r in books["receipts"] if r["series"] == "credit_note"]
    assert [(n["number"], n["amount"]) for n in notes] == [(1, 4000), (2, 5900)]
    receipt = next(r for r in books["receipts"] if r["series"] == "receipt")
    assert sum(n["vat"] for n in notes) == receipt["vat"] == 1980
    assert {n["corrects"] for n in notes} == {receipt["receiptId"]}
