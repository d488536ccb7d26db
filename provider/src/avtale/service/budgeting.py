"""Keep the whole fleet within the calls a minute that a gateway allows, and tell how long the rest will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from avtale.domain.errors import Conflict
from avtale.domain.pace import AHEAD_MAX, Pace
from avtale.domain.ports import Gateways
from avtale.storage import budgets, calls
from avtale.storage.calls import Call
from avtale.storage.database import Transaction
from avtale.storage.tenants import Tenant

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Queue:
    """Calls that wait for their budget, and when (wall time) the last of them will have left."""

    count: int
    calls_per_minute_max: int
    done_wall: datetime


async def pace_of(gateways: Gateways, tenant: Tenant) -> Pace | None:
    """The budget for creating charges at Vipps; None where there is no account there, or none is kept."""
    try:
        return (await gateways.recurring(tenant.id)).charge_pace
    except Conflict:
        return None


async def write_calls(
    tx: Transaction, tenant: Tenant, pace: Pace | None, written: Sequence[Call], lease_seconds_max: float
) -> list[Call]:
    """Write calls that create charges, and give those back that the writer sends: all of them, or none where the budget
    has too little left for them now. Those are sent by and by, as it allows."""
    if pace is None or not written:
        await calls.write_calls(tx, written, lease_seconds_max)
        return list(written)
    start, free = await _free(tx, pace)
    if free < len(written):
        await calls.write_calls(tx, [replace(call, sends=0) for call in written], lease_seconds_max=0)
        queue = await look(tx, pace)
        log.info("charges_wait", tenant=tenant.name, count=queue.count, done=queue.done_wall.isoformat())
        return []
    await calls.write_calls(tx, written, lease_seconds_max + AHEAD_MAX.total_seconds())
    return await _given(tx, pace, start, written)


async def claim_unsent(
    tx: Transaction, pace: Pace | None, batch_count_max: int, lease_seconds: calls.LeaseSeconds
) -> list[Call]:
    """Calls without a certain answer whose time has come, ours for the lease; of those that a budget counts, as many as
    it has left, each with the instant at which it leaves."""
    if pace is None:
        return await calls.claim_unsent(tx, batch_count_max, lease_seconds)
    start, free = await _free(tx, pace)
    claimed = await calls.claim_unsent(
        tx, batch_count_max, lambda count: lease_seconds(count) + AHEAD_MAX.total_seconds(), counted_count_max=free
    )
    given = await _given(tx, pace, start, [call for call in claimed if call.is_counted])
    return [*(call for call in claimed if not call.is_counted), *given]


async def look(tx: Transaction, pace: Pace) -> Queue:
    """Look once at what waits."""
    spent = await budgets.look(tx)
    start, _ = pace.free(spent.following, spent.closed_until, tx.wall)
    count = await budgets.waiting_count(tx)
    return Queue(count, pace.calls_per_minute_max, start + pace.interval * count)


async def _free(tx: Transaction, pace: Pace) -> tuple[datetime, int]:
    spent = await budgets.look(tx, lock=True)
    return pace.free(spent.following, spent.closed_until, tx.wall)


async def _given(tx: Transaction, pace: Pace, start: datetime, written: Sequence[Call]) -> list[Call]:
    if not written:
        return []
    await budgets.give_away(tx, start + pace.interval * len(written))
    first = tx.began + (start - tx.wall) / timedelta(seconds=1)
    return [replace(call, leave_at=first + pace.interval.total_seconds() * n) for n, call in enumerate(written)]
