"""What Stripe bills where two things meet: a price with a day or a voucher's, a pause, a charge day, a withdrawal."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.charge import ChargeStatus
from avtale.service.change_wishes import ChangeWish
from avtale.service.changing import change_agreement, list_changes
from avtale.service.withdrawing import withdraw

from .conftest import OPERATOR, Shop
from .stripe_shop import open_stripe


async def ask(shop: Shop, agreement_id: UUID, wish: ChangeWish) -> Change:
    owner = None if wish.kind is ChangeKind.PRICE else shop.anna
    return await change_agreement(
        shop.db, shop.gateways, shop.tenant, owner, owner or OPERATOR, agreement_id, wish, None
    )


async def charged(shop: Shop, agreement_id: UUID) -> list[tuple[str, int]]:
    return [(c.period_start.isoformat(), c.price.amount) for c in (await shop.see(agreement_id)).charges]


def at(day: str, hour: int = 12) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC).replace(hour=hour)


async def test_who_comes_back_from_a_pause_early_pays_what_holds_on_that_day(shop: Shop) -> None:
    stripe = await open_stripe(shop)
    agreement_id = await stripe.subscribe()
    await ask(shop, agreement_id, ChangeWish(ChangeKind.PRICE, day=date(2027, 4, 1), amount=12900))
    # Stripe hears of the price that is to hold in May.
    await ask(shop, agreement_id, ChangeWish(ChangeKind.PAUSE, day=date(2027, 5, 1)))
    await shop.work()
    await ask(shop, agreement_id, ChangeWish(ChangeKind.RESUME, day=date(2027, 3, 1)))
    await shop.advance_to(at("2027-04-02"))
    assert (await charged(shop, agreement_id))[1:] == [("2027-03-01", 9900), ("2027-04-01", 12900)]
    assert [one.status for one in await list_changes(shop.db, shop.tenant, None, agreement_id)] == [
        ChangeStatus.DONE
    ] * 3
    await shop.books()


async def test_a_vouchers_price_holds_to_its_day_also_after_a_pause_that_ends_early(shop: Shop) -> None:
    half = {"code": "HALF", "price_minor": 4950, "periods": 3}
    stripe = await open_stripe(shop, vouchers=[half])
    agreement_id = await stripe.subscribe(voucher="HALF")
    await ask(shop, agreement_id, ChangeWish(ChangeKind.PAUSE, day=date(2027, 6, 1)))
    await shop.work()
    await ask(shop, agreement_id, ChangeWish(ChangeKind.RESUME, day=date(2027, 3, 1)))
    await shop.advance_to(at("2027-05-02"))
    assert (await charged(shop, agreement_id)) == [
        ("2027-01-15", 4950),
        ("2027-03-01", 4950),
        ("2027-04-01", 4950),
        ("2027-05-01", 9900),
    ]


async def test_days_until_another_charge_day_cost_their_share_of_the_price_that_holds_by_then(shop: Shop) -> None:
    stripe = await open_stripe(shop)
    agreement_id = await stripe.subscribe()
    await ask(shop, agreement_id, ChangeWish(ChangeKind.PRICE, day=date(2027, 2, 14), amount=19800))
    await ask(shop, agreement_id, ChangeWish(ChangeKind.CHARGE_DAY, charge_day=20))
    await shop.advance_to(at("2027-02-20", 14))
    assert (await charged(shop, agreement_id))[1:] == [("2027-02-15", 3536), ("2027-02-20", 19800)]


async def test_the_last_price_is_asked_although_stripe_has_not_answered_to_the_one_before(shop: Shop) -> None:
    stripe = await open_stripe(shop)
    agreement_id = await stripe.subscribe()
    await stripe.script("PostSubscriptionsSubscriptionExposedId", kind="status", status=503)
    await ask(shop, agreement_id, ChangeWish(ChangeKind.PRICE, day=date(2027, 2, 14), amount=12900))
    await ask(shop, agreement_id, ChangeWish(ChangeKind.PRICE, day=date(2027, 2, 14), amount=10900))
    await shop.work()
    await shop.advance_to(at("2027-02-16"))
    assert (await charged(shop, agreement_id))[1:] == [("2027-02-15", 10900)]


async def test_another_end_of_a_pause_counts_also_at_stripe(shop: Shop) -> None:
    stripe = await open_stripe(shop)
    agreement_id = await stripe.subscribe()
    await ask(shop, agreement_id, ChangeWish(ChangeKind.PAUSE, day=date(2027, 5, 1)))
    await ask(shop, agreement_id, ChangeWish(ChangeKind.PAUSE))
    resumed = await ask(shop, agreement_id, ChangeWish(ChangeKind.RESUME))
    assert resumed.takes_effect == date(2027, 2, 15)
    await shop.advance_to(at("2027-02-16"))
    assert (await charged(shop, agreement_id))[1:] == [("2027-02-15", 9900)]


async def test_what_was_taken_just_before_a_withdrawal_is_given_back_although_nobody_had_told(shop: Shop) -> None:
    free = {"code": "WEEK", "free_days": 7}
    stripe = await open_stripe(shop, vouchers=[free])
    agreement_id = await stripe.subscribe(voucher="WEEK")
    await shop.control("POST", "/clock/advance", {"to": "2027-01-22T10:00:00Z"})
    await withdraw(shop.db, shop.gateways, shop.tenant, shop.anna, shop.anna, agreement_id)
    await shop.work()
    charges = (await shop.see(agreement_id)).charges
    assert [(c.status, c.totals.captured, c.totals.refunded) for c in charges] == [
        (ChargeStatus.WAIVED, 0, 0),
        (ChargeStatus.REFUNDED, 9900, 9900),
    ]
    await shop.books()


async def test_free_days_that_are_ended_in_stripes_dashboard_are_over_and_what_is_taken_then_is_booked(
    shop: Shop,
) -> None:
    stripe = await open_stripe(shop, vouchers=[{"code": "WEEK", "free_days": 7}])
    agreement_id = await stripe.subscribe(voucher="WEEK")
    (theirs,) = await stripe.subscriptions()
    await shop.advance_to(at("2027-01-17"))
    early = {"trial_end": str(int(at("2027-01-18").timestamp())), "proration_behavior": "none"}
    await stripe.api("POST", f"/subscriptions/{theirs['subscription']}", early)
    await shop.advance_to(at("2027-01-23"))
    assert await charged(shop, agreement_id) == [("2027-01-15", 0), ("2027-01-18", 9900)]
    assert (await shop.see(agreement_id)).paid_until == date(2027, 2, 18)
    await shop.books()
