"""What ends at once: withdrawals with what is given back, immediate stops, and charges besides the periods."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import ChargeKind, ChargeStatus, RefundStatus
from avtale.domain.errors import Conflict, Invalid
from avtale.domain.withdrawal import may_be_kept, withdrawal_until
from avtale.service import checkout
from avtale.service.charging_once import charge_once
from avtale.service.checkout import CheckoutWish
from avtale.service.noting import list_acts
from avtale.service.refunding import refund_charge
from avtale.service.settling import REFUSALS_COUNT_MAX
from avtale.service.stopping import stop_agreement
from avtale.service.withdrawing import withdraw
from avtale.storage import refunds

from .conftest import OPERATOR, PHONE, Shop


async def subscribe(shop: Shop, *, consents: bool) -> UUID:
    wish = CheckoutWish("film-month", "https://shop.example/back", PHONE, consents=consents)
    started = await checkout.start_checkout(shop.db, shop.gateways, shop.tenant, shop.anna, wish)
    await shop.approve(started.confirmation_url)
    await shop.poll(started.agreement_id)
    await shop.work()
    return started.agreement_id


@pytest.mark.parametrize(
    ("consents", "kept"),
    [
        (False, 0),
        (True, 9900 * 5 // 31),  # 15 to 19 January, of 31 days
    ],
)
async def test_a_withdrawal_gives_back_what_was_not_used_of_what_was_asked_for(
    shop: Shop, consents: bool, kept: int
) -> None:
    agreement_id = await subscribe(shop, consents=consents)
    await shop.advance_to(datetime(2027, 1, 19, 12, tzinfo=UTC))
    # A person does it, or the merchant for them: that is in the log.
    owner, by = (shop.anna, shop.anna) if consents else (None, OPERATOR)
    await withdraw(shop.db, shop.gateways, shop.tenant, owner, by, agreement_id)
    await shop.work()
    view = await shop.see(agreement_id)
    assert (view.agreement.status, view.agreement.stop_reason) == (AgreementStatus.STOPPED, "withdrawn")
    assert [act.act for act in await list_acts(shop.db, shop.tenant)] == ([] if consents else ["withdraw"])
    (charge,) = view.charges
    assert charge.totals.captured - charge.totals.refunded == kept
    if consents:
        assert view.access_until == datetime(2027, 1, 19, 12, tzinfo=UTC)
    await withdraw(shop.db, shop.gateways, shop.tenant, shop.anna, shop.anna, agreement_id)
    await shop.work()
    books = await shop.books()
    assert [entry["kind"] for entry in books["ledger"]] == ["capture", "refund"]


async def test_what_the_gateway_will_not_take_back_is_left_to_an_operator(shop: Shop) -> None:
    agreement_id = await subscribe(shop, consents=False)
    fault = {"match": {"operationId": "RefundChargeV3"}, "times": 50, "action": {"kind": "status", "status": 400}}
    await shop.control("POST", "/faults", fault)
    await withdraw(shop.db, shop.gateways, shop.tenant, shop.anna, shop.anna, agreement_id)
    await shop.work()
    (charge,) = (await shop.see(agreement_id)).charges
    async with shop.db.tenant(shop.tenant.id) as tx:
        wishes = await refunds.refunds_of(tx, [charge.id])
    assert [wish.status for wish in wishes] == [RefundStatus.REJECTED] * REFUSALS_COUNT_MAX
    await shop.control("DELETE", "/faults")
    await refund_charge(shop.db, shop.gateways, shop.tenant, charge.id, 9900, "By hand", OPERATOR)
    await shop.work()
    (charge,) = (await shop.see(agreement_id)).charges
    assert charge.totals.refunded == 9900
    await shop.books()


async def test_after_fourteen_days_nobody_withdraws_any_more(shop: Shop) -> None:
    agreement_id = await subscribe(shop, consents=True)
    until = (await shop.see(agreement_id)).withdrawal_until
    assert until == datetime(2027, 1, 29, 23, tzinfo=UTC)
    await shop.advance_to(until)
    with pytest.raises(Conflict) as refused:
        await withdraw(shop.db, shop.gateways, shop.tenant, shop.anna, shop.anna, agreement_id)
    assert refused.value.code == "withdrawal_over"


async def test_an_immediate_stop_is_final_when_nothing_is_unknown(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    await shop.advance_to(datetime(2027, 2, 13, tzinfo=UTC))
    fault = {"match": {"operationId": "FetchChargeV3"}, "times": 2, "action": {"kind": "status", "status": 503}}
    await shop.control("POST", "/faults", fault)
    await stop_agreement(shop.db, shop.gateways, shop.tenant, None, agreement_id, immediate=True)
    unsure = (await shop.see(agreement_id)).agreement
    assert (unsure.status, unsure.stopped_at is not None) == (AgreementStatus.STOPPING, True)
    await shop.work()
    view = await shop.see(agreement_id)
    assert (view.agreement.status, view.charges[1].status) == (AgreementStatus.STOPPED, ChargeStatus.CANCELLED)
    await shop.books()


async def test_something_besides_the_periods_is_charged_once_and_ends_nothing(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    order = (shop.db, shop.gateways, shop.tenant, OPERATOR, agreement_id)
    made = await charge_once(*order, 4900, "Delivery of the box", None, key="box-1")
    assert await charge_once(*order, 4900, "Delivery of the box", None, key="box-1") == made
    await charge_once(*order, 3900, "Another box", date(2027, 1, 20))
    await shop.control("PATCH", f"/people/{PHONE}", {"noFunds": [{"from": "2027-01-20", "until": "2027-01-31"}]})
    await shop.advance_to(datetime(2027, 2, 16, tzinfo=UTC))
    view = await shop.see(agreement_id)
    extra = [charge for charge in view.charges if charge.kind is ChargeKind.ONE_OFF]
    assert [(c.due, c.status) for c in extra] == [
        (date(2027, 1, 16), ChargeStatus.PAID),
        (date(2027, 1, 20), ChargeStatus.FAILED),
    ]
    assert view.agreement.status is AgreementStatus.ACTIVE
    assert [c.status for c in view.charges if c.period is not None] == [ChargeStatus.PAID] * 2
    books = await shop.books()
    assert [r["amount"] for r in books["receipts"]] == [9900, 4900, 9900]
    with pytest.raises(Invalid) as refused:
        await charge_once(*order, 49501, "Five times the price, and a bit", None)
    assert refused.value.code == "price_unsuited"
    acts = await list_acts(shop.db, shop.tenant)
    assert [(act.act, act.why) for act in acts] == [
        ("charge once", "Another box"),
        ("charge once", "Delivery of the box"),
    ]


async def test_what_is_kept_is_counted_by_days_that_have_begun(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    (charge,) = (await shop.see(agreement_id)).charges
    assert may_be_kept(charge, True, date(2027, 1, 14)) == 0
    assert may_be_kept(charge, True, date(2027, 1, 15)) == 319
    assert may_be_kept(charge, True, date(2027, 3, 1)) == 9900
    assert may_be_kept(replace(charge, period=None), True, date(2027, 1, 20)) == 0
    evening = datetime(2027, 1, 15, 22, 59, tzinfo=UTC)
    assert withdrawal_until(evening, "Europe/Oslo") == datetime(2027, 1, 29, 23, tzinfo=UTC)
