"""Rows of changes: what was asked of an agreement, and what became of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select, update

from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.storage import tables as t
from avtale.storage.database import Transaction

_COLUMNS = tuple(Change.__dataclass_fields__)


async def insert_change(tx: Transaction, change: Change) -> None:
    """Write a new change; two with the same version of one agreement are refused by the database."""
    values = {name: getattr(change, name) for name in _COLUMNS}
    await tx.conn.execute(insert(t.agreement_changes).values(tenant_id=tx.tenant_id, **values))


async def save_change(tx: Transaction, change: Change) -> None:
    """Write what became of a change; its agreement is locked by this transaction."""
    c = t.agreement_changes.c
    values = {name: getattr(change, name) for name in ("status", "takes_effect", "deferred", "done_at")}
    mine = (c.tenant_id == tx.tenant_id) & (c.id == change.id)
    await tx.conn.execute(update(t.agreement_changes).where(mine).values(**values))


async def next_version(tx: Transaction, agreement_id: UUID) -> int:
    """The number of an agreement's next change."""
    c = t.agreement_changes.c
    mine = (c.tenant_id == tx.tenant_id) & (c.agreement_id == agreement_id)
    last = (await tx.conn.execute(select(func.max(c.version)).where(mine))).scalar_one()
    return int(last or 0) + 1


async def get_change(tx: Transaction, change_id: UUID) -> Change | None:
    """One change."""
    found = await _select(tx, t.agreement_changes.c.id == change_id)
    return found[0] if found else None


async def changes_of(tx: Transaction, agreement_id: UUID) -> list[Change]:
    """The changes of an agreement, in the order of their versions."""
    return await _select(tx, t.agreement_changes.c.agreement_id == agreement_id)


async def changes_with(
    tx: Transaction, status: ChangeStatus, agreement_ids: Collection[UUID]
) -> dict[UUID, list[Change]]:
    """The changes of these agreements that stand so, in the order of their versions."""
    c = t.agreement_changes.c
    found: dict[UUID, list[Change]] = defaultdict(list)
    if agreement_ids:
        for change in await _select(tx, (c.status == status) & c.agreement_id.in_(sorted(agreement_ids))):
            found[change.agreement_id].append(change)
    return found


async def drop_open(tx: Transaction, agreement_id: UUID) -> None:
    """The agreement has ended: what was still to be changed will not be."""
    c = t.agreement_changes.c
    still = c.status.in_([ChangeStatus.WAITING, ChangeStatus.PLANNED])
    mine = (c.tenant_id == tx.tenant_id) & (c.agreement_id == agreement_id) & still
    await tx.conn.execute(update(t.agreement_changes).where(mine).values(status=ChangeStatus.DROPPED, done_at=tx.now))


async def _select(tx: Transaction, wanted: Any) -> list[Change]:
    c = t.agreement_changes.c
    rows = await tx.conn.execute(
        select(t.agreement_changes).where(c.tenant_id == tx.tenant_id, wanted).order_by(c.agreement_id, c.version)
    )
    return [_change(row) for row in rows]


def _change(row: Row[Any]) -> Change:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Change(**values | {"kind": ChangeKind(row.kind), "status": ChangeStatus(row.status)})
