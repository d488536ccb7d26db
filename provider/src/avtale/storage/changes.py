"""Rows of changes: what was asked of an agreement, and what became of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, exists, func, insert, select, update

from avtale.domain.agreement import AgreementStatus
from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.money import Money
from avtale.storage import tables as t
from avtale.storage.database import Transaction
from avtale.storage.many import is_any

_COLUMNS = tuple(Change.__dataclass_fields__)


async def insert_change(tx: Transaction, change: Change) -> None:
    """Write a new change; two with the same version of one agreement are refused by the database."""
    await insert_changes(tx, [change])


async def insert_changes(tx: Transaction, changes: Sequence[Change]) -> None:
    """As insert_change, for many."""
    rows = [{name: getattr(one, name) for name in _COLUMNS} | {"tenant_id": tx.tenant_id} for one in changes]
    if rows:
        await tx.conn.execute(insert(t.agreement_changes), rows)


async def save_change(tx: Transaction, change: Change) -> None:
    """Write what became of a change; its agreement is locked by this transaction."""
    c = t.agreement_changes.c
    values = {name: getattr(change, name) for name in ("status", "takes_effect", "deferred", "done_at")}
    mine = (c.tenant_id == tx.tenant_id) & (c.id == change.id)
    await tx.conn.execute(update(t.agreement_changes).where(mine).values(**values))


async def next_version(tx: Transaction, agreement_id: UUID) -> int:
    """The number of an agreement's next change."""
    return (await last_versions(tx, [agreement_id])).get(agreement_id, 0) + 1


async def last_versions(tx: Transaction, agreement_ids: Collection[UUID]) -> dict[UUID, int]:
    """The number of the last change of these agreements, where there is one."""
    c = t.agreement_changes.c
    mine = (c.tenant_id == tx.tenant_id) & is_any(c.agreement_id, agreement_ids)
    rows = await tx.conn.execute(
        select(c.agreement_id, func.max(c.version).label("version")).where(mine).group_by(c.agreement_id)
    )
    return {row.agreement_id: row.version for row in rows}


async def unpriced(
    tx: Transaction,
    product_id: str,
    price: Money,
    day: date,
    count_max: int,
    among: Collection[UUID] | None = None,
) -> list[UUID]:
    """Active agreements about a product, in this currency and not given, that do not have this price from this day on
    planned or done; with `among` only those of them."""
    a = t.agreements.c
    wanted = _unpriced(tx, product_id, price, day)
    wanted = wanted if among is None else wanted & a.id.in_(sorted(among))
    rows = await tx.conn.execute(select(a.id).where(wanted).order_by(a.id).limit(count_max))
    return [row.id for row in rows]


async def count_unpriced(tx: Transaction, product_id: str, price: Money, day: date) -> int:
    """How many agreements `unpriced` would find."""
    a = t.agreements.c
    counted = select(func.count(a.id)).where(_unpriced(tx, product_id, price, day))
    return int((await tx.conn.execute(counted)).scalar_one())


async def count_priced(tx: Transaction, product_id: str, amount: int, day: date) -> int:
    """How many agreements about a product have this price from this day on planned or done."""
    a = t.agreements.c
    counted = select(func.count(a.id)).where(
        a.tenant_id == tx.tenant_id, a.product_id == product_id, _has_price(amount, day)
    )
    return int((await tx.conn.execute(counted)).scalar_one())


def _unpriced(tx: Transaction, product_id: str, price: Money, day: date) -> ColumnElement[bool]:
    a = t.agreements.c
    mine = (a.tenant_id == tx.tenant_id) & (a.product_id == product_id) & (a.currency == price.currency)
    charged = (a.status == AgreementStatus.ACTIVE) & a.gift_reason.is_(None) & a.suggested_max.is_(None)
    return mine & charged & ~_has_price(price.amount, day)


def _has_price(amount: int, day: date) -> ColumnElement[bool]:
    a, c = t.agreements.c, t.agreement_changes.c
    return exists().where(
        c.tenant_id == a.tenant_id,
        c.agreement_id == a.id,
        c.kind == ChangeKind.PRICE,
        c.day == day,
        c.amount == amount,
        c.status.in_([ChangeStatus.PLANNED, ChangeStatus.DONE]),
    )


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
        for change in await _select(tx, (c.status == status) & is_any(c.agreement_id, agreement_ids)):
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
