"""Figures of the business month by month: who came and went, what recurs, what failed, and what was recovered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Date, case, cast, func, literal, select, union_all

from avtale.domain.charge import ChargeStatus
from avtale.storage import tables as t
from avtale.storage.database import Transaction

#: What a period's price is worth in a month, by its unit.
_MONTHS = {"day": 12 / 365, "week": 12 / 52, "month": 1.0, "year": 12.0}


@dataclass(frozen=True, slots=True)
class Change:
    """What one month brought: agreements that began and ended, and by how much monthly revenue (minor units) moved."""

    month: date
    currency: str
    began: int
    ended: int
    revenue: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Charges of one month by how they ended after a failed try: `reason`, and whether they were paid in the end."""

    month: date
    reason: str
    recovered: bool
    currency: str
    count: int
    amount: int


async def changes(tx: Transaction, zone: str) -> list[Change]:
    """Every month in which an agreement that is paid for began or ended, oldest first."""
    c = t.agreements.c
    months = func.coalesce(
        case(*((c.interval_unit == unit, literal(months)) for unit, months in _MONTHS.items()), else_=literal(1.0)), 1.0
    )
    worth = c.price / (months * c.interval_count)

    def moved(instant: Any, sign: int) -> Any:
        return select(
            cast(func.date_trunc("month", func.timezone(zone, instant)), Date).label("month"),
            c.currency,
            literal(sign).label("sign"),
            worth.label("worth"),
        ).where(c.tenant_id == tx.tenant_id, c.activated_at.is_not(None), instant.is_not(None), c.gift_reason.is_(None))

    both = union_all(moved(c.activated_at, 1), moved(c.stopped_at, -1)).subquery()
    rows = await tx.conn.execute(
        select(
            both.c.month,
            both.c.currency,
            func.count().filter(both.c.sign > 0).label("began"),
            func.count().filter(both.c.sign < 0).label("ended"),
            func.sum(both.c.worth * both.c.sign).label("revenue"),
        )
        .group_by(both.c.month, both.c.currency)
        .order_by(both.c.month, both.c.currency)
    )
    return [Change(row.month, row.currency, row.began, row.ended, float(row.revenue)) for row in rows]


async def outcomes(tx: Transaction, since: date) -> list[Outcome]:
    """Charges due since a local date of which a try failed, by month, reason and how they ended."""
    c = t.charges.c
    month = cast(func.date_trunc("month", c.due), Date).label("month")
    paid = c.status.in_([ChargeStatus.PAID, ChargeStatus.PARTIALLY_REFUNDED, ChargeStatus.REFUNDED])
    rows = await tx.conn.execute(
        select(
            month,
            c.failure_reason.label("reason"),
            paid.label("recovered"),
            c.currency,
            func.count().label("times"),
            func.sum(c.price).label("amount"),
        )
        .where(c.tenant_id == tx.tenant_id, c.due >= since, c.failure_reason.is_not(None))
        .where(paid | (c.status == ChargeStatus.FAILED))
        .group_by(month, c.failure_reason, paid, c.currency)
        .order_by(month, c.failure_reason)
    )
    return [Outcome(row.month, row.reason, row.recovered, row.currency, row.times, int(row.amount)) for row in rows]
