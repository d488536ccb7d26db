"""Small stories of a subscription's life: campaigns, prices that vary, and what their owners decide."""

from __future__ import annotations

from datetime import date

import pytest

from stories.world import Line, World

pytestmark = pytest.mark.story


def paid(due: str, captured: int = 9900, tries: int = 1) -> Line:
    return Line(due, "paid", tries, captured)


async def test_campaigns_change_what_the_first_periods_cost_and_nothing_else(world: World) -> None:
    anna = await world.shop.subscribe(await world.person("Anna"), campaign="three-months")
    bo = await world.shop.subscribe(await world.person("Bo"), campaign="spring")
    cecilie = await world.shop.subscribe(await world.person("Cecilie"), campaign="festival")
    dag = await world.shop.subscribe(await world.person("Dag"), voucher="spring-code")
    eva = await world.shop.subscribe_with_stripe(await world.person("Eva"), voucher="SPRING-CODE")
    assert (await eva.now())["voucher"] == (await dag.now())["voucher"] == "SPRING-CODE"
    (shown,) = await anna.at_gateway()
    assert [charge["amount"] for charge in shown["charges"]] == [14900]
    assert (await bo.now())["campaign"]["price"] == {"amount": 0, "currency": "NOK"}
    await world.advance_to("2027-05-20")
    # Three months for one sum, and then by the month from the day on which they ended.
    assert await anna.charges() == [paid("2027-01-31", 14900), paid("2027-04-30")]
    # Free until 15 March; the first ordinary price is that of the period which begins after it.
    free = [Line(due, "waived", 0, 0) for due in ("2027-01-31", "2027-02-28")]
    assert await bo.charges() == [*free, paid("2027-03-31"), paid("2027-04-30")]
    assert [one.captured for one in await dag.charges()] == [4900, 4900, 9900, 9900]
    assert [one[1:] for one in await eva.charges()] == [(4900, "paid")] * 2 + [(9900, "paid")] * 2
    assert await cecilie.charges() == [
        paid("2027-01-31", 4900),
        paid("2027-03-10"),
        paid("2027-04-10"),
        paid("2027-05-10"),
    ]


CANCEL_CHARGE = {"method": "DELETE", "path": "/recurring/v3/agreements/[^/]+/charges/[^/]+"}


async def test_a_pause_cancels_what_is_created_and_a_resumption_goes_on_from_its_day(world: World) -> None:
    anna = await world.shop.subscribe(await world.person("Anna"))
    bo = await world.shop.subscribe(await world.person("Bo"))
    await world.advance_to("2027-02-26")
    change = await anna.change("pause")
    assert (change["status"], change["deferred"]) == ("done", False)
    assert (await bo.change("pause", until="2027-04-10"))["takesEffect"] == "2027-02-28"
    assert (await anna.now())["accessUntil"] == "2027-02-27T23:00:00Z"
    await world.advance_to("2027-03-20")
    assert (await anna.change("resume"))["takesEffect"] == "2027-03-20"
    await world.advance_to("2027-05-12")
    cancelled = Line("2027-02-28", "cancelled", 0, 0)
    # Vipps charges tomorrow at the earliest; the period begins on the day that was asked for.
    resumed = [paid("2027-03-21"), paid("2027-04-20")]
    assert await anna.charges() == [paid("2027-01-31"), cancelled, *resumed]
    assert await bo.charges() == [paid("2027-01-31"), cancelled, paid("2027-04-10"), paid("2027-05-10")]


async def test_a_change_that_comes_too_late_to_cancel_is_about_the_time_after(world: World) -> None:
    deal = await world.shop.subscribe(await world.person("Anna"))
    await world.advance_to("2027-02-26")
    await world.sandbox.fault(CANCEL_CHARGE, {"kind": "status", "status": 400})
    assert (await deal.change("pause"))["status"] == "waiting"
    await world.advance_to("2027-03-01")
    (change,) = await deal.person.provider.changes(deal.agreement_id)
    assert (change["status"], change["deferred"], change["takesEffect"]) == ("done", True, "2027-03-31")
    await world.advance_to("2027-05-01")
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]


async def test_every_change_of_a_life_is_charged_once_and_as_it_was_agreed(world: World) -> None:
    anna = await world.shop.subscribe(await world.person("Anna"))
    bo = await world.shop.subscribe(await world.person("Bo"))
    carl = await world.shop.subscribe(await world.person("Carl"))
    dina = await world.shop.subscribe(await world.person("Dina"), product="film-metered")
    merchant = world.houses.provider
    await world.advance_to("2027-02-26")
    await anna.change("charge-day", day=15)
    await bo.change("plan", productId="film-plus")
    planned = await merchant.change(carl.agreement_id, "price", amount=12900, effectiveDate="2027-03-29")
    assert planned["status"] == "planned"
    await world.advance_to("2027-03-20")
    await merchant.say_amount(dina.agreement_id, 31200)
    await world.advance_to("2027-04-05")
    # Fifteen of the twenty-eight days that a period from 28 February has.
    bridge = [Line("2027-02-28", "cancelled", 0, 0), paid("2027-02-28", 5304)]
    assert await anna.charges() == [paid("2027-01-31"), *bridge, paid("2027-03-15")]
    assert [(line.due, line.captured) for line in await bo.charges()] == [
        ("2027-01-31", 9900),
        ("2027-02-28", 0),
        ("2027-02-28", 14900),
        ("2027-03-28", 14900),
    ]
    assert await carl.charges() == [paid("2027-01-31"), paid("2027-02-28"), paid("2027-03-31", 12900)]
    assert [line.captured for line in await dina.charges()] == [4900, 4900, 31200]
    receipts = await bo.person.provider.receipts()
    assert [one["product"] for one in receipts] == ["Film and sport", "Film and sport", "Film, monthly"]


async def test_withdrawals_extras_and_dunning_leave_books_that_agree(world: World) -> None:
    eva = await world.shop.subscribe(await world.person("Eva"), consents=True)
    poor = await world.person("Frida", no_funds=[(date(2027, 2, 28), date(2027, 3, 2))])
    frida = await world.shop.subscribe(poor)
    merchant = world.houses.provider
    await world.advance_to("2027-02-06T12:00")
    ended = await eva.person.provider.withdraw(eva.agreement_id)
    assert (ended["status"], ended["withdrawal"]["withdrawnAt"]) == ("stopped", "2027-02-06T11:00:00Z")
    await merchant.charge_once(frida.agreement_id, 4900, "A film on paper")
    await world.advance_to("2027-02-28T13:00")
    (dunned,) = await merchant.dunning()
    assert (dunned["agreementId"], dunned["advice"]) == (frida.agreement_id, "ask_to_pay")
    await world.advance_to("2027-03-04")
    assert [one["agreementId"] for one in await merchant.dunning("recovered")] == [frida.agreement_id]
    # Seven of the twenty-eight days were used, as she had asked for.
    assert await eva.charges() == [Line("2027-01-31", "partially_refunded", 1, 9900, 7425)]
    assert [(line.due, line.captured) for line in await frida.charges()] == [
        ("2027-02-07", 4900),
        ("2027-01-31", 9900),
        ("2027-02-28", 9900),
    ]


async def test_a_limit_that_is_too_low_is_the_reason_that_the_charge_fails_with(world: World) -> None:
    stingy = await world.person("Stine")
    await world.sandbox.change_person(stingy.phone_number, maxAmount=3000)
    deal = await world.shop.subscribe(stingy, product="film-metered")
    await world.advance_to("2027-03-08")
    assert [(line.status, line.captured) for line in await deal.charges()] == [("paid", 4900), ("failed", 0)]
    assert (await deal.now())["charges"][1]["failureReason"] == "charge_amount_too_high"
    assert (await deal.now())["variablePrice"]["limit"] == {"amount": 3000, "currency": "NOK"}
