"""Rows of the inbox: every authentic webhook once, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from avtale.domain.gateway import GatewayName
from avtale.domain.observations import EventSubject
from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """A stored webhook: what it is about."""

    id: UUID
    gateway: GatewayName
    gateway_agreement_id: str | None
    external_id: str | None
    order_id: str | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """An authentic webhook that is to be kept under an id of ours."""

    id: UUID
    gateway: GatewayName
    event: EventSubject
    body: bytes


async def keep(tx: Transaction, arrivals: Sequence[Arrival]) -> set[UUID]:
    """Store webhooks; gives the ids of those that were not here already."""
    if not arrivals:
        return set()
    rows = [
        {
            "tenant_id": tx.tenant_id,
            "id": one.id,
            "gateway": one.gateway,
            "key": one.event.key,
            "event_type": one.event.event_type,
            "gateway_agreement_id": one.event.gateway_agreement_id,
            "external_id": one.event.external_id,
            "order_id": one.event.order_id,
            "body": one.body,
            "status": "new",
            "received_at": tx.now,
        }
        for one in arrivals
    ]
    stored = await tx.conn.execute(
        insert(t.inbox)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["tenant_id", "gateway", "key"])
        .returning(t.inbox.c.id)
    )
    new = set(stored.scalars())
    if new:
        tx.due(Job.ABSORB, tx.wall)
    return new


async def claim_new(tx: Transaction, batch_count_max: int) -> list[InboxEvent]:
    """Webhooks that nobody has looked at, oldest first."""
    c = t.inbox.c
    rows = await tx.conn.execute(
        select(c.id, c.gateway, c.gateway_agreement_id, c.external_id, c.order_id)
        .where(c.tenant_id == tx.tenant_id, c.status == "new")
        .order_by(c.id)
        .limit(batch_count_max)
        .with_for_update(skip_locked=True)
    )
    return [InboxEvent(row.id, GatewayName(row.gateway), *row[2:]) for row in rows]


async def mark(tx: Transaction, ids: Sequence[UUID], status: str) -> None:
    """Say what became of webhooks: `done`, `parked` when they are about nothing that we know, or `foreign` when
    they are about somebody else's business on the same account."""
    if ids:
        c = t.inbox.c
        await tx.conn.execute(
            update(t.inbox).where(c.tenant_id == tx.tenant_id, c.id.in_(sorted(ids))).values(status=status)
        )


async def foreign_agreements(tx: Transaction, count_max: int) -> list[str]:
    """What webhooks told of that is not ours, as the gateway names it, the latest first."""
    c = t.inbox.c
    latest = func.max(c.received_at)
    rows = await tx.conn.execute(
        select(c.gateway_agreement_id)
        .where(c.tenant_id == tx.tenant_id, c.status == "foreign")
        .group_by(c.gateway_agreement_id)
        .order_by(latest.desc(), c.gateway_agreement_id)
        .limit(count_max)
    )
    return [row.gateway_agreement_id for row in rows]


async def unpark(tx: Transaction, event_id: UUID, status: str) -> bool:
    """Have a parked webhook looked at again (`new`), or let it be (`done`); False for one that is not parked."""
    c = t.inbox.c
    mine = (c.tenant_id == tx.tenant_id) & (c.id == event_id) & (c.status == "parked")
    changed = await tx.conn.execute(update(t.inbox).where(mine).values(status=status))
    if status == "new":
        tx.due(Job.ABSORB, tx.wall)
    return bool(changed.rowcount)
