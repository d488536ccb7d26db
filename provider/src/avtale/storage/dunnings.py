"""Rows of dunnings: charges whose first try has failed, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert

from avtale.domain.dunning import Dunning, DunningStatus
from avtale.storage import tables as t
from avtale.storage.database import Transaction
from avtale.storage.many import is_any

_COLUMNS = tuple(Dunning.__dataclass_fields__)


async def save_dunnings(tx: Transaction, dunnings: Sequence[Dunning]) -> None:
    """Write these as they are now; their agreements are locked by this transaction."""
    if not dunnings:
        return
    statement = insert(t.dunnings).values(
        [{"tenant_id": tx.tenant_id} | {name: getattr(one, name) for name in _COLUMNS} for one in dunnings]
    )
    changing = ("status", "reason", "orders", "next_order_on", "closed_at")
    await tx.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "charge_id"], set_={name: statement.excluded[name] for name in changing}
        )
    )


async def give_up(tx: Transaction, agreement_id: UUID) -> None:
    """The agreement has ended: charges of it that were to be ordered anew will not be."""
    c = t.dunnings.c
    mine = (c.tenant_id == tx.tenant_id) & (c.agreement_id == agreement_id) & c.next_order_on.is_not(None)
    await tx.conn.execute(
        update(t.dunnings)
        .where(mine, c.status == DunningStatus.OPEN)
        .values(status=DunningStatus.LOST, next_order_on=None, closed_at=tx.now)
    )


async def holds(tx: Transaction, agreement_id: UUID) -> bool:
    """Whether an order for a period of this agreement has failed for good, and another one may still be paid."""
    c = t.dunnings.c
    mine = (c.tenant_id == tx.tenant_id) & (c.agreement_id == agreement_id)
    held = select(c.charge_id).where(mine, c.status == DunningStatus.OPEN, c.orders > 0).limit(1)
    return (await tx.conn.execute(held)).first() is not None


async def dunnings_of(tx: Transaction, charge_ids: Collection[UUID]) -> dict[UUID, Dunning]:
    """The dunning of each of these charges that has one."""
    c = t.dunnings.c
    rows = await tx.conn.execute(select(t.dunnings).where(c.tenant_id == tx.tenant_id, is_any(c.charge_id, charge_ids)))
    return {row.charge_id: _dunning(row) for row in rows}


async def list_dunnings(tx: Transaction, status: DunningStatus, after: UUID | None, count_max: int) -> list[Dunning]:
    """Those that stand so, oldest charge first (their ids are in order of time), after one of them."""
    c = t.dunnings.c
    wanted = (c.tenant_id == tx.tenant_id) & (c.status == status)
    if after is not None:
        wanted &= c.charge_id > after
    rows = await tx.conn.execute(select(t.dunnings).where(wanted).order_by(c.charge_id).limit(count_max))
    return [_dunning(row) for row in rows]


def _dunning(row: Row[Any]) -> Dunning:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Dunning(**values | {"status": DunningStatus(row.status)})
