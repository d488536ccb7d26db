"""Webhooks: registered, signed, delivered in order, tried again, given up."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from aiohttp import web

from avtale_sandbox.clock import wall_now
from avtale_sandbox.instants import iso, parse_instant
from avtale_sandbox.settings import Settings
from avtale_sandbox.vipps.webhooks.deliveries import retry_delay
from avtale_sandbox.vipps.webhooks.signing import host_of, signed_headers, target_of

from .conftest import serving

ANNA = "4791234567"
WEBHOOKS = "/webhooks/v1/webhooks"
ACTIVATED = "recurring.agreement-activated.v1"


def test_the_signature_is_that_of_the_published_example() -> None:
    headers = signed_headers(
        "A0+AeKBRG2KRGvnNwJpQlb6IJFk48CKXCIcrLoHncVJKDILsQSxS6NWCccwWm6r6FhGKhiHTBsG2wo/xU6FY/A==",
        target_of("https://webhook.site/e2cee29b-012e-4f1d-8ef4-e95fd74a7a63"),
        b'{"some-unique-content":"ee6e441b-cc4a-46f8-895d-a5af79bcc233/hello-world"}',
        "Thu, 30 Mar 2023 08:38:32 GMT",
    )
    assert headers["x-ms-content-sha256"] == "lNlsp1XA03N34HrQsVzPgJKtC+r7l/RBF4V3JQUWMj4="
    assert headers["Host"] == "webhook.site"
    assert headers["Authorization"] == (
        "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
        "&Signature=agAiSyogQbDHpeucoNwYz+yAr5nJ+v+zasdkSbqzv+U="
    )


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://shop.example/x", "shop.example"),
        ("https://shop.example:443/x", "shop.example"),
        ("https://shop.example:8443/x", "shop.example:8443"),
        ("http://127.0.0.1:8300/x", "127.0.0.1:8300"),
        ("http://[::1]:8300/x", "[::1]:8300"),
    ],
)
def test_the_port_is_named_when_it_is_not_the_usual_one(url: str, host: str) -> None:
    assert host_of(target_of(url)) == host


async def test_what_arrives_can_be_verified(sandbox: Any, receiver: Any, quiet: Any) -> None:
    secret = (await sandbox.call("POST", WEBHOOKS, {"url": receiver.url, "events": [ACTIVATED]}))["secret"]
    await sandbox.agree()
    await quiet()
    headers, body = receiver.raw[0]
    content = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert headers["x-ms-content-sha256"] == content
    text = f"POST\n/hook?shop=film\n{headers['x-ms-date']};{headers['Host']};{content}"
    signature = base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode()
    assert headers["Authorization"].endswith(f"&Signature={signature}")
    assert headers["Host"] == receiver.url.split("/")[2]
    assert abs(parsedate_to_datetime(headers["x-ms-date"]).timestamp() - wall_now() / 1000) < 60
    told = json.loads(body)
    assert told["agreementId"]
    assert told["agreementUUID"]
    assert (told["eventType"], told["msn"], told["actor"]) == (ACTIVATED, "123456", None)


@pytest.mark.shows("operation:RegisterWebhook", "operation:ListWebhooks", "operation:DeleteWebhook")
async def test_registrations_are_listed_without_secrets_and_deleted(sandbox: Any, receiver: Any, quiet: Any) -> None:
    order = {"url": receiver.url, "events": [ACTIVATED, ACTIVATED]}
    added = await sandbox.call("POST", WEBHOOKS, order)
    assert added.status == 201
    assert set(added.body) == {"id", "secret"}
    listed = await sandbox.call("GET", WEBHOOKS)
    assert listed.body == {"webhooks": [{"id": added["id"], "url": receiver.url, "events": [ACTIVATED]}]}
    assert (await sandbox.call("DELETE", f"{WEBHOOKS}/{added['id']}")).status == 204
    assert (await sandbox.call("DELETE", f"{WEBHOOKS}/{added['id']}")).status == 404
    await sandbox.agree()
    await quiet()
    assert receiver.got == []
    assert (await sandbox.call("GET", WEBHOOKS)).body == {"webhooks": []}


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"events": [ACTIVATED]}, "url"),
        ({"url": "film", "events": [ACTIVATED]}, "url"),
        ({"url": "ftp://film.example", "events": [ACTIVATED]}, "url"),
        ({"url": "http://[broken", "events": [ACTIVATED]}, "url"),
        ({"url": "https://film.example"}, "events"),
        ({"url": "https://film.example", "events": []}, "events"),
        ({"url": "https://film.example", "events": ["recurring.charge-cancelled.v1"]}, "events"),
        ({"url": "https://film.example", "events": [7]}, "events[0]"),
    ],
)
async def test_a_wrong_registration(sandbox: Any, order: dict[str, Any], field: str) -> None:
    reply = await sandbox.call("POST", WEBHOOKS, order)
    assert reply.status == 400
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply["detail"] == "One or more validation errors occurred."
    assert [one["name"] for one in reply["extraDetails"]] == [field]


async def test_no_more_than_25_registrations_hear_of_one_event(sandbox: Any) -> None:
    for number in range(25):
        order = {"url": f"https://film.example/{number}", "events": [ACTIVATED]}
        assert (await sandbox.call("POST", WEBHOOKS, order)).status == 201
    order = {"url": "https://film.example/more", "events": [ACTIVATED]}
    assert (await sandbox.call("POST", WEBHOOKS, order)).status == 400
    order["events"] = ["recurring.agreement-stopped.v1"]
    assert (await sandbox.call("POST", WEBHOOKS, order)).status == 201


@pytest.mark.shows("rule:T15")
def test_the_published_retry_schedule() -> None:
    delays = [retry_delay(attempts) // 1000 for attempts in range(1, 32)]
    assert delays == [2, 2, 2, 2, 60, 120, *[3600] * 22, *[86400] * 3]


async def test_a_failing_receiver_is_tried_again_and_blocks_what_follows(sandbox: Any, hooked: Any, quiet: Any) -> None:
    hooked.answers = [500]
    blocked = await sandbox.agree()
    await quiet()
    await sandbox.call("PATCH", f"/recurring/v3/agreements/{blocked}", {"status": "STOPPED"})
    free = await sandbox.agree()
    await quiet()
    hooked.answers = [404, 302]
    await sandbox.advance(by="PT5S")
    assert [(one["agreementId"], one["eventType"]) for one in hooked.got] == [
        (blocked, ACTIVATED),
        (free, ACTIVATED),
        (blocked, ACTIVATED),
        (blocked, ACTIVATED),
    ]
    await sandbox.advance(by="PT1S")
    assert hooked.events[-2:] == [ACTIVATED, "recurring.agreement-stopped.v1"]
    assert hooked.got[-2]["agreementId"] == blocked
    first = (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"][0]
    assert [one["status"] for one in first["attempts"]] == [500, 404, 302, 200]
    assert [one["at"] for one in first["attempts"]] == [f"2027-01-15T09:00:0{n}Z" for n in (0, 2, 4, 6)]


@pytest.mark.shows("rule:T15")
async def test_after_seven_days_an_event_is_given_up_and_the_next_goes_out(
    sandbox: Any, hooked: Any, quiet: Any
) -> None:
    hooked.answers = [500] * 1000
    agreement_id = await sandbox.agree()
    await quiet()
    await sandbox.call("PATCH", f"/recurring/v3/agreements/{agreement_id}", {"status": "STOPPED"})
    await sandbox.advance(by="P8D")
    assert hooked.events.count(ACTIVATED) == 35
    deliveries = (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"]
    assert (deliveries[0]["state"], deliveries[0]["why"]) == ("dropped", "not answered for seven days")
    last = parse_instant(deliveries[0]["attempts"][-1]["at"])
    assert last <= parse_instant("2027-01-22T09:00:00Z") < last + 86_400_000
    assert len(deliveries[1]["attempts"]) > 0


@pytest.mark.shows("rule:T16")
async def test_a_receiver_silent_for_two_weeks_is_removed(sandbox: Any, hooked: Any) -> None:
    hooked.answers = [500] * 1000
    await sandbox.agree()
    await sandbox.advance(by="P13D")
    assert len((await sandbox.call("GET", WEBHOOKS))["webhooks"]) == 1
    await sandbox.agree()
    await sandbox.advance(by="P1D")
    assert (await sandbox.call("GET", WEBHOOKS))["webhooks"] == []
    heard = len(hooked.got)
    await sandbox.advance(by="P7D")
    assert len(hooked.got) == heard


async def test_one_good_answer_keeps_the_registration(sandbox: Any, hooked: Any) -> None:
    hooked.answers = [500] * 10
    await sandbox.agree()
    await sandbox.advance(by="P20D")
    assert len((await sandbox.call("GET", WEBHOOKS))["webhooks"]) == 1
    assert hooked.events == [ACTIVATED] * 11


class TestImpatience:
    """A receiver that does not answer in time."""

    @pytest.fixture
    def settings(self) -> Settings:
        start = "2027-01-15T09:00:00Z"
        return Settings(port=0, clock_running=False, start_at=start, webhook_timeout_seconds=0.1)

    async def test_no_answer_in_time_is_a_failure(self, sandbox: Any, hooked: Any, quiet: Any) -> None:
        never = asyncio.Event()
        hooked.before = never.wait
        await sandbox.agree()
        await quiet()
        hooked.before = None
        never.set()
        await sandbox.advance(by="PT2S")
        attempts = (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"][0]["attempts"]
        assert attempts[0]["status"] is None
        assert "no answer" in attempts[0]["error"]
        assert attempts[1]["status"] == 200


async def test_a_redirect_is_a_failure_and_is_not_followed(sandbox: Any, receiver: Any, quiet: Any) -> None:
    async def send_on(request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(receiver.url)

    async with serving(send_on) as url:
        await sandbox.call("POST", WEBHOOKS, {"url": url, "events": [ACTIVATED]})
        await sandbox.agree()
        await quiet()
    delivery = (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"][0]
    assert [one["status"] for one in delivery["attempts"]] == [307]
    assert receiver.got == []


async def test_nobody_there_is_a_failure_too(sandbox: Any, quiet: Any) -> None:
    await sandbox.call("POST", WEBHOOKS, {"url": "http://127.0.0.1:9/x", "events": [ACTIVATED]})
    await sandbox.agree()
    await quiet()
    delivery = (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"][0]
    assert delivery["state"] == "waiting"
    assert delivery["attempts"][0]["error"]
    assert delivery["next"] == iso(parse_instant("2027-01-15T09:00:02Z"))


async def test_the_events_of_one_agreement_arrive_in_the_order_they_happened(sandbox: Any, hooked: Any) -> None:
    charges = {}
    for number in range(5):
        agreement_id = await sandbox.agree()
        body = [
            sandbox.charge_body(agreementId=agreement_id, orderId=f"{number}-{month}", due=f"2027-{month:02}-01")
            for month in range(2, 8)
        ]
        charges[agreement_id] = [one["orderId"] for one in body]
        await sandbox.call("POST", "/recurring/v3/agreements/charges", body)
    await sandbox.advance(to="2027-08-01T00:00:00Z")
    for agreement_id, expected in charges.items():
        told = [one for one in hooked.got if one["agreementId"] == agreement_id]
        assert [one.get("chargeId") for one in told] == [None, *expected]


async def test_an_answer_from_before_a_reset_is_no_answer_to_what_is_told_afterwards(
    sandbox: Any, receiver: Any, quiet: Any
) -> None:
    """A reset begins to count anew, so that a delivery has the number of one that is still under way."""
    under_way: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def wait() -> None:
        answered = asyncio.Event()
        under_way.put_nowait(answered)
        await answered.wait()

    async def told() -> asyncio.Event:
        await sandbox.call("POST", WEBHOOKS, {"url": receiver.url, "events": [ACTIVATED]})
        await sandbox.agree()
        return await asyncio.wait_for(under_way.get(), 5)

    receiver.before = wait
    receiver.answers = [200, 500]
    before = await told()
    await sandbox.control("POST", "/reset")
    after = await told()
    sending = set(sandbox.world.sender._tasks)
    before.set()
    await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
    after.set()
    await quiet()
    (delivery,) = (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"]
    assert (delivery["state"], [one["status"] for one in delivery["attempts"]]) == ("waiting", [500])
