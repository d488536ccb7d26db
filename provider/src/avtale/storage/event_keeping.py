"""How long events are kept: how far each reader of the stream has come, and the end of what nobody needs any more."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction

#: How often old events are looked for, where they are not kept for good.
PRUNE_EVERY = timedelta(days=1)


async def keep_for(tx: Transaction, days: int | None) -> None:
    """Say for how many days events are kept; None: for good."""
    said = {"keep_days": days, "prune_at": None if days is None else tx.now}
    statement = insert(t.event_streams).values(tenant_id=tx.tenant_id, last_position=0, **said)
    await tx.conn.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=said))
    if days is not None:
        tx.due(Job.NOTIFY, tx.now)


async def hold_stream(tx: Transaction) -> int:
    """Let nothing be pruned until the transaction ends; gives the position up to which everything is gone."""
    c = t.event_streams.c
    held = select(c.pruned_position).where(c.tenant_id == tx.tenant_id).with_for_update()
    return (await tx.conn.execute(held)).scalar_one_or_none() or 0


async def came_with(tx: Transaction, issuer: str, subject: str, position: int) -> None:
    """A reader has everything up to a position, and nothing behind it."""
    said = {"position": position, "read_at": tx.now}
    statement = insert(t.event_readers).values(tenant_id=tx.tenant_id, issuer=issuer, subject=subject, **said)
    await tx.conn.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "issuer", "subject"], set_=said))


async def prune(tx: Transaction, batch_count_max: int) -> bool:
    """Remove the oldest events, up to the first that must stay; True when there may be more.

    One must stay that is not old enough, that an endpoint has not taken, or that is behind the cursor of a reader
    who has come since it was old enough.
    """
    c = t.event_streams.c
    stream = (
        await tx.conn.execute(select(t.event_streams).where(c.tenant_id == tx.tenant_id).with_for_update())
    ).first()
    if stream is None or stream.prune_at is None or stream.prune_at > tx.now:
        return False
    old = tx.now - timedelta(days=stream.keep_days)
    e = t.events.c
    mine = (e.tenant_id == tx.tenant_id) & (e.position > stream.pruned_position)
    rows = await tx.conn.execute(
        select(e.position, e.owner_id, e.agreement_seq, e.occurred_at)
        .where(mine, e.occurred_at < old)
        .order_by(e.position)
        .limit(batch_count_max)
    )
    read, waiting, upto = await _read_by_all(tx, old), await _waiting(tx), stream.pruned_position
    found = rows.all()
    for row in found:
        is_next = row.position == upto + 1
        if (
            not is_next
            or (read is not None and row.position > read)
            or row.agreement_seq >= waiting.get(row.owner_id, row.agreement_seq + 1)
        ):
            break
        upto = row.position
    more = len(found) == batch_count_max and upto == found[-1].position
    await tx.conn.execute(delete(t.events).where(e.tenant_id == tx.tenant_id, e.position <= upto))
    await tx.conn.execute(
        update(t.event_streams)
        .where(c.tenant_id == tx.tenant_id)
        .values(pruned_position=upto, prune_at=tx.now if more else tx.now + PRUNE_EVERY)
    )
    return more


async def _read_by_all(tx: Transaction, since: object) -> int | None:
    """Up to where everybody has read who has come since then; None without such readers."""
    c = t.event_readers.c
    wanted = select(func.min(c.position)).where(c.tenant_id == tx.tenant_id, c.read_at >= since)
    found: int | None = (await tx.conn.execute(wanted)).scalar_one()
    return found


async def _waiting(tx: Transaction) -> dict[object, int]:
    """The first event of each agreement or purchase that some endpoint has not taken, a disabled one too."""
    c = t.event_lanes.c
    rows = await tx.conn.execute(
        select(c.owner_id, func.min(c.next_seq).label("first")).where(c.tenant_id == tx.tenant_id).group_by(c.owner_id)
    )
    return {row.owner_id: row.first for row in rows}
