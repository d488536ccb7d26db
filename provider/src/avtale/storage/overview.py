"""What an operator sees first, as rows: money that moved, agreements by state, what was not paid, what is stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Select, case, cast, func, literal_column, null, select

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import OPEN_ATTEMPTS, ChargeStatus
from avtale.domain.gateway import GatewayName, try_days
from avtale.domain.settlement import BookingKind
from avtale.storage import tables as t
from avtale.storage.database import Transaction
from avtale.storage.refunds import came_to_nothing

EXAMPLES_COUNT_MAX = 3


@dataclass(frozen=True, slots=True)
class Flow:
    """Money that moved one way in one currency: how often, and the sum in minor units."""

    kind: BookingKind
    currency: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class MonthFlow:
    """A Flow of one month; `month` is its first local date."""

    month: date
    flow: Flow


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Charges that could not be taken for one reason; `is_final` when no more tries are made."""

    reason: str | None
    is_final: bool
    currency: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """Things of one kind that need a look: how many, since when, and some of their ids."""

    kind: str
    count: int
    since: datetime | None
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Movement:
    """One entry of the ledger with what an operator wants to know beside it."""

    booked_at: datetime
    kind: BookingKind
    amount: int
    currency: str
    charge_id: UUID
    product: str
    subject: str


#: Sums of what moved: a refund that came back takes a refund away again, and is none of its own.
_RETURNED = t.ledger.c.kind == literal_column(f"'{BookingKind.RETURN.value}'")
_KIND = case((_RETURNED, literal_column(f"'{BookingKind.REFUND.value}'")), else_=t.ledger.c.kind).label("way")
_SUMS = (
    func.sum(case((_RETURNED, -1), else_=1)).label("times"),
    func.sum(case((_RETURNED, -t.ledger.c.amount), else_=t.ledger.c.amount)).label("amount"),
)


async def flows(tx: Transaction, since: datetime, until: datetime) -> list[Flow]:
    """What moved from `since` up to, not including, `until`, by kind and currency."""
    c = t.ledger.c
    rows = await tx.conn.execute(
        select(_KIND, c.currency, *_SUMS)
        .where(c.tenant_id == tx.tenant_id, c.booked_at >= since, c.booked_at < until)
        .group_by(_KIND, c.currency)
        .order_by(_KIND, c.currency)
    )
    return [_flow(row) for row in rows]


async def flows_by_month(tx: Transaction, since: datetime, zone: str) -> list[MonthFlow]:
    """What moved in each local month since an instant, oldest first; a month without money is not there."""
    c = t.ledger.c
    month = cast(func.date_trunc("month", func.timezone(zone, c.booked_at)), Date).label("month")
    rows = await tx.conn.execute(
        select(month, _KIND, c.currency, *_SUMS)
        .where(c.tenant_id == tx.tenant_id, c.booked_at >= since)
        .group_by(month, _KIND, c.currency)
        .order_by(month, _KIND, c.currency)
    )
    return [MonthFlow(row.month, _flow(row)) for row in rows]


async def agreements_by_state(tx: Transaction) -> dict[str, int]:
    """How many agreements are in each state."""
    return await _counts(tx, select(t.agreements.c.status, func.count()), t.agreements)


async def purchases_by_state(tx: Transaction) -> dict[str, int]:
    """How many purchases are in each state."""
    return await _counts(tx, select(t.purchases.c.status, func.count()), t.purchases)


async def unpaid(tx: Transaction, due_since: date, due_until: date) -> list[Unpaid]:
    """Charges due on these local days (both included) that could not be taken, by reason, most frequent first."""
    c = t.charges.c
    is_final = (c.status == ChargeStatus.FAILED).label("is_final")
    rows = await tx.conn.execute(
        select(c.failure_reason, is_final, c.currency, func.count().label("times"), func.sum(c.price).label("amount"))
        .where(
            c.tenant_id == tx.tenant_id,
            c.due.between(due_since, due_until),
            (c.status == ChargeStatus.FAILED) | ((c.status == ChargeStatus.OPEN) & c.failure_reason.is_not(None)),
        )
        .group_by(c.failure_reason, is_final, c.currency)
        .order_by(func.count().desc(), c.failure_reason)
    )
    return [Unpaid(row.failure_reason, row.is_final, row.currency, row.times, int(row.amount)) for row in rows]


async def stuck(tx: Transaction, retry_days: int, today: date) -> list[Stuck]:
    """What does not go on by itself, or takes too long to: each kind that there is any of."""
    calls, charges, inbox = t.calls.c, t.charges.c, t.inbox.c
    overdue = today - timedelta(days=retry_days + 2)
    long_overdue = today - timedelta(days=try_days(GatewayName.STRIPE, retry_days) + 2)
    open_charges = (
        select(charges.id, t.attempts.c.created_at)
        .join(t.attempts, (t.attempts.c.tenant_id == charges.tenant_id) & (t.attempts.c.charge_id == charges.id))
        .where(charges.tenant_id == tx.tenant_id, t.attempts.c.status.in_(sorted(OPEN_ATTEMPTS)))
        .where(charges.due <= case((t.attempts.c.gateway == GatewayName.STRIPE, long_overdue), else_=overdue))
    )
    unanswered = select(calls.id, calls.written_wall).where(
        calls.tenant_id == tx.tenant_id, calls.status == "unknown", calls.send_wall.is_not(None)
    )
    late_agreements = select(t.agreements.c.id, t.agreements.c.activated_at).where(
        t.agreements.c.tenant_id == tx.tenant_id, t.agreements.c.parked_reason.is_not(None)
    )
    # An agreement does not say since when its gateway asks something else.
    asked_agreements = select(t.agreements.c.id, null().label("since")).where(
        t.agreements.c.tenant_id == tx.tenant_id,
        t.agreements.c.asked.is_not(None),
        t.agreements.c.status == AgreementStatus.ACTIVE,
    )
    # A charge does not say since when it is parked.
    parked_charges = select(charges.id, null().label("since")).where(
        charges.tenant_id == tx.tenant_id, charges.parked_reason.is_not(None)
    )
    parked_events = select(inbox.id, inbox.received_at).where(inbox.tenant_id == tx.tenant_id, inbox.status == "parked")
    refunds = t.refunds.c
    failed_refunds = select(refunds.id, refunds.created_at).where(came_to_nothing(tx))
    kinds: Sequence[tuple[str, Select[Any]]] = (
        ("call_unanswered", unanswered),
        ("attempt_overdue", open_charges),
        ("agreement_parked", late_agreements),
        ("agreement_asked", asked_agreements),
        ("charge_parked", parked_charges),
        ("refund_failed", failed_refunds),
        ("event_parked", parked_events),
    )
    found = [await _stuck(tx, kind, statement) for kind, statement in kinds]
    return [one for one in found if one.count]


async def movements(tx: Transaction, count_max: int) -> list[Movement]:
    """The last entries of the ledger, newest first."""
    c, a, p = t.ledger.c, t.agreements.c, t.purchases.c
    rows = await tx.conn.execute(
        select(
            c.booked_at,
            c.kind,
            c.amount,
            c.currency,
            c.charge_id,
            func.coalesce(a.product_name, p.product_name).label("product"),
            func.coalesce(a.subject, p.subject).label("subject"),
        )
        .select_from(t.ledger)
        .outerjoin(t.agreements, (a.tenant_id == c.tenant_id) & (a.id == c.agreement_id))
        .outerjoin(t.purchases, (p.tenant_id == c.tenant_id) & (p.id == c.purchase_id))
        .where(c.tenant_id == tx.tenant_id)
        .order_by(c.booked_at.desc(), c.id.desc())
        .limit(count_max)
    )
    return [
        Movement(
            row.booked_at,
            BookingKind(row.kind),
            row.amount,
            row.currency,
            row.charge_id,
            row.product,
            row.subject,
        )
        for row in rows
    ]


def _flow(row: Any) -> Flow:
    return Flow(BookingKind(row.way), row.currency, row.times, int(row.amount))


async def _counts(tx: Transaction, statement: Select[Any], table: Any) -> dict[str, int]:
    rows = await tx.conn.execute(statement.where(table.c.tenant_id == tx.tenant_id).group_by(table.c.status))
    return {str(row[0]): int(row[1]) for row in rows}


async def _stuck(tx: Transaction, kind: str, statement: Select[Any]) -> Stuck:
    things = statement.subquery()
    this_id, at = list(things.c)[:2]
    row = (await tx.conn.execute(select(func.count(), func.min(at)).select_from(things))).one()
    if not row[0]:
        return Stuck(kind, 0, None, ())
    examples = await tx.conn.execute(select(this_id).order_by(this_id).limit(EXAMPLES_COUNT_MAX))
    return Stuck(kind, row[0], row[1], tuple(str(one[0]) for one in examples))
