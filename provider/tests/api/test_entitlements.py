"""What people may use now: read by themselves, by administrators, and as the claims of a token."""

from __future__ import annotations

from datetime import timedelta

import pytest

from avtale.api.payments.people import encode_subject
from avtale.service.turning import turn_clock

from .conftest import START, World

MINE = "/api/v1/entitlements"
OF_ANNA = f"{MINE}/admin/{encode_subject('auth0|anna')}"


@pytest.mark.shows(
    "payments:listV1Entitlements",
    "payments:postV1EntitlementsCheck",
    "payments:getV1EntitlementsAdmin",
    "payments:getV1EntitlementsAdminClaim",
)
async def test_what_is_paid_may_be_used_until_it_ends(world: World) -> None:
    agreement = await world.paid()
    admin, anna = world.admin(), world.anna()
    mine = (await world.call("GET", MINE, token=anna)).json
    (access,) = mine["entitlements"]
    assert access == {
        "productId": "film-month",
        "accessUntil": agreement["accessUntil"],
        "agreementId": agreement["agreementId"],
        "purchaseId": None,
    }
    assert (await world.call("GET", OF_ANNA, token=admin)).json == mine
    wish = {"productIds": ["film-month", "film-rent"]}
    assert (await world.call("POST", f"{MINE}/check", token=anna, json=wish)).json == mine
    wish = {"productIds": ["film-rent"]}
    assert (await world.call("POST", f"{MINE}/check", token=anna, json=wish)).json == {"entitlements": []}
    claim = (await world.call("GET", f"{OF_ANNA}/claim", token=admin)).json
    assert claim["claims"] == {"entitlements": ["film-month"], "has_more_tvod": False}
    assert claim["holdsUntil"] == access["accessUntil"]

    await turn_clock(world.db, START + timedelta(days=400), running=False)
    assert (await world.call("GET", MINE, token=anna)).json == {"entitlements": []}
    claim = (await world.call("GET", f"{OF_ANNA}/claim", token=admin)).json
    assert claim == {"claims": {"entitlements": [], "has_more_tvod": False}, "holdsUntil": None}
    nobody = f"{MINE}/admin/{encode_subject('nobody')}/claim"
    assert (await world.call("GET", nobody, token=admin)).code == "person_unknown"
    assert (await world.call("GET", OF_ANNA, token=anna)).code == "admin_only"
