"""Rows of checks: what is to be read again at the gateway and when; one worker at a time reads one of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction


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


async def ask(tx: Transaction, kind: CheckKind, ids: Collection[UUID], at: datetime) -> None:
    """Ask for these to be read at an instant of business time, or earlier if that was asked before."""
    if not ids:
        return
    statement = insert(t.checks)
    await tx.conn.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "kind", "id"],
            set_={
                "due_at": func.least(t.checks.c.due_at, statement.excluded.due_at),
                "seq": t.checks.c.seq + 1,
            },
        ),
        [{"tenant_id": tx.tenant_id, "kind": kind, "id": i, "due_at": at, "seq": 1, "misses": 0} for i in sorted(ids)],
    )
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
                .where(c.tenant_id == tx.tenant_id, c.kind == kind, c.id.in_(ids))
                .values(leased_wall=tx.wall + timedelta(seconds=lease_seconds(len(checks))))
            )
    return checks


async def finish(tx: Transaction, done: Sequence[tuple[Check, datetime | None]]) -> None:
    """End claimed checks: each is read again at its next instant (None: never), or now if somebody asked again."""
    if not done:
        return
    for check, following in sorted(done, key=lambda pair: (pair[0].kind, pair[0].id)):
        mine = (t.checks.c.tenant_id == tx.tenant_id) & (t.checks.c.kind == check.kind) & (t.checks.c.id == check.id)
        unasked = mine & (t.checks.c.seq == check.seq)
        if following is None:
            await tx.conn.execute(delete(t.checks).where(unasked))
        else:
            await tx.conn.execute(update(t.checks).where(unasked).values(due_at=following, leased_wall=None, misses=0))
            tx.due(Job.CHECK, following)
        await tx.conn.execute(
            update(t.checks).where(mine, t.checks.c.seq != check.seq).values(leased_wall=None, misses=0)
        )


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
