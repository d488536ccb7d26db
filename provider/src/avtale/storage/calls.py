"""Rows of calls: the exact bytes that are sent, written down before they are, until the answer is certain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Uuid, any_, bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from avtale.domain.gateway import GatewayName
from avtale.domain.wishes import WrittenRequest
from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction
from avtale.storage.many import insert_many, is_any

#: Waits before a call is sent again with the same bytes, in seconds of wall time, by how often it was sent.
RESEND_SECONDS = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0)


class CallKind(StrEnum):
    """What a call asks of the gateway. A draft is never sent twice: it is drafted anew. A subscription is Stripe's
    draft, and is sent until the answer is certain: it is made once for its key.

    A batch creates the orders of many charges: its subject is itself, and their attempts name it.
    The four of payments are about an order that stands alone, a purchase's.
    """

    DRAFT = "draft"
    CHARGE = "charge"
    CHARGE_BATCH = "charge_batch"
    STOP = "stop"
    REFUND = "refund"
    CANCEL = "cancel"
    UPDATE = "update"
    PAYMENT = "payment"
    PAYMENT_CAPTURE = "payment_capture"
    PAYMENT_RELEASE = "payment_release"
    PAYMENT_REFUND = "payment_refund"
    SUBSCRIPTION = "subscription"


#: Calls that bring an attempt about, and calls whose id is a refund's.
ORDERS = frozenset({CallKind.CHARGE, CallKind.PAYMENT})
REFUNDS = frozenset({CallKind.REFUND, CallKind.PAYMENT_REFUND})
#: The calls to Vipps that create charges, which it counts: the name of their budget.
COUNTED = "charges"
_COUNTED_KINDS = frozenset({CallKind.CHARGE, CallKind.CHARGE_BATCH})

LeaseSeconds = Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Call:
    """A written call; `subject_id` is the draft or attempt it is about, `sends` how often it was taken up.

    `leave_at` is when it may leave, by the monotonic clock of this process, where a budget says so. `orders_count` is
    known to whoever has just made it.
    """

    request: WrittenRequest
    kind: CallKind
    subject_id: UUID
    sends: int = 1
    leave_at: float | None = None
    orders_count: int = 1

    @property
    def is_counted(self) -> bool:
        """Whether a budget counts it."""
        return self.kind in _COUNTED_KINDS and self.request.gateway is GatewayName.VIPPS


_CLOSE = update(t.calls).where(
    t.calls.c.tenant_id == bindparam("tenant"), t.calls.c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)


async def write_calls(tx: Transaction, calls: Sequence[Call], lease_seconds_max: float | None) -> None:
    """Write calls that the writer is about to send; after the lease anybody sends them (None: nobody does)."""
    if not calls:
        return
    send_wall = None if lease_seconds_max is None else tx.wall + timedelta(seconds=lease_seconds_max)
    await insert_many(tx, t.calls, [_row(tx, call, send_wall) for call in calls])
    if send_wall is not None:
        tx.due(Job.SEND, send_wall)


async def write_anew(tx: Transaction, calls: Sequence[Call]) -> None:
    """Write calls to be sent by anybody; those that somebody has written already stay as they are."""
    if calls:
        await insert_many(tx, t.calls, [_row(tx, call, tx.wall) for call in calls], unless_there=True)
        tx.due(Job.SEND, tx.wall)


async def supersede(tx: Transaction, kind: CallKind, subject_id: UUID) -> None:
    """A newer call says what this kind of call is to say of its subject: older ones are not sent again."""
    c = t.calls.c
    await tx.conn.execute(
        update(t.calls)
        .where(c.tenant_id == tx.tenant_id, c.kind == kind, c.subject_id == subject_id, c.send_wall.is_not(None))
        .values(status="rejected", answer="superseded", send_wall=None)
    )


async def get_call(tx: Transaction, call_id: UUID) -> Call | None:
    """A call that has no certain answer yet, for somebody who waits for one."""
    c = t.calls.c
    rows = await tx.conn.execute(
        select(t.calls).where(c.tenant_id == tx.tenant_id, c.id == call_id, c.send_wall.is_not(None))
    )
    row = rows.first()
    return None if row is None else _call(row)


async def states(tx: Transaction, call_ids: Collection[UUID]) -> dict[UUID, str]:
    """How those of these calls stand that are or were there: `written`, `unknown`, `accepted` or `rejected`."""
    if not call_ids:
        return {}
    c = t.calls.c
    mine = (c.tenant_id == tx.tenant_id) & is_any(c.id, call_ids)
    return {row.id: row.status for row in await tx.conn.execute(select(c.id, c.status).where(mine))}


async def unanswered(tx: Transaction, kind: CallKind, subject_ids: Collection[UUID]) -> set[UUID]:
    """Those of these subjects of which a call of this kind has no certain answer yet."""
    if not subject_ids:
        return set()
    c = t.calls.c
    mine = (c.tenant_id == tx.tenant_id) & (c.kind == kind) & is_any(c.subject_id, subject_ids)
    rows = await tx.conn.execute(select(c.subject_id).where(mine, c.send_wall.is_not(None)))
    return {row.subject_id for row in rows}


async def claim_unsent(
    tx: Transaction, batch_count_max: int, lease_seconds: LeaseSeconds, counted_count_max: int | None = None
) -> list[Call]:
    """Calls without a certain answer whose time has come, ours for the lease that so many calls need.

    With `counted_count_max`, so many of those that a budget counts at most, besides all others.
    """
    c = t.calls.c
    calls = await _claim(tx, batch_count_max, ~counted())
    left = batch_count_max - len(calls) if counted_count_max is None else min(batch_count_max, counted_count_max)
    calls += await _claim(tx, left, counted())
    if calls:
        await tx.conn.execute(
            update(t.calls)
            .where(c.tenant_id == tx.tenant_id, c.id.in_([call.request.id for call in calls]))
            .values(send_wall=tx.wall + timedelta(seconds=lease_seconds(len(calls))), sends=c.sends + 1)
        )
    return calls


async def _claim(tx: Transaction, count_max: int, wanted: ColumnElement[bool]) -> list[Call]:
    if not count_max:
        return []
    c = t.calls.c
    rows = await tx.conn.execute(
        select(t.calls)
        .where(c.tenant_id == tx.tenant_id, c.send_wall <= tx.wall, wanted)
        .order_by(c.send_wall, c.id)
        .limit(count_max)
        .with_for_update(skip_locked=True)
    )
    return [_call(row) for row in rows]


def counted() -> ColumnElement[bool]:
    """Of rows: those that a budget counts. The values stand in the statement: PostgreSQL has to see that the index of
    such rows, or that of all others, is about them."""
    kinds: list[ColumnElement[str]] = [literal_column(f"'{kind}'") for kind in sorted(_COUNTED_KINDS)]
    return t.calls.c.kind.in_(kinds) & (t.calls.c.gateway == literal_column(f"'{GatewayName.VIPPS}'"))


async def close_calls(tx: Transaction, ids: Sequence[UUID], status: str, answer: str | None = None) -> None:
    """The answer is certain: `accepted` or `rejected`. Nobody sends these again."""
    if ids:
        known = {"tenant": tx.tenant_id, "ids": sorted(ids)}
        await tx.conn.execute(_CLOSE, {**known, "status": status, "answer": answer, "send_wall": None})


async def keep_calls(
    tx: Transaction, waits: Sequence[tuple[UUID, float]], status: str, answer: str | None = None
) -> None:
    """The answer is not certain: send each again, unchanged, after its seconds of wall time."""
    if not waits:
        return
    c = t.calls.c
    together: dict[float, list[UUID]] = {}
    for call_id, seconds in waits:
        together.setdefault(seconds, []).append(call_id)
    for seconds, ids in together.items():
        await tx.conn.execute(
            update(t.calls)
            .where(c.tenant_id == tx.tenant_id, is_any(c.id, ids), c.status.in_(["written", "unknown"]))
            .values(status=status, answer=answer, send_wall=tx.wall + timedelta(seconds=seconds))
        )
    tx.due(Job.SEND, tx.wall + timedelta(seconds=min(together)))


async def hasten(tx: Transaction) -> int:
    """Let every call without a certain answer be sent now; returns how many there are."""
    c = t.calls.c
    waiting = (c.tenant_id == tx.tenant_id) & (c.status == "unknown") & c.send_wall.is_not(None)
    hastened = await tx.conn.execute(update(t.calls).where(waiting).values(send_wall=tx.wall))
    if hastened.rowcount:
        tx.due(Job.SEND, tx.wall)
    return int(hastened.rowcount)


def resend_seconds(sends: int) -> float:
    """How long to wait before a call that was sent so often is sent again."""
    return RESEND_SECONDS[min(sends, len(RESEND_SECONDS)) - 1]


def _row(tx: Transaction, call: Call, send_wall: datetime | None) -> dict[str, object]:
    return {
        "id": call.request.id,
        "kind": call.kind,
        "subject_id": call.subject_id,
        "gateway": call.request.gateway,
        "method": call.request.method,
        "path": call.request.path,
        "body": call.request.body,
        "status": "written",
        "sends": call.sends,
        "written_wall": tx.wall,
        "send_wall": send_wall,
    }


def _call(row: Row[Any]) -> Call:
    request = WrittenRequest(row.id, row.method, row.path, bytes(row.body), GatewayName(row.gateway))
    return Call(request, CallKind(row.kind), row.subject_id, row.sends + 1)
