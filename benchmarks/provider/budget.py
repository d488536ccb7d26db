"""A budget of 500 calls a minute: charges that are due at once leave as Vipps allows it, whoever of the fleet sends."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from avtale.domain.pace import WINDOW, Pace
from avtale.service import budgeting
from avtale.storage.database import Database

from .business import Business, opened

DUE_AT = datetime(2027, 2, 12, tzinfo=UTC)
CALLS_PER_MINUTE = 500
#: Enough for two minutes and some more, and few enough for the sandbox to remember each call.
DUE_COUNT = 1200
PLAN_SECONDS_MAX = 60.0
WORKERS = 2

Told = dict[str, Any]


async def run(due: int = DUE_COUNT) -> Told:
    """A strict sandbox answers 429 above its limit; here it has none to give, in no sixty seconds."""
    async with opened(sandbox_profile="strict") as business:
        await business.add_due(due, DUE_AT)
        await business.conn.execute("UPDATE vipps_accounts SET charge_calls_per_minute_max = %s", (CALLS_PER_MINUTE,))
        for number in range(1, WORKERS + 1):
            business.start_worker(f"worker-{number}")
        await business.ready()
        began = time.perf_counter()
        await business.turn(DUE_AT)
        promised = await _promised(business, due)
        await business.until("attempts", "status = 'accepted'", due)
        took = time.perf_counter() - began
        calls = (await business.houses.sandbox.requests("/charges"))["requests"]
        at = sorted(datetime.fromisoformat(one["wallTime"]) for one in calls if one["method"] == "POST")
        return {
            "due": due,
            "calls a minute allowed": CALLS_PER_MINUTE,
            "most in any sixty seconds": max(sum(first <= one < first + WINDOW for one in at) for first in at),
            "turned away (429)": sum(one["status"] == 429 for one in calls),
            "minutes": took / 60,
            "minutes that were promised when it began": promised / 60,
        }


async def _promised(business: Business, due: int) -> float:
    """How long it is to take, in seconds, by what an operator is told as soon as all is planned."""
    began = time.perf_counter()
    for _ in range(int(PLAN_SECONDS_MAX / 0.05)):
        if await business.count("charges", "kind = 'recurring' AND status = 'open'") >= due:
            break
        await asyncio.sleep(0.05)
    db = Database(business.houses.environment["AVTALE_DATABASE_URL"], virtual_clock=True, pool_size=1)
    try:
        async with db.tenant(business.tenant_id) as tx:
            queue = await budgeting.look(tx, Pace(CALLS_PER_MINUTE))
            return (queue.done_wall - tx.wall).total_seconds() + time.perf_counter() - began
    finally:
        await db.close()
