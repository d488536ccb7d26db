"""Rows of phases: from which period on an agreement's periods are counted from which day; facts for audits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from avtale.domain.agreement import Agreement
from avtale.domain.periods import Interval, Unit
from avtale.storage import tables as t
from avtale.storage.database import Transaction
from avtale.storage.many import is_any


@dataclass(frozen=True, slots=True)
class Phase:
    """Period `from_period` begins on `start`, and it and those after it last an interval, until the next phase."""

    agreement_id: UUID
    from_period: int
    start: date
    interval: Interval
    reason: str


async def add_phases(tx: Transaction, phases: Sequence[Phase]) -> None:
    """Write phases; one that begins with the same period as another takes its place."""
    if not phases:
        return
    statement = insert(t.agreement_phases).values(
        [
            {
                "tenant_id": tx.tenant_id,
                "agreement_id": phase.agreement_id,
                "from_period": phase.from_period,
                "start": phase.start,
                "interval_unit": phase.interval.unit,
                "interval_count": phase.interval.count,
                "reason": phase.reason,
                "created_at": tx.now,
            }
            for phase in phases
        ]
    )
    replaced = ("start", "interval_unit", "interval_count", "reason", "created_at")
    await tx.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "agreement_id", "from_period"],
            set_={name: statement.excluded[name] for name in replaced},
        )
    )


async def begin_phases(tx: Transaction, agreement: Agreement, following: Sequence[Phase]) -> None:
    """Write an agreement's new phases; before the first of them, the one that it has had so far (`agreement`)."""
    if not following or agreement.anchor is None:
        return
    if not await phases_of(tx, [agreement.id]):
        first = Phase(agreement.id, 1, agreement.anchor, agreement.terms.interval, "activation")
        await add_phases(tx, [first])
    c, number = t.agreement_phases.c, following[0].from_period
    mine = (c.tenant_id == tx.tenant_id) & (c.agreement_id == agreement.id)
    await tx.conn.execute(delete(t.agreement_phases).where(mine, c.from_period >= number))
    await add_phases(tx, following)


async def phases_of(tx: Transaction, agreement_ids: Collection[UUID]) -> dict[UUID, list[Phase]]:
    """The phases of these agreements, in order; one that never changed has none."""
    c = t.agreement_phases.c
    rows = await tx.conn.execute(
        select(t.agreement_phases)
        .where(c.tenant_id == tx.tenant_id, is_any(c.agreement_id, agreement_ids))
        .order_by(c.agreement_id, c.from_period)
    )
    found: dict[UUID, list[Phase]] = defaultdict(list)
    for row in rows:
        interval = Interval(Unit(row.interval_unit), row.interval_count)
        found[row.agreement_id].append(Phase(row.agreement_id, row.from_period, row.start, interval, row.reason))
    return found
