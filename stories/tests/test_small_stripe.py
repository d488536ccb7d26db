"""Small stories of people who pay with Stripe: its invoices and our books say the same, whatever goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

from stories.clients import Refused
from stories.world import Person, World

pytestmark = pytest.mark.story

CREATE = {"operationId": "PostSubscriptions"}


async def subscribe(world: World, person: Person, card: str = "visa", authentication: str | None = None) -> str:
    """Somebody begins a subscription and confirms it with a card; gives the agreement's id."""
    wish = {"email": f"{person.name.lower()}@film.example"}
    started = await person.provider.pay_with_stripe("checkout", world.houses.offer.product_id, **wish)
    await world.sandbox.confirm(started["clientSecret"], card, authentication)
    await world.settle()
    return str(started["agreementId"])


async def seen(person: Person, agreement_id: str) -> dict[str, Any]:
    (mine,) = [one for one in await person.provider.agreements() if one["agreementId"] == agreement_id]
    return mine


async def at_stripe(world: World, agreement_id: str) -> dict[str, Any]:
    """The subscription that an agreement is."""
    sandbox, provider = await world.exports()
    (ours,) = (a for a in provider["agreements"] if a["agreementId"] == agreement_id)
    (theirs,) = (s for s in sandbox["stripe"]["subscriptions"] if s["subscription"] in ours["gatewayAgreementIds"])
    return dict(theirs)


async def test_three_who_pay_with_stripe_and_one_with_vipps(world: World) -> None:
    """Ida declines at renewal and recovers, Jon must answer his bank, and Kari's bank takes money back."""
    ida, jon, kari = await world.person("Ida"), await world.person("Jon"), await world.person("Kari")
    anna = await world.shop.subscribe(await world.person("Anna"))
    first = await subscribe(world, ida, "sandboxFailsOnRenewal")
    second = await subscribe(world, jon, "threeDSecure2Required", "approve")
    third = await subscribe(world, kari)
    for person, agreement_id in ((ida, first), (jon, second), (kari, third)):
        now = await seen(person, agreement_id)
        assert (now["provider"], now["status"], now["charges"][0]["status"]) == ("stripe", "active", "paid")
    assert await world.audit() == []

    await world.advance_to("2027-03-03T12:00")
    failing = await seen(ida, first)
    assert [one["status"] for one in failing["charges"]] == ["paid", "open"]
    theirs = await at_stripe(world, first)
    card = await world.houses.stripe.call(
        "POST", "/payment_methods/pm_card_mastercard/attach", {"customer": theirs["customer"]}
    )
    await ida.provider.change_what_pays(card["id"])
    await world.advance_to("2027-03-10T12:00")
    assert [one["status"] for one in (await seen(ida, first))["charges"]] == ["paid", "paid"]

    capture = (await at_stripe(world, third))["invoices"][1]["payment"]["captures"][0]["charge"]
    dispute = await world.sandbox.dispute(capture)
    await world.settle()
    assert await world.audit() == []
    await world.sandbox.decide(dispute, "lost")
    await world.settle()
    disputed = (await seen(kari, third))["charges"][1]
    assert (disputed["status"], disputed["refunded"]) == ("refunded", 9900)

    await jon.provider.stop(second)
    await world.houses.stripe.call("DELETE", f"/subscriptions/{theirs['subscription']}")
    await world.advance_to("2027-04-02T12:00")
    assert [(await seen(p, a))["status"] for p, a in ((ida, first), (jon, second))] == ["stopped", "stopped"]
    assert await anna.status() == "active"


async def test_answers_and_webhooks_that_never_come_cost_time_and_no_money(world: World) -> None:
    liv = await world.person("Liv")
    await world.sandbox.fault({"webhook": "*"}, {"kind": "drop"}, times=1000)
    await world.sandbox.fault(CREATE, {"kind": "effect-then-close"})
    agreement_id = await subscribe(world, liv)
    assert len((await world.sandbox.export())["stripe"]["subscriptions"]) == 1
    await world.advance_to("2027-01-31T10:15")
    assert (await seen(liv, agreement_id))["status"] == "active"
    await world.advance_to("2027-03-01T12:00")
    assert [one["status"] for one in (await seen(liv, agreement_id))["charges"]] == ["paid", "paid"]


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
