"""Webhooks: only what Vipps has signed is taken in, once, and always answered 200 then."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from email.utils import formatdate
from time import time
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import select

from avtale.service.registering import ensure_webhook, live_secrets
from avtale.storage import tables

from .conftest import Answer, World

PATH = "/api/v1/webhook/vipps/nordlys/film"
EVENT = {
    "eventType": "recurring.charge-captured.v1",
    "msn": "123456",
    "agreementId": "agr_unknown",
    "chargeId": "8f8e0b0e-0000-4000-8000-000000000001",
    "occurred": "2027-01-15T09:00:00Z",
    "amount": 9900,
}


@pytest.fixture
async def secret(world: World) -> str:
    """The secret of the registration at the sandbox."""
    await ensure_webhook(world.db, world.house.gateways, world.house.sealer, world.film)
    async with world.db.tenant(world.film.id) as tx:
        (only,) = await live_secrets(tx, world.house.sealer)
    return only


def signed(url: str, secret: str, body: bytes, *, age_seconds: float = 0) -> dict[str, str]:
    """The headers of a delivery, made as Vipps describes them and not with our own code."""
    date = formatdate(time() - age_seconds, usegmt=True)
    content = base64.b64encode(hashlib.sha256(body).digest()).decode()
    parts = urlsplit(url)
    said = f"POST\n{parts.path}\n{date};{parts.netloc};{content}"
    proof = base64.b64encode(hmac.digest(secret.encode(), said.encode(), "sha256")).decode()
    return {
        "Content-Type": "application/json",
        "x-ms-date": date,
        "x-ms-content-sha256": content,
        "Authorization": f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={proof}",
    }


async def deliver(world: World, secret: str, event: Any = None, path: str = PATH, **more: Any) -> Answer:
    body = event if isinstance(event, bytes) else json.dumps(EVENT | (event or {})).encode()
    headers = signed(f"{world.url}{PATH}", secret, body, **more)
    return await world.call("POST", path, data=body, headers=headers)


async def kept(world: World) -> list[str]:
    async with world.db.tenant(world.film.id) as tx:
        return list((await tx.conn.execute(select(tables.inbox.c.status))).scalars())


@pytest.mark.shows("payments:postV1WebhookVipps")
async def test_an_authentic_event_is_kept_once_however_often_it_comes(world: World, secret: str) -> None:
    answers = [await deliver(world, secret) for _ in range(3)]
    answers += await asyncio.gather(*(deliver(world, secret, {"amount": 1}) for _ in range(5)))
    assert {one.status for one in answers} == {200}
    assert answers[0].json == {"received": True}
    assert await kept(world) == ["new", "new"]


async def test_an_event_about_nothing_of_ours_is_answered_and_parked(world: World, secret: str) -> None:
    assert (await deliver(world, secret)).status == 200
    await world.settle()
    assert await kept(world) == ["parked"]


async def test_an_event_of_a_payment_settles_its_purchase_and_one_of_another_is_parked(
    world: World, secret: str
) -> None:
    """As the sandbox itself delivers them: registered with the others, signed, and with no `eventType`."""
    phone = f"47{uuid4().int % 10**8:08}"
    await world.control("POST", "/people", {"phoneNumber": phone, "name": "Anna", "temperament": "approves"})
    started = await world.draft(productId="film-rent")
    await world.control("POST", f"/phone/{phone}/open", {"url": started["confirmationUrl"]})
    (theirs,) = (await world.control("GET", "/export"))["payments"]
    event = {
        "msn": "123456",
        "reference": theirs["reference"],
        "pspReference": theirs["history"][-1]["pspReference"],
        "name": "AUTHORIZED",
        "amount": {"currency": "NOK", "value": 3900},
        "timestamp": "2027-01-15T09:00:00.000Z",
        "success": True,
    }
    foreign = event | {"reference": "somebody-elses-order"}
    for one in (event, event, foreign):
        assert (await deliver(world, secret, json.dumps(one).encode())).status == 200
    for _ in range(3):
        await world.settle()
    assert sorted(set(await kept(world))) == ["done", "parked"]
    (purchase,) = (await world.call("GET", "/api/v1/purchases", token=world.anna())).json["purchases"]
    assert (purchase["status"], purchase["charge"]["captured"]) == ("paid", 3900)


async def test_the_host_that_a_proxy_calls_plays_no_part(world: World, secret: str) -> None:
    body = json.dumps(EVENT).encode()
    headers = signed(f"{world.url}{PATH}", secret, body)
    answer = await world.call("POST", f"{PATH}/", data=body, headers=headers, host="internal.example:8080")
    assert answer.status == 200


@pytest.mark.shows("payments:postV1WebhookVipps")
async def test_what_vipps_has_not_signed_is_refused(world: World, secret: str) -> None:
    body = json.dumps(EVENT).encode()
    good = signed(f"{world.url}{PATH}", secret, body)
    forgeries: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer x"},
        signed(f"{world.url}{PATH}", "another secret", body),
        signed(f"{world.url}{PATH}", "", body),
        signed(f"{world.url}{PATH}", secret, body + b" "),
        signed(f"{world.url}/api/v1/webhook/vipps/nordlys/avis", secret, body),
        signed("https://evil.example" + PATH, secret, body),
        signed(f"{world.url}{PATH}", secret, body, age_seconds=3600),
        signed(f"{world.url}{PATH}", secret, body, age_seconds=-3600),
        good | {"x-ms-date": "yesterday"},
        good | {"x-ms-content-sha256": "AAAA"},
        good | {"Authorization": good["Authorization"][:-2]},
        good | {"Authorization": "\xe6\xf8\xe5"},
    ]
    for number, headers in enumerate(forgeries):
        answer = await world.call("POST", PATH, data=body, headers=headers)
        assert (answer.status, answer.code) == (400, "webhook_not_authentic"), number
    assert await kept(world) == []


@pytest.mark.shows("payments:postV1WebhookVipps")
async def test_the_other_tenants_secret_proves_nothing_here(world: World, secret: str) -> None:
    body = json.dumps(EVENT).encode()
    other = "/api/v1/webhook/vipps/nordlys/avis"
    answer = await world.call("POST", other, data=body, headers=signed(f"{world.url}{other}", secret, body))
    assert (answer.status, answer.code) == (400, "webhook_not_authentic")


async def test_without_a_registration_nothing_is_authentic(world: World) -> None:
    assert (await deliver(world, "")).code == "webhook_not_authentic"


async def test_an_address_of_nobody(world: World) -> None:
    for names in ["nordlys/radio", "sydlys/film", "Nordlys/film", "nordlys/%00", "nordlys/film%0a", "../film"]:
        answer = await world.call("POST", f"/api/v1/webhook/vipps/{names}", data=b"{}")
        assert (answer.status, answer.code) in ((400, "tenant_unknown"), (404, "route_unknown")), names


async def test_an_authentic_body_that_is_no_event_is_refused(world: World, secret: str) -> None:
    for body in (b"", b"{", b"[]", b"\xff", b"{}", b"[" * 50_000, b'{"eventType": 7}', b'{"eventType": "epayments.x"}'):
        answer = await deliver(world, secret, body)
        assert (answer.status, answer.code) == (400, "webhook_unreadable"), body[:40]


async def test_an_event_with_letters_that_a_database_cannot_keep(world: World, secret: str) -> None:
    for name in ("agr_\u0000", "agr_\ud800"):
        answer = await deliver(world, secret, {"agreementId": name})
        assert answer.status in (200, 400), answer.body


async def test_a_body_beyond_all_measure_is_not_read(world: World, secret: str) -> None:
    answer = await deliver(world, secret, b" " * (1024 * 1024 + 1))
    assert (answer.status, answer.code) == (413, "body_too_large")


async def test_the_sandbox_delivers_and_we_read_the_truth(world: World, secret: str) -> None:
    await world.subscribe()
    await world.control("POST", "/clock/advance", {"by": "PT1M"})
    delivered = await world.control("GET", "/webhooks/deliveries")
    assert delivered
    assert await kept(world)
    await world.settle()
    assert set(await kept(world)) == {"done"}
    (receipt,) = (await world.call("GET", "/api/v1/receipt", token=world.anna())).json["receipts"]
    assert receipt["amount"]["amount"] == 9900
