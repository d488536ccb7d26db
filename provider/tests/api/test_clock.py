"""The clock that a test turns: there for whoever has its token, and for nobody else."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from avtale.service.turning import quietness
from avtale.storage import tables
from avtale.storage.database import Job

from .conftest import CLOCK_TOKEN, World, serving

TURN = {"now": "2027-01-15T09:05:00Z", "running": False, "waitSecondsMax": 2}


async def turn(world: World, token: str | None = CLOCK_TOKEN, **wish: Any) -> Any:
    return await world.call("POST", "/admin/clock", token=token, json=TURN | wish)


async def test_a_turned_clock_is_everybodys_time(world: World) -> None:
    answer = await turn(world)
    # In three days Stripe is asked for events that it could not tell.
    assert answer.json == {"quiet": True, "next": "2027-01-18T09:00:00Z", "busy": []}
    assert (await world.draft())["expiresAt"] == "2027-01-15T09:15:00Z"
    assert (await turn(world)).json["next"] == "2027-01-15T09:16:00Z"


async def test_what_is_due_is_waited_for_and_named(world: World) -> None:
    await world.draft()
    began = time.monotonic()
    answer = await turn(world, now="2027-01-15T09:20:00Z", waitSecondsMax=0.2)
    assert time.monotonic() - began < 5
    assert answer.json["quiet"] is False
    assert answer.json["busy"] == ["check: 1 tenants"]
    turning = asyncio.create_task(turn(world, now="2027-01-15T09:20:00Z", waitSecondsMax=30))
    await world.settle()
    assert (await turning).json["quiet"] is True
    assert (await quietness(world.db)).quiet


async def test_the_fleet_is_woken_for_what_becomes_due(world: World) -> None:
    woken: list[Any] = []

    async def wake(tenant_id: Any, jobs: frozenset[Job]) -> None:
        woken.append((tenant_id, set(jobs)))

    await world.draft()
    world.db.waker = wake
    await turn(world, now="2027-01-15T09:20:00Z", waitSecondsMax=0)
    assert (world.film.id, {Job.CHECK}) in woken


async def test_nobody_else_knows_that_there_is_a_clock(world: World) -> None:
    for token in (None, "", "turn-turn", f"{CLOCK_TOKEN}x", "\xe5", world.admin()):
        answer = await turn(world, token)
        assert (answer.status, answer.code) == (404, "route_unknown")
        # Nor from what is said of a body that cannot be read.
        answer = await world.call("POST", "/admin/clock", token=token, data=b"{")
        assert (answer.status, answer.code) == (404, "route_unknown")


async def test_a_house_without_a_virtual_clock_or_a_token_has_none(world: World) -> None:
    for changes in ({"virtual_clock": False}, {"clock_token": None}, {"clock_token": ""}):
        async with serving(replace(world.house, **changes)) as url:  # type: ignore[arg-type]
            world.url = url
            for token in (CLOCK_TOKEN, "", "None"):
                answer = await turn(world, token)
                assert (answer.status, answer.code) == (404, "route_unknown")


async def test_a_time_that_is_none_is_refused(world: World) -> None:
    for wish in (
        {"now": "soon"},
        {"now": "2027-02-30T09:00:00Z"},
        {"now": "2027-01-15T09:00:00"},
        {"now": "2027-01-15T09:00:00+01:00"},
        {"now": 1800000000},
        {"running": "no"},
        {"waitSecondsMax": -1},
        {"waitSecondsMax": 61},
        {"waitSecondsMax": "2"},
        {"more": 1},
    ):
        answer = await turn(world, **wish)
        assert (answer.status, answer.code) == (400, "invalid_request"), wish


async def test_next_to_production_the_clock_is_locked(world: World) -> None:
    async with world.db.routing() as tx:
        await tx.conn.execute(tables.tenants.update().values(environment="production"))
    answer = await turn(world)
    assert (answer.status, answer.code) == (409, "clock_locked")


async def test_the_contract_does_not_speak_of_it(world: World) -> None:
    said = (await world.call("GET", "/openapi.json")).json
    assert "/admin/clock" not in said["paths"]
