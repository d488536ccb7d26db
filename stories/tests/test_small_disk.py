"""A small story of a database whose disk is full: nothing is half done, and it goes on when there is room."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from stories.clients import Refused
from stories.disks import NoDisks, small_disk
from stories.houses import Houses, Size
from stories.world import Deal, World

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

#: More checkouts than rows fit into the pages that are there.
CHECKOUTS_COUNT_MAX = 400
#: Room for what the database writes when it starts.
SPARE_MEGABYTES = 40
PAUSE_SECONDS = 0.1


async def test_a_database_without_room_refuses_and_keeps_its_word(database: Path) -> None:
    async with Houses(size=Size(workers=1), database=database) as houses:
        world = World(houses)
        deal = await world.shop.subscribe(await world.person("Anna"))
        houses.stop_database()
        with ExitStack() as disks:
            try:
                disk = disks.enter_context(small_disk(houses.processes.folder / "database", SPARE_MEGABYTES))
            except NoDisks as why:
                pytest.skip(str(why))
            await houses.start_database()
            await _until_all_is_well_again(world, deal)
            disk.fill()
            begun, refused = await _checkouts_until_refused(world)
            assert (refused.status, refused.code) == (503, "database_unavailable")
            assert "no room" in refused.body["detail"]
            assert (await deal.now())["status"] == "active"
            assert houses.processes["worker-1"].running
            disk.empty()
            # The last one may have been written down before there was no room for its answer.
            assert len((await houses.provider.export())["agreements"]) - 1 - begun in (0, 1)
            await world.advance_to("2027-03-01")
            assert [line.status for line in await deal.charges()] == ["paid", "paid"]
            assert await world.audit() == []
            houses.stop_database()


async def _until_all_is_well_again(world: World, deal: Deal) -> None:
    """The processes hear that their connections are gone, and make others."""
    await world.settle()
    for _ in range(CHECKOUTS_COUNT_MAX):
        try:
            await deal.now()
            return
        except Refused:
            await asyncio.sleep(PAUSE_SECONDS)


async def _checkouts_until_refused(world: World) -> tuple[int, Refused]:
    for begun in range(CHECKOUTS_COUNT_MAX):
        try:
            await world.shop.checkout(await world.person(f"Person {begun}"))
        except Refused as refused:
            return begun, refused
    raise AssertionError("there was room for everything")
