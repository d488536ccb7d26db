"""Rows that keep count of how often somebody asks, for all processes together."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.database import Transaction

#: Rows that nobody needs any more are removed so many at a time, by whoever asks for the first time.
FORGET_COUNT_MAX = 50


async def take_turn(
    tx: Transaction, issuer: str, subject: str, pace: timedelta, ahead_max: timedelta
) -> datetime | None:
    """Count one call that takes `pace`. None when it may be made, else the instant (wall time) from which it may.

    A person may be `ahead_max` ahead of the pace: so many calls at once, and then one for each `pace` that passes.
    """
    c = t.turns.c
    row = {"tenant_id": tx.tenant_id, "issuer": issuer, "subject": subject}
    following = func.greatest(c.next_wall, tx.wall) + pace
    statement = insert(t.turns).values(**row, next_wall=tx.wall + pace)
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "issuer", "subject"],
        set_={"next_wall": following},
        where=following <= tx.wall + ahead_max,
    )
    taken = (await tx.conn.execute(statement.returning(c.next_wall))).first()
    if taken is not None:
        return None
    mine = [c[name] == value for name, value in row.items()]
    due: datetime = (await tx.conn.execute(select(c.next_wall).where(*mine))).scalar_one()
    return due + pace - ahead_max


async def forget_turns(tx: Transaction) -> None:
    """Remove rows of people who have not asked for a while; those that somebody is using are left."""
    c = t.turns.c
    old = (
        select(c.issuer, c.subject)
        .where(c.tenant_id == tx.tenant_id, c.next_wall < tx.wall)
        .order_by(c.next_wall)
        .limit(FORGET_COUNT_MAX)
        .with_for_update(skip_locked=True)
    )
    await tx.conn.execute(delete(t.turns).where(c.tenant_id == tx.tenant_id, tuple_(c.issuer, c.subject).in_(old)))
