"""Rows of exchange rates: what one unit of a currency is worth in NOK from a day on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import distinct_on

from avtale.storage import tables as t
from avtale.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """One unit of `currency` is worth `nok` from a local date until the next rate's."""

    currency: str
    day: date
    nok: Decimal


async def save_rates(tx: Transaction, rates: Collection[ExchangeRate]) -> None:
    """Give the tenant exactly these rates; what receipts have said stays said."""
    await tx.conn.execute(delete(t.exchange_rates).where(t.exchange_rates.c.tenant_id == tx.tenant_id))
    if rates:
        rows = [{"tenant_id": tx.tenant_id, "currency": r.currency, "day": r.day, "nok": r.nok} for r in rates]
        await tx.conn.execute(insert(t.exchange_rates), rows)


async def rates_on(tx: Transaction, day: date) -> dict[str, ExchangeRate]:
    """The rate of each currency that holds on a day."""
    c = t.exchange_rates.c
    rows = await tx.conn.execute(
        select(t.exchange_rates)
        .ext(distinct_on(c.currency))
        .where(c.tenant_id == tx.tenant_id, c.day <= day)
        .order_by(c.currency, c.day.desc())
    )
    return {row.currency: ExchangeRate(row.currency, row.day, row.nok) for row in rows}
