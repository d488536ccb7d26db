"""Rows of the stream of events: added with their facts, numbered once they are committed, read by position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from avtale.domain.agreement import Agreement
from avtale.domain.event import Event, Fact
from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction
from avtale.storage.many import insert_many

_COLUMNS = tuple(name for name in Event.__dataclass_fields__ if name != "kind")

#: Committed events get their positions in an order in which those of one agreement stay as they happened: by the
#: highest id so far of their agreement, which is about the order of time, then by their number in the agreement.
_NUMBER = text(
    """
    UPDATE events SET position = numbered.position
    FROM (
      SELECT id, :last + row_number() OVER (ORDER BY highest, owner_id, agreement_seq) AS position
      FROM (
        SELECT id, owner_id, agreement_seq,
          max(id::text) OVER (PARTITION BY owner_id ORDER BY agreement_seq) AS highest
        FROM events WHERE tenant_id = :tenant AND position IS NULL
      ) AS waiting
      ORDER BY highest, owner_id, agreement_seq LIMIT :count_max
    ) AS numbered
    WHERE events.tenant_id = :tenant AND events.id = numbered.id
    RETURNING events.owner_id, events.agreement_seq, events.position
    """
)

#: Counters are locked in the order of their owners.
_COUNT = text(
    """
    INSERT INTO event_counters (tenant_id, owner_id, last_seq)
    SELECT CAST(:tenant AS uuid), owner_id, last_seq
    FROM unnest(CAST(:owners AS uuid[]), CAST(:counts AS bigint[])) AS given (owner_id, last_seq)
    ON CONFLICT (tenant_id, owner_id) DO UPDATE SET last_seq = event_counters.last_seq + excluded.last_seq
    RETURNING owner_id, last_seq
    """
)


async def add(tx: Transaction, facts: Sequence[tuple[UUID, Fact]]) -> None:
    """Add facts, with the ids of their events, each numbered after what its agreement or purchase has already."""
    if not facts:
        return
    counts = Counter(fact.owner.id for _, fact in facts)
    owners = sorted(counts)
    rows = await tx.conn.execute(
        _COUNT, {"tenant": tx.tenant_id, "owners": owners, "counts": [counts[owner] for owner in owners]}
    )
    last = {row.owner_id: row.last_seq - counts[row.owner_id] for row in rows}
    added = []
    for event_id, fact in facts:
        last[fact.owner.id] += 1
        added.append(_row(tx, event_id, fact, last[fact.owner.id]))
    await insert_many(tx, t.events, added)
    tx.due(Job.NOTIFY, tx.now)


async def number(tx: Transaction, batch_count_max: int) -> list[tuple[UUID, int]]:
    """Give committed events their positions; returns whose they are, and their numbers there.

    The stream's row is locked first, and until the commit: a position that anybody can see has all lower ones before
    it. An event that commits later gets a higher one, whenever it was written.
    """
    statement = upsert(t.event_streams).values(tenant_id=tx.tenant_id, last_position=0)
    last = await tx.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id"], set_={"last_position": t.event_streams.c.last_position}
        ).returning(t.event_streams.c.last_position)
    )
    values = {"tenant": tx.tenant_id, "last": last.scalar_one(), "count_max": batch_count_max}
    numbered = list(await tx.conn.execute(_NUMBER, values))
    if numbered:
        position = max(row.position for row in numbered)
        await tx.conn.execute(
            t.event_streams.update().where(t.event_streams.c.tenant_id == tx.tenant_id).values(last_position=position)
        )
    return [(row.owner_id, row.agreement_seq) for row in numbered]


async def after(tx: Transaction, position: int, count_max: int) -> list[Event]:
    """Numbered events behind a position, in order."""
    c = t.events.c
    rows = await tx.conn.execute(
        select(t.events).where(c.tenant_id == tx.tenant_id, c.position > position).order_by(c.position).limit(count_max)
    )
    return [event_of(row) for row in rows]


async def events_of(tx: Transaction, owner_id: UUID) -> list[Event]:
    """All events of one agreement or purchase, in order."""
    c = t.events.c
    mine = (c.tenant_id == tx.tenant_id) & (c.owner_id == owner_id)
    return [event_of(row) for row in await tx.conn.execute(select(t.events).where(mine).order_by(c.agreement_seq))]


def event_of(row: Row[Any]) -> Event:
    """An event from its row."""
    return Event(kind=row.type, **{name: getattr(row, name) for name in _COLUMNS})


def _row(tx: Transaction, event_id: UUID, fact: Fact, seq: int) -> dict[str, Any]:
    owner = fact.owner
    of_agreement = isinstance(owner, Agreement)
    return {
        "id": event_id,
        "type": fact.kind.value,
        "owner_id": owner.id,
        "agreement_id": owner.id if of_agreement else None,
        "purchase_id": None if of_agreement else owner.id,
        "agreement_seq": seq,
        "issuer": owner.issuer,
        "subject": owner.subject,
        "product_id": owner.terms.product_id,
        "data": dict(fact.data),
        "occurred_at": tx.now,
    }
