"""Rows of entitlements: until when a person has access through an agreement or a purchase."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction
from avtale.storage.many import is_any


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Access through one agreement or one purchase, until an instant of business time."""

    agreement_id: UUID | None
    purchase_id: UUID | None
    issuer: str
    subject: str
    product_id: str
    access_until: datetime

    @property
    def id(self) -> UUID | None:
        """Whichever of the two it is through."""
        return self.agreement_id or self.purchase_id


_COLUMNS = tuple(Entitlement.__dataclass_fields__)
_ENDS = select(t.entitlements.c.id, t.entitlements.c.access_until).where(
    t.entitlements.c.tenant_id == bindparam("tenant_id"),
    t.entitlements.c.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
)


async def save_entitlements(tx: Transaction, entitlements: Collection[Entitlement]) -> None:
    """Write these as they are now; the end of what has not ended yet is waited for."""
    if entitlements:
        statement = insert(t.entitlements)
        new = statement.excluded
        await tx.conn.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "id"],
                set_={"access_until": new.access_until, "product_id": new.product_id, "ended": new.ended},
            ),
            [
                {"tenant_id": tx.tenant_id, "id": e.id, "ended": e.access_until <= tx.now}
                | {n: getattr(e, n) for n in _COLUMNS}
                for e in entitlements
            ],
        )
        ends = [e.access_until for e in entitlements if e.access_until > tx.now]
        if ends:
            tx.due(Job.ACCESS, min(ends))


async def ending(tx: Transaction, owner_ids: Collection[UUID] | None, count_max: int) -> list[Entitlement]:
    """Access that is over and whose end has not been noted, of these owners or (None) of any."""
    c = t.entitlements.c
    over = (c.tenant_id == tx.tenant_id) & (c.access_until <= tx.now) & ~c.ended
    if owner_ids is not None:
        over &= is_any(c.id, owner_ids)
    rows = await tx.conn.execute(select(t.entitlements).where(over).order_by(c.access_until, c.id).limit(count_max))
    return [Entitlement(**{n: getattr(row, n) for n in _COLUMNS}) for row in rows]


async def mark_ended(tx: Transaction, owner_ids: Collection[UUID]) -> None:
    """Note that the access of these has ended by itself."""
    if owner_ids:
        c = t.entitlements.c
        mine = (c.tenant_id == tx.tenant_id) & is_any(c.id, owner_ids)
        await tx.conn.execute(update(t.entitlements).where(mine).values(ended=True))


async def end_entitlements(tx: Transaction, owner_ids: Collection[UUID]) -> None:
    """These agreements or purchases give no access: nothing of them is paid, or not any more."""
    if owner_ids:
        c = t.entitlements.c
        await tx.conn.execute(delete(t.entitlements).where(c.tenant_id == tx.tenant_id, is_any(c.id, owner_ids)))


async def entitlements_of(tx: Transaction, owner_ids: Collection[UUID]) -> dict[UUID, Entitlement]:
    """Access by agreement or purchase."""
    c = t.entitlements.c
    rows = await tx.conn.execute(select(t.entitlements).where(c.tenant_id == tx.tenant_id, is_any(c.id, owner_ids)))
    return {row.id: Entitlement(**{n: getattr(row, n) for n in _COLUMNS}) for row in rows}


async def access_until(tx: Transaction, owner_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When access ends, by agreement or purchase; nothing for those that give none."""
    rows = await tx.conn.execute(_ENDS, {"tenant_id": tx.tenant_id, "ids": list(owner_ids)})
    return {row.id: row.access_until for row in rows}


async def entitlements_of_person(tx: Transaction, issuer: str, subject: str) -> list[Entitlement]:
    """A person's access, by product and end."""
    c = t.entitlements.c
    mine = (c.tenant_id == tx.tenant_id) & (c.issuer == issuer) & (c.subject == subject)
    rows = await tx.conn.execute(select(t.entitlements).where(mine).order_by(c.product_id, c.access_until, c.id))
    return [Entitlement(**{n: getattr(row, n) for n in _COLUMNS}) for row in rows]


async def set_up(tx: Transaction, issuer: str, subject: str) -> datetime:
    """Have an object for a person's entitlements; gives when that was made, now or before."""
    c = t.entitlement_objects.c
    mine = {"tenant_id": tx.tenant_id, "issuer": issuer, "subject": subject}
    await tx.conn.execute(insert(t.entitlement_objects).values(**mine, created_at=tx.now).on_conflict_do_nothing())
    found = await tx.conn.execute(select(c.created_at).where(*(c[name] == value for name, value in mine.items())))
    created: datetime = found.scalar_one()
    return created
