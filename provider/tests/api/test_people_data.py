"""A person's data over HTTP."""

from __future__ import annotations

import pytest

from avtale.api.payments.people import encode_subject

from .conftest import World

OF_ANNA = f"/api/v1/people/admin/{encode_subject('auth0|anna')}"


@pytest.mark.shows("payments:getV1PeopleMe", "payments:getV1PeopleAdmin", "payments:postV1PeopleAdminErase")
async def test_somebody_reads_their_data_and_is_erased_when_all_has_ended(world: World) -> None:
    agreement = await world.paid()
    mine = (await world.call("GET", "/api/v1/people/me", token=world.anna())).json["records"]
    assert [row["id"] for row in mine["agreements"]] == [agreement["agreementId"]]
    assert (await world.call("GET", "/api/v1/people/me", token=world.bjorn())).json == {"records": {}}
    told = (await world.call("GET", OF_ANNA, token=world.admin())).json["records"]
    assert told["receipts"] == mine["receipts"]
    assert (await world.call("GET", OF_ANNA, token=world.anna())).code == "admin_only"

    wish = {"why": "Asked for it in writing"}
    refused = await world.call("POST", f"{OF_ANNA}/erase", token=world.admin(), json=wish)
    assert (refused.status, refused.code) == (409, "person_active")
    await world.call("POST", f"/api/v1/agreements/{agreement['agreementId']}/stop", token=world.anna())
    await world.settle()
    erased = await world.call("POST", f"{OF_ANNA}/erase", token=world.admin(), json=wish)
    assert erased.status == 200, erased.body
    assert (await world.call("GET", "/api/v1/people/me", token=world.anna())).json == {"records": {}}
    assert (await world.call("POST", f"{OF_ANNA}/erase", token=world.admin(), json=wish)).code == "person_unknown"


async def test_who_has_bought_nothing_is_somebody_all_the_same(world: World) -> None:
    of_bjorn = f"/api/v1/people/admin/{encode_subject('auth0|bjørn')}"
    claim = f"/api/v1/entitlements/admin/{encode_subject('auth0|bjørn')}/claim"
    assert (await world.call("GET", of_bjorn, token=world.admin())).code == "person_unknown"
    await world.call("POST", "/api/v1/auth/setup", token=world.bjorn())
    mine = (await world.call("GET", "/api/v1/people/me", token=world.bjorn())).json
    assert list(mine["records"]) == ["entitlement_objects"]
    assert (await world.call("GET", of_bjorn, token=world.admin())).json == mine
    assert (await world.call("GET", claim, token=world.admin())).json["claims"]["entitlements"] == []

    wish = {"why": "Asked for it in writing"}
    assert (await world.call("POST", f"{of_bjorn}/erase", token=world.admin(), json=wish)).status == 200
    assert (await world.call("GET", "/api/v1/people/me", token=world.bjorn())).json == {"records": {}}
    assert (await world.call("GET", of_bjorn, token=world.admin())).code == "person_unknown"
