"""What the operator sees is what happened: money by local day and month, what was not paid, and what is stuck."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from avtale.domain.errors import NotFound
from avtale.domain.settlement import BookingKind
from avtale.service.overseeing import inspect_charge, oversee
from avtale.service.refunding import refund_charge

from .conftest import OPERATOR, Shop


async def test_an_empty_business_shows_nothing_and_no_trouble(shop: Shop) -> None:
    seen = await oversee(shop.db, shop.tenant)
    assert (seen.today, seen.lately, seen.unpaid, seen.stuck, seen.movements, seen.months) == ((),) * 6
    assert seen.agreements == {}
    assert seen.first_month == date(2026, 2, 1)


async def test_money_is_counted_on_the_local_day_on_which_it_moved(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    seen = await oversee(shop.db, shop.tenant)
    (charged,) = seen.today
    assert (charged.kind, charged.count, charged.amount, charged.currency) == (BookingKind.CAPTURE, 1, 9900, "NOK")
    assert seen.agreements == {"active": 1}
    await shop.advance_to(datetime(2027, 2, 15, 12, tzinfo=UTC))
    (charge_id,) = {one.charge_id for one in (await oversee(shop.db, shop.tenant)).movements[:1]}
    await refund_charge(shop.db, shop.gateways, shop.tenant, charge_id, 3000, "Sorry", OPERATOR)
    await shop.work()
    # 22:59 UTC is one minute before midnight in Oslo, and 23:01 the day after.
    await shop.advance_to(datetime(2027, 2, 15, 22, 59, tzinfo=UTC))
    seen = await oversee(shop.db, shop.tenant)
    assert {flow.kind: (flow.count, flow.amount) for flow in seen.today} == {
        BookingKind.CAPTURE: (1, 9900),
        BookingKind.REFUND: (1, 3000),
    }
    assert [(m.month, m.flow.kind, m.flow.amount) for m in seen.months] == [
        (date(2027, 1, 1), BookingKind.CAPTURE, 9900),
        (date(2027, 2, 1), BookingKind.CAPTURE, 9900),
        (date(2027, 2, 1), BookingKind.REFUND, 3000),
    ]
    assert [m.kind for m in seen.movements] == [BookingKind.REFUND, BookingKind.CAPTURE, BookingKind.CAPTURE]
    assert {m.product for m in seen.movements} == {"Film"}
    await shop.advance_to(datetime(2027, 2, 15, 23, 1, tzinfo=UTC))
    assert (await oversee(shop.db, shop.tenant)).today == ()

    view = await inspect_charge(shop.db, shop.tenant, charge_id)
    assert view.owner.id == agreement_id
    assert view.refundable == 6900
    assert [document.number for document in view.documents] == [2, 1]


async def test_a_charge_that_fails_is_told_while_it_is_tried_and_when_it_is_given_up(shop: Shop) -> None:
    await shop.subscribe()
    broke = {"noFunds": [{"from": "2027-02-01", "until": "2027-06-01"}]}
    await shop.control("PATCH", "/people/4791234567", broke)
    await shop.advance_to(datetime(2027, 2, 16, 12, tzinfo=UTC))
    (tried,) = (await oversee(shop.db, shop.tenant)).unpaid
    assert (tried.reason, tried.is_final, tried.count, tried.amount) == ("user_action_required", False, 1, 9900)
    await shop.advance_to(datetime(2027, 2, 22, 12, tzinfo=UTC))
    seen = await oversee(shop.db, shop.tenant)
    (given_up,) = seen.unpaid_lately
    assert given_up.is_final
    assert seen.unpaid == ()
    assert seen.agreements == {"stopped": 1}


async def test_a_call_without_an_answer_needs_a_look_until_it_has_one(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    (charge,) = (await shop.see(agreement_id)).charges
    hangs = {"match": {"operationId": "RefundChargeV3"}, "times": 1, "action": {"kind": "hang"}}
    await shop.control("POST", "/faults", hangs)
    await refund_charge(shop.db, shop.gateways, shop.tenant, charge.id, 100, "Sorry", OPERATOR)
    (stuck,) = (await oversee(shop.db, shop.tenant)).stuck
    assert (stuck.kind, stuck.count) == ("call_unanswered", 1)
    assert len(stuck.examples) == 1
    await shop.work()
    assert (await oversee(shop.db, shop.tenant)).stuck == ()


async def test_a_charge_that_is_not_there_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await inspect_charge(shop.db, shop.tenant, uuid4())
