"""A charge that fails is told of at once, tried anew by the tenant's policy, and ends by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from avtale.domain.access import check_grace
from avtale.domain.agreement import AgreementStatus
from avtale.domain.change import ChangeKind
from avtale.domain.charge import ChargeStatus
from avtale.domain.dunning import Advice, DunningEnd, DunningRules, DunningStatus, advice
from avtale.domain.errors import Invalid
from avtale.domain.policy import Policy
from avtale.service.changing import ChangeWish, change_agreement
from avtale.service.dunning import DunningView, list_dunning
from avtale.service.notifying import read_events

from .conftest import PHONE, Shop


async def without_money(shop: Shop, until: str) -> None:
    await shop.control("PATCH", f"/people/{PHONE}", {"noFunds": [{"from": "2027-02-15", "until": until}]})


async def dunnings(shop: Shop, status: DunningStatus) -> list[DunningView]:
    return await list_dunning(shop.db, shop.tenant, status, None, 10)


async def told(shop: Shop) -> list[str]:
    return [event.kind for event in await read_events(shop.db, shop.tenant, 0, 100)]


async def statuses(shop: Shop, agreement_id: UUID) -> list[ChargeStatus]:
    return [charge.status for charge in (await shop.see(agreement_id)).charges]


async def test_the_first_failure_is_told_on_its_day_with_its_reason(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    await without_money(shop, "2027-02-17T12:00:00Z")
    await shop.advance_to(datetime(2027, 2, 15, 12, tzinfo=UTC))
    (view,) = await dunnings(shop, DunningStatus.OPEN)
    assert (view.agreement.id, view.charge.period, view.charge.status) == (agreement_id, 2, ChargeStatus.OPEN)
    assert (view.dunning.reason, view.dunning.advice) == ("user_action_required", Advice.ASK_TO_PAY)
    assert view.last_try_until == datetime(2027, 2, 20, 23, tzinfo=UTC)
    assert view.access_until == datetime(2027, 2, 20, 23, tzinfo=UTC)
    (event,) = [e for e in await read_events(shop.db, shop.tenant, 0, 100) if e.kind == "charge.failing"]
    assert (event.data["reason"], event.data["advice"]) == ("user_action_required", "ask_to_pay")
    await shop.advance_to(datetime(2027, 2, 18, tzinfo=UTC))
    assert await dunnings(shop, DunningStatus.OPEN) == []
    assert len(await dunnings(shop, DunningStatus.RECOVERED)) == 1
    assert (await told(shop)).count("charge.failing") == 1
    assert "charge.failed" not in await told(shop)
    await shop.books()


async def test_another_order_follows_and_holds_the_next_period_until_it_is_paid(shop: Shop) -> None:
    rules = DunningRules(orders=1, wait_days=2)
    shop.tenant = replace(shop.tenant, policy=Policy(rules), grace_days=rules.days(5))
    agreement_id = await shop.subscribe()
    await without_money(shop, "2027-02-23T06:00:00Z")
    await shop.advance_to(datetime(2027, 2, 21, 12, tzinfo=UTC))
    (view,) = await dunnings(shop, DunningStatus.OPEN)
    assert (view.dunning.orders, view.dunning.next_order_on) == (1, date(2027, 2, 23))
    assert (await shop.see(agreement_id)).agreement.next_charge_at is None
    assert await statuses(shop, agreement_id) == [ChargeStatus.PAID, ChargeStatus.OPEN]
    await shop.advance_to(datetime(2027, 3, 16, tzinfo=UTC))
    assert await statuses(shop, agreement_id) == [ChargeStatus.PAID] * 3
    assert (await told(shop)).count("access.ended") == 0
    (theirs,) = await shop.theirs()
    assert [charge["status"] for charge in theirs["charges"]] == ["CHARGED", "FAILED", "CHARGED", "CHARGED"]
    await shop.books()


async def test_an_agreement_that_is_held_goes_on_when_it_is_resumed(shop: Shop) -> None:
    shop.tenant = replace(shop.tenant, policy=Policy(DunningRules(end=DunningEnd.HOLD)))
    agreement_id = await shop.subscribe()
    await without_money(shop, "2027-03-10T00:00:00Z")
    await shop.advance_to(datetime(2027, 3, 20, 9, tzinfo=UTC))
    view = await shop.see(agreement_id)
    assert (view.agreement.status, view.agreement.pause_reason) == (AgreementStatus.ACTIVE, "payment_failed")
    assert view.access_until == datetime(2027, 2, 14, 23, tzinfo=UTC)
    (lost,) = await dunnings(shop, DunningStatus.LOST)
    assert lost.charge.status is ChargeStatus.FAILED
    wish = ChangeWish(ChangeKind.RESUME)
    change = await change_agreement(shop.db, shop.gateways, shop.tenant, shop.anna, shop.anna, agreement_id, wish)
    assert change.takes_effect == date(2027, 3, 20)
    await shop.advance_to(datetime(2027, 3, 21, 12, tzinfo=UTC))
    assert await statuses(shop, agreement_id) == [ChargeStatus.PAID, ChargeStatus.FAILED, ChargeStatus.PAID]
    assert (await shop.see(agreement_id)).agreement.next_period.start == date(2027, 4, 20)
    await shop.books()


def test_every_reason_of_the_gateway_has_its_advice() -> None:
    reasons = ("user_action_required", "charge_amount_too_high", "non_technical_error", "technical_error", None)
    assert [advice(reason).value for reason in reasons] == [
        *("ask_to_pay", "raise_limit", "new_agreement", "wait", "ask_to_pay")
    ]


def test_grace_reaches_past_the_last_try_of_the_last_order() -> None:
    rules = DunningRules(orders=2, wait_days=3)
    check_grace(24, rules.days(5))
    with pytest.raises(Invalid) as refused:
        check_grace(23, rules.days(5))
    assert refused.value.code == "grace_too_short"
