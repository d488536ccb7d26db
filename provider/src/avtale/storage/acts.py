"""Rows of the log of what operators and administrators did: only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Text, cast, func, insert, or_, select

from avtale.storage import tables as t
from avtale.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody did to `subject` (such as "charge <id>"), and what they said why."""

    id: UUID
    act: str
    subject: str
    agreement_id: UUID | None
    actor_issuer: str
    actor_subject: str
    why: str
    done_at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


_COLUMNS = tuple(Act.__dataclass_fields__)


async def add(tx: Transaction, act: Act) -> None:
    """Write an act down."""
    await tx.conn.execute(insert(t.acts).values(tenant_id=tx.tenant_id, **asdict(act)))


async def latest(tx: Transaction, count_max: int, before: UUID | None = None, said: str = "") -> list[Act]:
    """The last acts, newest first, or those before one; with `said` those by, about or because of it."""
    c = t.acts.c
    mine = c.tenant_id == tx.tenant_id
    if said:
        texts = (c.act, c.subject, c.why, c.actor_subject, func.coalesce(cast(c.agreement_id, Text), ""))
        mine &= or_(*(func.strpos(func.lower(text), said.lower()) > 0 for text in texts))
    if before is not None:
        mine &= c.id < before
    rows = await tx.conn.execute(select(t.acts).where(mine).order_by(c.id.desc()).limit(count_max))
    return [_act(row) for row in rows]


async def of_agreement(tx: Transaction, agreement_id: UUID) -> list[Act]:
    """What was done to one agreement, oldest first."""
    c = t.acts.c
    mine = (c.tenant_id == tx.tenant_id) & (c.agreement_id == agreement_id)
    return [_act(row) for row in await tx.conn.execute(select(t.acts).where(mine).order_by(c.id))]


async def about(tx: Transaction, subject: str) -> list[Act]:
    """What was done to one thing (such as "charge <id>"), oldest first."""
    c = t.acts.c
    mine = (c.tenant_id == tx.tenant_id) & (c.subject == subject)
    return [_act(row) for row in await tx.conn.execute(select(t.acts).where(mine).order_by(c.id))]


def _act(row: Row[Any]) -> Act:
    return Act(**{name: getattr(row, name) for name in _COLUMNS})
