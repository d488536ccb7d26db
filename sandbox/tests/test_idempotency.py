"""Idempotency keys: one effect, one answer, and no second use."""

from __future__ import annotations

import json
from typing import Any

import pytest

ANNA = "4791234567"
V3 = "/recurring/v3/agreements"


def problem_id(reply: Any) -> str:
    return str(reply["type"]).rpartition("#")[2]


@pytest.mark.shows("rule:T18")
async def test_a_repeated_draft_is_the_same_agreement(sandbox: Any) -> None:
    first = await sandbox.call("POST", V3, sandbox.draft_body(), key="once")
    await sandbox.advance(by="PT1M")
    again = await sandbox.call("POST", V3, sandbox.draft_body(), key="once")
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert len((await sandbox.control("GET", "/export"))["agreements"]) == 1


async def test_repeated_money_moves_once(sandbox: Any, hooked: Any, quiet: Any) -> None:
    agreement_id = await sandbox.agree()
    path = f"{V3}/{agreement_id}/charges"
    created = [await sandbox.call("POST", path, sandbox.charge_body(), key="create") for _ in range(3)]
    assert len({one["chargeId"] for one in created}) == 1
    charge = f"{path}/{created[0]['chargeId']}"
    await sandbox.advance_to("2027-02-01T08:00:00Z")
    for _ in range(3):
        reply = await sandbox.call("POST", f"{charge}/refund", {"amount": 1000, "description": "x"}, key="back")
        assert (reply.status, reply.body) == (204, b"")
    assert (await sandbox.call("GET", charge))["summary"]["refunded"] == 1000
    await quiet()
    assert hooked.events.count("recurring.charge-refunded.v1") == 1
    history = (await sandbox.call("GET", charge))["history"]
    assert [one["idempotencyKey"] for one in history if one["event"] in ("CREATE", "REFUND")] == ["create", "back"]


@pytest.mark.shows("error:idempotency-conflict")
async def test_another_request_under_the_same_key_is_refused(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    path = f"{V3}/{agreement_id}/charges"
    await sandbox.call("POST", path, sandbox.charge_body(), key="k")
    for other in (
        await sandbox.call("POST", path, sandbox.charge_body(amount=5000), key="k"),
        await sandbox.call("POST", V3, sandbox.draft_body(), key="k"),
        await sandbox.call("PATCH", f"{V3}/{agreement_id}", {"status": "STOPPED"}, key="k"),
    ):
        assert (other.status, problem_id(other)) == (409, "idempotency-conflict")
    assert len((await sandbox.call("GET", path)).body) == 1
    assert (await sandbox.fetch(agreement_id))["status"] == "ACTIVE"


async def test_the_same_octets_for_another_charge_are_another_request(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    one, other = await sandbox.charge(agreement_id), await sandbox.charge(agreement_id)
    path = f"{V3}/{agreement_id}/charges"
    assert (await sandbox.call("DELETE", f"{path}/{one}", key="k")).status == 204
    assert (await sandbox.call("DELETE", f"{path}/{one}", key="k")).status == 204
    assert (await sandbox.call("DELETE", f"{path}/{other}", key="k")).status == 409
    assert (await sandbox.fetch(agreement_id, other))["status"] == "DUE"


async def test_a_refusal_is_repeated_and_not_tried_again(sandbox: Any) -> None:
    agreement_id = (await sandbox.draft())["agreementId"]
    path = f"{V3}/{agreement_id}/charges"
    first = await sandbox.call("POST", path, sandbox.charge_body(), key="early")
    assert first.status == 400
    await sandbox.control("POST", f"/phone/{ANNA}/agreements/{agreement_id}/approve")
    again = await sandbox.call("POST", path, sandbox.charge_body(), key="early")
    assert (again.status, again.body) == (400, first.body)
    assert (await sandbox.call("POST", path, sandbox.charge_body(), key="later")).status == 201


@pytest.mark.shows("error:idempotency-key-header")
@pytest.mark.parametrize(
    "key", [None, "", "x" * 41, "a#b", "a?b", "a/b", "a\\b", "a:b"], ids=lambda key: repr(key)[:12]
)
async def test_a_key_that_is_none(sandbox: Any, key: str | None) -> None:
    headers = await sandbox.headers()
    del headers["Idempotency-Key"]
    if key is not None:
        headers["Idempotency-Key"] = key
    reply = await sandbox.raw("POST", V3, json.dumps(sandbox.draft_body()), headers)
    assert (reply.status, problem_id(reply)) == (400, "idempotency-key-header")
    assert (await sandbox.control("GET", "/export"))["agreements"] == []


@pytest.mark.parametrize("key", ["x" * 40, "with space", "æøå", "a.b_c-d~e!", "x"])
async def test_free_form_keys(sandbox: Any, key: str) -> None:
    headers = await sandbox.headers() | {"Idempotency-Key": key}
    for _ in range(2):
        reply = await sandbox.raw("POST", V3, json.dumps(sandbox.draft_body()), headers)
        assert reply.status == 201
    assert len((await sandbox.control("GET", "/export"))["agreements"]) == 1


async def test_reading_needs_no_key(sandbox: Any) -> None:
    headers = await sandbox.headers()
    del headers["Idempotency-Key"]
    assert (await sandbox.raw("GET", V3, None, headers)).status == 200


async def test_two_merchants_may_use_the_same_key(sandbox: Any) -> None:
    other = {
        "clientId": "other-id",
        "clientSecret": "other-secret",
        "subscriptionKey": "other-key",
        "merchantSerialNumber": "654321",
    }
    await sandbox.control("POST", "/merchants", other)
    first = await sandbox.call("POST", V3, sandbox.draft_body(), key="same")
    sandbox.keys = {
        "client_id": "other-id",
        "client_secret": "other-secret",
        "Ocp-Apim-Subscription-Key": "other-key",
    }
    sandbox.token = ""
    second = await sandbox.call("POST", V3, sandbox.draft_body(), key="same")
    assert second.status == 201
    assert second["agreementId"] != first["agreementId"]
