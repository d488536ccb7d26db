"""Small stories of the ground that gives way, the database or the network; both houses end in the same state."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import psycopg
import pytest

from stories.clients import Refused
from stories.houses import Houses, Size
from stories.networks import NoNetworks, network, passage
from stories.world import Line, World

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

#: How long the database is away; OUTAGE_SECONDS=60 is the long form.
OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "4"))
#: How long a worker's cable is pulled, and how many ask at once; CUT_SECONDS=60 and BURST=10000 are the long form.
CUT_SECONDS = float(os.environ.get("CUT_SECONDS", "3"))
BURST = int(os.environ.get("BURST", "200"))

#: How long somebody in the crowd waits for an answer.
PATIENCE = aiohttp.ClientTimeout(total=240)

CREATE = {"operationId": "CreateChargeV3"}
DRAFT = {"operationId": "DraftAgreementV3"}


async def befallen(world: World, fault: str) -> None:
    """Wait until a line of the fault script has met somebody."""
    while True:
        if any(one["id"] == fault and one["matched"] for one in (await world.sandbox.faults())["faults"]):
            return
        await asyncio.sleep(0.02)


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


async def test_whoever_is_asked_to_end_finishes_what_it_began(world: World) -> None:
    processes = world.houses.processes
    anna, berit = await world.person("Anna"), await world.person("Berit")
    deal = await world.shop.subscribe(anna)
    slow = await world.sandbox.fault(DRAFT, {"kind": "delay", "seconds": 1})
    asked = asyncio.create_task(world.shop.checkout(berit))
    await befallen(world, slow)
    await asyncio.to_thread(processes.stop, "api-1")
    second = await asked
    await world.houses.restart("api-1")
    slow = await world.sandbox.fault(CREATE, {"kind": "delay", "seconds": 1})
    turning = asyncio.create_task(world.advance_to("2027-03-01"))
    await befallen(world, slow)
    assert await asyncio.to_thread(processes.stop, "worker-1") == 0
    (renewal,) = (c for a in (await world.houses.provider.export())["agreements"] for c in a["charges"][1:])
    assert [attempt["status"] for attempt in renewal["attempts"]] == ["accepted"]
    processes.restart("worker-1")
    await turning
    assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]
    assert await second.status() == "expired"


async def test_a_crowd_at_a_full_pool_is_sent_away_and_nothing_is_half_done(database: Path) -> None:
    settings = {"AVTALE_DATABASE_CONNECTIONS_MAX": "2"}
    async with (
        Houses(size=Size(workers=1), database=database, settings=settings) as houses,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=PATIENCE) as crowd,
    ):
        world = World(houses)
        people = [await world.person(name) for name in ("Anna", "Bjørn", "Cecilie", "David")]

        async def ask(number: int) -> tuple[int, str | None]:
            person = people[number % len(people)]
            wish = {"productId": "film-month", "returnUrl": "https://film.example", "phoneNumber": person.phone_number}
            headers = {"Authorization": f"Bearer {person.provider.token}", "Idempotency-Key": f"crowd-{number}"}
            url = f"{houses.base}/api/v1/pay/vipps/checkout"
            async with crowd.post(url, json=wish, headers=headers) as answer:
                await answer.read()
                return answer.status, answer.headers.get("Retry-After")

        owner = houses.environment["AVTALE_DATABASE_OWNER_URL"]
        async with await psycopg.AsyncConnection.connect(owner) as held:
            await held.execute("LOCK TABLE agreements IN EXCLUSIVE MODE")
            asking = [asyncio.create_task(ask(number)) for number in range(BURST)]
            while sum(one.done() for one in asking) < BURST - 2:
                async with crowd.get(f"{houses.base}/admin/health/live") as answer:
                    assert answer.status == 200
                await asyncio.sleep(0.2)
        answers = await asyncio.gather(*asking)
        assert set(answers) <= {(200, None), (201, None), (503, "2")}
        assert sum(status == 503 for status, _ in answers) >= BURST - 4
        sent_away = [number for number, (status, _) in enumerate(answers) if status == 503]
        assert {(await ask(number))[0] for number in sent_away[:12]} <= {200, 201}
        for person in people:
            await (await world.shop.checkout(person)).open_phone()
        await world.advance_to("2027-03-01")
        assert await world.audit() == []
        # Whoever was sent away between the draft and its answer was given another; nobody has two that count.
        statuses = [a["status"] for a in (await world.sandbox.export())["agreements"] if a["status"] != "EXPIRED"]
        assert statuses == ["ACTIVE"] * len(people)


async def test_a_worker_that_is_cut_off_is_stood_in_for_and_comes_back(database: Path) -> None:
    with ExitStack() as cables:
        try:
            one, two = (cables.enter_context(network(number)) for number in range(2))
        except NoNetworks as why:
            pytest.skip(str(why))
        # On the other cable, so that pulling the one takes nothing from the two.
        here = two.here
        settings = {"AVTALE_VIPPS_CALL_SECONDS_MAX": "1.0"}
        async with Houses(size=Size(workers=1), database=database, sandbox_host=here, settings=settings) as houses:
            world = World(houses)
            address = houses.environment["AVTALE_DATABASE_URL"]
            at = address.rpartition("@")[2].partition("/")[0]
            async with passage(here, int(at.rpartition(":")[2])) as port:
                elsewhere = {"AVTALE_DATABASE_URL": address.replace(at, f"{here}:{port}")}
                houses.processes.kill("worker-1")
                houses.add_worker("worker-2", *one.inside, environment=elsewhere)
                deal = await world.shop.subscribe(await world.person("Anna"))
                slow = await world.sandbox.fault(CREATE, {"kind": "delay", "seconds": 0.5})
                turning = asyncio.create_task(world.advance_to("2027-03-01"))
                await befallen(world, slow)
                one.pull()
                await asyncio.sleep(CUT_SECONDS)
                assert not turning.done()
                houses.add_worker("worker-3", *two.inside, environment=elsewhere)
                await turning
                assert await deal.charges() == [paid("2027-01-31"), paid("2027-02-28")]
                one.plug()
                houses.processes.kill("worker-3")
                await world.advance_to("2027-04-01")
                assert [line.status for line in await deal.charges()] == ["paid"] * 3
                assert await world.audit() == []
