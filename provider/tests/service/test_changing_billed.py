"""Agreements that Stripe bills are paused, resumed, priced and planned anew, and charged once besides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from avtale.domain.agreement import Agreement
from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.charge import ChargeKind, ChargeStatus
from avtale.domain.errors import Conflict, GatewayUnknown
from avtale.service import browsing, mending
from avtale.service.change_wishes import ChangeWish
from avtale.service.changing import change_agreement, list_changes
from avtale.service.charging_once import charge_once
from avtale.service.overseeing import oversee

from .conftest import OPERATOR, Shop
from .stripe_shop import StripeShop, open_stripe


@pytest.fixture
async def stripe(shop: Shop) -> StripeShop:
    return await open_stripe(shop, yearly=True)


async def change(shop: Shop, agreement_id: UUID, kind: ChangeKind, **wish: Any) -> Change:
    owner = None if kind is ChangeKind.PRICE else shop.anna
    key = wish.pop("key", None)
    return await change_agreement(
        shop.db, shop.gateways, shop.tenant, owner, owner or OPERATOR, agreement_id, ChangeWish(kind, **wish), key
    )


async def charged(shop: Shop, agreement_id: UUID) -> list[tuple[int | None, str, int, ChargeStatus]]:
    view = await shop.see(agreement_id)
    return [(c.period, c.period_start.isoformat(), c.price.amount, c.status) for c in view.charges]


def at(day: str, hour: int = 12) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC).replace(hour=hour)


async def test_what_is_paused_is_neither_charged_nor_owed_until_it_is_resumed(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe()
    with pytest.raises(Conflict) as nothing:
        await change(shop, agreement_id, ChangeKind.RESUME)
    assert nothing.value.code == "agreement_not_paused"
    paused = await change(shop, agreement_id, ChangeKind.PAUSE)
    assert (paused.status, paused.takes_effect) == (ChangeStatus.DONE, date(2027, 2, 15))
    # What is paid gives access, and no renewal is being tried after it.
    assert (await shop.see(agreement_id)).access_until == at("2027-02-14", 23)
    await shop.advance_to(at("2027-02-16"))
    assert await charged(shop, agreement_id) == [(1, "2027-01-15", 9900, ChargeStatus.PAID)]
    (theirs,) = await stripe.subscriptions()
    assert [one["status"] for one in theirs["invoices"]] == ["paid", "void"]
    resumed = await change(shop, agreement_id, ChangeKind.RESUME, day=date(2027, 2, 20))
    assert (resumed.status, resumed.takes_effect) == (ChangeStatus.DONE, date(2027, 2, 20))
    await shop.advance_to(at("2027-02-20", 14))
    assert (await charged(shop, agreement_id))[1:] == [(2, "2027-02-20", 9900, ChargeStatus.PAID)]
    assert (await shop.see(agreement_id)).agreement.paused_at is None
    await shop.books()


async def test_a_pause_that_ends_in_the_hour_of_a_renewal_owes_it_once(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe()
    await change(shop, agreement_id, ChangeKind.PAUSE)
    await shop.advance_to(at("2027-02-15", 9))
    resumed = await change(shop, agreement_id, ChangeKind.RESUME)
    assert (resumed.status, resumed.takes_effect) == (ChangeStatus.DONE, date(2027, 2, 15))
    await shop.advance_to(at("2027-03-16"))
    assert await charged(shop, agreement_id) == [
        (1, "2027-01-15", 9900, ChargeStatus.PAID),
        (2, "2027-02-15", 9900, ChargeStatus.PAID),
        (3, "2027-03-15", 9900, ChargeStatus.PAID),
    ]
    assert (await shop.see(agreement_id)).agreement.next_period.start == date(2027, 4, 15)
    await shop.books()


async def test_a_pause_with_an_end_ends_by_itself(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe()
    until = await change(shop, agreement_id, ChangeKind.PAUSE, day=date(2027, 2, 20))
    assert until.takes_effect == date(2027, 2, 15)
    assert (await shop.see(agreement_id)).agreement.resumes_on == date(2027, 2, 20)
    await shop.advance_to(at("2027-02-20", 14))
    assert (await charged(shop, agreement_id))[1:] == [(2, "2027-02-20", 9900, ChargeStatus.PAID)]
    assert (await shop.see(agreement_id)).agreement.paused_at is None


async def test_one_that_is_resumed_before_its_pause_begins_goes_on_as_if_nothing_were(
    shop: Shop, stripe: StripeShop
) -> None:
    await shop.advance_to(at("2027-01-31"))
    agreement_id = await stripe.subscribe()
    await change(shop, agreement_id, ChangeKind.PAUSE)
    assert (await change(shop, agreement_id, ChangeKind.RESUME)).takes_effect == date(2027, 2, 28)
    await shop.advance_to(at("2027-03-01"))
    assert (await charged(shop, agreement_id))[1:] == [(2, "2027-02-28", 9900, ChargeStatus.PAID)]
    assert [one["status"] for one in await stripe.subscriptions()] == ["active"]
    # Stripe charges on the last day of each month, as before.
    assert (await shop.see(agreement_id)).agreement.next_period.start == date(2027, 3, 31)


async def test_a_price_holds_from_the_period_that_begins_on_its_day_or_later(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe()
    planned = await change(shop, agreement_id, ChangeKind.PRICE, amount=10900, day=date(2027, 3, 1))
    assert planned.status is ChangeStatus.PLANNED
    await shop.advance_to(at("2027-02-20"))
    agreement = (await shop.see(agreement_id)).agreement
    assert (agreement.terms.price.amount, agreement.asked) == (9900, None)
    await shop.advance_to(at("2027-03-16"))
    assert [one[2] for one in await charged(shop, agreement_id)] == [9900, 9900, 10900]
    (done,) = await list_changes(shop.db, shop.tenant, None, agreement_id)
    assert (done.status, done.takes_effect) == (ChangeStatus.DONE, date(2027, 3, 15))
    agreement = (await shop.see(agreement_id)).agreement
    assert (agreement.terms.price.amount, agreement.asked) == (10900, None)


async def test_another_plan_begins_when_what_is_paid_ends(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe()
    planned = await change(shop, agreement_id, ChangeKind.PLAN, product_id="film-year")
    assert (planned.status, planned.takes_effect) == (ChangeStatus.DONE, date(2027, 2, 15))
    assert await charged(shop, agreement_id) == [(1, "2027-01-15", 9900, ChargeStatus.PAID)]
    await shop.advance_to(at("2027-02-16"))
    view = await shop.see(agreement_id)
    assert view.agreement.asked is None
    assert [(c.price.amount, c.period_end.isoformat(), c.product_id) for c in view.charges] == [
        (9900, "2027-02-15", "film-month"),
        (99000, "2028-02-15", "film-year"),
    ]


async def test_the_days_until_another_charge_day_are_paid_at_once_or_given_where_they_are_too_cheap(
    shop: Shop, stripe: StripeShop
) -> None:
    agreement_id = await stripe.subscribe()
    await change(shop, agreement_id, ChangeKind.PRICE, amount=3000, day=date(2027, 3, 1))
    await stripe.script("PostSubscriptionsSubscriptionExposedId", kind="effect-then-close")
    # The answer is lost; what the subscription and its invoice say is enough.
    await change(shop, agreement_id, ChangeKind.CHARGE_DAY, charge_day=20)
    await shop.work()
    assert (await charged(shop, agreement_id))[1:] == [(2, "2027-02-15", 1768, ChargeStatus.PAID)]
    moved = (await list_changes(shop.db, shop.tenant, None, agreement_id))[-1]
    assert (moved.status, moved.takes_effect, moved.amount) == (ChangeStatus.DONE, date(2027, 2, 15), 1768)
    assert (await shop.see(agreement_id)).paid_until == date(2027, 2, 20)
    await shop.advance_to(at("2027-02-20", 14))
    assert (await charged(shop, agreement_id))[2:] == [(3, "2027-02-20", 9900, ChargeStatus.PAID)]
    # What two days of a cheap month cost is less than Stripe takes.
    await shop.advance_to(at("2027-03-20", 14))
    given = await change(shop, agreement_id, ChangeKind.CHARGE_DAY, charge_day=22)
    assert (given.status, given.takes_effect, given.amount) == (ChangeStatus.DONE, date(2027, 4, 20), 0)
    await shop.advance_to(at("2027-04-22", 14))
    assert (await charged(shop, agreement_id))[3:] == [
        (4, "2027-03-20", 3000, ChargeStatus.PAID),
        (5, "2027-04-20", 0, ChargeStatus.WAIVED),
        (6, "2027-04-22", 3000, ChargeStatus.PAID),
    ]
    await shop.books()


async def test_a_card_that_declines_the_days_until_another_charge_day_changes_nothing(
    shop: Shop, stripe: StripeShop
) -> None:
    agreement_id = await stripe.subscribe("sandboxFailsOnRenewal")
    refused = await change(shop, agreement_id, ChangeKind.CHARGE_DAY, charge_day=20)
    assert refused.status is ChangeStatus.DROPPED
    assert await charged(shop, agreement_id) == [(1, "2027-01-15", 9900, ChargeStatus.PAID)]
    (theirs,) = await stripe.subscriptions()
    assert theirs["periodEnd"].startswith("2027-02-15")


async def test_something_besides_is_taken_at_once_or_not_at_all(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe("sandboxFailsOnRenewal")

    async def once(amount: int, due: date | None = None) -> UUID:
        return await charge_once(
            shop.db, shop.gateways, shop.tenant, OPERATOR, agreement_id, amount, "A box", due, f"box-{amount}"
        )

    declined = await once(4900)
    (theirs,) = await stripe.subscriptions()
    card = await stripe.api("POST", "/payment_methods/pm_card_visa/attach", {"customer": theirs["customer"]})
    await stripe.api("POST", f"/subscriptions/{theirs['subscription']}", {"default_payment_method": card["id"]})
    await stripe.script("PostPaymentIntents", kind="effect-then-close")
    taken = await once(5900)
    assert await once(5900) == taken
    await shop.work()
    found = {c.id: c for c in (await shop.see(agreement_id)).charges if c.kind is ChargeKind.ONE_OFF}
    assert (found[declined].status, found[declined].failure_reason) == (ChargeStatus.FAILED, "generic_decline")
    assert found[taken].status is ChargeStatus.PAID
    with pytest.raises(Conflict) as unsuited:
        await once(6900, date(2027, 2, 1))
    assert unsuited.value.code == "gateway_unsuited"
    assert [row["amount"] for row in (await shop.books())["receipts"]] == [9900, 5900]


async def test_an_answer_that_is_lost_changes_once_and_a_refusal_drops_the_change(
    shop: Shop, stripe: StripeShop
) -> None:
    agreement_id = await stripe.subscribe()
    await stripe.script("PostSubscriptionsSubscriptionExposedId", kind="effect-then-close")
    lost = await change(shop, agreement_id, ChangeKind.PAUSE, key="one")
    await shop.work()
    again = await change(shop, agreement_id, ChangeKind.PAUSE, key="one")
    assert (again.id, again.status) == (lost.id, ChangeStatus.DONE)
    refusal = {"kind": "status", "status": 400, "body": {"error": {"type": "invalid_request_error", "message": "no"}}}
    await stripe.script("PostSubscriptionsSubscriptionExposedId", **refusal)
    assert (await change(shop, agreement_id, ChangeKind.RESUME)).status is ChangeStatus.DROPPED
    await stripe.script("GetSubscriptionsSubscriptionExposedId", kind="status", status=503)
    with pytest.raises(GatewayUnknown):
        await change(shop, agreement_id, ChangeKind.RESUME)
    assert (await change(shop, agreement_id, ChangeKind.RESUME)).status is ChangeStatus.DONE


async def test_what_comes_too_late_to_stop_a_charge_is_about_the_time_after_it_and_says_so(
    shop: Shop, stripe: StripeShop
) -> None:
    """Stripe goes on while it does not hear us: it charges the next period, and then hears of the pause."""
    agreement_id = await stripe.subscribe()
    await stripe.script("PostSubscriptionsSubscriptionExposedId", kind="status", status=503)
    waiting = await change(shop, agreement_id, ChangeKind.PAUSE)
    assert (waiting.status, waiting.deferred) == (ChangeStatus.WAITING, False)
    await shop.control("POST", "/clock/advance", {"to": "2027-02-15T12:00:00Z"})
    await shop.advance_to(at("2027-02-15"))
    (paused,) = await list_changes(shop.db, shop.tenant, None, agreement_id)
    assert (paused.status, paused.deferred, paused.takes_effect) == (ChangeStatus.DONE, True, date(2027, 3, 15))
    assert (await charged(shop, agreement_id))[1:] == [(2, "2027-02-15", 9900, ChargeStatus.PAID)]
    await shop.advance_to(at("2027-03-16"))
    assert len(await charged(shop, agreement_id)) == 2
    assert (await shop.see(agreement_id)).access_until == at("2027-03-14", 23)


async def test_a_pause_that_meets_the_draft_of_an_invoice_begins_after_it(shop: Shop, stripe: StripeShop) -> None:
    agreement_id = await stripe.subscribe()
    await stripe.script("PostSubscriptionsSubscriptionExposedId", kind="status", status=503)
    await change(shop, agreement_id, ChangeKind.PAUSE)
    # Half an hour after the period began its invoice is a draft, which is charged all the same.
    await shop.control("POST", "/clock/advance", {"to": "2027-02-15T09:30:00Z"})
    await shop.advance_to(at("2027-02-15"))
    (paused,) = await list_changes(shop.db, shop.tenant, None, agreement_id)
    assert (paused.status, paused.deferred, paused.takes_effect) == (ChangeStatus.DONE, True, date(2027, 3, 15))
    assert (await shop.see(agreement_id)).agreement.paused_from == date(2027, 3, 15)
    assert (await charged(shop, agreement_id))[1:] == [(2, "2027-02-15", 9900, ChargeStatus.PAID)]


async def test_what_is_changed_in_stripes_dashboard_is_seen_and_taken_over_or_changed_back(
    shop: Shop, stripe: StripeShop
) -> None:
    agreement_id = await stripe.subscribe()
    (theirs,) = await stripe.subscriptions()

    async def in_dashboard(price: str) -> Agreement:
        there = await stripe.api("GET", f"/subscriptions/{theirs['subscription']}")
        item = {"items[0][id]": there["items"]["data"][0]["id"], "items[0][price]": price}
        await stripe.api("POST", f"/subscriptions/{there['id']}", item | {"proration_behavior": "none"})
        await mending.read_again(shop.db, shop.tenant, agreement_id, OPERATOR, "somebody said so")
        await shop.work()
        return (await shop.see(agreement_id)).agreement

    there = await stripe.api("GET", f"/subscriptions/{theirs['subscription']}")
    agreed = there["items"]["data"][0]["price"]
    dearer = {"currency": "nok", "unit_amount": "12900", "recurring[interval]": "month", "product": agreed["product"]}
    other = (await stripe.api("POST", "/prices", dearer))["id"]
    seen = await in_dashboard(other)
    assert seen.asked is not None
    assert (seen.asked.price.amount, seen.terms.price.amount) == (12900, 9900)
    assert [one.kind for one in (await oversee(shop.db, shop.tenant)).stuck] == ["agreement_asked"]
    assert [one.id for one in (await browsing.what_waits(shop.db, shop.tenant)).asked] == [agreement_id]
    assert (await in_dashboard(agreed["id"])).asked is None
    with pytest.raises(Conflict) as nothing:
        await mending.take_over_price(shop.db, shop.tenant, agreement_id, OPERATOR, "as it is")
    assert nothing.value.code == "price_as_agreed"

    await in_dashboard(other)
    await mending.take_over_price(shop.db, shop.tenant, agreement_id, OPERATOR, "agreed with the customer")
    await shop.advance_to(at("2027-02-16"))
    agreement = (await shop.see(agreement_id)).agreement
    assert (agreement.terms.price.amount, agreement.asked) == (12900, None)
    assert [one[2] for one in await charged(shop, agreement_id)] == [9900, 12900]
    (done,) = await list_changes(shop.db, shop.tenant, None, agreement_id)
    assert (done.kind, done.status, done.takes_effect) == (ChangeKind.PRICE, ChangeStatus.DONE, date(2027, 2, 15))
    await shop.books()


@pytest.mark.parametrize("wish", [{"kind": ChangeKind.CHARGE_DAY, "charge_day": 20}, {"kind": ChangeKind.PAUSE}])
async def test_a_change_that_a_renewal_has_overtaken_never_has_anybody_charged_twice(
    shop: Shop, stripe: StripeShop, wish: dict[str, Any]
) -> None:
    agreement_id = await stripe.subscribe()
    await stripe.script("PostSubscriptionsSubscriptionExposedId", kind="status", status=503)
    until = {} if "charge_day" in wish else {"day": date(2027, 3, 1)}
    assert (await change(shop, agreement_id, **wish, **until)).status is ChangeStatus.WAITING
    await shop.control("POST", "/clock/advance", {"to": "2027-02-15T12:00:00Z"})
    await shop.advance_to(at("2027-03-14"))
    (dropped,) = await list_changes(shop.db, shop.tenant, None, agreement_id)
    assert dropped.status is ChangeStatus.DROPPED
    assert await charged(shop, agreement_id) == [
        (1, "2027-01-15", 9900, ChargeStatus.PAID),
        (2, "2027-02-15", 9900, ChargeStatus.PAID),
    ]
