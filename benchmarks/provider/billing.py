"""Billing: ten thousand due agreements among idle ones, planned, sent, and settled when their money has come."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp
from aiohttp import web

from avtale.domain.ports import RecurringGateway
from avtale.gateways.outbound import Outbound
from avtale.runtime import TenantGateways
from avtale.service.billing import plan_charges
from avtale.storage import calls
from avtale.storage.database import Database, Job
from avtale.storage.sealing import Sealer
from avtale.storage.tenants import tenant_by_id
from avtale.worker.fleet import Waker, open_fleet

from . import rows_alone
from .business import Business, opened

#: When those that are planned in this process are due, and then each cohort that workers send: before the day of their
#: charges.
PLANNED, COHORT_AFTER = datetime(2027, 2, 12, tzinfo=UTC), timedelta(hours=2)
TOGETHER = 2000
CHARGED = datetime(2027, 2, 15, 12, tzinfo=UTC)
PLANNED_COUNT = 5_000
BATCH_COUNT = 500
CALLS_AT_ONCE = 32
NOTICES_COUNT = 60

Told = dict[str, Any]


async def run(due: int, idle: int, fleets: Sequence[int] = (1, 2)) -> Told:
    """One house: `due` agreements for each fleet (so many workers), one by one and in bulk, and `idle` ones around."""
    told: Told = {"due": due, "idle": idle}
    runs = [(workers, together) for workers in fleets for together in (1, TOGETHER)]
    cohorts = [(PLANNED + COHORT_AFTER * (place + 1), *one) for place, one in enumerate(runs)]
    async with opened() as business:
        await business.add_idle(idle)
        await business.add_due(min(due, PLANNED_COUNT), PLANNED)
        for at, _, _ in cohorts:
            await business.add_due(due, at)
        await business.conn.execute("ANALYZE")
        told["planned a second"] = await _plan(business, min(due, PLANNED_COUNT))
        told["planned a second, rows alone"] = await rows_alone.write(business, min(due, PLANNED_COUNT), BATCH_COUNT)
        started = 0
        for at, workers, together in cohorts:
            for number in range(started + 1, workers + 1):
                business.start_worker(f"worker-{number}")
            started = max(started, workers)
            await business.conn.execute("UPDATE vipps_accounts SET charges_per_call_max = %s", (together,))
            fleet = "one worker" if workers == 1 else f"{workers} workers"
            told[f"accepted a second, {'in bulk, ' if together > 1 else ''}{fleet}"] = await _send(business, at, due)
        told["accepted a second, bare loop"] = await _bare(business, due)
        told["settled a second"] = await _settle(business)
        told["from the notice to the wire, median ms"] = await _notice(business)
    return told


async def _plan(business: Business, count: int) -> float:
    """Rows a second of the transaction that claims, moves and writes, commits included; nobody sends these."""
    environment = business.houses.environment
    db = Database(environment["AVTALE_DATABASE_URL"], virtual_clock=True)
    await business.turn(PLANNED)
    try:
        async with Outbound() as outbound:
            sealer = Sealer([environment["AVTALE_ENCRYPTION_KEY"]])
            gateway: RecurringGateway = await TenantGateways(db, sealer, outbound, 4.0).recurring(business.tenant_id)
            async with db.routing() as tx:
                tenant = await tenant_by_id(tx, business.tenant_id)
            assert tenant is not None
            done, began = 0, time.perf_counter()
            while done < count:
                async with db.tenant(business.tenant_id) as tx:
                    written = await plan_charges(tx, tenant, gateway, BATCH_COUNT)
                    await calls.write_calls(tx, written, lease_seconds_max=None)
                assert written, "nothing is due"
                done += len(written)
            return done / (time.perf_counter() - began)
    finally:
        await db.close()


async def _send(business: Business, at: datetime, count: int) -> float:
    """Charges a second from the turn of the clock to the last one that is written down as accepted."""
    before = await business.count("attempts", "status = 'accepted'")
    await business.ready()
    began = time.perf_counter()
    await business.turn(at)
    await business.until("attempts", "status = 'accepted'", before + count)
    return count / (time.perf_counter() - began)


async def _bare(business: Business, count: int) -> float:
    """The same calls with the same bytes from a loop that does nothing else, at other agreements there."""
    ids = await business.houses.sandbox.plant(
        [
            {"phoneNumber": f"46{n:08}", "amount": 9900, "start": "2026-05-15", "productName": "Film", "charged": []}
            for n in range(count)
        ]
    )
    found = await business.conn.execute(
        "SELECT path, body, subject_id FROM calls WHERE kind = 'charge' AND status = 'accepted' LIMIT %s", (count,)
    )
    bodies = [(row[0], bytes(row[1]), str(row[2])) for row in await found.fetchall()]
    base = business.houses.sandbox.base
    keys = {"client_id": "dev-client-id", "client_secret": "dev-client-secret"}
    keys["Ocp-Apim-Subscription-Key"] = "dev-subscription-key"
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{base}/accesstoken/get", headers=keys) as answer:
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Ocp-Apim-Subscription-Key": "dev-subscription-key"}
        headers |= {"Content-Type": "application/json", "Merchant-Serial-Number": "123456"}
        slots = asyncio.Semaphore(CALLS_AT_ONCE)

        async def create(agreement_id: str, path: str, body: bytes, order_id: str) -> None:
            # Its own order at its own agreement: everything else is as the provider wrote it.
            path = path.replace(path.split("/")[-2], agreement_id)
            fresh = str(uuid4())
            async with slots:
                url, sent = f"{base}{path}", body.replace(order_id.encode(), fresh.encode())
                async with session.post(url, data=sent, headers=headers | {"Idempotency-Key": fresh}) as answer:
                    said = await answer.read()
                    if answer.status not in (200, 201):
                        raise RuntimeError(f"the bare loop was refused: {answer.status} {said!r}")

        began = time.perf_counter()
        await asyncio.gather(*(create(one, *body) for one, body in zip(ids, bodies, strict=False)))
        return min(len(ids), len(bodies)) / (time.perf_counter() - began)


async def _settle(business: Business) -> float:
    """Receipts a second: the sandbox takes the money and tells of it, each charge is read again and settled."""
    due = await business.count("attempts", "status = 'accepted'")
    began = time.perf_counter()
    turning = asyncio.create_task(business.houses.sandbox.advance(to=CHARGED, wall_seconds_max=80))
    await business.until("receipts", "true", due)
    took = time.perf_counter() - began
    await asyncio.gather(turning, return_exceptions=True)
    return due / took


async def _notice(business: Business) -> float:
    """From the notice that wakes an idle worker to the call that it makes, of the same event each time."""
    heard: asyncio.Queue[float] = asyncio.Queue()

    async def hear(_: web.Request) -> web.Response:
        heard.put_nowait(time.perf_counter())
        return web.Response()

    application = web.Application()
    application.router.add_post("/", hear)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    fleet = open_fleet(business.houses.environment["AVTALE_DATABASE_URL"])
    try:
        endpoint = await business.houses.provider.listen(f"http://127.0.0.1:{port}/")
        endpoint_id = UUID(endpoint["endpointId"])
        await business.until("events", "position IS NOT NULL", 1)
        async with fleet.open_async():
            waker = Waker(fleet)
            took = [await _one_notice(business, waker, endpoint_id, heard) for _ in range(NOTICES_COUNT)]
    finally:
        await runner.cleanup()
    return statistics.median(took) * 1000


async def _one_notice(business: Business, waker: Waker, endpoint_id: UUID, heard: asyncio.Queue[float]) -> float:
    await business.conn.execute(
        "INSERT INTO event_lanes (tenant_id, endpoint_id, owner_id, next_seq, last_seq, tries, due_at) "
        "SELECT tenant_id, %s, owner_id, agreement_seq, agreement_seq, 0, %s FROM events "
        "WHERE position IS NOT NULL ORDER BY position LIMIT 1",
        (endpoint_id, CHARGED - timedelta(days=30)),
    )
    began = time.perf_counter()
    await waker(business.tenant_id, frozenset({Job.NOTIFY}))
    async with asyncio.timeout(10):
        at = await heard.get()
    # Its lane is empty again before the next one, so that the worker is idle.
    for _ in range(1000):
        if not await business.count("event_lanes", f"endpoint_id = '{endpoint_id}'"):
            break
        await asyncio.sleep(0.01)
    return at - began


def lines(told: Told) -> Sequence[str]:
    """For people."""
    return [f"  {name}: {value:,.0f}" if value > 100 else f"  {name}: {value:.1f}" for name, value in told.items()]
