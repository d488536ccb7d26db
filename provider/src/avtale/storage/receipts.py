"""Rows that are only ever added: ledger entries, and the receipts and credit notes that document them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from avtale.domain.receipt import ReceiptKind, Sums
from avtale.domain.settlement import BookingKind
from avtale.storage import tables as t
from avtale.storage.database import Transaction
from avtale.storage.many import insert_many, is_any


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Money that moved, in minor units; `refund_id` names our own wish."""

    id: UUID
    agreement_id: UUID | None
    purchase_id: UUID | None
    charge_id: UUID
    attempt_id: UUID
    refund_id: UUID | None
    kind: BookingKind
    amount: int
    currency: str
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A numbered document; `content` is what it says of seller, buyer and goods as they were that day."""

    id: UUID
    seller: str
    kind: ReceiptKind
    number: int
    ledger_id: UUID
    corrects_id: UUID | None
    agreement_id: UUID | None
    purchase_id: UUID | None
    charge_id: UUID
    issuer: str
    subject: str
    sums: Sums
    currency: str
    content: dict[str, Any]
    issued_at: datetime


async def add_entries(tx: Transaction, entries: Sequence[LedgerEntry]) -> None:
    """Add to the ledger."""
    if entries:
        await insert_many(tx, t.ledger, [{n: getattr(e, n) for n in _ENTRY} for e in entries])


async def issue(tx: Transaction, receipts: Sequence[Receipt]) -> None:
    """Number these documents, in the order given, and add them; to be called last before the commit.

    The counters' rows are locked until the commit, which is what keeps their series without gaps.
    """
    if not receipts:
        return
    wanted = Counter((r.seller, r.kind) for r in receipts)
    following: dict[tuple[str, ReceiptKind], int] = {}
    for (seller, kind), count in sorted(wanted.items()):
        statement = upsert(t.receipt_counters).values(
            tenant_id=tx.tenant_id, seller=seller, kind=kind, last_number=count
        )
        last = await tx.conn.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "seller", "kind"],
                set_={"last_number": t.receipt_counters.c.last_number + count},
            ).returning(t.receipt_counters.c.last_number)
        )
        following[seller, kind] = last.scalar_one() - count + 1
    rows = []
    for receipt in receipts:
        number = following[receipt.seller, receipt.kind]
        following[receipt.seller, receipt.kind] = number + 1
        rows.append(_row(replace(receipt, number=number)))
    await insert_many(tx, t.receipts, rows)


async def receipts_of_charges(tx: Transaction, charge_ids: Collection[UUID]) -> list[Receipt]:
    """The documents of these charges, oldest first."""
    return await _select(tx, is_any(t.receipts.c.charge_id, charge_ids))


async def receipts_of_person(tx: Transaction, issuer: str, subject: str) -> list[Receipt]:
    """A person's documents, newest first."""
    whose = {"tenant_id": tx.tenant_id, "issuer": issuer, "subject": subject}
    return [_receipt(row) for row in await tx.conn.execute(_OF_PERSON, whose)][::-1]


async def get_receipt(tx: Transaction, receipt_id: UUID) -> Receipt | None:
    """One document."""
    found = await _select(tx, t.receipts.c.id == receipt_id)
    return found[0] if found else None


async def all_receipts(tx: Transaction) -> list[Receipt]:
    """Every document of the tenant, for audits."""
    return await _select(tx, t.receipts.c.tenant_id == tx.tenant_id)


async def all_entries(tx: Transaction) -> list[LedgerEntry]:
    """The tenant's whole ledger, oldest first, for audits."""
    c = t.ledger.c
    rows = await tx.conn.execute(select(t.ledger).where(c.tenant_id == tx.tenant_id).order_by(c.booked_at, c.id))
    return [LedgerEntry(**({n: getattr(row, n) for n in _ENTRY} | {"kind": BookingKind(row.kind)})) for row in rows]


_IN_ORDER = (t.receipts.c.issued_at, t.receipts.c.kind.desc(), t.receipts.c.number)
# Made once: to put a statement together takes longer than to have it answered.
_OF_PERSON = (
    select(t.receipts)
    .where(*(t.receipts.c[name] == bindparam(name) for name in ("tenant_id", "issuer", "subject")))
    .order_by(*_IN_ORDER)
)
_ENTRY = tuple(LedgerEntry.__dataclass_fields__)


def _row(receipt: Receipt) -> dict[str, object]:
    return {
        "id": receipt.id,
        "seller": receipt.seller,
        "kind": receipt.kind,
        "number": receipt.number,
        "ledger_id": receipt.ledger_id,
        "corrects_id": receipt.corrects_id,
        "agreement_id": receipt.agreement_id,
        "purchase_id": receipt.purchase_id,
        "charge_id": receipt.charge_id,
        "issuer": receipt.issuer,
        "subject": receipt.subject,
        "gross": receipt.sums.gross,
        "vat": receipt.sums.vat,
        "vat_basis_points": receipt.sums.vat_basis_points,
        "currency": receipt.currency,
        "content": receipt.content,
        "issued_at": receipt.issued_at,
    }


async def _select(tx: Transaction, wanted: Any) -> list[Receipt]:
    statement = select(t.receipts).where(t.receipts.c.tenant_id == tx.tenant_id, wanted).order_by(*_IN_ORDER)
    return [_receipt(row) for row in await tx.conn.execute(statement)]


def _receipt(row: Row[Any]) -> Receipt:
    return Receipt(
        id=row.id,
        seller=row.seller,
        kind=ReceiptKind(row.kind),
        number=row.number,
        ledger_id=row.ledger_id,
        corrects_id=row.corrects_id,
        agreement_id=row.agreement_id,
        purchase_id=row.purchase_id,
        charge_id=row.charge_id,
        issuer=row.issuer,
        subject=row.subject,
        sums=Sums(row.gross, row.vat, row.vat_basis_points),
        currency=row.currency,
        content=row.content,
        issued_at=row.issued_at,
    )
