"""Small stories of the ground that gives way, the database or the network; both houses end in the same state."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from stories.clients import Refused
from stories.world import Line, World

pytestmark = pytest.mark.story

#: How long the database is away; OUTAGE_SECONDS=60 is the long form.
OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "6"))


def paid(due: str) -> Line:
    return Line(due, "paid", 1, captured=9900)


async def test_a_database_that_is_away_for_a_while_costs_time_alone(world: World) -> None:
    deal = await world.shop.subscribe(await world.person("Anna"))
    late = await world.shop.checkout(await world.person("Bjørn"))
    houses = world.houses
    houses.stop_database()
    began = time.monotonic()
    await late.open_phone()
    while time.monotonic() - began < OUTAGE_SECONDS:
        with pytest.raises(Refused) as refused:
            await world.shop.checkout(late.person)
        assert (refused.value.status, refused.value.code) == (503, "database_unavailable")
        await asyncio.sleep(0.2)
    assert houses.processes["worker-1"].running
    await houses.start_database()
    await world.advance_to("2027-02-25T09:00")
    turning = asyncio.create_task(world.advance_to("2027-03-01"))
    await asyncio.sleep(0.1)
    houses.kill_database()
    await houses.start_database()
    await turning
    assert houses.processes["worker-1"].running
    for one in (deal, late):
        assert await one.charges() == [paid("2027-01-31"), paid("2027-02-28")]
