"""Two things that meet in the life of a subscription: money, days and access stay what they are by each of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

from avtale.domain.agreement import AgreementStatus
from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.charge import ChargeStatus
from avtale.domain.dunning import DunningEnd, DunningRules, DunningStatus
from avtale.domain.policy import Policy
from avtale.service import mending
from avtale.service.changing import ChangeWish, change_agreement, say_amount
from avtale.service.charging_once import charge_once
from avtale.service.checkout import CheckoutWish, Person, start_checkout
from avtale.service.dunning import list_dunning
from avtale.service.stopping import stop_agreement
from avtale.service.turning import turn_clock
from avtale.service.withdrawing import withdraw
from avtale.storage import agreements

from .conftest import OPERATOR, PHONE, Shop

BERIT = Person("https://id.example", "berit")


async def change(shop: Shop, agreement_id: UUID, wish: ChangeWish) -> Change:
    return await change_agreement(shop.db, shop.gateways, shop.tenant, None, OPERATOR, agreement_id, wish)


async def without_money(shop: Shop, since: str, until: str) -> None:
    await shop.control("PATCH", f"/people/{PHONE}", {"noFunds": [{"from": since, "until": until}]})


async def statuses(shop: Shop, agreement_id: UUID) -> list[ChargeStatus]:
    return [charge.status for charge in (await shop.see(agreement_id)).charges]


async def test_days_until_another_charge_day_have_their_grace_while_they_are_tried(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    await change(shop, agreement_id, ChangeWish(ChangeKind.CHARGE_DAY, charge_day=1))
    await without_money(shop, "2027-02-15", "2027-02-17T12:00:00Z")
    await shop.advance_to(datetime(2027, 2, 15, 12, tzinfo=UTC))
    assert await statuses(shop, agreement_id) == [ChargeStatus.PAID, ChargeStatus.OPEN]
    assert (await shop.see(agreement_id)).access_until == datetime(2027, 2, 20, 23, tzinfo=UTC)


async def test_whoever_is_held_with_a_later_period_charged_pays_no_day_twice(shop: Shop) -> None:
    shop.tenant = replace(shop.tenant, policy=Policy(DunningRules(end=DunningEnd.HOLD)))
    agreement_id = await shop.subscribe()
    await change(shop, agreement_id, ChangeWish(ChangeKind.CHARGE_DAY, charge_day=17))
    await without_money(shop, "2027-02-15", "2027-02-20T23:30:00Z")
    await shop.advance_to(datetime(2027, 2, 23, 12, tzinfo=UTC))
    assert await statuses(shop, agreement_id) == [ChargeStatus.PAID, ChargeStatus.FAILED, ChargeStatus.PAID]
    held = await shop.see(agreement_id)
    assert (held.agreement.pause_reason, held.access_until) == ("payment_failed", datetime(2027, 3, 16, 23, tzinfo=UTC))
    resumed = await change(shop, agreement_id, ChangeWish(ChangeKind.RESUME))
    assert resumed.takes_effect == date(2027, 3, 17)
    await shop.books()


async def test_a_period_in_dunning_holds_the_next_one_whatever_else_happens(shop: Shop) -> None:
    rules = DunningRules(orders=1, wait_days=2)
    shop.tenant = replace(shop.tenant, policy=Policy(rules), grace_days=rules.days(5))
    agreement_id = await shop.subscribe()
    await charge_once(shop.db, shop.gateways, shop.tenant, OPERATOR, agreement_id, 4900, "A box", date(2027, 2, 16))
    await without_money(shop, "2027-02-15", "2027-02-21T06:00:00Z")
    await shop.advance_to(datetime(2027, 2, 22, 12, tzinfo=UTC))
    (box,) = await list_dunning(shop.db, shop.tenant, DunningStatus.RECOVERED, None, 9)
    assert (box.charge.period, (await shop.see(agreement_id)).agreement.next_charge_at) == (None, None)
    for wish in (ChangeWish(ChangeKind.PAUSE), ChangeWish(ChangeKind.RESUME)):
        await change(shop, agreement_id, wish)
    assert (await shop.see(agreement_id)).agreement.next_charge_at is None
    await shop.books()
    await shop.advance_to(datetime(2027, 2, 24, 12, tzinfo=UTC))
    assert len(await list_dunning(shop.db, shop.tenant, DunningStatus.RECOVERED, None, 9)) == 2
    assert (await shop.see(agreement_id)).agreement.next_charge_at == datetime(2027, 3, 11, 23, tzinfo=UTC)


async def test_a_charge_that_is_given_up_in_dunning_lets_the_agreement_go_on(shop: Shop) -> None:
    rules = DunningRules(orders=2, wait_days=2)
    shop.tenant = replace(shop.tenant, policy=Policy(rules), grace_days=rules.days(5))
    agreement_id = await shop.subscribe()
    await without_money(shop, "2027-02-15", "2027-03-01T00:00:00Z")
    await shop.advance_to(datetime(2027, 2, 21, 12, tzinfo=UTC))
    fault = {"match": {"operationId": "CreateChargeV3"}, "times": 50, "action": {"kind": "status", "status": 400}}
    await shop.control("POST", "/faults", fault)
    await shop.advance_to(datetime(2027, 2, 22, 12, tzinfo=UTC))
    await shop.control("DELETE", "/faults")
    second = (await shop.see(agreement_id)).charges[1]
    await mending.give_charge_up(shop.db, shop.tenant, second.id, OPERATOR, "")
    assert await list_dunning(shop.db, shop.tenant, DunningStatus.OPEN, None, 10) == []
    await shop.advance_to(datetime(2027, 3, 16, 12, tzinfo=UTC))
    assert await statuses(shop, agreement_id) == [ChargeStatus.PAID, ChargeStatus.CANCELLED, ChargeStatus.PAID]


async def test_a_change_does_not_wait_for_a_charge_that_waits_for_an_operator(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    fault = {"match": {"operationId": "CreateChargeV3"}, "times": 50, "action": {"kind": "status", "status": 400}}
    await shop.control("POST", "/faults", fault)
    await shop.advance_to(datetime(2027, 2, 12, 12, tzinfo=UTC))
    await shop.control("DELETE", "/faults")
    paused = await change(shop, agreement_id, ChangeWish(ChangeKind.PAUSE))
    assert (paused.status, paused.takes_effect) == (ChangeStatus.DONE, date(2027, 2, 15))
    assert await statuses(shop, agreement_id) == [ChargeStatus.PAID, ChargeStatus.CANCELLED]


async def test_whoever_withdraws_pays_no_day_after_an_immediate_stop(shop: Shop) -> None:
    wish = CheckoutWish("film-month", "https://shop.example/back", PHONE, consents=True)
    started = await start_checkout(shop.db, shop.gateways, shop.tenant, shop.anna, wish)
    await shop.approve(started.confirmation_url)
    await shop.poll(started.agreement_id)
    await shop.work()
    await shop.advance_to(datetime(2027, 1, 17, 12, tzinfo=UTC))
    await stop_agreement(shop.db, shop.gateways, shop.tenant, None, started.agreement_id, immediate=True, by=OPERATOR)
    await shop.advance_to(datetime(2027, 1, 24, 12, tzinfo=UTC))
    assert (await shop.see(started.agreement_id)).agreement.status is AgreementStatus.STOPPED
    await withdraw(shop.db, shop.gateways, shop.tenant, shop.anna, shop.anna, started.agreement_id)
    await shop.work()
    (charge,) = (await shop.see(started.agreement_id)).charges
    assert charge.totals.captured - charge.totals.refunded == 9900 * 3 // 31


async def test_what_was_said_of_a_period_is_charged_when_it_comes_after_a_pause(shop: Shop) -> None:
    agreement_id = await shop.subscribe()
    async with shop.db.tenant(shop.tenant.id) as tx:
        locked = (await agreements.lock_agreements(tx, [agreement_id]))[agreement_id]
        await agreements.save_terms(tx, replace(locked, terms=replace(locked.terms, suggested_max=40000)))
    await say_amount(shop.db, shop.gateways, shop.tenant, OPERATOR, agreement_id, 31200)
    await shop.advance_to(datetime(2027, 2, 13, 12, tzinfo=UTC))
    await change(shop, agreement_id, ChangeWish(ChangeKind.PAUSE, day=date(2027, 3, 1)))
    await shop.advance_to(datetime(2027, 3, 1, 12, tzinfo=UTC))
    charged = (await shop.see(agreement_id)).charges
    assert [(one.price.amount, one.status) for one in charged[1:]] == [
        (31200, ChargeStatus.CANCELLED),
        (31200, ChargeStatus.PAID),
    ]
    await shop.books()


async def test_whoever_goes_on_from_today_has_no_late_periods_to_wait_for_an_operator(shop: Shop) -> None:
    agreement_id, other = await shop.subscribe(), await shop.subscribe(BERIT)
    to = datetime(2027, 4, 20, 9, tzinfo=UTC)
    await shop.control("POST", "/clock/advance", {"to": to.isoformat().replace("+00:00", "Z")})
    await turn_clock(shop.db, to, running=False)
    await shop.work()
    assert (await shop.see(agreement_id)).agreement.parked_reason == "late_periods"
    await stop_agreement(shop.db, shop.gateways, shop.tenant, None, other)
    await change(shop, agreement_id, ChangeWish(ChangeKind.PAUSE))
    resumed = await change(shop, agreement_id, ChangeWish(ChangeKind.RESUME))
    assert resumed.takes_effect == date(2027, 4, 20)
    await shop.advance_to(datetime(2027, 4, 21, 12, tzinfo=UTC))
    last = (await shop.see(agreement_id)).charges[-1]
    assert (last.period_start, last.status) == (date(2027, 4, 20), ChargeStatus.PAID)
    await shop.books()
