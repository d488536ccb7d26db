"""Turn business time where that is allowed, and tell whether everything that was due has been done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from avtale.storage import clock
from avtale.storage.database import Database
from avtale.storage.due import due_tenants, next_instant, waiting


@dataclass(frozen=True, slots=True)
class Quiet:
    """Whether nothing is due or under way, when something next is (business time), and what is not done."""

    quiet: bool
    next: datetime | None
    busy: tuple[str, ...]


async def turn_clock(db: Database, now: datetime, running: bool) -> None:
    """Set business time for all processes, and wake the fleet for whatever that makes due. Raises ClockLocked."""
    async with db.routing() as tx:
        await clock.set_clock(tx, now, running)
    await wake_due(db)


async def wake_due(db: Database) -> None:
    """Wake the fleet for every tenant that has something due: the rhythm that makes a lost job cost nothing."""
    async with db.routing() as tx:
        due = await due_tenants(tx)
    for tenant_id, job in due:
        await db.waker(tenant_id, frozenset({job}))


async def quietness(db: Database) -> Quiet:
    """Look once."""
    async with db.routing() as tx:
        jobs = await waiting(tx)
        following = await next_instant(tx)
    return Quiet(not jobs, following, tuple(f"{job.value}: {count} tenants" for job, count in jobs))
