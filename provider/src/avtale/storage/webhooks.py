"""Rows of webhook registrations: the intent before the call, and the sealed secret after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from avtale.storage import tables as t
from avtale.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Registration:
    """One registration; `status` is intent, active or retired (its secret still verifies late deliveries)."""

    id: UUID
    gateway: str
    url: str
    status: str
    gateway_webhook_id: str | None
    secret_sealed: bytes | None
    created_wall: datetime
    retired_wall: datetime | None


_COLUMNS = tuple(Registration.__dataclass_fields__)


async def insert_intent(tx: Transaction, registration_id: UUID, gateway: str, url: str) -> None:
    """Write down that a webhook is about to be registered."""
    await tx.conn.execute(
        insert(t.webhook_registrations).values(
            tenant_id=tx.tenant_id,
            id=registration_id,
            gateway=gateway,
            url=url,
            status="intent",
            created_wall=tx.wall,
        )
    )


async def activate(tx: Transaction, registration_id: UUID, gateway_webhook_id: str, secret: bytes) -> None:
    """Keep the answer of the gateway: its id and the sealed secret."""
    await _update(tx, registration_id, status="active", gateway_webhook_id=gateway_webhook_id, secret_sealed=secret)


async def retire(tx: Transaction, registration_id: UUID) -> None:
    """A newer registration has taken over; deliveries under way still verify for a while."""
    await _update(tx, registration_id, status="retired", retired_wall=tx.wall)


async def drop_intents(tx: Transaction, gateway: str) -> None:
    """Forget intents whose answer was lost; their orphans at the gateway are deleted by url."""
    c = t.webhook_registrations.c
    await tx.conn.execute(
        t.webhook_registrations.delete().where(c.tenant_id == tx.tenant_id, c.gateway == gateway, c.status == "intent")
    )


async def registrations(tx: Transaction, gateway: str) -> list[Registration]:
    """The tenant's registrations at a gateway, oldest first."""
    c = t.webhook_registrations.c
    rows = await tx.conn.execute(
        select(t.webhook_registrations)
        .where(c.tenant_id == tx.tenant_id, c.gateway == gateway)
        .order_by(c.created_wall, c.id)
    )
    return [Registration(**{n: getattr(row, n) for n in _COLUMNS}) for row in rows]


async def _update(tx: Transaction, registration_id: UUID, **values: object) -> None:
    c = t.webhook_registrations.c
    await tx.conn.execute(
        update(t.webhook_registrations).where(c.tenant_id == tx.tenant_id, c.id == registration_id).values(**values)
    )
