"""Events over HTTP: a stream with cursors, and endpoints that administrators add, switch on and take away."""

from __future__ import annotations

import pytest

from .conftest import World

EVENTS = "/api/v1/events"
ENDPOINTS = "/api/v1/events/endpoints"


@pytest.mark.shows("payments:listV1Events")
async def test_the_stream_is_read_from_cursor_to_cursor(world: World) -> None:
    agreement = await world.paid()
    first = (await world.call("GET", f"{EVENTS}?limit=2", token=world.admin())).json
    assert [event["type"] for event in first["events"]] == ["agreement.activated", "charge.paid"]
    paid = first["events"][1]
    assert (paid["agreementId"], paid["agreementSeq"], paid["subject"]) == (agreement["agreementId"], 2, "auth0|anna")
    assert paid["data"]["amount"] == 9900
    assert first["next"] == paid["cursor"]
    rest = (await world.call("GET", f"{EVENTS}?after={first['next']}", token=world.admin())).json
    assert [event["type"] for event in rest["events"]] == ["access.extended"]
    none = (await world.call("GET", f"{EVENTS}?after={rest['next']}", token=world.admin())).json
    assert none == {"events": [], "next": rest["next"]}
    for wrong in ("after=-1", "after=x", "limit=0", "limit=1001"):
        assert (await world.call("GET", f"{EVENTS}?{wrong}", token=world.admin())).code == "invalid_request"
    assert (await world.call("GET", EVENTS, token=world.anna())).code == "admin_only"


@pytest.mark.shows(
    "payments:postV1EventsEndpoints",
    "payments:listV1EventsEndpoints",
    "payments:deleteV1EventsEndpoints",
    "payments:postV1EventsEndpointsEnable",
    "payments:postV1EventsEndpointsReplay",
    "payments:patchV1EventsEndpoints",
    "payments:postV1EventsEndpointsSecret",
)
async def test_an_endpoint_is_added_once_and_its_secret_told_once(world: World) -> None:
    await world.paid()
    await world.call("GET", EVENTS, token=world.admin())
    wish, key = {"url": "https://film.example/events"}, {"Idempotency-Key": "k"}
    added = await world.call("POST", ENDPOINTS, token=world.admin(), json=wish, headers=key)
    again = await world.call("POST", ENDPOINTS, token=world.admin(), json=wish, headers=key)
    assert added.status == 200
    assert added.json["secret"].startswith("whsec_")
    assert again.json == added.json
    assert (await world.call("POST", ENDPOINTS, token=world.admin(), json=wish)).code == "endpoint_exists"
    for url in ("http://127.0.0.1:5432/", "http://metadata.internal/x", "nonsense"):
        refused = await world.call("POST", ENDPOINTS, token=world.admin(), json={"url": url})
        assert (refused.status, refused.code) == (400, "endpoint_address")
    (listed,) = (await world.call("GET", ENDPOINTS, token=world.admin())).json["endpoints"]
    assert "secret" not in listed
    assert (listed["url"], listed["waiting"], listed["disabledAt"]) == (wish["url"], 0, None)
    mine = f"{ENDPOINTS}/{listed['endpointId']}"
    replayed = await world.call("POST", f"{mine}/replay", token=world.admin(), json={"after": "1"})
    assert (replayed.json["waiting"], replayed.json["waitingAgreements"]) == (2, 1)
    enabled = await world.call("POST", f"{mine}/enable", token=world.admin())
    assert enabled.json["waiting"] == 2
    chosen = await world.call("PATCH", mine, token=world.admin(), json={"types": ["charge.paid"]})
    assert (chosen.status, chosen.json.get("types")) == (200, ["charge.paid"]), chosen.json
    unknown = await world.call("PATCH", mine, token=world.admin(), json={"types": ["charge.payed"]})
    assert (unknown.status, unknown.code) == (400, "invalid_request")
    renewed = await world.call("POST", f"{mine}/secret", token=world.admin(), json={"overlapHours": 1})
    assert renewed.json["secret"] != added.json["secret"]
    assert renewed.json["oldSecretUntil"] is not None
    assert (await world.call("DELETE", mine, token=world.admin())).json == {"endpointId": listed["endpointId"]}
    assert (await world.call("DELETE", mine, token=world.admin())).code == "endpoint_not_found"
    assert (await world.call("GET", ENDPOINTS, token=world.admin())).json == {"endpoints": []}
