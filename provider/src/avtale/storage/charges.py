"""Rows of charges and their attempts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Uuid, any_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from avtale.domain.access import PAID
from avtale.domain.charge import (
    OPEN_ATTEMPTS,
    Attempt,
    AttemptStatus,
    Charge,
    ChargeKind,
    ChargeStatus,
    RefundStatus,
    Totals,
)
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.settlement import Settlement
from avtale.storage import refunds
from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction
from avtale.storage.many import insert_many, is_any, update_many


@dataclass(frozen=True, slots=True)
class Order:
    """An attempt in short: the call that it is in with others, and which period of whom it is for."""

    attempt_id: UUID
    gateway: GatewayName
    batch_id: UUID | None
    agreement_id: UUID | None
    period: int | None
    due: date


_TOTALS = tuple(Totals.__dataclass_fields__)
_c = t.charges.c
_OF_AGREEMENTS = (
    select(t.charges)
    .where(_c.tenant_id == bindparam("tenant_id"), _c.agreement_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(_c.agreement_id, _c.period_start, _c.id)
)


async def insert_charges(tx: Transaction, charges: Sequence[Charge]) -> None:
    """Write new charges; a second one for the same agreement and period is refused by the database."""
    if charges:
        await insert_many(tx, t.charges, [_charge_row(charge) for charge in charges])


async def insert_attempts(tx: Transaction, attempts: Sequence[Attempt]) -> None:
    """Write new attempts; a second open one for the same charge is refused by the database."""
    if attempts:
        await insert_many(
            tx,
            t.attempts,
            [
                {
                    "id": a.id,
                    "charge_id": a.charge_id,
                    "gateway": a.gateway,
                    "gateway_agreement_id": a.gateway_agreement_id,
                    "gateway_order_id": a.gateway_order_id,
                    "gateway_payment_id": a.gateway_payment_id,
                    "status": a.status,
                    "created_at": tx.now,
                    "batch_id": a.batch_id,
                    **_totals_row(a.totals),
                }
                for a in attempts
            ],
        )


async def get_charges(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Charge]:
    """Charges by their ids."""
    c = t.charges.c
    rows = await tx.conn.execute(select(t.charges).where(c.tenant_id == tx.tenant_id, is_any(c.id, ids)))
    return {row.id: _charge(row) for row in rows}


async def charges_of(tx: Transaction, agreement_ids: Collection[UUID]) -> list[Charge]:
    """The charges of these agreements, in order of their periods."""
    rows = await tx.conn.execute(_OF_AGREEMENTS, {"tenant_id": tx.tenant_id, "ids": sorted(agreement_ids)})
    return [_charge(row) for row in rows]


async def charges_of_purchases(tx: Transaction, purchase_ids: Collection[UUID]) -> dict[UUID, Charge]:
    """The charge of each of these purchases."""
    c = t.charges.c
    rows = await tx.conn.execute(
        select(t.charges).where(c.tenant_id == tx.tenant_id, is_any(c.purchase_id, purchase_ids))
    )
    return {row.purchase_id: _charge(row) for row in rows}


async def get_attempts(tx: Transaction, ids: Collection[UUID]) -> dict[UUID, Attempt]:
    """Attempts by their ids."""
    c = t.attempts.c
    rows = await tx.conn.execute(select(t.attempts).where(c.tenant_id == tx.tenant_id, is_any(c.id, ids)))
    return {row.id: _attempt(row) for row in rows}


async def orders(tx: Transaction, attempt_ids: Collection[UUID]) -> list[Order]:
    """What these attempts are orders of."""
    if not attempt_ids:
        return []
    c, a = t.charges.c, t.attempts.c
    rows = await tx.conn.execute(
        select(a.id, a.gateway, a.batch_id, c.agreement_id, c.period, c.due)
        .join(t.charges, (c.tenant_id == a.tenant_id) & (c.id == a.charge_id))
        .where(a.tenant_id == tx.tenant_id, is_any(a.id, attempt_ids))
    )
    return [Order(row.id, GatewayName(row.gateway), *row[2:]) for row in rows]


async def attempts_of_orders(tx: Transaction, gateway: GatewayName, names: Collection[str]) -> list[Attempt]:
    """Attempts by what the gateway calls their orders, or the money that it took for them."""
    if not names:
        return []
    c = t.attempts.c
    called = or_(c.gateway_order_id.in_(sorted(names)), c.gateway_payment_id.in_(sorted(names)))
    rows = await tx.conn.execute(
        select(t.attempts).where(c.tenant_id == tx.tenant_id, c.gateway == gateway, called).order_by(c.id)
    )
    return [_attempt(row) for row in rows]


async def name_order(tx: Transaction, attempt_id: UUID, order_id: str) -> None:
    """Keep what the gateway calls an attempt's order."""
    c = t.attempts.c
    await tx.conn.execute(
        update(t.attempts).where(c.tenant_id == tx.tenant_id, c.id == attempt_id).values(gateway_order_id=order_id)
    )


async def name_payments(tx: Transaction, payments: Mapping[UUID, str]) -> None:
    """Keep what the gateway calls the money that it took, by attempt."""
    c = t.attempts.c
    for attempt_id, payment_id in sorted(payments.items()):
        await tx.conn.execute(
            update(t.attempts)
            .where(c.tenant_id == tx.tenant_id, c.id == attempt_id)
            .values(gateway_payment_id=payment_id)
        )


async def attempts_of(tx: Transaction, charge_ids: Collection[UUID]) -> list[Attempt]:
    """The attempts of these charges, oldest first."""
    c = t.attempts.c
    rows = await tx.conn.execute(
        select(t.attempts)
        .where(c.tenant_id == tx.tenant_id, is_any(c.charge_id, charge_ids))
        .order_by(c.created_at, c.id)
    )
    return [_attempt(row) for row in rows]


async def open_attempts(tx: Transaction, agreement_ids: Collection[UUID]) -> list[Attempt]:
    """The attempts of these agreements that may still move money."""
    c = t.attempts.c
    rows = await tx.conn.execute(
        select(t.attempts)
        .join(t.charges, (t.charges.c.tenant_id == c.tenant_id) & (t.charges.c.id == c.charge_id))
        .where(
            c.tenant_id == tx.tenant_id,
            is_any(t.charges.c.agreement_id, agreement_ids),
            c.status.in_(sorted(OPEN_ATTEMPTS)),
        )
        .order_by(c.id)
    )
    return [_attempt(row) for row in rows]


async def save_settlements(tx: Transaction, settled: Sequence[tuple[Charge, Attempt, Settlement]]) -> None:
    """Write what readings changed; the owners of these charges are locked by this transaction."""
    if not settled:
        return
    tried = [
        {"id": attempt.id, "status": s.attempt_status, **_totals_row(s.attempt_totals)} for _, attempt, s in settled
    ]
    await update_many(tx, t.attempts, tried, ("id",))
    # Several attempts of one charge may be read at once: the last settlement knows of the ones before it.
    owed = {
        charge.id: {
            "id": charge.id,
            "status": s.charge_status,
            "failure_reason": s.failure_reason,
            **_totals_row(s.charge_totals),
        }
        for charge, _, s in settled
    }
    await update_many(tx, t.charges, list(owed.values()), ("id",), "version = charges.version + 1")
    await refunds.mark_refunds(tx, [r for _, _, s in settled for r in s.accepted_refunds], RefundStatus.ACCEPTED)
    await refunds.fail_refunds(tx, {one for _, _, s in settled for one in s.failed_refunds})


async def mark_attempts(tx: Transaction, ids: Sequence[UUID], status: AttemptStatus) -> set[UUID]:
    """Move attempts that are written or unknown to a state; returns those that were."""
    if not ids:
        return set()
    c = t.attempts.c
    rows = await tx.conn.execute(
        update(t.attempts)
        .where(
            c.tenant_id == tx.tenant_id,
            is_any(c.id, ids),
            c.status.in_([AttemptStatus.WRITTEN, AttemptStatus.UNKNOWN]),
        )
        .values(status=status)
        .returning(c.id)
    )
    return {row.id for row in rows}


async def uncreate(tx: Transaction, attempt_id: UUID) -> bool:
    """An order that was accepted among many and was not created after all is rejected; False if it is no such one."""
    c = t.attempts.c
    changed = await tx.conn.execute(
        update(t.attempts)
        .where(c.tenant_id == tx.tenant_id, c.id == attempt_id, c.status == AttemptStatus.ACCEPTED)
        .where(c.batch_id.is_not(None))
        .values(status=AttemptStatus.REJECTED)
    )
    return bool(changed.rowcount)


async def due_replans(tx: Transaction, batch_count_max: int) -> list[Charge]:
    """Open charges without an open attempt that are to be tried anew; lock their agreements, then look again."""
    c = t.charges.c
    rows = await tx.conn.execute(
        select(t.charges)
        .where(c.tenant_id == tx.tenant_id, c.replan_at <= tx.now)
        .order_by(c.replan_at, c.id)
        .limit(batch_count_max)
    )
    return [_charge(row) for row in rows]


async def replan_charge(tx: Transaction, charge_id: UUID, at: datetime | None, due: date | None = None) -> None:
    """Say when a charge without an open attempt is tried anew; None when it has one again, with its new due date."""
    values: dict[str, object] = {"replan_at": at}
    if due is not None:
        values["due"] = due
    c = t.charges.c
    await tx.conn.execute(update(t.charges).where(c.tenant_id == tx.tenant_id, c.id == charge_id).values(**values))
    if at is not None:
        tx.due(Job.BILL, at)


async def keep_at_most(tx: Transaction, keep: Mapping[UUID, int]) -> None:
    """Say of charges how much of each may be kept, in minor units; their agreement is locked by this transaction."""
    c = t.charges.c
    for charge_id, amount in sorted(keep.items()):
        mine = (c.tenant_id == tx.tenant_id) & (c.id == charge_id)
        await tx.conn.execute(update(t.charges).where(mine).values(keep_max=amount))


async def retry_charge(tx: Transaction, charge_id: UUID, at: datetime) -> None:
    """Open a charge whose order has failed for good again, to be tried anew then."""
    c = t.charges.c
    mine = (c.tenant_id == tx.tenant_id) & (c.id == charge_id)
    values = {"status": ChargeStatus.OPEN, "replan_at": at, "version": c.version + 1}
    await tx.conn.execute(update(t.charges).where(mine).values(values))
    tx.due(Job.BILL, at)


async def close_charge(tx: Transaction, charge_id: UUID, status: ChargeStatus, parked_reason: str | None) -> None:
    """End an open charge that no attempt will pay, or park it for an operator."""
    c = t.charges.c
    await tx.conn.execute(
        update(t.charges)
        .where(c.tenant_id == tx.tenant_id, c.id == charge_id, c.status == ChargeStatus.OPEN)
        .values(status=status, parked_reason=parked_reason, replan_at=None, version=c.version + 1)
    )


async def unpark(tx: Transaction, charge_id: UUID) -> UUID | None:
    """Let an open charge wait for an operator no more; gives its agreement, or None for one that did not wait."""
    c = t.charges.c
    rows = await tx.conn.execute(
        update(t.charges)
        .where(c.tenant_id == tx.tenant_id, c.id == charge_id, c.status == ChargeStatus.OPEN)
        .where(c.parked_reason.is_not(None), c.agreement_id.is_not(None))
        .values(parked_reason=None, version=c.version + 1)
        .returning(c.agreement_id)
    )
    found: UUID | None = rows.scalar_one_or_none()
    return found


async def attempt_times(tx: Transaction, charge_ids: Collection[UUID]) -> list[tuple[UUID, datetime]]:
    """When orders were written for these charges: the charge and the instant of each."""
    c = t.attempts.c
    mine = (c.tenant_id == tx.tenant_id) & is_any(c.charge_id, charge_ids)
    rows = await tx.conn.execute(select(c.charge_id, c.created_at).where(mine).order_by(c.created_at, c.id))
    return [(row.charge_id, row.created_at) for row in rows]


async def last_paid(tx: Transaction, agreement_ids: Collection[UUID]) -> dict[UUID, Charge]:
    """For each agreement that has a paid period: the charge of the one that ends last."""
    c = t.charges.c
    rows = await tx.conn.execute(
        select(t.charges)
        .ext(distinct_on(c.agreement_id))
        .where(
            c.tenant_id == tx.tenant_id,
            is_any(c.agreement_id, agreement_ids),
            c.period.is_not(None),
            c.status.in_(sorted(PAID)),
        )
        .order_by(c.agreement_id, c.period_end.desc())
    )
    return {row.agreement_id: _charge(row) for row in rows}


def _totals_row(totals: Totals) -> dict[str, int]:
    return {name: getattr(totals, name) for name in _TOTALS}


def _totals(row: Row[Any]) -> Totals:
    return Totals(*(getattr(row, name) for name in _TOTALS))


def _charge_row(charge: Charge) -> dict[str, object]:
    return {
        "id": charge.id,
        "agreement_id": charge.agreement_id,
        "purchase_id": charge.purchase_id,
        "kind": charge.kind,
        "period": charge.period,
        "period_start": charge.period_start,
        "period_end": charge.period_end,
        "due": charge.due,
        "price": charge.price.amount,
        "currency": charge.price.currency,
        "vat_basis_points": charge.vat_basis_points,
        "status": charge.status,
        "failure_reason": charge.failure_reason,
        "version": charge.version,
        "product_id": charge.product_id,
        "product_name": charge.product_name,
        "keep_max": charge.keep_max,
        **_totals_row(charge.totals),
    }


def _charge(row: Row[Any]) -> Charge:
    return Charge(
        id=row.id,
        agreement_id=row.agreement_id,
        purchase_id=row.purchase_id,
        kind=ChargeKind(row.kind),
        period=row.period,
        period_start=row.period_start,
        period_end=row.period_end,
        due=row.due,
        price=Money(row.price, row.currency),
        vat_basis_points=row.vat_basis_points,
        status=ChargeStatus(row.status),
        totals=_totals(row),
        failure_reason=row.failure_reason,
        version=row.version,
        product_id=row.product_id,
        product_name=row.product_name,
        keep_max=row.keep_max,
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        row.id,
        row.charge_id,
        AttemptStatus(row.status),
        _totals(row),
        row.gateway_agreement_id,
        GatewayName(row.gateway),
        row.gateway_order_id,
        row.gateway_payment_id,
        row.batch_id,
    )
