"""What other systems are told: every fact once, in order, signed; what is not taken waits, and is never lost."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from avtale.domain.errors import Invalid
from avtale.domain.event import REDELIVER_AFTER, Delivery, EventKind
from avtale.gateways.courier import SigningCourier
from avtale.gateways.outbound import Call, NoAnswer
from avtale.service.announcing import activated, announce
from avtale.service.checkout import Person
from avtale.service.endpoints import (
    add_endpoint,
    change_secret,
    choose_types,
    enable_endpoint,
    list_endpoints,
    replay_endpoint,
)
from avtale.service.ids import new_endpoint_secret
from avtale.service.inspecting import find_config_errors
from avtale.service.notifying import read_events
from avtale.service.refunding import refund_charge
from avtale.service.stopping import stop_agreement
from avtale.storage import event_keeping, event_lanes

from .conftest import OPERATOR, PHONE, START, Shop

RECEIVER = Path(__file__).parents[3] / "examples" / "receiver.py"


@dataclass
class Receiver:
    """Somebody else's system: what it took, and what it refuses."""

    url: str = ""
    secret: str = ""
    id: UUID | None = None
    taken: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0
    signatures: list[int] = field(default_factory=list)
    refuses: Callable[[dict[str, Any]], bool] = lambda event: False

    async def receive(self, request: web.Request) -> web.Response:
        self.sent += 1
        self.signatures.append(len(request.headers["webhook-signature"].split()))
        event = Webhook(self.secret).verify(await request.read(), dict(request.headers))
        assert request.headers["webhook-id"] == event["id"]
        if self.refuses(event):
            return web.Response(status=503)
        self.taken.append(event)
        return web.Response(status=204)

    def told(self, owner_id: UUID) -> list[str]:
        """The types of what it took about one agreement or purchase, which must be in order and whole."""
        mine = [event for event in self.taken if str(owner_id) in (event["agreementId"], event["purchaseId"])]
        assert [event["agreementSeq"] for event in mine] == list(range(1, len(mine) + 1))
        return [event["type"] for event in mine]


@pytest.fixture
async def receiver(shop: Shop) -> AsyncIterator[Receiver]:
    """A receiver that the shop's events go to."""
    made = Receiver()
    application = web.Application()
    application.router.add_post("/events", made.receive)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    async with shop.db.tenant(shop.tenant.id) as tx:
        await event_lanes.allow_private_networks(tx, True)
    view, made.secret = await add_endpoint(shop.db, shop.sealer, shop.tenant, made.url, OPERATOR)
    made.id = view.endpoint.id
    yield made
    await runner.cleanup()


async def stream(shop: Shop, after: int = 0) -> list[Any]:
    return await read_events(shop.db, shop.tenant, after, 1000)


async def test_a_whole_life_is_told_in_order(shop: Shop, receiver: Receiver) -> None:
    agreement_id = await shop.subscribe()
    await shop.advance_to(datetime(2027, 2, 16, tzinfo=UTC))
    first = (await shop.see(agreement_id)).charges[0]
    await refund_charge(shop.db, shop.gateways, shop.tenant, first.id, 900, "Sorry", by=OPERATOR)
    await shop.work()
    await stop_agreement(shop.db, shop.gateways, shop.tenant, shop.anna, agreement_id)
    await shop.advance_to(datetime(2027, 4, 1, tzinfo=UTC))
    rental = await shop.rent(Person("https://id.example", "berit"))
    await shop.advance_to(datetime(2027, 4, 4, tzinfo=UTC))
    assert receiver.told(agreement_id) == [
        "agreement.activated",
        "charge.paid",
        "access.extended",
        "charge.paid",
        "access.extended",
        "charge.refunded",
        "agreement.stopped",
        "access.shortened",
        "access.ended",
    ]
    assert receiver.told(rental) == ["access.extended", "charge.paid", "access.ended"]
    # The stream says the same, byte for byte where it matters, with positions from 1 and no gaps.
    told = await stream(shop)
    assert [event.position for event in told] == list(range(1, len(told) + 1))
    assert [str(event.id) for event in told] == [event["id"] for event in sorted(receiver.taken, key=_cursor)]
    ended = next(event for event in receiver.taken if event["type"] == "access.ended")
    assert ended["timestamp"] == ended["data"]["accessUntil"] == "2027-03-14T23:00:00Z"


async def test_an_event_that_is_not_taken_holds_up_its_agreement_alone(shop: Shop, receiver: Receiver) -> None:
    receiver.refuses = lambda event: event["subject"] == "anna" and event["agreementSeq"] == 2
    mine = await shop.subscribe()
    others = await shop.subscribe(Person("https://id.example", "berit"))
    assert receiver.told(mine) == ["agreement.activated"]
    assert receiver.told(others) == ["agreement.activated", "charge.paid", "access.extended"]
    receiver.refuses = lambda event: False
    await shop.advance_to(START + timedelta(minutes=10))
    assert receiver.told(mine) == ["agreement.activated", "charge.paid", "access.extended"]


async def test_an_endpoint_that_takes_nothing_is_disabled_and_loses_nothing(shop: Shop, receiver: Receiver) -> None:
    assert receiver.id is not None
    receiver.refuses = lambda event: True
    agreement_id = await shop.subscribe()
    await shop.advance_to(START + timedelta(days=5))
    (view,) = await list_endpoints(shop.db, shop.tenant)
    assert view.endpoint.disabled_at == START + sum(REDELIVER_AFTER, timedelta())
    assert "answered 503" in (view.endpoint.disabled_reason or "")
    assert receiver.sent == len(REDELIVER_AFTER) + 1
    alarms = await find_config_errors(shop.db, shop.gateways, shop.tenant, _nobody)
    assert [alarm.subject for alarm in alarms if alarm.code == "event_endpoint_disabled"] == [receiver.url]
    await shop.advance_to(datetime(2027, 2, 16, tzinfo=UTC))
    assert receiver.sent == len(REDELIVER_AFTER) + 1
    receiver.refuses = lambda event: False
    await enable_endpoint(shop.db, shop.tenant, receiver.id, OPERATOR)
    await shop.work()
    assert receiver.told(agreement_id) == [
        "agreement.activated",
        *("charge.paid", "access.extended"),
        *("charge.paid", "access.extended"),
    ]
    assert (await list_endpoints(shop.db, shop.tenant))[0].waiting.events == 0


async def test_an_endpoint_gets_the_types_that_it_wants_and_the_others_by_a_replay(
    shop: Shop, receiver: Receiver
) -> None:
    assert receiver.id is not None
    await choose_types(shop.db, shop.tenant, receiver.id, [EventKind.CHARGE_PAID, EventKind.ACCESS_ENDED], OPERATOR)
    await shop.subscribe()
    assert [event["type"] for event in receiver.taken] == ["charge.paid"]
    view = await choose_types(shop.db, shop.tenant, receiver.id, None, OPERATOR)
    assert (view.endpoint.types, view.waiting.events) == (None, 0)
    await replay_endpoint(shop.db, shop.tenant, receiver.id, after=0, by=OPERATOR)
    await shop.work()
    assert [event["type"] for event in receiver.taken[1:]] == ["agreement.activated", "charge.paid", "access.extended"]


async def test_a_receiver_changes_its_secret_in_its_own_time(shop: Shop, receiver: Receiver) -> None:
    assert receiver.id is not None
    here, first = (shop.db, shop.sealer, shop.tenant, receiver.id), receiver.secret
    _, second = await change_secret(*here, overlap_hours=24, by=OPERATOR, key="once")
    assert (await change_secret(*here, overlap_hours=24, by=OPERATOR, key="once"))[1] == second
    agreement_id = await shop.subscribe()
    assert len(receiver.taken) == 3
    receiver.secret = second
    await replay_endpoint(shop.db, shop.tenant, receiver.id, after=0, by=OPERATOR)
    await shop.work()
    assert len(receiver.taken) == 6
    view, receiver.secret = await change_secret(*here, overlap_hours=0, by=OPERATOR, key=None)
    assert (view.endpoint.old_secret_wall, len({first, second, receiver.secret})) == (None, 3)
    await replay_endpoint(shop.db, shop.tenant, receiver.id, after=0, by=OPERATOR)
    await shop.work()
    assert [event["agreementId"] for event in receiver.taken] == [str(agreement_id)] * 9
    assert receiver.signatures == [2] * 6 + [1] * 3


async def test_a_replay_begins_behind_a_cursor(shop: Shop, receiver: Receiver) -> None:
    assert receiver.id is not None
    await shop.subscribe()
    once = list(receiver.taken)
    await replay_endpoint(shop.db, shop.tenant, receiver.id, after=1, by=OPERATOR)
    await shop.work()
    assert receiver.taken == [*once, *once[1:]]
    assert [str(event.id) for event in await stream(shop, after=2)] == [once[2]["id"]]


async def test_old_events_go_but_none_that_somebody_has_not_got(shop: Shop, receiver: Receiver) -> None:
    assert receiver.id is not None
    async with shop.db.tenant(shop.tenant.id) as tx:
        await event_keeping.keep_for(tx, 30)
    await shop.subscribe()
    receiver.refuses = lambda event: event["subject"] == "berit"
    await shop.subscribe(Person("https://id.example", "berit"))
    reader = Person("https://id.example", "crm")
    await shop.advance_to(datetime(2027, 2, 1, tzinfo=UTC))
    read = await read_events(shop.db, shop.tenant, 2, 100, reader)
    assert [event.position for event in read] == [3, 4, 5, 6]
    # Day by day: first what the reader had, then what it never came back for, and never what was not taken.
    await shop.advance_to(datetime(2027, 2, 14, 12, tzinfo=UTC))
    assert [event.position for event in await stream(shop)] == [1, 2, 3, 4, 5, 6]
    await shop.advance_to(datetime(2027, 2, 15, 12, tzinfo=UTC))
    assert (await stream(shop))[0].position == 3
    with pytest.raises(Invalid) as refused:
        await stream(shop, after=1)
    assert (refused.value.code, refused.value.facts["oldest"]) == ("cursor_expired", "2")
    await shop.advance_to(datetime(2027, 3, 5, tzinfo=UTC))
    kept = await stream(shop)
    assert (kept[0].position, kept[0].subject) == (4, "berit")
    receiver.refuses = lambda event: False
    await enable_endpoint(shop.db, shop.tenant, receiver.id, OPERATOR)
    await shop.advance_to(datetime(2027, 3, 7, tzinfo=UTC))
    oldest = (await stream(shop))[0]
    assert oldest.occurred_at > datetime(2027, 2, 4, tzinfo=UTC)
    await replay_endpoint(shop.db, shop.tenant, receiver.id, after=oldest.position, by=OPERATOR)
    await shop.work()
    await shop.books()


async def test_no_event_appears_behind_a_cursor_that_was_given_out(shop: Shop) -> None:
    """One transaction writes its event first and commits last: whoever has read up to the others still hears of it."""
    berit = Person("https://id.example", "berit")
    early = (await shop.see(await shop.subscribe())).agreement
    late = (await shop.see(await shop.subscribe(berit), berit)).agreement
    cursor = (await stream(shop))[-1].position
    async with shop.db.tenant(shop.tenant.id) as slow:
        await announce(slow, [activated(early)])
        async with shop.db.tenant(shop.tenant.id) as quick:
            await announce(quick, [activated(late)])
        (seen,) = await stream(shop, cursor)
        assert seen.owner_id == late.id
    (after,) = await stream(shop, seen.position)
    assert (after.owner_id, after.position) == (early.id, seen.position + 1)
    assert after.id < seen.id


async def test_a_renewal_that_fails_is_told_with_its_reason(shop: Shop, receiver: Receiver) -> None:
    agreement_id = await shop.subscribe()
    await shop.control("PATCH", f"/people/{PHONE}", {"noFunds": [{"from": "2027-02-01", "until": "2028-01-01"}]})
    await shop.advance_to(datetime(2027, 3, 1, tzinfo=UTC))
    # The last try and the grace end at the same midnight.
    assert sorted(receiver.told(agreement_id)[3:]) == [
        *("access.ended", "agreement.stopped", "charge.failed", "charge.failing")
    ]
    failed = next(event for event in receiver.taken if event["type"] == "charge.failed")
    assert failed["data"]["reason"] == "user_action_required"
    assert failed["data"]["price"] == {"amount": 9900, "currency": "NOK"}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://[::1]/x",
        "http://[::ffff:10.0.0.1]/x",
        "http://169.254.169.254/latest",
        "http://localhost/x",
        "ftp://film.example/x",
        "http://a@film.example/x",
        "http:///x",
        "http://[",
    ],
)
async def test_events_go_to_no_private_network_unless_the_tenant_says_so(shop: Shop, url: str) -> None:
    with pytest.raises(Invalid) as refused:
        await add_endpoint(shop.db, shop.sealer, shop.tenant, url, OPERATOR)
    assert refused.value.code == "endpoint_address"


async def test_a_name_that_leads_home_is_not_called(shop: Shop) -> None:
    assert isinstance(shop.courier, SigningCourier)
    home = Call("POST", "http://localhost:9/x", {}, b"{}", 4.0)
    told = await shop.courier.public.send(home)
    assert isinstance(told, NoAnswer)
    assert told.reason == "the name leads into a private network"
    told = await shop.courier.anywhere.send(home)
    assert isinstance(told, NoAnswer)
    assert told.reason == "the connection was refused"
    # Numbers that only some programs take for an address are none.
    for host in ("2130706433", "0x7f000001", "127.1"):
        delivery = await shop.courier.deliver(
            f"http://{host}:9/x", [new_endpoint_secret()], "e", b"{}", private_networks=False
        )
        assert delivery.error is not None


async def test_the_example_takes_each_event_once_in_order(shop: Shop, tmp_path: Path) -> None:
    assert len([line for line in RECEIVER.read_text().splitlines() if line]) <= 30
    async with shop.db.tenant(shop.tenant.id) as tx:
        await event_lanes.allow_private_networks(tx, True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    inbox = tmp_path / "inbox.db"
    url = f"http://127.0.0.1:{port}/"
    view, secret = await add_endpoint(shop.db, shop.sealer, shop.tenant, url, OPERATOR)
    agreement_id = await shop.subscribe()
    settings = {**os.environ, "SECRET": secret, "PORT": port, "INBOX": str(inbox)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(RECEIVER), env=settings, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        other, forged = new_endpoint_secret(), Delivery("not sent")
        for _ in range(500):
            forged = await shop.courier.deliver(url, [other], "forged", b"{}", private_networks=True)
            if forged.error != "the connection was refused":
                break
            await asyncio.sleep(0.02)
        assert "answered 401" in (forged.error or "")
        await enable_endpoint(shop.db, shop.tenant, view.endpoint.id, OPERATOR)
        await replay_endpoint(shop.db, shop.tenant, view.endpoint.id, after=0, by=OPERATOR)
        await shop.work()
    finally:
        process.kill()
        await process.wait()
    with sqlite3.connect(inbox) as db:
        rows = db.execute("SELECT seq, body FROM events WHERE owner = ? ORDER BY rowid", [str(agreement_id)]).fetchall()
    assert [seq for seq, _ in rows] == [1, 2, 3]
    assert json.loads(rows[0][1])["type"] == "agreement.activated"


def _cursor(event: dict[str, Any]) -> int:
    return int(event["cursor"])


async def _nobody(issuer: object) -> None:
    """An issuer that is asked for its keys."""
