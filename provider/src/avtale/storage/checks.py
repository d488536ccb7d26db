"""Rows of checks: what is to be read again at the gateway and when; one worker at a time reads one of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import DateTime, Text, Uuid, bindparam, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction
from avtale.storage.many import is_any


class CheckKind(StrEnum):
    """What is read: a draft's agreement, an attempt's charge, or the events that a gateway could not tell us of."""

    DRAFT = "draft"
    ATTEMPT = "attempt"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Check:
    """A claimed check; `seq` tells whether anybody asked again meanwhile, `misses` how often no answer came."""

    kind: CheckKind
    id: UUID
    seq: int
    misses: int


_asked = insert(t.checks).from_select(
    ["tenant_id", "kind", "id", "due_at", "seq", "misses"],
    select(
        bindparam("tenant", type_=Uuid),
        bindparam("kind", type_=Text),
        func.unnest(bindparam("ids", type_=ARRAY(Uuid))).column_valued("wanted"),
        bindparam("at", type_=DateTime(timezone=True)),
        literal(1),
        literal(0),
    ),
)
_ASK = _asked.on_conflict_do_update(
    index_elements=["tenant_id", "kind", "id"],
    set_={"due_at": func.least(t.checks.c.due_at, _asked.excluded.due_at), "seq": t.checks.c.seq + 1},
)


async def ask(tx: Transaction, kind: CheckKind, ids: Collection[UUID], at: datetime) -> None:
    """Ask for these to be read at an instant of business time, or earlier if that was asked before."""
    if not ids:
        return
    await tx.conn.execute(_ASK, {"tenant": tx.tenant_id, "kind": kind.value, "ids": sorted(ids), "at": at})
    tx.due(Job.CHECK, at)


async def claim(tx: Transaction, batch_count_max: int, lease_seconds: Callable[[int], float]) -> list[Check]:
    """Checks that are due and that nobody holds, ours for the lease (wall time) that so many readings need."""
    c = t.checks.c
    rows = await tx.conn.execute(
        select(c.kind, c.id, c.seq, c.misses)
        .where(
            c.tenant_id == tx.tenant_id,
            c.due_at <= tx.now,
            or_(c.leased_wall.is_(None), c.leased_wall <= tx.wall),
        )
        .order_by(c.due_at, c.id)
        .limit(batch_count_max)
        .with_for_update(skip_locked=True)
    )
    checks = [Check(CheckKind(row.kind), row.id, row.seq, row.misses) for row in rows]
    for kind in CheckKind:
        ids = [check.id for check in checks if check.kind is kind]
        if ids:
            await tx.conn.execute(
                update(t.checks)
                .where(c.tenant_id == tx.tenant_id, c.kind == kind, is_any(c.id, ids))
                .values(leased_wall=tx.wall + timedelta(seconds=lease_seconds(len(checks))))
            )
    return checks


async def finish(tx: Transaction, done: Sequence[tuple[Check, datetime | None]]) -> None:
    """End claimed checks: each is read again at its next instant (None: never), or now if somebody asked again."""
    if not done:
        return
    c = t.checks.c
    ids = sorted({check.id for check, _ in done})
    locked = await tx.conn.execute(
        select(c.kind, c.id, c.seq)
        .where(c.tenant_id == tx.tenant_id, c.kind.in_(sorted({check.kind for check, _ in done})), is_any(c.id, ids))
        .order_by(c.kind, c.id)
        .with_for_update()
    )
    seq_now = {(row.kind, row.id): row.seq for row in locked}
    over: dict[CheckKind, list[UUID]] = {}
    again: dict[tuple[CheckKind, datetime | None], list[UUID]] = {}
    for check, following in done:
        asked_again = seq_now.get((check.kind, check.id)) != check.seq
        if following is None and not asked_again:
            over.setdefault(check.kind, []).append(check.id)
        else:
            again.setdefault((check.kind, None if asked_again else following), []).append(check.id)
    for kind, gone in over.items():
        await tx.conn.execute(delete(t.checks).where(c.tenant_id == tx.tenant_id, c.kind == kind, is_any(c.id, gone)))
    for (kind, at), kept in again.items():
        freed = update(t.checks).where(c.tenant_id == tx.tenant_id, c.kind == kind, is_any(c.id, kept))
        when = {} if at is None else {"due_at": at}
        await tx.conn.execute(freed.values(leased_wall=None, misses=0, **when))
        if at is not None:
            tx.due(Job.CHECK, at)


async def miss(tx: Transaction, missed: Sequence[tuple[Check, float]]) -> None:
    """No answer came for these: hold each for its seconds of wall time, then it is due as before."""
    if missed:
        c = t.checks.c
        await tx.conn.execute(
            update(t.checks)
            .where(c.tenant_id == tx.tenant_id, c.kind == bindparam("this_kind"), c.id == bindparam("this_id"))
            .values(leased_wall=bindparam("until"), misses=c.misses + 1),
            [
                {
                    "this_kind": check.kind,
                    "this_id": check.id,
                    "until": tx.wall + timedelta(seconds=seconds),
                }
                for check, seconds in missed
            ],
        )
