"""Rows of the inbox: every authentic webhook once, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    LargeBinary,
    Text,
    Uuid,
    any_,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import TypeEngine

from avtale.domain.gateway import GatewayName
from avtale.domain.observations import EventSubject
from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction
from avtale.storage.many import is_any

#: What Vipps tells of an order that it accepted among many and could not create.
NOT_CREATED = "recurring.charge-creation-failed.v1"


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


_TOLD = ("key", "event_type", "gateway_agreement_id", "external_id", "order_id")
_EACH: dict[str, TypeEngine[Any]] = {
    "id": Uuid(),
    "gateway": Text(),
    "body": LargeBinary(),
    **dict.fromkeys(_TOLD, Text()),
}
_arrived = (
    func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in _EACH.items()))
    .table_valued(*(column(name, kind) for name, kind in _EACH.items()), name="arrived")
    .render_derived()
)
#: The same for any number of webhooks: a list for each column.
_KEEP = (
    insert(t.inbox)
    .from_select(
        [*_EACH, "tenant_id", "status", "received_at"],
        select(
            _arrived,
            bindparam("tenant_id", type_=Uuid()),
            literal("new"),
            bindparam("received_at", type_=DateTime(timezone=True)),
        ),
    )
    .on_conflict_do_nothing(index_elements=["tenant_id", "gateway", "key"])
    .returning(t.inbox.c.id)
)


async def keep(tx: Transaction, arrivals: Sequence[Arrival]) -> set[UUID]:
    """Store webhooks; gives the ids of those that were not here already."""
    if not arrivals:
        return set()
    told: dict[str, list[Any]] = {
        "id": [one.id for one in arrivals],
        "gateway": [one.gateway.value for one in arrivals],
        "body": [one.body for one in arrivals],
        **{name: [getattr(one.event, name) for one in arrivals] for name in _TOLD},
    }
    stored = await tx.conn.execute(_KEEP, {"tenant_id": tx.tenant_id, "received_at": tx.now, **told})
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


async def told_not_created(tx: Transaction, order_ids: Collection[UUID]) -> set[UUID]:
    """Those of these orders of which Vipps has told that they were not created after all."""
    if not order_ids:
        return set()
    c = t.inbox.c
    told = select(c.order_id).where(
        c.tenant_id == tx.tenant_id,
        c.event_type == literal_column(f"'{NOT_CREATED}'"),
        c.order_id == any_(literal([str(one) for one in order_ids], ARRAY(Text))),
    )
    return {UUID(row.order_id) for row in await tx.conn.execute(told)}


async def mark(tx: Transaction, ids: Sequence[UUID], status: str) -> None:
    """Say what became of webhooks: `done`, `parked` when they are about nothing that we know, or `foreign` when
    they are about somebody else's business on the same account."""
    if ids:
        c = t.inbox.c
        await tx.conn.execute(
            update(t.inbox).where(c.tenant_id == tx.tenant_id, is_any(c.id, ids)).values(status=status)
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
