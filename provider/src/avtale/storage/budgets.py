"""Rows of budgets: until when the calls of the whole fleet use up what a gateway allows in a minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.calls import COUNTED, counted
from avtale.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Spent:
    """What is given away of a budget: `following` is the first instant (wall time) after it."""

    following: datetime
    closed_until: datetime | None


async def look(tx: Transaction, *, lock: bool = False) -> Spent:
    """What is given away of the tenant's budget for creating charges; with `lock`, nobody else gives away meanwhile."""
    c = t.call_budgets.c
    mine = select(c.next_wall, c.closed_until_wall).where(c.tenant_id == tx.tenant_id, c.name == COUNTED)
    found = (await tx.conn.execute(mine.with_for_update() if lock else mine)).first()
    if found is None and lock:
        await tx.conn.execute(
            insert(t.call_budgets)
            .values(tenant_id=tx.tenant_id, name=COUNTED, next_wall=tx.wall)
            .on_conflict_do_nothing()
        )
        found = (await tx.conn.execute(mine.with_for_update())).one()
    return Spent(tx.wall, None) if found is None else Spent(found.next_wall, found.closed_until_wall)


async def give_away(tx: Transaction, following: datetime) -> None:
    """Everything before this instant is given away; the budget is locked by this transaction."""
    await tx.conn.execute(update(t.call_budgets).where(_mine(tx)).values(next_wall=following))


async def close(tx: Transaction, seconds: float) -> None:
    """The gateway asks to be left alone for so long: nothing is given away before."""
    until = tx.wall + timedelta(seconds=seconds)
    await tx.conn.execute(update(t.call_budgets).where(_mine(tx)).values(closed_until_wall=until))


async def waiting_count(tx: Transaction) -> int:
    """How many calls that the budget counts are written, and wait for it."""
    c = t.calls.c
    due = select(func.count()).where(c.tenant_id == tx.tenant_id, c.send_wall <= tx.wall, counted())
    return int((await tx.conn.execute(due)).scalar_one())


def _mine(tx: Transaction) -> ColumnElement[bool]:
    return (t.call_budgets.c.tenant_id == tx.tenant_id) & (t.call_budgets.c.name == COUNTED)
