"""Which tenants have work: read by the rhythm of the fleet, kept true by whoever did the work."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, delete, exists, func, select, true, update

from avtale.storage import tables as t
from avtale.storage.calls import counted
from avtale.storage.database import BUSINESS_JOBS, Job, Transaction

#: Where a job's instants stand: the columns, and which of their rows count.
_NEXT: dict[Job, tuple[tuple[Column[Any], ColumnElement[bool]], ...]] = {
    Job.BILL: (
        (t.agreements.c.next_charge_at, t.agreements.c.parked_reason.is_(None)),
        (t.charges.c.replan_at, true()),
    ),
    Job.CHECK: ((t.checks.c.due_at, true()),),
    Job.SEND: ((t.calls.c.send_wall, counted()), (t.calls.c.send_wall, ~counted())),
    Job.ACCESS: ((t.entitlements.c.access_until, ~t.entitlements.c.ended),),
    Job.NOTIFY: (
        (
            t.event_lanes.c.due_at,
            exists().where(
                t.event_endpoints.c.tenant_id == t.event_lanes.c.tenant_id,
                t.event_endpoints.c.id == t.event_lanes.c.endpoint_id,
                t.event_endpoints.c.disabled_at.is_(None),
            ),
        ),
        (t.event_streams.c.prune_at, true()),
    ),
    Job.IMPORT: ((t.imports.c.work_wall, true()),),
}


async def due_tenants(tx: Transaction) -> list[tuple[UUID, Job]]:
    """The tenants that have something due now, of any job; a routing look-up."""
    rows = await tx.conn.execute(select(t.due_tenants.c.tenant_id, t.due_tenants.c.job).where(_is_due(tx)))
    return [(row.tenant_id, Job(row.job)) for row in rows]


async def waiting(tx: Transaction) -> list[tuple[Job, int]]:
    """How many tenants keep the house from being quiet, by job: due work, any call without an answer, any import."""
    unquiet = _is_due(tx) | t.due_tenants.c.job.in_([Job.SEND, Job.ABSORB, Job.IMPORT])
    rows = await tx.conn.execute(select(t.due_tenants.c.job, func.count()).where(unquiet).group_by(t.due_tenants.c.job))
    return [(Job(job), count) for job, count in rows]


async def next_instant(tx: Transaction) -> datetime | None:
    """The next instant of business time at which any tenant has work."""
    earliest = select(func.min(t.due_tenants.c.due_at)).where(t.due_tenants.c.job.in_(sorted(BUSINESS_JOBS)))
    found: datetime | None = (await tx.conn.execute(earliest)).scalar_one()
    return found


async def refresh_due(tx: Transaction, job: Job) -> datetime | None:
    """Set a tenant's next instant for a job from its rows; to be called last in a transaction of its own kind.

    The row is locked first: whoever says `due` holds it until commit, so the rows read afterwards are complete.
    """
    mine = (t.due_tenants.c.tenant_id == tx.tenant_id) & (t.due_tenants.c.job == job)
    locked = (await tx.conn.execute(select(t.due_tenants.c.due_at).where(mine).with_for_update())).first()
    if locked is None:
        return None
    following: datetime | None = await _next_of(tx, job)
    if following is None:
        await tx.conn.execute(delete(t.due_tenants).where(mine))
    elif following != locked.due_at:
        await tx.conn.execute(update(t.due_tenants).where(mine).values(due_at=following))
    return following


async def unwoken(tx: Transaction) -> list[Job]:
    """The jobs of this tenant that have work for which nobody would be woken in time.

    Each job's row is locked first, as `refresh_due` does; one that is just being made is seen at the second look.
    """
    mine = t.due_tenants.c.tenant_id == tx.tenant_id
    told = select(t.due_tenants.c.job, t.due_tenants.c.due_at).where(mine).order_by(t.due_tenants.c.job)
    late = list(Job)
    for _ in range(2):
        rows = (await tx.conn.execute(told.with_for_update())).all()
        at = {Job(row.job): row.due_at for row in rows}
        following = {job: await _next_of(tx, job) for job in late}
        late = [job for job, when in following.items() if when is not None and (job not in at or at[job] > when)]
    return late


async def _next_of(tx: Transaction, job: Job) -> datetime | None:
    if job is Job.ABSORB:
        oldest = select(t.inbox.c.id).where(t.inbox.c.tenant_id == tx.tenant_id, t.inbox.c.status == "new")
        return tx.wall if (await tx.conn.execute(oldest.limit(1))).first() else None
    if job is Job.NOTIFY:
        unnumbered = select(t.events.c.id).where(t.events.c.tenant_id == tx.tenant_id, t.events.c.position.is_(None))
        if (await tx.conn.execute(unnumbered.limit(1))).first():
            return tx.now
    instants: list[datetime | None] = []
    for column, counts in _NEXT[job]:
        mine = column.table.c.tenant_id == tx.tenant_id
        found = await tx.conn.execute(select(func.min(column)).where(mine, counts))
        instants.append(found.scalar_one())
    return min((instant for instant in instants if instant is not None), default=None)


def _is_due(tx: Transaction) -> ColumnElement[bool]:
    business = t.due_tenants.c.job.in_(sorted(BUSINESS_JOBS))
    return (business & (t.due_tenants.c.due_at <= tx.now)) | (~business & (t.due_tenants.c.due_at <= tx.wall))
