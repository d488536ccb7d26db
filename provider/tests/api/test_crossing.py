"""Browsers on other origins, and paths that carry ids and what must be encoded."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from sqlalchemy import select

from avtale.api.payments.people import encode_subject
from avtale.storage import tables

from .conftest import World, serving

SHOP = "https://film.example"
ASK = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}


async def allow(world: World, *origins: str) -> None:
    async with world.db.routing() as tx:
        mine = tables.tenants.c.tenant_id == world.film.id
        await tx.conn.execute(tables.tenants.update().where(mine).values(origins=list(origins)))


@pytest.mark.parametrize(
    ("asks", "reads"),
    [
        ("/api/v1/pay/vipps/checkout", "/api/v1/agreements"),
        ("/v1/customer/payment/vipps/agreement", "/v1/customer/payment/vipps/agreement"),
    ],
)
async def test_a_page_of_a_listed_origin_may_call(world: World, asks: str, reads: str) -> None:
    await allow(world, SHOP)
    async with serving(world.house) as world.url:
        asked = await world.call("OPTIONS", asks, headers={"Origin": SHOP} | ASK)
        assert (asked.status, asked.body) == (204, b"")
        assert asked.headers["Access-Control-Allow-Origin"] == SHOP
        assert "Idempotency-Key" in asked.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in asked.headers
        for token, status in ((world.anna(), 200), (None, 401)):
            answer = await world.call("GET", reads, token=token, headers={"Origin": SHOP})
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, SHOP)
            assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
            assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://film.example", "https://film.example:444", "null"])
async def test_a_page_of_any_other_origin_may_not(world: World, origin: str) -> None:
    await allow(world, SHOP)
    async with serving(world.house) as world.url:
        asked = await world.call("OPTIONS", "/api/v1/agreements", headers={"Origin": origin} | ASK)
        assert asked.status == 405
        answer = await world.call("GET", "/api/v1/agreements", token=world.anna(), headers={"Origin": origin})
        assert answer.status == 200
        for one in (asked, answer):
            assert "Access-Control-Allow-Origin" not in one.headers
            assert "Origin" in one.headers["Vary"]


async def test_an_origin_is_listed_for_one_tenant(world: World) -> None:
    await allow(world, SHOP)
    async with serving(world.house) as world.url:
        headers = {"Origin": SHOP}
        for path, host in (("/api/v1/agreements", "avis.localhost"), ("/docs", None), ("/api/v1/x", "radio.localhost")):
            answer = await world.call("GET", path, headers=headers, host=host)
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.shows("payments:getV1AgreementsAdmin", "payments:postV1AgreementsAdminStop")
@pytest.mark.parametrize("subject", ["https://id.example/users/7", "50%2F50", "a%b", "å|/ø", "a/b"])
async def test_a_subject_of_any_letters_is_found_in_both_encodings(world: World, subject: str) -> None:
    gift = {"subject": subject, "productId": "film-month", "reason": "repair", "end": "2027-03-01"}
    given = await world.call("POST", "/api/v1/agreements/admin/create", token=world.admin(), json=gift)
    for encoded in (quote(subject, safe=""), encode_subject(subject)):
        found = await world.call("GET", f"/api/v1/agreements/admin/{encoded}", token=world.admin())
        assert found.json == {"agreements": [given.json]}, encoded
    path = f"/api/v1/agreements/admin/{quote(subject, safe='')}/{given.json['agreementId']}/stop"
    assert (await world.call("POST", path, token=world.admin())).json["status"] == "stopped"
    missing = await world.call("GET", f"/api/v1/agreements/admin/x{quote(subject, safe='')}", token=world.admin())
    assert missing.code == "person_unknown"
    assert unquote(missing.json["instance"]) == f"/api/v1/agreements/admin/x{subject}"


@pytest.mark.shows("payments:postV1WebhookVipps")
async def test_a_path_names_a_tenant_by_its_ids_as_well(world: World) -> None:
    async with world.db.routing() as tx:
        organization = (await tx.conn.execute(select(tables.organizations.c.id))).scalar_one()
    for path, code in (
        (f"{organization}/{world.film.id}", "webhook_not_authentic"),
        ("nordlys/film", "webhook_not_authentic"),
        (f"{world.film.id}/{organization}", "tenant_unknown"),
        (f"{world.avis.id}/{world.film.id}", "tenant_unknown"),
        (f"nordlys/{world.film.id}", "tenant_unknown"),
    ):
        answer = await world.call("POST", f"/api/v1/webhook/vipps/{path}", data=b"{}")
        assert (answer.status, answer.code) == (400, code), path
