"""Small stories of a subscription's life: campaigns, prices that vary, and what their owners decide."""

from __future__ import annotations

import pytest

from stories.world import Line, World

pytestmark = pytest.mark.story


def paid(due: str, captured: int = 9900, tries: int = 1) -> Line:
    return Line(due, "paid", tries, captured)


async def test_campaigns_change_what_the_first_periods_cost_and_nothing_else(world: World) -> None:
    anna = await world.shop.subscribe(await world.person("Anna"), campaign="three-months")
    bo = await world.shop.subscribe(await world.person("Bo"), campaign="spring")
    cecilie = await world.shop.subscribe(await world.person("Cecilie"), campaign="festival")
    (shown,) = await anna.at_gateway()
    assert [charge["amount"] for charge in shown["charges"]] == [14900]
    assert (await bo.now())["campaign"]["price"] == {"amount": 0, "currency": "NOK"}
    await world.advance_to("2027-05-20")
    # Three months for one sum, and then by the month from the day on which they ended.
    assert await anna.charges() == [paid("2027-01-31", 14900), paid("2027-04-30")]
    # Free until 15 March; the first ordinary price is that of the period which begins after it.
    free = [Line(due, "waived", 0, 0) for due in ("2027-01-31", "2027-02-28")]
    assert await bo.charges() == [*free, paid("2027-03-31"), paid("2027-04-30")]
    assert await cecilie.charges() == [
        paid("2027-01-31", 4900),
        paid("2027-03-10"),
        paid("2027-04-10"),
        paid("2027-05-10"),
    ]


async def test_a_limit_that_is_too_low_is_the_reason_that_the_charge_fails_with(world: World) -> None:
    stingy = await world.person("Stine")
    await world.sandbox.change_person(stingy.phone_number, maxAmount=3000)
    deal = await world.shop.subscribe(stingy, product="film-metered")
    await world.advance_to("2027-03-08")
    assert [(line.status, line.captured) for line in await deal.charges()] == [("paid", 4900), ("failed", 0)]
    assert (await deal.now())["charges"][1]["failureReason"] == "charge_amount_too_high"
    assert (await deal.now())["variablePrice"]["limit"] == {"amount": 3000, "currency": "NOK"}
