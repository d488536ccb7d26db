"""Rows in a state that nothing would ever move: no call to send, nothing to read again, no instant to wait for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, exists, select

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import OPEN_ATTEMPTS, OPEN_REFUNDS, ChargeStatus
from avtale.domain.dunning import DunningStatus
from avtale.domain.gateway import GatewayName
from avtale.storage import tables as t
from avtale.storage.calls import CallKind
from avtale.storage.checks import CheckKind
from avtale.storage.database import Transaction

#: How many rows of each kind are told.
TOLD_COUNT_MAX = 20


@dataclass(frozen=True, slots=True)
class Stranded:
    """A row that waits for nothing, and what it would have to wait for."""

    id: UUID
    sentence: str


async def stranded_rows(tx: Transaction) -> list[Stranded]:
    """Every such row of the tenant, the first of each kind; none is the promise kept."""
    found = []
    for table, sentence, is_stranded in _KINDS:
        columns: Any = table.c
        query = select(columns.id).where(columns.tenant_id == tx.tenant_id, is_stranded).limit(TOLD_COUNT_MAX)
        found += [Stranded(row.id, sentence) for row in await tx.conn.execute(query)]
    return found


def _read(table: FromClause, kind: CheckKind) -> ColumnElement[bool]:
    """It is to be read again at the gateway."""
    c, one = t.checks.c, table.c
    return exists().where(c.tenant_id == one.tenant_id, c.kind == kind, c.id == one.id)


def _sent(table: FromClause) -> ColumnElement[bool]:
    """A call about it has no certain answer yet, and will be sent (again)."""
    c, one = t.calls.c, table.c
    return exists().where(c.tenant_id == one.tenant_id, c.subject_id == one.id, c.send_wall.is_not(None))


def _sent_with_others() -> ColumnElement[bool]:
    c, a = t.calls.c, t.attempts.c
    return exists().where(c.tenant_id == a.tenant_id, c.id == a.batch_id, c.send_wall.is_not(None))


def _draft_of_agreement() -> ColumnElement[bool]:
    """A draft of the agreement is to be read, or a call about one is to be sent."""
    d = t.drafts.c
    mine = (d.tenant_id == t.agreements.c.tenant_id) & (d.agreement_id == t.agreements.c.id)
    return exists().where(mine, _read(t.drafts, CheckKind.DRAFT) | _sent(t.drafts))


def _open_attempt() -> ColumnElement[bool]:
    a = t.attempts.c
    mine = (a.tenant_id == t.charges.c.tenant_id) & (a.charge_id == t.charges.c.id)
    return exists().where(mine, a.status.in_(sorted(OPEN_ATTEMPTS)))


def _in_dunning() -> ColumnElement[bool]:
    """A period of the agreement holds the next one while it is ordered anew."""
    d, c, a = t.dunnings.c, t.charges.c, t.agreements.c
    mine = (d.tenant_id == a.tenant_id) & (d.agreement_id == a.id) & (d.status == DunningStatus.OPEN) & (d.orders > 0)
    owed = (c.tenant_id == d.tenant_id) & (c.id == d.charge_id) & (c.status == ChargeStatus.OPEN)
    return exists().where(mine, owed)


def _refund_call() -> ColumnElement[bool]:
    c, r = t.calls.c, t.refunds.c
    return exists().where(c.tenant_id == r.tenant_id, c.id == r.id, c.send_wall.is_not(None))


_agreement, _charge = t.agreements.c, t.charges.c
_OURS = (_agreement.gateway == GatewayName.VIPPS) & _agreement.gift_reason.is_(None)

#: Which rows, what they lack, and how that is seen.
_KINDS: tuple[tuple[FromClause, str, ColumnElement[bool]], ...] = (
    (
        t.calls,
        "a call without a certain answer that is not to be sent again",
        t.calls.c.status.in_(["written", "unknown"])
        & t.calls.c.send_wall.is_(None)
        & (t.calls.c.kind != CallKind.DRAFT),
    ),
    (
        t.attempts,
        "an attempt without an end that is neither to be sent nor to be read",
        t.attempts.c.status.in_(sorted(OPEN_ATTEMPTS))
        & ~_read(t.attempts, CheckKind.ATTEMPT)
        & ~_sent(t.attempts)
        & ~_sent_with_others(),
    ),
    (
        t.drafts,
        "a draft without an end that is neither to be sent nor to be read",
        t.drafts.c.status.in_(["written", "drafted", "unknown"]) & ~_read(t.drafts, CheckKind.DRAFT) & ~_sent(t.drafts),
    ),
    (
        t.refunds,
        "a refund without an end that is not to be sent",
        t.refunds.c.status.in_(sorted(OPEN_REFUNDS)) & ~_refund_call(),
    ),
    (
        t.charges,
        "an open charge without an open attempt, for which no new one is planned",
        (_charge.status == ChargeStatus.OPEN)
        & _charge.parked_reason.is_(None)
        & _charge.replan_at.is_(None)
        & ~_open_attempt(),
    ),
    (
        t.agreements,
        "an agreement that waits for its person or its end, and nothing of it is to be read or sent",
        _agreement.status.in_([AgreementStatus.PENDING, AgreementStatus.STOPPING]) & ~_draft_of_agreement(),
    ),
    (
        t.agreements,
        "an active agreement without a next charge",
        (_agreement.status == AgreementStatus.ACTIVE)
        & _OURS
        & _agreement.next_charge_at.is_(None)
        & _agreement.paused_at.is_(None)
        & _agreement.parked_reason.is_(None)
        & ~_in_dunning(),
    ),
)
