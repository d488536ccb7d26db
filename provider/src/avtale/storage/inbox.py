"""Rows of the inbox: every authentic webhook once, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from avtale.domain.gateway import GatewayName
from avtale.domain.ports import EventSubject
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


async def keep(tx: Transaction, event_id: UUID, gateway: str, event: EventSubject, body: bytes) -> bool:
    """Store a webhook; False when it is here already."""
    stored = await tx.conn.execute(
        insert(t.inbox)
        .values(
            tenant_id=tx.tenant_id,
            id=event_id,
            gateway=gateway,
            key=event.key,
            event_type=event.event_type,
            gateway_agreement_id=event.gateway_agreement_id,
            external_id=event.external_id,
            order_id=event.order_id,
            body=body,
            status="new",
            received_at=tx.now,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "gateway", "key"])
        .returning(t.inbox.c.id)
    )
    if stored.first() is None:
        return False
    tx.due(Job.ABSORB, tx.wall)
    return True


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
