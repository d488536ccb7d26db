"""Rows for an operator who looks for something: agreements, charges and documents, a page at a time, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import ChargeStatus
from avtale.domain.receipt import ReceiptKind
from avtale.storage import tables as t
from avtale.storage.database import Transaction

NUMBER_LENGTH_MAX = 8


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """An agreement in a list."""

    id: UUID
    subject: str
    product: str
    status: AgreementStatus
    price: int
    currency: str
    created_at: datetime
    parked_reason: str | None


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """A charge in a list, with whose it is."""

    id: UUID
    agreement_id: UUID | None
    subject: str
    product: str
    period: int | None
    due: date
    price: int
    currency: str
    status: ChargeStatus
    failure_reason: str | None
    parked_reason: str | None


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """A document in a list."""

    id: UUID
    charge_id: UUID
    kind: ReceiptKind
    number: int
    subject: str
    product: str
    gross: int
    currency: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call whose answer is not known."""

    id: UUID
    kind: str
    sends: int
    written_wall: datetime
    answer: str | None


@dataclass(frozen=True, slots=True)
class EventRow:
    """A webhook about nothing that we know."""

    id: UUID
    event_type: str
    gateway_agreement_id: str | None
    order_id: str | None
    received_at: datetime


async def find_agreements(
    tx: Transaction, said: str, status: AgreementStatus | None, before: UUID | None, count_max: int
) -> list[AgreementRow]:
    """Agreements, newest first: those of a person (by a part of the subject), or the one with this id, ours or the
    gateway's. `before` is the last one that was shown."""
    c = t.agreements.c
    wanted = c.tenant_id == tx.tenant_id
    if status is not None:
        wanted &= c.status == status
    if said:
        wanted &= or_(_is_id(c.id, said), c.gateway_agreement_id == said, _contains(c.subject, said))
    if before is not None:
        last = select(c.created_at, c.id).where(c.tenant_id == tx.tenant_id, c.id == before)
        wanted &= tuple_(c.created_at, c.id) < last.scalar_subquery()
    rows = await tx.conn.execute(
        select(
            c.id,
            c.subject,
            c.product_name.label("product"),
            c.status,
            c.price,
            c.currency,
            c.created_at,
            c.parked_reason,
        )
        .where(wanted)
        .order_by(c.created_at.desc(), c.id.desc())
        .limit(count_max)
    )
    return [AgreementRow(**row._asdict() | {"status": AgreementStatus(row.status)}) for row in rows]


async def find_charges(
    tx: Transaction, said: str, status: str | None, before: UUID | None, count_max: int
) -> list[ChargeRow]:
    """Charges, the latest due first: of a person, an agreement, or the one with this id; `parked` is a status here."""
    c = t.charges.c
    wanted = c.tenant_id == tx.tenant_id
    if status == "parked":
        wanted &= c.parked_reason.is_not(None)
    elif status is not None:
        wanted &= c.status == status
    if said:
        wanted &= or_(
            *(_is_id(column, said) for column in (c.id, c.agreement_id, c.purchase_id)),
            _contains(t.agreements.c.subject, said),
            _contains(t.purchases.c.subject, said),
        )
    if before is not None:
        last = select(c.due, c.id).where(c.tenant_id == tx.tenant_id, c.id == before)
        wanted &= tuple_(c.due, c.id) < last.scalar_subquery()
    statement = _with_owner(
        select(
            *(c.id, c.agreement_id, c.period, c.due, c.price, c.currency, c.status, c.failure_reason, c.parked_reason),
            *_OWNER,
        ),
        t.charges,
    )
    rows = await tx.conn.execute(statement.where(wanted).order_by(c.due.desc(), c.id.desc()).limit(count_max))
    return [ChargeRow(**row._asdict() | {"status": ChargeStatus(row.status)}) for row in rows]


async def find_receipts(tx: Transaction, said: str, before: UUID | None, count_max: int) -> list[ReceiptRow]:
    """Receipts and credit notes, newest first: of a person, with this number, or with this id."""
    c = t.receipts.c
    wanted = c.tenant_id == tx.tenant_id
    if said:
        # A short number is a document's, a long one is a part of a phone number.
        is_number = said.isascii() and said.isdecimal() and len(said) < NUMBER_LENGTH_MAX
        other = or_(_is_id(c.id, said), _is_id(c.charge_id, said), _contains(c.subject, said))
        wanted &= c.number == int(said) if is_number else other
    if before is not None:
        last = select(c.issued_at, c.id).where(c.tenant_id == tx.tenant_id, c.id == before)
        wanted &= tuple_(c.issued_at, c.id) < last.scalar_subquery()
    product = c.content["product"].astext.label("product")
    rows = await tx.conn.execute(
        select(c.id, c.charge_id, c.kind, c.number, c.subject, product, c.gross, c.currency, c.issued_at)
        .where(wanted)
        .order_by(c.issued_at.desc(), c.id.desc())
        .limit(count_max)
    )
    return [ReceiptRow(**row._asdict() | {"kind": ReceiptKind(row.kind)}) for row in rows]


async def parked_agreements(tx: Transaction, count_max: int) -> list[AgreementRow]:
    """Agreements that wait for an operator."""
    c = t.agreements.c
    ids = select(c.id).where(c.tenant_id == tx.tenant_id, c.parked_reason.is_not(None)).limit(count_max)
    found = []
    for row in (await tx.conn.execute(ids)).all():
        found += await find_agreements(tx, str(row.id), None, None, 1)
    return found


async def asked_agreements(tx: Transaction, count_max: int) -> list[UUID]:
    """Active agreements for which their gateway asks something else than was agreed."""
    c = t.agreements.c
    mine = (c.tenant_id == tx.tenant_id) & c.asked.is_not(None) & (c.status == AgreementStatus.ACTIVE)
    return list((await tx.conn.execute(select(c.id).where(mine).order_by(c.id).limit(count_max))).scalars())


async def unanswered_calls(tx: Transaction, count_max: int) -> list[CallRow]:
    """Calls whose answer is not known, the oldest first."""
    c = t.calls.c
    rows = await tx.conn.execute(
        select(c.id, c.kind, c.sends, c.written_wall, c.answer)
        .where(c.tenant_id == tx.tenant_id, c.status == "unknown", c.send_wall.is_not(None))
        .order_by(c.written_wall)
        .limit(count_max)
    )
    return [CallRow(**row._asdict()) for row in rows]


async def parked_events(tx: Transaction, count_max: int) -> list[EventRow]:
    """Webhooks about nothing that we know, the oldest first."""
    c = t.inbox.c
    rows = await tx.conn.execute(
        select(c.id, c.event_type, c.gateway_agreement_id, c.order_id, c.received_at)
        .where(c.tenant_id == tx.tenant_id, c.status == "parked")
        .order_by(c.received_at)
        .limit(count_max)
    )
    return [EventRow(**row._asdict()) for row in rows]


_OWNER: Sequence[ColumnElement[Any]] = (
    func.coalesce(t.agreements.c.product_name, t.purchases.c.product_name).label("product"),
    func.coalesce(t.agreements.c.subject, t.purchases.c.subject).label("subject"),
)


def _with_owner(statement: Select[Any], table: Any) -> Select[Any]:
    c, a, p = table.c, t.agreements.c, t.purchases.c
    return (
        statement.select_from(table)
        .outerjoin(t.agreements, and_(a.tenant_id == c.tenant_id, a.id == c.agreement_id))
        .outerjoin(t.purchases, and_(p.tenant_id == c.tenant_id, p.id == c.purchase_id))
    )


def _is_id(column: ColumnElement[Any], said: str) -> ColumnElement[bool]:
    try:
        return column == UUID(said)
    except ValueError:
        return column.is_(None) & column.is_not(None)


def _contains(column: ColumnElement[Any], said: str) -> ColumnElement[bool]:
    return func.strpos(func.lower(column), said.lower()) > 0
