"""Rows of endpoints, and of what each has not taken yet: a lane for each agreement, in which events go one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Row, Uuid, and_, case, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from avtale.domain.event import Event
from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction
from avtale.storage.events import event_of


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that events go to; one with a `name` is from the tenants file. A disabled one gets none.

    One with `types` wants no others. Until `old_secret_wall` deliveries are signed with the secret before as well.
    """

    id: UUID
    name: str | None
    url: str
    secret_sealed: bytes
    created_at: datetime
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    types: Sequence[str] | None = None
    old_secret_sealed: bytes | None = None
    old_secret_wall: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an endpoint has not taken yet: how many events of how many agreements, and the last failure among them."""

    events: int = 0
    lanes: int = 0
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """The next event of one agreement for one endpoint, claimed; `tries` is how often it has failed.

    It is signed with each of the secrets, the newest first; one that is not `wanted` there is passed over.
    """

    endpoint_id: UUID
    owner_id: UUID
    url: str
    secrets_sealed: tuple[bytes, ...]
    wanted: bool
    tries: int
    event: Event


_ENDPOINT = tuple(Endpoint.__dataclass_fields__)


async def endpoints(tx: Transaction) -> list[Endpoint]:
    """The tenant's endpoints, oldest first."""
    c = t.event_endpoints.c
    rows = await tx.conn.execute(
        select(t.event_endpoints).where(c.tenant_id == tx.tenant_id).order_by(c.created_at, c.id)
    )
    return [_endpoint(row) for row in rows]


async def get_endpoint(tx: Transaction, endpoint_id: UUID) -> Endpoint | None:
    """One endpoint, locked until the transaction ends."""
    c = t.event_endpoints.c
    mine = (c.tenant_id == tx.tenant_id) & (c.id == endpoint_id)
    row = (await tx.conn.execute(select(t.event_endpoints).where(mine).with_for_update())).first()
    return None if row is None else _endpoint(row)


async def save_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    """Write an endpoint as it is now."""
    row = {name: getattr(endpoint, name) for name in _ENDPOINT}
    await tx.conn.execute(
        insert(t.event_endpoints)
        .values(tenant_id=tx.tenant_id, **row)
        .on_conflict_do_update(index_elements=["tenant_id", "id"], set_=row)
    )


async def delete_endpoint(tx: Transaction, endpoint_id: UUID) -> None:
    """Forget an endpoint, and what it has not taken."""
    lanes, ends = t.event_lanes.c, t.event_endpoints.c
    # The endpoint's row first: whoever adds to its lanes holds it.
    await get_endpoint(tx, endpoint_id)
    await tx.conn.execute(
        delete(t.event_lanes).where(lanes.tenant_id == tx.tenant_id, lanes.endpoint_id == endpoint_id)
    )
    await tx.conn.execute(delete(t.event_endpoints).where(ends.tenant_id == tx.tenant_id, ends.id == endpoint_id))


async def private_networks(tx: Transaction) -> bool:
    """Whether the tenant's events may go to private networks."""
    c = t.event_streams.c
    found = await tx.conn.execute(select(c.private_networks).where(c.tenant_id == tx.tenant_id))
    return bool(found.scalar_one_or_none())


async def allow_private_networks(tx: Transaction, allowed: bool) -> None:
    """Say whether the tenant's events may go to private networks."""
    statement = insert(t.event_streams).values(tenant_id=tx.tenant_id, last_position=0, private_networks=allowed)
    await tx.conn.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id"], set_={"private_networks": allowed})
    )


async def open_lanes(tx: Transaction, numbered: Iterable[tuple[UUID, int]]) -> None:
    """Let newly numbered events, as (whose, number there), wait for every endpoint, those that are disabled too."""
    spans: dict[UUID, tuple[int, int]] = {}
    for owner_id, seq in numbered:
        first, last = spans.get(owner_id, (seq, seq))
        spans[owner_id] = min(first, seq), max(last, seq)
    c = t.event_endpoints.c
    ids = select(c.id).where(c.tenant_id == tx.tenant_id).order_by(c.id).with_for_update(read=True)
    rows = [
        _lane(tx, row.id, owner_id, *span)
        for row in await tx.conn.execute(ids)
        for owner_id, span in sorted(spans.items())
    ]
    if rows:
        await _upsert(tx, insert(t.event_lanes).values(rows))


async def replay(tx: Transaction, endpoint_id: UUID, position: int) -> int:
    """Let all numbered events behind a position wait for an endpoint again; returns of how many agreements."""
    c = t.events.c
    again = (
        select(
            c.tenant_id,
            literal(endpoint_id, Uuid),
            c.owner_id,
            func.min(c.agreement_seq),
            func.max(c.agreement_seq),
            literal(0, Integer),
            literal(tx.now, DateTime(timezone=True)),
        )
        .where(c.tenant_id == tx.tenant_id, c.position > position)
        .group_by(c.tenant_id, c.owner_id)
        .order_by(c.owner_id)
    )
    names = ["tenant_id", "endpoint_id", "owner_id", "next_seq", "last_seq", "tries", "due_at"]
    return await _upsert(tx, insert(t.event_lanes).from_select(names, again))


async def claim(tx: Transaction, batch_count_max: int, lease_seconds: float) -> list[Lane]:
    """The next event of each lane that is due and that nobody holds, ours for the lease (wall time)."""
    lanes, ends, events = t.event_lanes.c, t.event_endpoints.c, t.events.c
    rows = await tx.conn.execute(
        select(
            t.events,
            *(lanes.endpoint_id, lanes.tries, ends.url, ends.types),
            *(ends.secret_sealed, ends.old_secret_sealed, ends.old_secret_wall),
        )
        .select_from(t.event_lanes)
        .join(t.event_endpoints, and_(ends.tenant_id == lanes.tenant_id, ends.id == lanes.endpoint_id))
        .join(
            t.events,
            and_(
                events.tenant_id == lanes.tenant_id,
                events.owner_id == lanes.owner_id,
                events.agreement_seq == lanes.next_seq,
            ),
        )
        .where(
            lanes.tenant_id == tx.tenant_id,
            lanes.due_at <= tx.now,
            or_(lanes.leased_wall.is_(None), lanes.leased_wall <= tx.wall),
            ends.disabled_at.is_(None),
        )
        .order_by(lanes.due_at, lanes.owner_id)
        .limit(batch_count_max)
        .with_for_update(skip_locked=True, of=t.event_lanes)
    )
    claimed = [_claimed(tx, row) for row in rows]
    for lane in claimed:
        leased = tx.wall + timedelta(seconds=lease_seconds)
        await tx.conn.execute(update(t.event_lanes).where(_mine(tx, lane)).values(leased_wall=leased))
    return claimed


async def delivered(tx: Transaction, lane: Lane) -> None:
    """This event was taken: its lane goes on to the next, or is empty."""
    c = t.event_lanes.c
    # A replay may have sent the lane back meanwhile: then it goes on from there.
    following = case((c.next_seq == lane.event.agreement_seq, c.next_seq + 1), else_=c.next_seq)
    await tx.conn.execute(
        update(t.event_lanes)
        .where(_mine(tx, lane))
        .values(next_seq=following, tries=0, due_at=tx.now, leased_wall=None, last_error=None)
    )
    await tx.conn.execute(delete(t.event_lanes).where(_mine(tx, lane), c.next_seq > c.last_seq))
    tx.due(Job.NOTIFY, tx.now)


async def missed(tx: Transaction, lane: Lane, error: str, due_at: datetime) -> None:
    """This event was not taken: its lane, and no other, waits until it is sent again."""
    await tx.conn.execute(
        update(t.event_lanes)
        .where(_mine(tx, lane))
        .values(tries=t.event_lanes.c.tries + 1, due_at=due_at, leased_wall=None, last_error=error)
    )
    tx.due(Job.NOTIFY, due_at)


async def disable(tx: Transaction, endpoint_id: UUID, reason: str) -> bool:
    """Deliver nothing there any more; what waits stays. False when it was disabled already."""
    c = t.event_endpoints.c
    ended = await tx.conn.execute(
        update(t.event_endpoints)
        .where(c.tenant_id == tx.tenant_id, c.id == endpoint_id, c.disabled_at.is_(None))
        .values(disabled_at=tx.now, disabled_reason=reason)
    )
    return bool(ended.rowcount)


async def enable(tx: Transaction, endpoint_id: UUID) -> None:
    """Deliver there again, from what waits."""
    ends, lanes = t.event_endpoints.c, t.event_lanes.c
    await tx.conn.execute(
        update(t.event_endpoints)
        .where(ends.tenant_id == tx.tenant_id, ends.id == endpoint_id)
        .values(disabled_at=None, disabled_reason=None)
    )
    await tx.conn.execute(
        update(t.event_lanes)
        .where(lanes.tenant_id == tx.tenant_id, lanes.endpoint_id == endpoint_id)
        .values(tries=0, due_at=tx.now)
    )
    tx.due(Job.NOTIFY, tx.now)


async def waiting(tx: Transaction) -> dict[UUID, Waiting]:
    """What waits, by endpoint."""
    c = t.event_lanes.c
    rows = await tx.conn.execute(
        select(
            c.endpoint_id,
            func.sum(c.last_seq - c.next_seq + 1).label("events"),
            func.count().label("lanes"),
            func.max(c.last_error).label("last_error"),
        )
        .where(c.tenant_id == tx.tenant_id)
        .group_by(c.endpoint_id)
    )
    return {row.endpoint_id: Waiting(int(row.events), row.lanes, row.last_error) for row in rows}


async def _upsert(tx: Transaction, statement: Any) -> int:
    """Add to lanes, or make those that are there reach as far back and forth as the new ones."""
    c = t.event_lanes.c
    done = await tx.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "endpoint_id", "owner_id"],
            set_={
                "next_seq": func.least(c.next_seq, statement.excluded.next_seq),
                "last_seq": func.greatest(c.last_seq, statement.excluded.last_seq),
            },
        )
    )
    tx.due(Job.NOTIFY, tx.now)
    return int(done.rowcount)


def _lane(tx: Transaction, endpoint_id: UUID, owner_id: UUID, first: int, last: int) -> dict[str, Any]:
    return {
        "tenant_id": tx.tenant_id,
        "endpoint_id": endpoint_id,
        "owner_id": owner_id,
        "next_seq": first,
        "last_seq": last,
        "tries": 0,
        "due_at": tx.now,
    }


def _mine(tx: Transaction, lane: Lane) -> Any:
    c = t.event_lanes.c
    return (c.tenant_id == tx.tenant_id) & (c.endpoint_id == lane.endpoint_id) & (c.owner_id == lane.owner_id)


def _claimed(tx: Transaction, row: Row[Any]) -> Lane:
    old = row.old_secret_wall is not None and row.old_secret_wall > tx.wall
    secrets = (row.secret_sealed, row.old_secret_sealed) if old else (row.secret_sealed,)
    wanted = row.types is None or row.type in row.types
    return Lane(row.endpoint_id, row.owner_id, row.url, secrets, wanted, row.tries, event_of(row))


def _endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(**{name: getattr(row, name) for name in _ENDPOINT})
