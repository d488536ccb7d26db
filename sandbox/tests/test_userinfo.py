"""Userinfo: what a payer agreed to share with an agreement, and for how long it can be read."""

from __future__ import annotations

from typing import Any

import pytest

ANNA = "4791234567"
PATH = "/vipps-userinfo-api/userinfo"
ADDRESS = {"streetAddress": "Storgata 1", "postalCode": "0155", "region": "Oslo", "country": "NO"}


async def bearer(sandbox: Any) -> dict[str, str]:
    """The merchant's access token, and no subscription key."""
    return {"Authorization": (await sandbox.headers())["Authorization"]}


@pytest.mark.shows("operation:getUserinfo")
async def test_an_agreement_with_a_scope_leads_to_what_the_payer_shares(sandbox: Any) -> None:
    traits = {"name": "Anna Berg", "email": "anna@example.com", "birthDate": "1991-05-17", "nin": "17059112345"}
    await sandbox.person(ANNA, **traits, address=ADDRESS)
    agreement_id = await sandbox.agree(scope="name email birthDate phoneNumber address nin")
    agreement = await sandbox.fetch(agreement_id)
    assert agreement["userinfoUrl"] == f"{sandbox.url}{PATH}/{agreement['sub']}"
    reply = await sandbox.raw("GET", f"{PATH}/{agreement['sub']}", None, await bearer(sandbox))
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert reply.body == {
        "sub": agreement["sub"],
        "sid": reply["sid"],
        "name": "Anna Berg",
        "given_name": "Anna",
        "family_name": "Berg",
        "email": "anna@example.com",
        "email_verified": False,
        "birthdate": "1991-05-17",
        "phone_number": ANNA,
        "phone_number_verified": True,
        "nin": "17059112345",
        "address": {
            "address_type": "home",
            "street_address": "Storgata 1",
            "postal_code": "0155",
            "region": "Oslo",
            "country": "NO",
            "formatted": "Storgata 1\n0155 Oslo\nNO",
        },
        "other_addresses": [],
    }


async def test_only_what_was_asked_for_is_told_and_nobodys_address_is_empty(sandbox: Any) -> None:
    agreement_id = await sandbox.agree(scope="address")
    sub = (await sandbox.fetch(agreement_id))["sub"]
    told = (await sandbox.raw("GET", f"{PATH}/{sub}", None, await bearer(sandbox))).body
    assert set(told) == {"sub", "sid", "address", "other_addresses"}
    assert set(told["address"].values()) == {""}


async def test_a_subscription_key_may_be_sent_along(sandbox: Any) -> None:
    sub = (await sandbox.fetch(await sandbox.agree(scope="name")))["sub"]
    assert (await sandbox.call("GET", f"{PATH}/{sub}")).status == 200


@pytest.mark.shows("rule:T13")
async def test_it_can_be_read_for_168_hours_also_when_the_agreement_is_stopped(sandbox: Any) -> None:
    agreement_id = await sandbox.agree(scope="name")
    sub = (await sandbox.fetch(agreement_id))["sub"]
    await sandbox.call("PATCH", f"/recurring/v3/agreements/{agreement_id}", {"status": "STOPPED"})
    await sandbox.advance(by="P7D")
    assert (await sandbox.raw("GET", f"{PATH}/{sub}", None, await bearer(sandbox))).status == 200
    await sandbox.advance(by="PT1S")
    late = await sandbox.raw("GET", f"{PATH}/{sub}", None, await bearer(sandbox))
    assert (late.status, late["status"]) == (403, "403")
    assert set(late.body) == {"type", "title", "status", "detail", "instance", "extraInfo"}
    await sandbox.agree(scope="name")
    assert (await sandbox.raw("GET", f"{PATH}/{sub}", None, await bearer(sandbox))).status == 200


async def test_no_scope_no_sub(sandbox: Any) -> None:
    agreement = await sandbox.fetch(await sandbox.agree())
    assert (agreement["sub"], agreement["userinfoUrl"]) == (None, None)


async def test_who_may_not_read(sandbox: Any) -> None:
    sub = (await sandbox.fetch(await sandbox.agree(scope="name")))["sub"]
    token = await bearer(sandbox)
    for path, headers, status in (
        (f"{PATH}/{sub}", {}, 401),
        (f"{PATH}/{sub}", {"Authorization": "Bearer nonsense"}, 401),
        (f"{PATH}/{sub}", {"Authorization": token["Authorization"].lower()}, 401),
        (f"{PATH}/{sub}", token | {"Merchant-Serial-Number": "999999"}, 403),
        (f"{PATH}/00000000-0000-4000-8000-000000000000", token, 404),
        # The merchant's own token tells of nobody's sign-in.
        (PATH, token, 401),
    ):
        reply = await sandbox.raw("GET", path, None, headers)
        assert (reply.status, reply["status"]) == (status, str(status)), path
    other = {
        "clientId": "other-id",
        "clientSecret": "other-secret",
        "subscriptionKey": "other-key",
        "merchantSerialNumber": "654321",
    }
    await sandbox.control("POST", "/merchants", other)
    sandbox.keys = {
        "client_id": "other-id",
        "client_secret": "other-secret",
        "Ocp-Apim-Subscription-Key": "other-key",
    }
    sandbox.token = ""
    assert (await sandbox.raw("GET", f"{PATH}/{sub}", None, await bearer(sandbox))).status == 404


async def test_a_deleted_profile_tells_nothing(sandbox: Any) -> None:
    sub = (await sandbox.fetch(await sandbox.agree(scope="name")))["sub"]
    await sandbox.control("DELETE", f"/people/{ANNA}")
    assert (await sandbox.raw("GET", f"{PATH}/{sub}", None, await bearer(sandbox))).status == 404


async def test_what_was_shared_is_known_after_a_reset_of_nothing_but_the_process(sandbox: Any) -> None:
    """Consents are rows like others: they are there again when the rows are loaded anew."""
    sub = (await sandbox.fetch(await sandbox.agree(scope="name")))["sub"]
    sandbox.world._load_rows(None)
    assert (await sandbox.raw("GET", f"{PATH}/{sub}", None, await bearer(sandbox)))["name"] == "Anna Berg"
