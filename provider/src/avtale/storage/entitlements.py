"""Rows of entitlements: until when a person has access through an agreement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Access through one agreement, until an instant of business time."""

    agreement_id: UUID
    issuer: str
    subject: str
    product_id: str
    access_until: datetime


_COLUMNS = tuple(Entitlement.__dataclass_fields__)


async def save_entitlements(tx: Transaction, entitlements: Sequence[Entitlement]) -> None:
    """Write these as they are now."""
    if entitlements:
        statement = insert(t.entitlements).values(
            [{"tenant_id": tx.tenant_id} | {n: getattr(e, n) for n in _COLUMNS} for e in entitlements]
        )
        await tx.conn.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "agreement_id"],
                set_={"access_until": statement.excluded.access_until},
            )
        )


async def entitlements_of(tx: Transaction, agreement_ids: Collection[UUID]) -> dict[UUID, Entitlement]:
    """Access by agreement."""
    c = t.entitlements.c
    rows = await tx.conn.execute(
        select(t.entitlements).where(c.tenant_id == tx.tenant_id, c.agreement_id.in_(sorted(agreement_ids)))
    )
    return {row.agreement_id: Entitlement(**{n: getattr(row, n) for n in _COLUMNS}) for row in rows}
