"""Small stories of people who pay with Stripe: its invoices and our books say the same, whatever goes wrong."""

from __future__ import annotations

import pytest

from stories.clients import Refused
from stories.world import World

pytestmark = pytest.mark.story

CREATE = {"operationId": "PostSubscriptions"}
#: Ten days of the twenty-eight that a month from 28 February has.
SHARE = 3536


async def test_three_who_pay_with_stripe_and_one_with_vipps(world: World) -> None:
    """Ida declines at renewal and recovers, Jon must answer his bank, and Kari's bank takes money back."""
    ida, jon, kari = await world.person("Ida"), await world.person("Jon"), await world.person("Kari")
    anna = await world.shop.subscribe(await world.person("Anna"))
    first = await world.shop.subscribe_with_stripe(ida, "sandboxFailsOnRenewal")
    second = await world.shop.subscribe_with_stripe(jon, "threeDSecure2Required")
    third = await world.shop.subscribe_with_stripe(kari)
    for deal in (first, second, third):
        now = await deal.now()
        assert (now["provider"], now["status"], now["charges"][0]["status"]) == ("stripe", "active", "paid")
    assert await world.audit() == []

    await world.advance_to("2027-03-03T12:00")
    assert [one["status"] for one in (await first.now())["charges"]] == ["paid", "open"]
    await first.change_card("mastercard")
    await world.advance_to("2027-03-10T12:00")
    assert [one["status"] for one in (await first.now())["charges"]] == ["paid", "paid"]

    dispute = await third.dispute(2)
    assert await world.audit() == []
    await world.sandbox.decide(dispute, "lost")
    await world.settle()
    disputed = (await third.now())["charges"][1]
    assert (disputed["status"], disputed["refunded"]) == ("refunded", 9900)

    await jon.provider.stop(second.agreement_id)
    await world.houses.stripe.call("DELETE", f"/subscriptions/{(await first.at_gateway())['subscription']}")
    await world.advance_to("2027-04-02T12:00")
    assert [(await one.now())["status"] for one in (first, second)] == ["stopped", "stopped"]
    assert await anna.status() == "active"


async def test_what_is_changed_in_agreements_that_stripe_bills(world: World) -> None:
    """Ida pauses and goes on, Jon pays for a box, his card declines later, and films become dearer for both."""
    admin = world.houses.provider
    ida = await world.shop.subscribe_with_stripe(await world.person("Ida"))
    jon = await world.shop.subscribe_with_stripe(await world.person("Jon"), "sandboxFailsOnRenewal")
    assert (await ida.change("pause"))["takesEffect"] == "2027-02-28"
    dearer = await admin.price_product(world.houses.offer.product_id, 12900, "2027-03-05")
    assert (dearer["planned"], dearer["remaining"]) == (2, 0)
    await world.advance_to("2027-02-28T15:00")
    (failing,) = [event for event in await admin.events() if event["type"] == "charge.failing"]
    assert (failing["data"]["reason"], failing["data"]["advice"]) == ("generic_decline", "ask_to_pay")
    assert [one["agreementId"] for one in await admin.dunning()] == [jon.agreement_id]
    assert (await jon.now())["accessUntil"] == "2027-03-05T23:00:00Z"
    await jon.change_card("visa")
    await admin.charge_once(jon.agreement_id, 4900, "A box of popcorn")
    assert (await ida.change("resume", on="2027-03-10"))["takesEffect"] == "2027-03-10"
    await world.advance_to("2027-03-10T15:00")
    assert await ida.charges() == [("2027-01-31", 9900, "paid"), ("2027-03-10", 12900, "paid")]
    assert sorted(one[1:] for one in await jon.charges()) == [(4900, "paid"), (9900, "paid"), (9900, "paid")]
    assert [one["agreementId"] for one in await admin.dunning("recovered")] == [jon.agreement_id]


async def test_another_charge_day_costs_the_same_with_stripe_as_with_vipps(world: World) -> None:
    """Ida and Anna move from the end of the month to the tenth; Jon stops before his new day, and keeps what he paid
    until then."""
    ida = await world.shop.subscribe_with_stripe(await world.person("Ida"))
    jon = await world.shop.subscribe_with_stripe(await world.person("Jon"))
    anna = await world.shop.subscribe(await world.person("Anna"))
    for deal in (ida, jon, anna):
        moved = await deal.person.provider.change(deal.agreement_id, "charge-day", day=10)
        await world.settle()
        assert moved["takesEffect"] == "2027-02-28"
    assert await ida.charges() == [("2027-01-31", 9900, "paid"), ("2027-02-28", SHARE, "paid")]
    await jon.person.provider.stop(jon.agreement_id)
    await world.advance_to("2027-03-10T15:00")
    expected = [("2027-01-31", 9900, "paid"), ("2027-02-28", SHARE, "paid"), ("2027-03-10", 9900, "paid")]
    assert await ida.charges() == expected
    assert [(one.due, one.captured, one.status) for one in await anna.charges()] == expected
    assert (await jon.now())["accessUntil"] == "2027-03-09T23:00:00Z"


async def test_a_pause_or_a_stop_that_comes_too_late_is_about_the_time_after_the_charge(world: World) -> None:
    """Half an hour after a period began its invoice is being made; an hour after, it is paid."""
    ida, jon = await world.person("Ida"), await world.person("Jon")
    first, second = [await world.shop.subscribe_with_stripe(one) for one in (ida, jon)]
    await world.advance_to("2027-02-28T10:30")
    with pytest.raises(Refused) as refused:
        await first.change("pause")
    assert refused.value.code == "change_under_way"
    await world.advance_to("2027-02-28T11:30")
    assert (await first.change("pause"))["takesEffect"] == "2027-03-31"
    await jon.provider.stop(second.agreement_id)
    await world.advance_to("2027-03-20T12:00")
    for deal, status in ((first, "active"), (second, "stopped")):
        now = await deal.now()
        assert (now["status"], now["accessUntil"]) == (status, "2027-03-30T22:00:00Z")
    await world.advance_to("2027-04-02T12:00")
    for deal in (first, second):
        assert await deal.charges() == [("2027-01-31", 9900, "paid"), ("2027-02-28", 9900, "paid")]


async def test_free_days_begin_with_a_card_and_end_with_a_charge(world: World) -> None:
    """Ida gives a card for her free week; Jon's card is declined when his is over; Kari closes the page."""
    ida = await world.shop.subscribe_with_stripe(await world.person("Ida"), voucher="week")
    jon = await world.shop.subscribe_with_stripe(await world.person("Jon"), "chargeCustomerFail", voucher="WEEK")
    kari = await world.shop.checkout_with_stripe(await world.person("Kari"), voucher="WEEK")
    await world.advance_to("2027-02-02T12:00")
    assert [(await one.now())["status"] for one in (ida, jon, kari)] == ["active", "active", "expired"]
    assert [await one.charges() for one in (ida, kari)] == [[("2027-01-31", 0, "waived")], []]
    assert await ida.person.provider.receipts() == []
    assert await world.audit() == []
    await world.advance_to("2027-02-08T12:00")
    assert (await ida.charges())[1:] == [("2027-02-07", 9900, "paid")]
    assert (await jon.charges())[1:] == [("2027-02-07", 9900, "open")]
    assert [one["agreementId"] for one in await world.houses.provider.dunning()] == [jon.agreement_id]


async def test_answers_and_webhooks_that_never_come_cost_time_and_no_money(world: World) -> None:
    liv = await world.person("Liv")
    await world.sandbox.fault({"webhook": "*"}, {"kind": "drop"}, times=1000)
    await world.sandbox.fault(CREATE, {"kind": "effect-then-close"})
    deal = await world.shop.subscribe_with_stripe(liv)
    assert len((await world.sandbox.export())["stripe"]["subscriptions"]) == 1
    await world.advance_to("2027-01-31T10:15")
    assert (await deal.now())["status"] == "active"
    await world.advance_to("2027-03-01T12:00")
    assert [one["status"] for one in (await deal.now())["charges"]] == ["paid", "paid"]


async def test_a_film_that_is_paid_with_stripe_and_given_back(world: World) -> None:
    mia = await world.person("Mia")
    started = await mia.provider.pay_with_stripe("tvod", world.houses.offer.rental_id)
    await world.sandbox.confirm(started["clientSecret"], "visa")
    await world.settle()
    bought = await mia.provider.purchase(started["purchaseId"])
    assert (bought["provider"], bought["status"], bought["accessUntil"]) == ("stripe", "paid", "2027-02-02T09:00:00Z")
    with pytest.raises(Refused) as refused:
        await world.shop.offer(mia)
    assert refused.value.code == "purchase_active"
    await world.houses.provider.refund(bought["charge"]["chargeId"], 3900, "It was dark")
    await world.settle()
    assert (await mia.provider.purchase(started["purchaseId"]))["charge"]["status"] == "refunded"
    assert await world.audit() == []
    # Her bank does not take it: she has what she paid for again, and both sides' books say so.
    (refund,) = (await world.houses.stripe.call("GET", "/refunds"))["data"]
    await world.sandbox.fail_refund(refund["id"])
    await world.settle()
    again = await mia.provider.purchase(started["purchaseId"])
    assert (again["charge"]["status"], again["charge"]["refunded"]) == ("paid", 0)


async def test_a_film_that_is_paid_on_two_pages_is_kept_once(world: World) -> None:
    """The first payment is seen for two days; the second, with Stripe, goes back at once, and is no access."""
    mia = await world.person("Mia")
    aside = await mia.provider.pay_with_stripe("tvod", world.houses.offer.rental_id)
    first = await world.shop.rent(mia)
    await world.sandbox.confirm(aside["clientSecret"], "visa")
    await world.settle()
    second = await mia.provider.purchase(aside["purchaseId"])
    assert (second["charge"]["status"], second["charge"]["refunded"]) == ("refunded", 3900)
    assert second["accessUntil"] is None
    assert (await first.now())["accessUntil"] == "2027-02-02T09:00:00Z"
