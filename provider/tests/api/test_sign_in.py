"""Sign-in with Vipps through the tenant's own exchange, and the object that entitlements are read from."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from .conftest import Answer, World

BACK = "https://film.example/signed-in"
PARAMETERS = "/api/v1/provider/vipps/login/parameters/nordlys/film"
TOKEN = "/api/v1/provider/vipps/login/oauth2/token/nordlys/film"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def code_of(world: World, start: dict[str, Any]) -> str:
    """A test person signs in at Vipps, as a browser that was sent there with these parameters."""
    query = {
        "response_type": start["responseType"],
        "client_id": start["clientId"],
        "redirect_uri": start["redirectUris"][0],
        "scope": start["scope"],
        "state": "a-state-of-eight-or-more",
    }
    url = f"{start['authorizationEndpoint']}?{urlencode(query)}"
    async with world.http.post(url, data={"person": "4791234567"}, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        said = parse_qs(urlsplit(answer.headers["Location"]).query)
    return said["code"][0]


async def exchange(world: World, path: str = TOKEN, **form: str) -> Answer:
    wish = {"grant_type": "authorization_code", "redirect_uri": BACK} | form
    return await world.call("POST", path, data=urlencode(wish).encode(), headers=FORM)


@pytest.mark.shows("payments:getV1ProviderVippsLoginParameters", "payments:postV1ProviderVippsLoginOauth2Token")
async def test_a_person_signs_in_and_the_secret_stays_here(world: World) -> None:
    told = await world.call("GET", PARAMETERS)
    start = told.json
    assert start["authorizationEndpoint"].startswith(world.sandbox)
    assert start["tokenEndpoint"] == f"{world.film.public_url}{TOKEN}"
    assert b"secret" not in told.body
    code = await code_of(world, start)
    answer = await exchange(world, code=code)
    assert answer.status == 200, answer.body
    assert answer.json["token_type"].lower() == "bearer"
    assert answer.json["id_token"].count(".") == 2
    assert answer.headers["Cache-Control"] == "no-store"
    again = await exchange(world, code=code)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("address", [f"{BACK}/", "https://attacker.example/", "https://film.example/signed-in?x=1"])
async def test_a_code_for_any_other_address_is_not_exchanged(world: World, address: str) -> None:
    code = await code_of(world, (await world.call("GET", PARAMETERS)).json)
    answer = await exchange(world, code=code, redirect_uri=address)
    assert (answer.status, answer.json["error"]) == (400, "invalid_grant")
    assert (await exchange(world, code=code)).status == 200  # it was not spent


@pytest.mark.shows("payments:postV1ProviderVippsLoginOauth2Token")
async def test_what_is_no_exchange_is_refused_as_oauth_says(world: World) -> None:
    assert (await exchange(world, code="none")).json["error"] == "invalid_grant"
    assert (await exchange(world, code="x", grant_type="client_credentials")).json["error"] == "unsupported_grant_type"
    assert (await exchange(world)).json["error"] == "invalid_request"
    twice = await world.call("POST", TOKEN, data=b"code=a&code=b&grant_type=authorization_code", headers=FORM)
    assert (twice.status, twice.json["error"]) == (400, "invalid_request")
    for body, kind in ((b"\xff=%ff&code=1", FORM["Content-Type"]), (b"{}", "application/json")):
        answer = await world.call("POST", TOKEN, data=body, headers={"Content-Type": kind})
        assert (answer.status, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.shows("payments:getV1ProviderVippsLoginParameters", "payments:postV1ProviderVippsLoginOauth2Token")
async def test_a_tenant_without_sign_in_and_one_that_is_none(world: World) -> None:
    for name, code in (("nordlys/avis", "login_not_configured"), ("nordlys/nobody", "tenant_unknown")):
        path = f"/api/v1/provider/vipps/login/parameters/{name}"
        assert ((found := await world.call("GET", path)).status, found.code) == (404, code)
        path = f"/api/v1/provider/vipps/login/oauth2/token/{name}"
        assert ((found := await exchange(world, path, code="x")).status, found.code) == (404, code)


async def test_a_vipps_that_does_not_answer(world: World) -> None:
    await world.script("oauth2Token", kind="status", status=503)
    answer = await exchange(world, code="x")
    assert (answer.status, answer.code) == (504, "gateway_unknown")


@pytest.mark.shows("payments:postV1AuthSetup")
async def test_the_object_of_entitlements_is_made_once_and_takes_nothing_away(world: World) -> None:
    path = "/api/v1/auth/setup"
    first, second = await asyncio.gather(*(world.call("POST", path, token=world.anna()) for _ in range(2)))
    assert first.json == second.json
    assert first.json["entitlements"] == []
    agreement = await world.paid()
    later = (await world.call("POST", path, token=world.anna())).json
    assert later["createdAt"] == first.json["createdAt"]
    assert later["entitlements"] == [
        {
            "productId": "film-month",
            "accessUntil": agreement["accessUntil"],
            "agreementId": agreement["agreementId"],
            "purchaseId": None,
        }
    ]
    assert (await world.call("POST", path, token=world.bjorn())).json["entitlements"] == []
    assert (await world.call("POST", path)).status == 401
    assert (await world.call("POST", path, token=world.anna(), host="avis.localhost")).status == 401
