"""How fast a business moves in, beside a loop that makes the same calls to the same sandbox and does nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from stories.houses import MIGRATION_SECRET, STRIPE_KEY, Houses, Size
from stories.moving.file import Business
from stories.moving.rehearsal import BEGIN

from .servers import cpu_seconds_of
from .shop import KEYS, V3

ROWS = 5000
#: As many as the provider has under way.
CALLS_AT_ONCE = 16
LOOK_SECONDS = 0.1
WAIT_SECONDS_MAX = 600.0
#: Of an import's status and how many rows have been looked up, whether a phase is over.
Over = Callable[[str, int], bool]
PHASES = ("handing in", "looking up", "applying")


@dataclass(frozen=True, slots=True)
class Phase:
    """What a phase took: wall time, and the processor time of whoever did it (database and sandbox left out)."""

    seconds: float
    cpu_seconds: float


def run(rows: int = ROWS) -> dict[str, Any]:
    """Move a business in, half Stripe's, with one worker; every fiftieth row is broken. Prints what came of it."""
    bare, phases, count = asyncio.run(_measure(rows))
    told: dict[str, Any] = {"rows": rows}
    whole = Phase(sum(p.seconds for p in phases.values()), sum(p.cpu_seconds for p in phases.values()))
    per_row = bare.seconds / count
    print(f"\n{'':12} {'seconds':>8} {'rows a second':>14} {'cpu us a row':>13} {'beside bare':>12}")
    for name, phase, handled in (
        ("bare calls", bare, count),
        *((name, phases[name], rows) for name in PHASES),
        ("all of it", whole, rows),
    ):
        ratio = phase.seconds / handled / per_row
        cpu = phase.cpu_seconds / handled * 1e6
        print(f"{name:12} {phase.seconds:8.1f} {handled / phase.seconds:14.0f} {cpu:13.0f} {ratio:11.2f}x")
        told[name] = {
            "seconds": round(phase.seconds, 2),
            "rows_per_second": round(handled / phase.seconds, 1),
            "cpu_us_per_row": round(cpu),
            "beside_bare": round(ratio, 2),
        }
    return told


async def _measure(rows: int) -> tuple[Phase, dict[str, Phase], int]:
    async with Houses(start_at=BEGIN, size=Size(workers=1)) as houses:
        # Until the file is whole nobody works on it.
        houses.processes.kill("worker-1")
        business = Business(rows)
        await business.open(houses.sandbox, houses.offer.stripe_price)
        file = houses.processes.folder / "agreements.csv"
        business.write(file)
        right = [number for number in range(rows) if business.is_right(number)]
        bare = await _bare(houses.sandbox.base, business, right)
        api = houses.processes["api-1"].handle.pid
        phases: dict[str, Phase] = {}
        busy, began = cpu_seconds_of(api), time.perf_counter()
        path = f"/api/v1/migrate/v2/nordlys/film/{MIGRATION_SECRET}"
        one = await houses.provider.hand_in(path, file)
        phases["handing in"] = Phase(time.perf_counter() - began, cpu_seconds_of(api) - busy)
        _, refused = await _status(houses, one)
        await houses.restart("worker-1")
        worker = houses.processes["worker-1"].handle.pid
        await _until(houses, one, lambda _, done: done > refused)
        overs: tuple[tuple[str, Over], ...] = (
            ("looking up", lambda status, _: status != "checking"),
            ("applying", lambda status, _: status != "applying"),
        )
        for name, is_over in overs:
            _, done = await _status(houses, one)
            busy, began = cpu_seconds_of(worker), time.perf_counter()
            await _until(houses, one, is_over)
            # Of what is looked up, a first batch was done before the worker's own start was over.
            share = rows / max(rows - done, 1) if name == "looking up" else 1.0
            took, used = time.perf_counter() - began, cpu_seconds_of(worker) - busy
            phases[name] = Phase(took * share, used * share)
        seen = await houses.provider.get(f"/api/v1/imports/{one}")
        if seen["counts"]["applied"] != len(right):
            raise RuntimeError(f"{seen['counts']['applied']} rows were applied, and not {len(right)}")
        return bare, phases, len(right)


async def _until(houses: Houses, one: str, is_over: Over) -> None:
    for _ in range(int(WAIT_SECONDS_MAX / LOOK_SECONDS)):
        if is_over(*await _status(houses, one)):
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise RuntimeError(f"the file is not done within {WAIT_SECONDS_MAX:g} seconds")


async def _status(houses: Houses, one: str) -> tuple[str, int]:
    """How far it is, and how many rows have been looked up."""
    seen = await houses.provider.get(f"/api/v1/imports/{one}")
    return str(seen["status"]), int(seen["rows"]) - int(seen["counts"]["read"])


async def _bare(sandbox: str, business: Business, numbers: list[int]) -> Phase:
    """The calls of looking up, from this process: two for an agreement at Vipps, one at Stripe."""
    slots = asyncio.Semaphore(CALLS_AT_ONCE)
    async with aiohttp.ClientSession(sandbox) as session:
        async with session.post("/accesstoken/get", headers=KEYS) as answer:
            token = (await answer.json())["access_token"]
        key = KEYS["Ocp-Apim-Subscription-Key"]
        at_vipps = {"Authorization": f"Bearer {token}", "Ocp-Apim-Subscription-Key": key}
        at_stripe = {"Authorization": f"Bearer {STRIPE_KEY}"}

        async def get(path: str, headers: dict[str, str]) -> None:
            async with session.get(path, headers=headers) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{path} was answered {answer.status}")

        async def look_up(number: int) -> None:
            agreement_id = business.agreement_ids[number]
            async with slots:
                if business.is_at_stripe(number):
                    await get(f"/stripe/v1/subscriptions/{agreement_id}", at_stripe)
                else:
                    await get(f"{V3}/{agreement_id}", at_vipps)
                    await get(f"{V3}/{agreement_id}/charges", at_vipps)

        busy, began = time.process_time(), time.perf_counter()
        await asyncio.gather(*(look_up(number) for number in numbers))
        return Phase(time.perf_counter() - began, time.process_time() - busy)
