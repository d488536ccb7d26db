"""The clock is turned for everybody: participants work at each instant, and time goes on when they are quiet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from avtale_sandbox.instants import iso, parse_instant

from .conftest import START, serving

ANNA = "4791234567"
HOUR = 3_600_000


@dataclass
class Follower:
    """A program with a clock of its own and things to do: what it was told, and what it will answer."""

    url: str = ""
    token: str = "secret"
    told: list[str] = field(default_factory=list)
    running: list[bool] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    due: list[int] = field(default_factory=list)
    worked: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    work: Any = None
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.tokens.add(request.headers.get("Authorization", ""))
        self.told.append(body["now"])
        self.heard.put_nowait(body["now"])
        self.running.append(body["running"])
        if self.busy:
            return web.json_response({"quiet": False, "next": None, "busy": [self.busy.pop(0)]})
        now = parse_instant(body["now"])
        while self.due and self.due[0] <= now:
            self.worked.append(iso(self.due.pop(0)))
            if self.work is not None:
                await self.work()
        return web.json_response({"quiet": True, "next": iso(self.due[0]) if self.due else None, "busy": []})


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    one = Follower()
    async with serving(one.answer) as url:
        one.url = url
        yield one


async def follow(sandbox: Any, follower: Follower, name: str = "avtale") -> None:
    order = {"name": name, "url": follower.url, "token": follower.token}
    assert (await sandbox.control("POST", "/clock/participants", order)).status == 201


async def test_the_frozen_clock_stands_and_moves_only_when_told(sandbox: Any) -> None:
    assert (await sandbox.control("GET", "/clock")).body == {
        "now": START,
        "running": False,
        "next": None,
        "participants": [],
    }
    moved = await sandbox.advance(by="P1M")
    assert moved["now"] == "2027-02-15T09:00:00Z"
    assert moved["steps"] == 1
    assert (await sandbox.control("GET", "/clock"))["now"] == "2027-02-15T09:00:00Z"


async def test_what_is_due_next_is_shown(sandbox: Any) -> None:
    draft = await sandbox.draft()
    assert (await sandbox.control("GET", "/clock"))["next"] == "2027-01-15T09:10:00Z"
    await sandbox.control("POST", f"/phone/{ANNA}/agreements/{draft['agreementId']}/approve")
    assert (await sandbox.control("GET", "/clock"))["next"] is None


async def test_a_participant_is_told_each_instant_with_its_token(sandbox: Any, follower: Follower) -> None:
    agreement_id = await sandbox.agree()
    await sandbox.charge(agreement_id, due="2027-01-20")
    await follow(sandbox, follower)
    follower.due = [parse_instant("2027-01-18T12:00:00Z"), parse_instant("2027-01-25T00:00:00Z")]
    moved = await sandbox.advance_to("2027-01-22T00:00:00Z")
    assert follower.told[-4:] == [
        START,
        "2027-01-18T12:00:00Z",
        "2027-01-20T08:00:00Z",
        "2027-01-22T00:00:00Z",
    ]
    assert moved["steps"] == 3
    assert follower.worked == ["2027-01-18T12:00:00Z"]
    assert follower.tokens == {"Bearer secret"}
    assert not any(follower.running)
    await sandbox.advance_to("2027-01-26T00:00:00Z")
    assert follower.worked[1:] == ["2027-01-25T00:00:00Z"]


async def test_a_participant_is_told_the_time_when_it_registers_and_when_it_is_set(
    sandbox: Any, follower: Follower
) -> None:
    async with asyncio.timeout(5):
        await follow(sandbox, follower)
        assert await follower.heard.get() == START
        await sandbox.control("PUT", "/clock", {"now": "2027-06-01T00:00:00Z"})
        assert await follower.heard.get() == "2027-06-01T00:00:00Z"
    shown = (await sandbox.control("GET", "/clock"))["participants"]
    assert shown == [{"name": "avtale", "url": follower.url}]


async def test_time_waits_until_a_participant_is_quiet(sandbox: Any, follower: Follower) -> None:
    await follow(sandbox, follower)
    follower.due = [parse_instant("2027-01-16T00:00:00Z")]
    await sandbox.advance_to("2027-01-15T12:00:00Z")
    follower.told.clear()
    follower.busy = ["inbox 3", "inbox 2", "inbox 1"]
    await sandbox.advance_to("2027-01-17T00:00:00Z")
    assert follower.told[:4] == ["2027-01-15T12:00:00Z"] * 4
    assert follower.worked == ["2027-01-16T00:00:00Z"]


async def test_what_a_participant_asks_for_happens_at_the_same_instant(
    sandbox: Any, follower: Follower, hooked: Any
) -> None:
    agreement_id = await sandbox.agree()

    async def stop() -> None:
        path = f"/recurring/v3/agreements/{agreement_id}"
        assert (await sandbox.call("PATCH", path, {"status": "STOPPED"})).status == 204

    follower.work = stop
    follower.due = [parse_instant("2027-01-18T12:00:00Z")]
    await follow(sandbox, follower)
    moved = await sandbox.advance_to("2027-02-01T00:00:00Z")
    assert (await sandbox.fetch(agreement_id))["stop"] == "2027-01-18T12:00:00Z"
    told = hooked.got[-1]
    assert (told["eventType"], told["occurred"]) == ("recurring.agreement-stopped.v1", "2027-01-18T12:00:00Z")
    assert moved["delivered"] == 1
    # It was asked once more after that webhook had reached its shop.
    assert follower.told.count("2027-01-18T12:00:00Z") == 2


async def test_webhooks_of_an_instant_are_delivered_before_participants_are_asked(
    sandbox: Any, follower: Follower, hooked: Any
) -> None:
    agreement_id = await sandbox.agree()
    await sandbox.charge(agreement_id)
    heard_when_asked: list[tuple[str, int]] = []

    async def look(request: web.Request) -> web.StreamResponse:
        now = json.loads(await request.read())["now"]
        heard_when_asked.append((now, len(hooked.got)))
        return web.json_response({"quiet": True})

    async with serving(look) as url:
        await sandbox.control("POST", "/clock/participants", {"name": "x", "url": url, "token": ""})
        await sandbox.advance_to("2027-02-02T00:00:00Z")
    assert ("2027-02-01T08:00:00Z", 2) in heard_when_asked
    assert ("2027-02-01T08:00:00Z", 1) not in heard_when_asked


async def test_of_very_much_that_is_due_a_part_is_told_before_the_rest_is_done(
    sandbox: Any, hooked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avtale_sandbox.conductor._FIRED_AT_ONCE_MAX", 2)
    monkeypatch.setattr("avtale_sandbox.conductor._BACKLOG_MAX", 2)
    waiting = {"amount": 9900, "start": "2026-06-01", "waiting": ["2027-01-16"]}
    orders = [waiting | {"phoneNumber": f"4790{number:06}"} for number in range(8)]
    assert (await sandbox.control("POST", "/past-agreements", {"agreements": orders})).status == 201
    backlogs = []

    async def look() -> None:
        backlogs.append(sandbox.world.sender.busy)

    hooked.before = look
    await sandbox.advance_to("2027-01-17T12:00:00Z")
    captured = [told for told in hooked.got if "captured" in told["eventType"]]
    assert len(captured) == 8
    assert max(backlogs) < 8


async def test_a_limit_of_wall_time_names_who_is_not_quiet(sandbox: Any, follower: Follower) -> None:
    await follow(sandbox, follower)
    follower.due = [parse_instant("2027-01-16T00:00:00Z")]

    async def get_stuck() -> None:
        follower.busy = ["outbox 7"] * 10_000

    follower.work = get_stuck
    # It answers once that it is quiet, on the 16th, and is stuck at the next instant, where a charge is seen.
    agreement_id = await sandbox.agree()
    await sandbox.charge(agreement_id, due="2027-03-01")
    reply = await sandbox.advance(to="2027-04-01T00:00:00Z", wallSecondsMax=0.3)
    assert reply.status == 503
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply["notQuiet"] == ["avtale: outbox 7"]
    assert reply["now"] == "2027-01-29T23:00:00Z"
    assert (await sandbox.control("GET", "/clock"))["now"] == reply["now"]


async def test_a_participant_that_is_not_there_is_not_quiet(sandbox: Any) -> None:
    await sandbox.control("POST", "/clock/participants", {"name": "gone", "url": "http://127.0.0.1:9/"})
    reply = await sandbox.advance(by="P1D", wallSecondsMax=0.2)
    assert reply.status == 503
    assert reply["notQuiet"][0].startswith("gone: ")
    assert (await sandbox.control("GET", "/clock"))["now"] == START
    assert (await sandbox.control("DELETE", "/clock/participants/gone")).status == 204
    assert (await sandbox.control("DELETE", "/clock/participants/gone")).status == 404
    assert (await sandbox.advance(by="P1D", wallSecondsMax=0.2)).status == 200


async def test_a_participant_due_in_the_past_is_not_quiet(sandbox: Any) -> None:
    async def late(request: web.Request) -> web.StreamResponse:
        return web.json_response({"quiet": True, "next": "2027-01-01T00:00:00Z"})

    async with serving(late) as url:
        await sandbox.control("POST", "/clock/participants", {"name": "late", "url": url})
        reply = await sandbox.advance(by="P1D", wallSecondsMax=0.2)
    assert reply.status == 503
    assert "not ahead" in reply["notQuiet"][0]


async def test_two_participants_wait_for_each_other(sandbox: Any, follower: Follower) -> None:
    other = Follower(token="other")
    async with serving(other.answer) as url:
        other.url = url
        await follow(sandbox, follower, "one")
        await follow(sandbox, other, "two")
        follower.due = [parse_instant("2027-01-16T00:00:00Z")]
        other.due = [parse_instant("2027-01-17T00:00:00Z")]
        await sandbox.advance_to("2027-01-18T00:00:00Z")
    for one in (follower, other):
        assert [now for now in ("2027-01-16T00:00:00Z", "2027-01-17T00:00:00Z") if now in one.told] == [
            "2027-01-16T00:00:00Z",
            "2027-01-17T00:00:00Z",
        ]


async def test_time_does_not_go_back_once_something_is_stored(sandbox: Any) -> None:
    assert (await sandbox.control("PUT", "/clock", {"now": "2026-01-01T00:00:00Z"})).status == 200
    await sandbox.draft()
    assert (await sandbox.control("PUT", "/clock", {"now": "2025-01-01T00:00:00Z"})).status == 409
    assert (await sandbox.advance(to="2025-01-01T00:00:00Z")).status == 409
    assert (await sandbox.control("GET", "/clock"))["now"] == "2026-01-01T00:00:00Z"
    assert (await sandbox.control("PUT", "/clock", {"now": "2026-01-01T00:20:00Z"})).status == 200
    assert [one["status"] for one in (await sandbox.control("GET", "/export"))["agreements"]] == ["EXPIRED"]


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"to": START, "by": "P1D"},
        {"to": "tomorrow"},
        {"by": "1 day"},
        {"by": "P1D", "wallSecondsMax": 0},
        {"by": 5},
        {"until": START},
    ],
)
async def test_a_wrong_order_moves_nothing(sandbox: Any, order: dict[str, Any]) -> None:
    reply = await sandbox.advance(**order)
    assert reply.status == 400
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert (await sandbox.control("GET", "/clock"))["now"] == START


async def test_a_running_clock_does_what_is_due_by_itself_and_can_be_moved_too(sandbox: Any) -> None:
    draft = await sandbox.draft()
    await sandbox.control("PUT", "/clock", {"now": "2027-01-15T09:09:59.950Z", "running": True})
    async with asyncio.timeout(10):
        while (await sandbox.fetch(draft["agreementId"]))["status"] != "EXPIRED":
            pass
    moved = await sandbox.advance(by="P1D")
    clock = await sandbox.control("GET", "/clock")
    assert clock["running"] is True
    assert moved["now"][:10] == "2027-01-16"
    assert parse_instant(clock["now"]) >= parse_instant(moved["now"])


async def test_the_same_calls_give_the_same_results(sandbox: Any) -> None:
    async def play() -> Any:
        agreement_id = await sandbox.agree(
            initialCharge={"amount": 100, "description": "First", "transactionType": "RESERVE_CAPTURE"}
        )
        await sandbox.charge(agreement_id)
        await sandbox.person(ANNA, noFunds=[{"until": "2027-02-02"}])
        await sandbox.advance_to("2027-03-01T00:00:00Z")
        return (await sandbox.control("GET", "/export")).body

    first = await play()
    await sandbox.control("POST", "/reset")
    # Time does not go back by a reset alone; with nothing stored, it may be set.
    assert (await sandbox.control("PUT", "/clock", {"now": START})).status == 200
    assert await play() == first


async def test_a_clock_that_is_let_run_while_it_is_moved_is_moved_to_the_end(sandbox: Any, hooked: Any) -> None:
    await sandbox.charge(await sandbox.agree())
    await sandbox.control("POST", "/snapshots", {"name": "before"})
    seen = []

    async def look() -> None:
        shown = await sandbox.control("PUT", "/clock", {"running": True})
        restored = await sandbox.control("POST", "/snapshots/before/restore")
        seen.append((shown["now"], shown["running"], restored.status, sandbox.world.clock.held))

    hooked.before = look
    reply = await sandbox.advance_to("2027-02-02T00:00:00Z")
    assert (seen[-1], reply["now"]) == (("2027-02-01T08:00:00Z", True, 409, True), "2027-02-02T00:00:00Z")
    hooked.before = None
    assert (await sandbox.control("GET", "/clock"))["running"] is True
