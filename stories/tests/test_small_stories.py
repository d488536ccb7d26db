"""Small stories: one thing goes wrong, and both houses still end in the same state."""

from __future__ import annotations

from datetime import date

import pytest

from stories.clients import Refused
from stories.world import Line, World

pytestmark = pytest.mark.story

CREATE_CHARGE = {"method": "POST", "path": "/recurring/v3/agreements/[^/]+/charges"}
DRAFT = {"method": "POST", "path": "/recurring/v3/agreements"}


def paid(due: str, tries: int = 1) -> Line:
    return Line(due, "paid", tries, captured=9900)


async def test_a_declined_renewal_settles_when_the_money_comes(world: World) -> None:
    anna = await world.person("Anna", no_funds=[(date(2027, 2, 28), date(2027, 3, 3))])
    deal = await world.shop.subscribe(anna)
    await world.advance_to("2027-03-02T20:00")
    assert (await deal.charges())[1] == Line("2027-02-28", "open", 6, captured=0)
    await world.advance_to("2027-03-06")
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28", tries=7)]
    assert (await deal.now())["accessUntil"] == "2027-04-05T22:00:00Z"


async def test_a_renewal_that_never_finds_money_ends_the_agreement_and_the_access(world: World) -> None:
    anna = await world.person("Anna", no_funds=[(date(2027, 2, 28), date(2027, 5, 1))])
    deal = await world.shop.subscribe(anna)
    await world.advance_to("2027-03-10")
    assert await deal.charges() == [paid("2027-01-31"), Line("2027-02-28", "failed", 12, captured=0)]
    assert await deal.status() == "stopped"
    assert (await deal.now())["accessUntil"] == "2027-02-27T23:00:00Z"


async def test_what_the_owner_stops_on_the_phone_is_not_charged_again(world: World) -> None:
    deal = await world.shop.subscribe(await world.person("David"))
    await world.advance_to("2027-02-26")
    assert [line.status for line in await deal.charges()] == ["paid", "open"]
    await deal.stop_on_phone()
    assert await deal.status() == "stopped"
    await world.advance_to("2027-05-01")
    assert await deal.charges() == [paid("2027-01-31"), Line("2027-02-28", "cancelled", 0, captured=0)]
    assert (await deal.now())["accessUntil"] == "2027-02-27T23:00:00Z"


async def test_a_second_checkout_is_the_same_draft_and_then_a_conflict(world: World) -> None:
    anna = await world.person("Anna")
    first = await world.shop.checkout(anna)
    second = await world.shop.checkout(anna)
    assert (second.agreement_id, second.confirmation_url) == (first.agreement_id, first.confirmation_url)
    await first.open_phone()
    await world.settle()
    with pytest.raises(Refused) as refused:
        await world.shop.checkout(anna)
    assert (refused.value.status, refused.value.code) == (409, "agreement_active")
    assert refused.value.body["agreementId"] == first.agreement_id
    assert len(await first.at_gateway()) == 1


async def test_the_same_key_is_the_same_draft_and_no_other_wish(world: World) -> None:
    anna = await world.person("Anna")
    first = await world.shop.checkout(anna, key="basket-1")
    await world.sandbox.advance(by="PT9M")  # too late to be offered to somebody who asks anew
    assert (await world.shop.checkout(anna, key="basket-1")).confirmation_url == first.confirmation_url
    with pytest.raises(Refused) as refused:
        await anna.provider.checkout("film-month", key="basket-1", isApp=True)
    assert (refused.value.status, refused.value.code) == (409, "idempotency_conflict")


async def test_a_draft_that_took_effect_and_never_answered_is_one_agreement_in_the_end(world: World) -> None:
    anna = await world.person("Anna")
    await world.sandbox.fault(DRAFT, {"kind": "effect-then-hang"})
    deal = await world.shop.checkout(anna)
    await deal.open_phone()
    await world.settle()
    assert await deal.status() == "active"
    await world.advance_to("2027-03-01")
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]
    everywhere = [a["status"] for a in (await world.sandbox.export())["agreements"]]
    assert sorted(everywhere) == ["ACTIVE", "EXPIRED"]


@pytest.mark.parametrize("kind", ["effect-then-hang", "effect-then-close"])
async def test_a_charge_that_took_effect_and_never_answered_is_charged_once(world: World, kind: str) -> None:
    deal = await world.shop.subscribe(await world.person("Anna"))
    await world.sandbox.fault(CREATE_CHARGE, {"kind": kind})
    await world.advance_to("2027-03-01")
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]


async def test_a_webhook_that_never_comes_is_made_up_for_by_asking(world: World) -> None:
    deal = await world.shop.subscribe(await world.person("Anna"))
    await world.sandbox.fault({"webhook": "*"}, {"kind": "drop"}, times=1000)
    await world.advance_to("2027-03-08")
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]


async def test_webhooks_twice_and_in_the_wrong_order_change_nothing(world: World) -> None:
    await world.sandbox.fault({"webhook": "*"}, {"kind": "duplicate", "copies": 3}, times=4)
    await world.sandbox.fault({"webhook": "*"}, {"kind": "reorder"}, times=2)
    deal = await world.shop.subscribe(await world.person("Anna"))
    await world.advance_to("2027-03-08")
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]


async def test_a_gateway_that_fails_while_a_renewal_is_sent_costs_nothing(world: World) -> None:
    deal = await world.shop.subscribe(await world.person("Anna"))
    await world.sandbox.fault(CREATE_CHARGE, {"kind": "status", "status": 503}, times=4)
    await world.advance_to("2027-03-01")
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]


async def test_a_killed_gateway_comes_back_with_its_state_and_the_renewal_is_paid(world: World) -> None:
    deal = await world.shop.subscribe(await world.person("Anna"))
    await world.advance_to("2027-02-26")
    await world.houses.restart_sandbox()
    await world.advance_to("2027-03-01")
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]


async def test_a_killed_worker_leaves_no_renewal_undone(world: World) -> None:
    deal = await world.shop.subscribe(await world.person("Anna"))
    world.houses.add_worker("worker-2")
    world.houses.processes.kill("worker-1")
    await world.advance_to("2027-03-01")
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]
    world.houses.processes.restart("worker-1")
    await world.advance_to("2027-04-01")
    assert [line.status for line in await deal.charges()] == ["paid"] * 3
