"""The provider beside the barest endpoint on the same PostgreSQL: webhooks, checkouts and what people read."""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from avtale.gateways.vipps.events import _SIGNED, signature
from avtale.storage.sealing import Sealer
from stories.houses import AUDIENCE

from .. import servers
from ..wrk import Load, Measured, measure
from .business import Business, opened

#: How many requests of one kind are made ready for each second; who answers more begins again with the first.
READY_A_SECOND = 3_000
PEOPLE = 250
#: Many at once, and one after another: then each takes as long as it takes alone.
ALONE = ", one at a time"
STARTS = 3
JSON_BODY = {"Content-Type": "application/json"}

Told = dict[str, Any]
Loads = Callable[[int], Load]


async def webhooks(business: Business, rounds: int, seconds: int) -> Told:
    """Signed webhooks of Vipps, each about another charge, at 64 connections, against one insert and its commit."""
    found = await business.conn.execute(
        "SELECT url, secret_sealed FROM webhook_registrations WHERE gateway = 'vipps' AND status = 'active'"
    )
    row = await found.fetchone()
    assert row is not None
    url, secret = row[0], Sealer([business.houses.environment["AVTALE_ENCRYPTION_KEY"]]).open(bytes(row[1]))
    names = ("x-ms-date", "x-ms-content-sha256", "Authorization")

    def load(_: int) -> Load:
        ready = tuple(_signed(url, secret) for _ in range(READY_A_SECOND * seconds))
        return Load("POST", (urlsplit(url).path,), JSON_BODY, None, names, ready)

    def bare(_: int) -> Load:
        return Load("POST", ("/",), JSON_BODY, _signed(url, secret)[-1])

    return await _beside(business, load, bare, 64, rounds, seconds)


async def checkouts(business: Business, rounds: int, seconds: int) -> Told:
    """People who begin a subscription, each for the first time, against the same bare endpoint.

    The gateway is one that takes no time, so that the time is the provider's own, the call that it makes included.
    """
    wish = {"productId": "film-month", "returnUrl": "https://film.example/thanks", "phoneNumber": "4791234567"}
    count = PEOPLE * seconds
    tokens = [await _token(business, f"buyer-{uuid4()}") for _ in range(2 * count * (rounds + 1))]

    def load(_: int) -> Load:
        mine = [tokens.pop() for _ in range(count)]
        ready = tuple((f"Bearer {token}", str(uuid4()), json.dumps(wish)) for token in mine)
        names = ("Authorization", "Idempotency-Key")
        return Load("POST", ("/api/v1/pay/vipps/checkout",), JSON_BODY, None, names, ready)

    def bare(_: int) -> Load:
        return Load("POST", ("/",), JSON_BODY, json.dumps(wish))

    told: Told = {}
    with servers.instant_gateway() as gateway:
        await business.conn.execute("UPDATE vipps_accounts SET base_url = %s", (gateway.url,))
        await _restart(business)  # so that no process believes the other address for a while
        for name, connections in (("begun", 32), (f"begun{ALONE}", 1)):
            told[name] = await _beside(business, load, bare, connections, rounds, seconds)
    await business.conn.execute("UPDATE vipps_accounts SET base_url = %s", (business.houses.sandbox.base,))
    await _restart(business)
    return told


async def reads(business: Business, rounds: int, seconds: int) -> Told:
    """Agreements and receipts of people, against one row by its key."""
    found = await business.conn.execute("SELECT subject FROM receipts LIMIT %s", (PEOPLE,))
    subjects = [row[0] for row in await found.fetchall()]
    tokens = [await _token(business, subject) for subject in subjects]
    ready = tuple((f"Bearer {token}", "") for token in tokens)
    told: Told = {table: await business.count(table) for table in ("agreements", "receipts")}
    for name, path in (("agreements of a person", "/api/v1/agreements"), ("receipts of a person", "/api/v1/receipt")):
        before = await _scans(business)

        def load(_: int, path: str = path) -> Load:
            return Load("GET", (path,), {}, None, ("Authorization",), ready)

        def bare(_: int) -> Load:
            return Load("GET", (f"/{uuid4()}",), {})

        told[name] = await _beside(business, load, bare, 32, rounds, seconds)
        told[name]["sequential scans"] = await _scans(business) - before
        told[name + ALONE] = await _beside(business, load, bare, 1, rounds, seconds)
    return told


async def starts(business: Business) -> Told:
    """From the start of `avtale serve` on this database to its first answer."""
    took: list[float] = []
    for _ in range(STARTS):
        business.houses.processes.stop("api-1")
        began = time.perf_counter()
        await business.houses.restart("api-1")
        async with business.houses.session.get(f"{business.houses.base}/admin/health/ready") as answer:
            await answer.read()
        took.append(time.perf_counter() - began)
    return {"ready_seconds": round(statistics.median(took), 2)}


async def run(only: str | None, rounds: int, seconds: int, idle: int) -> Told:
    """The parts that need no worker, in one house."""
    told: Told = {}
    async with opened() as business:
        await business.add_idle(idle)
        await business.write_receipts()
        for name, part in (("webhooks", webhooks), ("checkout", checkouts), ("reads", reads)):
            if only in (None, name):
                told[name] = await part(business, rounds, seconds)
        if only in (None, "start"):
            told["start"] = await starts(business)
    return told


async def _beside(business: Business, ours: Loads, bare: Loads, connections: int, rounds: int, seconds: int) -> Told:
    """Both up at once, rounds interleaved; medians, and how many times the bare one's rate is ours."""
    got: dict[str, list[Measured]] = {"ours": [], "bare": []}
    busy = count = 0.0
    async with AsyncExitStack() as up:
        owner = business.houses.environment["AVTALE_DATABASE_OWNER_URL"]
        server = up.enter_context(servers.bare(owner))
        pid = business.houses.processes["api-1"].handle.pid
        # The first round of each only warms up.
        measure(business.houses.base, ours(rounds), connections, 1, "warm")
        measure(server.url, bare(rounds), connections, 1, "warm")
        for number in range(rounds):
            before = servers.cpu_seconds_of(pid)
            got["ours"].append(measure(business.houses.base, ours(number), connections, seconds, f"o{number}"))
            busy += servers.cpu_seconds_of(pid) - before
            count += got["ours"][-1].count
            got["bare"].append(measure(server.url, bare(number), connections, seconds, f"b{number}"))
    if not count:
        raise RuntimeError(f"nothing was answered within {seconds} s: SECONDS_EACH=10 makes each round longer")
    told: Told = {"connections": connections, "cpu_us": round(busy / count * 1e6)}
    for name, rows in got.items():
        for figure in ("per_second", "p50", "p99"):
            told[f"{name} {figure}"] = round(statistics.median(getattr(one, figure) for one in rows), 1)
        told[f"{name} failed"] = sum(one.failed for one in rows)
    told["ratio"] = round(told["ours per_second"] / told["bare per_second"], 2)
    return told


async def _restart(business: Business) -> None:
    business.houses.processes.stop("api-1")
    await business.houses.restart("api-1")


async def _scans(business: Business) -> int:
    """How often a table was read from its beginning to its end, by now: our own counting of rows does so as well."""
    await business.conn.execute("SELECT pg_stat_force_next_flush()")
    found = await business.conn.execute(
        "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables WHERE relname IN ('agreements', 'receipts')"
    )
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def _token(business: Business, subject: str) -> str:
    return await business.houses.sandbox.token(subject, AUDIENCE)


def _signed(url: str, secret: str) -> tuple[str, ...]:
    body = json.dumps(
        {
            "eventType": "recurring.charge-captured.v1",
            "msn": "123456",
            "agreementId": f"agr_{uuid4().hex[:7]}",
            "chargeId": str(uuid4()),
            "occurred": "2027-01-31T09:00:00Z",
            "amount": 9900,
            "currency": "NOK",
        }
    )
    date = formatdate(usegmt=True)
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    return date, digest, _SIGNED + signature(secret, url, date, digest), body


def lines(told: Told) -> Sequence[str]:
    """For people."""
    return [f"  {name}: {value}" for name, value in told.items()]
