"""The two models that dashboards read, one row for each agreement and each charge, and how they are filled anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Table, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import OPEN_ATTEMPTS, AttemptStatus
from avtale.domain.imports import ImportKind
from avtale.storage import tables as t
from avtale.storage.database import Transaction

_LIVE = (AgreementStatus.ACTIVE, AgreementStatus.STOPPING)
_MODELS = {
    ImportKind.DASHBOARD_AGREEMENTS: t.dashboard_agreements,
    ImportKind.DASHBOARD_CHARGES: t.dashboard_charges,
}


async def count(tx: Transaction, kind: ImportKind) -> int:
    """How many rows there are to go through."""
    table = t.charges if kind is ImportKind.DASHBOARD_CHARGES else t.agreements
    found = await tx.conn.execute(select(func.count()).where(table.c.tenant_id == tx.tenant_id))
    number: int = found.scalar_one()
    return number


async def copy_agreements(tx: Transaction, after: UUID, count_max: int) -> tuple[int, UUID | None]:
    """Copy the agreements after an id; gives how many, and the last of them (None: there were no more)."""
    a, e = t.agreements.c, t.entitlements.c
    access = select(e.access_until).where(e.tenant_id == a.tenant_id, e.id == a.id).scalar_subquery()
    last = (
        select(func.max(t.charges.c.period_end))
        .where(
            t.charges.c.tenant_id == a.tenant_id,
            t.charges.c.agreement_id == a.id,
            t.charges.c.status.in_(["paid", "partially_refunded", "waived"]),
        )
        .scalar_subquery()
    )
    values = {
        "tenant_id": a.tenant_id,
        "agreement_id": a.id,
        "subject": a.subject,
        "product_id": a.product_id,
        "status": a.status,
        "price": a.price,
        "currency": a.currency,
        "gift": a.gift_reason.is_not(None),
        "activated_at": a.activated_at,
        "stopped_at": a.stopped_at,
        "stop_reason": a.stop_reason,
        "paid_until": last,
        "access_until": access,
    }
    return await _copy(tx, t.dashboard_agreements, t.agreements, values, after, count_max)


async def copy_charges(tx: Transaction, after: UUID, count_max: int) -> tuple[int, UUID | None]:
    """Copy the charges after an id, as copy_agreements does."""
    c = t.charges.c
    names = ("agreement_id", "purchase_id", "kind", "period", "period_start", "period_end", "due", "price", "currency")
    values = {"tenant_id": c.tenant_id, "charge_id": c.id} | {name: c[name] for name in names}
    values |= {name: c[name] for name in ("status", "captured", "refunded", "failure_reason")}
    return await _copy(tx, t.dashboard_charges, t.charges, values, after, count_max)


async def _copy(
    tx: Transaction, model: Table, source: Table, values: dict[str, Any], after: UUID, count_max: int
) -> tuple[int, UUID | None]:
    mine = (source.c.tenant_id == tx.tenant_id) & (source.c.id > after)
    following = select(source.c.id).where(mine).order_by(source.c.id).limit(count_max)
    ids = [row.id for row in await tx.conn.execute(following)]
    if not ids:
        return 0, None
    chosen = (source.c.tenant_id == tx.tenant_id) & source.c.id.in_(ids)
    values = values | {"refreshed_wall": literal(tx.wall, DateTime(timezone=True))}
    statement = insert(model).from_select(list(values), select(*values.values()).where(chosen))
    key = [column.name for column in model.primary_key.columns]
    changed = {name: statement.excluded[name] for name in values if name not in key}
    await tx.conn.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))
    return len(ids), ids[-1]


async def drop_stale(tx: Transaction, kind: ImportKind, since: datetime) -> None:
    """Forget rows that were not filled since: what they were about is not there any more."""
    model = _MODELS[kind]
    await tx.conn.execute(delete(model).where(model.c.tenant_id == tx.tenant_id, model.c.refreshed_wall < since))


async def model_rows(
    tx: Transaction, kind: ImportKind, after: UUID, count_max: int
) -> tuple[list[str], Sequence[Sequence[Any]], UUID | None]:
    """The names and the values of a model's rows after an id, and the last id."""
    model = _MODELS[kind]
    names = [column.name for column in model.c if column.name != "tenant_id"]
    key = model.c[names[0]]
    found = (
        await tx.conn.execute(
            select(*(model.c[name] for name in names))
            .where(model.c.tenant_id == tx.tenant_id, key > after)
            .order_by(key)
            .limit(count_max)
        )
    ).all()
    return names, [tuple(row) for row in found], found[-1][0] if found else None


async def to_read_again(tx: Transaction, after: UUID, count_max: int) -> tuple[list[UUID], list[UUID], UUID | None]:
    """The next agreements after an id: the drafts and the attempts by which they are read, and the last of them.

    Attempts that were refused or given up before they reached the gateway have nothing to be read.
    """
    a, d, c, o = t.agreements.c, t.drafts.c, t.charges.c, t.attempts.c
    mine = (a.tenant_id == tx.tenant_id) & (a.id > after)
    ids = [row.id for row in await tx.conn.execute(select(a.id).where(mine).order_by(a.id).limit(count_max))]
    if not ids:
        return [], [], None
    drafts = await tx.conn.execute(
        select(d.id)
        .join(t.agreements, (a.tenant_id == d.tenant_id) & (a.id == d.agreement_id))
        .where(d.tenant_id == tx.tenant_id, a.id.in_(ids), d.status == "won", a.status.in_(_LIVE))
    )
    there = [*OPEN_ATTEMPTS, AttemptStatus.CAPTURED, AttemptStatus.FAILED]
    attempts = await tx.conn.execute(
        select(o.id)
        .join(t.charges, (c.tenant_id == o.tenant_id) & (c.id == o.charge_id))
        .where(o.tenant_id == tx.tenant_id, c.agreement_id.in_(ids), o.status.in_(sorted(there)))
    )
    return [row.id for row in drafts], [row.id for row in attempts], ids[-1]
