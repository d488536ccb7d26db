"""Express: the payer chooses where and how it is sent, and the shop is asked when it wants to be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

KARI = "4790000005"
SCOPE = {"scope": "name address email phoneNumber"}


def option(key: str, value: int, **more: Any) -> dict[str, Any]:
    return {"id": key, "amount": {"currency": "NOK", "value": value}, "name": f"Way {key}", **more}


GROUPS = [
    {"type": "PICKUP_POINT", "brand": "POSTEN", "options": [option("shop", 500), option("box", 300)]},
    {"type": "HOME_DELIVERY", "brand": "BRING", "isDefault": True, "options": [option("door", 900)]},
]


@pytest.fixture(autouse=True)
async def kari(till: Any) -> None:
    """Somebody who lives somewhere, and a sales unit that may use Express."""
    await till.allow(expressAllowed=True)
    home = {"streetAddress": "Storgata 1", "postalCode": "0155", "region": "Oslo", "country": "NO"}
    await till.sandbox.person(KARI, name="Kari Dahl", email="kari@example.com", address=home)


class Shop:
    """A shop that is asked how it delivers."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[Any, str | None]] = []
        self.answer: tuple[int, Any] = (200, {"groups": GROUPS})
        self.in_parts = False

    async def hear(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((await request.json(), request.headers.get("Authorization")))
        status, body = self.answer
        if self.in_parts:
            reply = web.StreamResponse()
            await reply.prepare(request)
            for octet in json.dumps(body):
                await reply.write(octet.encode())
                await asyncio.sleep(0)
            return reply
        return web.Response(status=status, text=body if isinstance(body, str) else json.dumps(body))


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    application = web.Application()
    application.router.add_post("/ways", shop.hear)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ways"
    yield shop
    await runner.cleanup()


async def test_the_chosen_delivery_is_added_and_told(till: Any, told: Any, quiet: Any) -> None:
    for chosen, cost in ((None, 900), ("shop", 500)):
        reference, _ = await till.created(profile=SCOPE, shipping={"fixedOptions": GROUPS})
        path = f"/phone/{KARI}/payments/{reference}/approve"
        reply = await till.sandbox.control("POST", path, {"shippingOptionId": chosen})
        assert reply["decision"] == "approved", reply.body
        payment = (await till.get(reference)).body
        assert payment["amount"]["value"] == 4900
        assert payment["aggregate"]["authorizedAmount"]["value"] == 4900 + cost
        details = {
            "address": {"addressLine1": "Storgata 1", "city": "Oslo", "country": "NO", "postCode": "0155"},
            "shippingCost": cost,
            "shippingOptionId": chosen or "door",
            "shippingOptionName": f"Way {chosen or 'door'}",
        }
        assert payment["shippingDetails"] == details
        assert (await till.capture(reference, 4900 + cost)).status == 200
        await quiet()
        (event,) = [one for one in told.got if one["reference"] == reference and one["name"] == "AUTHORIZED"]
        assert (event["shippingDetails"], event["amount"]["value"]) == (details, 4900 + cost)


async def test_the_shop_is_asked_with_the_address_and_its_own_token(till: Any, shop: Any) -> None:
    dynamic = {"callbackUrl": shop.url, "callbackAuthorizationToken": "only-between-us"}
    reference, url = await till.created(profile=SCOPE, shipping={"dynamicOptions": dynamic})
    await till.sandbox.person("4790000008", temperament="approves")
    assert (await till.open(url, KARI))["state"] == "CREATED"
    path = f"/phone/{KARI}/payments/{reference}/approve"
    assert (await till.sandbox.control("POST", path, {"shippingOptionId": "box"}))["decision"] == "approved"
    question = {
        "reference": reference,
        "addressLine1": "Storgata 1",
        "city": "Oslo",
        "country": "NO",
        "postCode": "0155",
    }
    assert shop.asked == [(question, "only-between-us")]
    assert (await till.get(reference))["shippingDetails"]["shippingCost"] == 300


async def test_an_answer_may_come_in_parts(till: Any, shop: Any) -> None:
    shop.in_parts = True
    reference, _ = await till.created(profile=SCOPE, shipping={"dynamicOptions": {"callbackUrl": shop.url}})
    assert (await till.decide("approve", reference, KARI))["decision"] == "approved"
    assert (await till.get(reference))["shippingDetails"]["shippingCost"] == 900
    shop.answer = (200, {"groups": GROUPS, "more": "x" * 300_000})
    shop.in_parts = False
    reference, _ = await till.created(profile=SCOPE, shipping={"dynamicOptions": {"callbackUrl": shop.url}})
    assert "longer than" in (await till.decide("approve", reference, KARI))["reason"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, {}), "cannot send it there"),
        ((500, {}), "cannot send it there"),
        ((200, "nonsense"), "did not say"),
        ((200, {"groups": []}), "at least one option"),
        ((200, {"groups": [GROUPS[0], GROUPS[0]]}), "one group for each type and brand"),
        ((200, {"groups": [{"type": "PIGEON", "brand": "POSTEN", "options": []}]}), "groups[0].type"),
        ((200, {}), "groups"),
    ],
)
async def test_a_shop_that_gives_no_good_answer(till: Any, shop: Any, answer: Any, words: str) -> None:
    shop.answer = answer
    reference, _ = await till.created(profile=SCOPE, shipping={"dynamicOptions": {"callbackUrl": shop.url}})
    reply = await till.decide("approve", reference, KARI)
    assert (reply["decision"], reply["state"]) == ("failed", "CREATED")
    assert words in reply["reason"]
    # It can be tried again.
    shop.answer = (200, {"groups": GROUPS})
    assert (await till.decide("approve", reference, KARI))["decision"] == "approved"


async def test_it_is_sent_only_where_the_shop_sends(till: Any, shop: Any) -> None:
    copenhagen = {"streetAddress": "Gade 1", "postalCode": "1050", "region": "København", "country": "DK"}
    await till.sandbox.person("4540000001", address=copenhagen)
    for person in ("4540000001", "4790000009"):
        for shipping in ({"fixedOptions": GROUPS}, {"dynamicOptions": {"callbackUrl": shop.url}}):
            reference, _ = await till.created(profile=SCOPE, shipping=shipping)
            assert (await till.decide("approve", reference, person))["decision"] == "failed"
    assert shop.asked == []
    allowed = {"fixedOptions": GROUPS, "allowedCountries": ["NO", "DK"]}
    assert await till.paid("4540000001", profile=SCOPE, shipping=allowed)


async def test_express_cannot_be_force_approved(till: Any) -> None:
    reference, _ = await till.created(profile=SCOPE, shipping={"fixedOptions": GROUPS})
    refused = await till.force(reference, {"customer": {"phoneNumber": KARI}})
    assert (refused.status, refused["extraDetails"][0]["reason"]) == (400, "10060")


async def test_the_page_offers_the_ways_of_delivery(till: Any, shop: Any) -> None:
    reference, url = await till.created(
        profile=SCOPE, shipping={"dynamicOptions": {"callbackUrl": shop.url}}, customer={"phoneNumber": KARI}
    )
    path = url.removeprefix(till.sandbox.url)
    page = (await till.sandbox.raw("GET", path)).body.decode()
    assert [page.index(f"Way {way}") for way in ("door", "shop", "box")] == sorted(
        page.index(f"Way {way}") for way in ("door", "shop", "box")
    )
    form = f"person={KARI}&decision=approve&delivery=box".encode()
    headers = {"Origin": till.sandbox.url, "Content-Type": "application/x-www-form-urlencoded"}
    async with asyncio.timeout(10):
        async with till.sandbox.http.post(
            till.sandbox.url + path, data=form, headers=headers, allow_redirects=False
        ) as reply:
            assert reply.status == 303
    assert (await till.get(reference))["shippingDetails"]["shippingOptionId"] == "box"
