"""Faults in order and not by dice: answers that lie, connections that hang or break, webhooks that stray."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

V3 = "/recurring/v3/agreements"
DRAFT = {"operationId": "DraftAgreementV3"}


async def script(sandbox: Any, match: dict[str, Any], action: dict[str, Any], times: int = 1) -> str:
    reply = await sandbox.control("POST", "/faults", {"match": match, "action": action, "times": times})
    assert reply.status == 201, reply.body
    return str(reply["id"])


async def count(sandbox: Any) -> int:
    return len((await sandbox.control("GET", "/export"))["agreements"])


@pytest.mark.shows("error:gateway-429")
async def test_a_status_in_place_of_the_effect(sandbox: Any) -> None:
    action = {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}}
    fault = await script(sandbox, DRAFT, action, times=2)
    for _ in range(2):
        reply = await sandbox.call("POST", V3, sandbox.draft_body(), key="k")
        assert (reply.status, reply.headers["retry-after"]) == (429, "7")
        assert reply["responseInfo"]["responseCode"] == 429
    assert await count(sandbox) == 0
    assert (await sandbox.call("POST", V3, sandbox.draft_body(), key="k")).status == 201
    listed = (await sandbox.control("GET", "/faults"))["faults"]
    assert [(one["id"], one["matched"], one["times"]) for one in listed] == [(fault, 2, 2)]


async def test_a_body_of_ones_own(sandbox: Any) -> None:
    await script(sandbox, DRAFT, {"kind": "status", "status": 503, "body": {"whatever": [1]}})
    reply = await sandbox.call("POST", V3, sandbox.draft_body())
    assert (reply.status, reply.body) == (503, {"whatever": [1]})


@pytest.mark.parametrize("path", [V3, "/stripe/v1/customers"])
async def test_answers_that_only_a_proxy_gives(sandbox: Any, path: str) -> None:
    page = {"Content-Type": "text/html", "Retry-After": "2"}
    await script(sandbox, {}, {"kind": "status", "status": 502, "headers": page, "body": "<h1>Bad</h1>"})
    await script(sandbox, {}, {"kind": "status", "status": 520})
    for status in (204, 304):
        await script(sandbox, {}, {"kind": "status", "status": status})
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http:
        found = []
        for _ in range(5):
            async with http.get(sandbox.url + path) as reply:
                found.append((reply.status, reply.headers.getall("content-type", []), await reply.text()))
                assert ("retry-after" in reply.headers) == (reply.status == 502)
    assert found[0] == (502, ["text/html"], "<h1>Bad</h1>")
    assert (found[1][0], "ordered by a fault" in found[1][2]) == (520, True)
    # The connection is as good as before: the last one is the true answer.
    assert [*found[2:4], found[4][0]] == [(204, [], ""), (304, [], ""), 401]


async def test_an_effect_with_a_lying_status(sandbox: Any) -> None:
    await script(sandbox, DRAFT, {"kind": "effect-then-status", "status": 500})
    assert (await sandbox.call("POST", V3, sandbox.draft_body(), key="k")).status == 500
    assert await count(sandbox) == 1
    again = await sandbox.call("POST", V3, sandbox.draft_body(), key="k")
    assert again.status == 201
    assert await count(sandbox) == 1


@pytest.mark.parametrize(("kind", "effects"), [("hang", 0), ("effect-then-hang", 1)])
async def test_no_answer_until_the_client_gives_up(sandbox: Any, kind: str, effects: int) -> None:
    await script(sandbox, DRAFT, {"kind": kind})
    # The token is fetched first: only the call itself is to wait in vain.
    await sandbox.headers()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await sandbox.call("POST", V3, sandbox.draft_body(), key="k")
    assert await count(sandbox) == effects
    assert (await sandbox.call("POST", V3, sandbox.draft_body(), key="k")).status == 201
    assert await count(sandbox) == 1
    shown = (await sandbox.control("GET", f"/requests?path={V3}"))["requests"]
    assert [(one["status"], one["fault"]) for one in shown] == [(None, kind), (201, None)]


async def test_a_connection_cut_after_the_effect(sandbox: Any) -> None:
    await script(sandbox, DRAFT, {"kind": "effect-then-close"})
    with pytest.raises((aiohttp.ClientConnectionError, ConnectionResetError)):
        await sandbox.call("POST", V3, sandbox.draft_body(), key="k")
    assert await count(sandbox) == 1
    assert (await sandbox.call("POST", V3, sandbox.draft_body(), key="k")).status == 201
    assert await count(sandbox) == 1


async def test_a_slow_answer(sandbox: Any) -> None:
    await script(sandbox, DRAFT, {"kind": "delay", "seconds": 0.2})
    began = asyncio.get_running_loop().time()
    assert (await sandbox.call("POST", V3, sandbox.draft_body())).status == 201
    assert asyncio.get_running_loop().time() - began >= 0.2


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({"method": "get"}, [False, True]),
        ({"path": "/recurring/v3/agreements/{agreementId}"}, [False, True]),
        ({"path": "/recurring/v3/agreements"}, [True, False]),
        ({"path": "/recurring/.*"}, [True, True]),
        ({"path": "/recurring"}, [False, False]),
        ({"operationId": "FetchAgreementV3"}, [False, True]),
        ({"agreementId": "agr_other"}, [False, False]),
        ({}, [True, True]),
    ],
)
async def test_what_is_matched(sandbox: Any, match: dict[str, Any], hit: list[bool]) -> None:
    agreement_id = (await sandbox.draft())["agreementId"]
    await script(sandbox, match, {"kind": "status", "status": 418}, times=9)
    drafted = await sandbox.call("POST", V3, sandbox.draft_body())
    fetched = await sandbox.fetch(agreement_id)
    assert [drafted.status == 418, fetched.status == 418] == hit


async def test_one_agreement_alone_is_hit(sandbox: Any) -> None:
    one, other = (await sandbox.draft())["agreementId"], (await sandbox.draft())["agreementId"]
    await script(sandbox, {"agreementId": one}, {"kind": "status", "status": 500}, times=9)
    assert (await sandbox.fetch(one)).status == 500
    assert (await sandbox.fetch(other)).status == 200


async def test_scripts_come_in_order_and_can_be_taken_back(sandbox: Any) -> None:
    await script(sandbox, DRAFT, {"kind": "status", "status": 501})
    second = await script(sandbox, DRAFT, {"kind": "status", "status": 502})
    await script(sandbox, DRAFT, {"kind": "status", "status": 503}, times=5)
    assert (await sandbox.call("POST", V3, sandbox.draft_body())).status == 501
    assert (await sandbox.control("DELETE", f"/faults/{second}")).status == 204
    assert (await sandbox.control("DELETE", f"/faults/{second}")).status == 404
    assert (await sandbox.call("POST", V3, sandbox.draft_body())).status == 503
    assert (await sandbox.control("DELETE", "/faults")).status == 204
    assert (await sandbox.call("POST", V3, sandbox.draft_body())).status == 201


@pytest.mark.parametrize(
    "order",
    [
        {"match": {}, "action": {"kind": "explode"}},
        {"match": {}, "action": {"kind": "drop"}},
        {"match": {"webhook": "*"}, "action": {"kind": "hang"}},
        {"match": {}, "action": {"kind": "status"}},
        {"match": {}, "action": {"kind": "status", "status": 101}},
        {"match": {}, "action": {"kind": "status", "status": 500, "headers": {"Two\nlines": "x"}}},
        {"match": {}, "action": {"kind": "status", "status": 500, "headers": {"X-Name": "x\r\nX-Other: y"}}},
        {"match": {}, "action": {"kind": "status", "status": 500, "headers": {"Content-Length": "9"}}},
        {"match": {}, "action": {"kind": "delay", "seconds": -1}},
        {"match": {"path": "("}, "action": {"kind": "hang"}},
        {"match": {"colour": "red"}, "action": {"kind": "hang"}},
        {"match": {}, "action": {"kind": "hang"}, "times": 0},
        {"action": {"kind": "hang"}},
    ],
)
async def test_a_script_that_means_nothing(sandbox: Any, order: dict[str, Any]) -> None:
    assert (await sandbox.control("POST", "/faults", order)).status == 400
    assert (await sandbox.control("GET", "/faults"))["faults"] == []


async def renewals(sandbox: Any) -> str:
    """An agreement with three charges, on the first of February, March and April."""
    agreement_id: str = await sandbox.agree()
    for month in (2, 3, 4):
        await sandbox.charge(agreement_id, orderId=f"m-{month}", due=f"2027-0{month}-01")
    return agreement_id


def captures(hooked: Any) -> list[str]:
    return [one["chargeId"] for one in hooked.got if one["eventType"] == "recurring.charge-captured.v1"]


CAPTURED = {"webhook": "recurring.charge-captured.v1"}


async def test_a_lost_webhook_never_comes(sandbox: Any, hooked: Any) -> None:
    await renewals(sandbox)
    await script(sandbox, CAPTURED, {"kind": "drop"})
    await sandbox.advance_to("2027-05-01T00:00:00Z")
    assert captures(hooked) == ["m-3", "m-4"]
    states = [one["state"] for one in (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"]]
    assert states == ["delivered", "dropped", "delivered", "delivered"]


async def test_a_doubled_webhook(sandbox: Any, hooked: Any) -> None:
    await renewals(sandbox)
    await script(sandbox, CAPTURED, {"kind": "duplicate", "copies": 3})
    await sandbox.advance_to("2027-05-01T00:00:00Z")
    assert captures(hooked) == ["m-2", "m-2", "m-2", "m-3", "m-4"]


async def test_a_late_webhook_is_overtaken(sandbox: Any, hooked: Any) -> None:
    await renewals(sandbox)
    await script(sandbox, CAPTURED, {"kind": "delay", "seconds": 40 * 86400})
    await sandbox.advance_to("2027-05-01T00:00:00Z")
    assert captures(hooked) == ["m-3", "m-2", "m-4"]


async def test_a_webhook_changes_places_with_the_next(sandbox: Any, hooked: Any) -> None:
    agreement_id = await sandbox.agree()
    await script(sandbox, CAPTURED, {"kind": "reorder"})
    for name in ("a", "b", "c"):
        await sandbox.charge(agreement_id, orderId=name)
    await sandbox.advance_to("2027-02-01T08:00:00Z")
    assert captures(hooked) == ["b", "a", "c"]


async def test_a_webhook_to_be_overtaken_goes_out_when_nothing_follows(sandbox: Any, hooked: Any) -> None:
    await renewals(sandbox)
    await script(sandbox, CAPTURED, {"kind": "reorder"})
    await sandbox.advance_to("2027-02-01T08:09:59Z")
    assert captures(hooked) == []
    await sandbox.advance_to("2027-02-01T08:10:00Z")
    assert captures(hooked) == ["m-2"]
    await sandbox.advance_to("2027-05-01T00:00:00Z")
    assert captures(hooked) == ["m-2", "m-3", "m-4"]


async def test_the_record_masks_secrets(sandbox: Any) -> None:
    await sandbox.draft()
    await sandbox.call("POST", "/webhooks/v1/webhooks", {"url": "https://x.example", "events": ["a.b.v1"]})
    shown = json.dumps((await sandbox.control("GET", "/requests")).body)
    for secret in ("dev-client-secret", "dev-subscription-key", sandbox.token):
        assert secret not in shown
    assert '\\"secret\\":\\"***\\"' in shown
    requests = (await sandbox.control("GET", "/requests?path=/webhooks"))["requests"]
    assert [one["operationId"] for one in requests] == ["RegisterWebhook"]
    later = (await sandbox.control("GET", f"/requests?since={requests[0]['number'] - 1}"))["requests"]
    assert [one["number"] for one in later] == [requests[0]["number"]]
    assert (await sandbox.control("GET", "/requests?since=2028-01-01T00:00:00Z"))["requests"] == []
    assert (await sandbox.control("GET", "/requests?since=never")).status == 400
