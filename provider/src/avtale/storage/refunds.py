"""Rows of wishes to give money back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, exists, insert, select, update

from avtale.domain.charge import OPEN_REFUNDS, Refund, RefundStatus
from avtale.storage import tables as t
from avtale.storage.database import Transaction
from avtale.storage.many import is_any

#: A refund in one of these states gave nothing back.
FAILED_REFUNDS = (RefundStatus.FAILED, RefundStatus.REJECTED)


async def insert_refund(tx: Transaction, refund: Refund, requested_by: str) -> None:
    """Write a wish to give money back."""
    await tx.conn.execute(
        insert(t.refunds).values(
            tenant_id=tx.tenant_id,
            id=refund.id,
            charge_id=refund.charge_id,
            attempt_id=refund.attempt_id,
            amount=refund.amount,
            reason=refund.reason,
            status=refund.status,
            requested_by=requested_by,
            created_at=tx.now,
        )
    )


async def refunds_of(tx: Transaction, charge_ids: Collection[UUID]) -> list[Refund]:
    """The wishes to give money back for these charges, in the order in which they were written."""
    c = t.refunds.c
    rows = await tx.conn.execute(
        select(t.refunds)
        .where(c.tenant_id == tx.tenant_id, is_any(c.charge_id, charge_ids))
        .order_by(c.created_at, c.id)
    )
    return [_refund(row) for row in rows]


async def mark_refunds(tx: Transaction, ids: Sequence[UUID], status: RefundStatus) -> None:
    """Move open refunds to a state; one that has ended stays as it is."""
    if ids:
        c = t.refunds.c
        await tx.conn.execute(
            update(t.refunds)
            .where(c.tenant_id == tx.tenant_id, is_any(c.id, ids), c.status.in_(sorted(OPEN_REFUNDS)))
            .values(status=status)
        )


async def get_refund(tx: Transaction, refund_id: UUID) -> Refund | None:
    """One wish."""
    c = t.refunds.c
    row = (await tx.conn.execute(select(t.refunds).where(c.tenant_id == tx.tenant_id, c.id == refund_id))).one_or_none()
    return _refund(row) if row is not None else None


def came_to_nothing(tx: Transaction) -> ColumnElement[bool]:
    """Refunds that were refused, or came back, and that nobody has seen to. A later one of the same sum takes the place
    of those before it."""
    c, later = t.refunds.c, t.refunds.alias().c
    same = (later.tenant_id == c.tenant_id) & (later.charge_id == c.charge_id) & (later.attempt_id == c.attempt_id)
    replaced = exists().where(same, later.amount == c.amount, later.id > c.id)
    return (c.tenant_id == tx.tenant_id) & c.status.in_(FAILED_REFUNDS) & c.looked_at.is_(None) & ~replaced


async def failed_refunds(tx: Transaction, count_max: int) -> list[Refund]:
    """Those that `came_to_nothing`, the oldest first."""
    found = select(t.refunds).where(came_to_nothing(tx)).order_by(t.refunds.c.id).limit(count_max)
    rows = await tx.conn.execute(found)
    return [_refund(row) for row in rows]


async def see_to(tx: Transaction, refund_id: UUID) -> Refund | None:
    """Nobody need look at a refund that came to nothing any more; None for one that is no such."""
    c = t.refunds.c
    mine = (c.tenant_id == tx.tenant_id) & (c.id == refund_id)
    seen = update(t.refunds).where(mine, c.status.in_(FAILED_REFUNDS), c.looked_at.is_(None)).values(looked_at=tx.now)
    row = (await tx.conn.execute(seen.returning(t.refunds))).one_or_none()
    return _refund(row) if row is not None else None


def _refund(row: Row[Any]) -> Refund:
    return Refund(row.id, row.charge_id, row.attempt_id, row.amount, row.reason, RefundStatus(row.status))


async def fail_refunds(tx: Transaction, ids: Collection[UUID]) -> None:
    """Say of refunds, also of those that were accepted, that the money came back."""
    if ids:
        c = t.refunds.c
        mine = (c.tenant_id == tx.tenant_id) & is_any(c.id, ids)
        await tx.conn.execute(update(t.refunds).where(mine).values(status=RefundStatus.FAILED))
