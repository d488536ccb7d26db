"""What was asked and told can be searched and sent again, and never gives a secret away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from avtale_sandbox.control.record import Record, Sought
from avtale_sandbox.settings import Settings

ACTIVATED = "recurring.agreement-activated.v1"


async def numbers(sandbox: Any, query: str) -> list[str]:
    reply = await sandbox.control("GET", f"/requests?{query}")
    assert reply.status == 200, reply.body
    return [f"{one['operationId']} {one['status']}" for one in reply["requests"]]


async def test_calls_are_found_by_what_they_were(sandbox: Any) -> None:
    one, other = await sandbox.agree(), await sandbox.agree(productName="Sauna")
    await sandbox.charge(one)
    await sandbox.call("POST", f"/recurring/v3/agreements/{other}/charges", {"amount": 1})
    await sandbox.fetch(other)
    assert await numbers(sandbox, f"agreement={one}") == ["DraftAgreementV3 201", "CreateChargeV3 201"]
    assert await numbers(sandbox, "operationId=FetchAgreementV3") == ["FetchAgreementV3 200"]
    assert await numbers(sandbox, "status=4xx") == ["CreateChargeV3 400"]
    assert await numbers(sandbox, "status=400&method=get") == []
    assert await numbers(sandbox, "text=sauna&method=POST") == ["DraftAgreementV3 201"]
    await sandbox.draft(productName='It\'s "new"')
    assert await numbers(sandbox, "text=it's") == ["DraftAgreementV3 201"]
    assert await numbers(sandbox, "path=/charges&limit=1") == ["CreateChargeV3 400"]
    for wrong in ("limit=-1", "limit=many", "since=never", "since=²"):
        assert (await sandbox.control("GET", f"/requests?{wrong}")).status == 400


async def test_one_call_is_shown_whole(sandbox: Any) -> None:
    await sandbox.draft()
    listed = (await sandbox.control("GET", "/requests?limit=1"))["requests"][0]
    assert (await sandbox.control("GET", f"/requests/{listed['number']}")).body == listed
    assert (await sandbox.control("GET", "/requests/99999")).status == 404


async def test_a_call_that_a_fault_left_unanswered_is_found(sandbox: Any) -> None:
    await sandbox.draft()
    order = {"match": {}, "action": {"kind": "status", "status": 503}}
    await sandbox.control("POST", "/faults", order)
    await sandbox.call("GET", "/recurring/v3/agreements")
    assert await numbers(sandbox, "faulty=true") == ["ListAgreementsV3 503"]
    assert await numbers(sandbox, "status=none") == []


async def test_searching_does_not_tell_what_is_masked(sandbox: Any) -> None:
    await sandbox.draft()
    assert await numbers(sandbox, "text=dev-subscription-key") == []
    assert await numbers(sandbox, f"text={sandbox.token}") == []
    assert len(await numbers(sandbox, "text=dev-client-id")) == 1  # a name, and no secret


@pytest.mark.parametrize(
    "secret",
    [
        b'{"client_secret": "s3cret-value"}',
        b'{"a": [{"accessToken":"s3cret-value"}]}',
        b'{"id_token" : "s3cret\\"-value"}',
        b'{"secret":"s3cret-value-that-is-cut-off-h',
        b"grant_type=x&client_secret=s3cret-value&code=s3cret-code",
        b'{"vippsConfirmationUrl": "http://x/?v=2&token=s3cret.value.x"}',
    ],
)
def test_secrets_are_masked_wherever_they_stand(secret: bytes) -> None:
    record = Record(Settings())
    headers = [
        (b"authorization", b"Bearer s3cret-value"),
        (b"client_secret", b"s3cret-value"),
        (b"cookie", b"a=s3cret-value"),
        (b"client_id", b"open"),
    ]
    record.add(0, 0, "POST", "/x", b"code=s3cret-code", headers, secret, None, 200, secret, None)
    shown = json.dumps(record.exchanges(Sought()))
    assert "s3cret" not in shown
    assert "open" in shown


async def test_events_are_recorded_whether_anybody_listens_or_not(sandbox: Any) -> None:
    one, other = await sandbox.agree(), await sandbox.agree()
    events = (await sandbox.control("GET", "/events"))["events"]
    assert [(item["event"], item["body"]["agreementId"]) for item in events] == [(ACTIVATED, one), (ACTIVATED, other)]
    found = (await sandbox.control("GET", f"/events?agreement={other}&event={ACTIVATED}"))["events"]
    assert [item["number"] for item in found] == [2]
    assert (await sandbox.control("GET", "/events?since=2"))["events"] == []
    assert (await sandbox.control("GET", "/events?event=other"))["events"] == []


async def test_a_delivery_is_replayed_as_often_as_one_likes(sandbox: Any, hooked: Any, quiet: Any) -> None:
    hooked.answers = [500]
    await sandbox.agree()
    await quiet()
    first = (await sandbox.control("GET", "/webhooks/deliveries?state=waiting"))["deliveries"][0]
    for _ in range(2):
        again = await sandbox.control("POST", f"/webhooks/deliveries/{first['id']}/replay")
        assert (again.status, again["replayOf"], again["event"]) == (201, first["id"], ACTIVATED)
    await quiet()
    assert hooked.got == [hooked.got[0]] * 3
    assert len({headers["Authorization"] for headers, _ in hooked.raw}) >= 1
    states = [one["state"] for one in (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"]]
    assert states == ["waiting", "delivered", "delivered"]
    await sandbox.advance(by="PT2S")  # and the first one goes on as if nothing had been
    assert len(hooked.got) == 4


async def test_what_cannot_be_replayed(sandbox: Any, hooked: Any, quiet: Any) -> None:
    await sandbox.agree()
    await quiet()
    number = (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"][0]["id"]
    webhook = (await sandbox.call("GET", "/webhooks/v1/webhooks"))["webhooks"][0]["id"]
    await sandbox.call("DELETE", f"/webhooks/v1/webhooks/{webhook}")
    gone = await sandbox.control("POST", f"/webhooks/deliveries/{number}/replay")
    assert (gone.status, gone["detail"]) == (409, "the registration is gone")
    assert (await sandbox.control("POST", "/webhooks/deliveries/99999/replay")).status == 404
    assert (await sandbox.control("POST", "/webhooks/deliveries/x/replay")).status == 404
