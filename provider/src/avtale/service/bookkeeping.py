"""Write down money that moved: ledger entries, and the receipts and credit notes that document them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from avtale.domain.agreement import Agreement
from avtale.domain.charge import Attempt, Charge
from avtale.domain.periods import local_date
from avtale.domain.purchase import Purchase
from avtale.domain.receipt import (
    BOOKKEEPING_CURRENCY,
    ReceiptKind,
    Sums,
    credit_sums,
    receipt_sums,
    vat_in_nok,
)
from avtale.domain.settlement import Booking, BookingKind, Settlement
from avtale.service.ids import new_id
from avtale.storage import receipts
from avtale.storage.database import Transaction
from avtale.storage.exchange_rates import rates_on
from avtale.storage.receipts import LedgerEntry, Receipt
from avtale.storage.tenants import Tenant


async def book(
    tx: Transaction,
    tenant: Tenant,
    owners: Mapping[UUID, Agreement | Purchase],
    settled: Sequence[tuple[Charge, Attempt, Settlement]],
) -> list[Receipt]:
    """Add ledger entries for what moved; returns the documents for them, still without numbers."""
    moved = [(charge, attempt, booking) for charge, attempt, s in settled for booking in s.bookings]
    entries = [_entry(tx, charge, attempt, booking) for charge, attempt, booking in moved]
    await receipts.add_entries(tx, entries)
    issued = await receipts.receipts_of_charges(tx, {charge.id for charge, _, _ in moved})
    documents: list[Receipt] = []
    for (charge, _, booking), entry in zip(moved, entries, strict=True):
        owner = owners[charge.owner_id]
        # What came back after it was given back is a receipt of its own: credit notes are facts as well.
        if booking.kind is not BookingKind.REFUND:
            sums = receipt_sums(booking.amount, charge.vat_basis_points)
            documents.append(_document(tx, tenant, owner, charge, entry, sums, None))
            continue
        left = booking.amount
        for receipt, before in _creditable(charge.id, [*issued, *documents]):
            part = min(left, receipt.sums.gross - before)
            if part > 0:
                sums = credit_sums(receipt.sums, before, part)
                documents.append(_document(tx, tenant, owner, charge, entry, sums, receipt.id))
                left -= part
        if left:
            raise RuntimeError(f"charge {charge.id} gave back {left} more than it has receipts for")
    return await _with_vat_in_nok(tx, tenant, documents, issued)


async def _with_vat_in_nok(
    tx: Transaction, tenant: Tenant, documents: Sequence[Receipt], issued: Sequence[Receipt]
) -> list[Receipt]:
    """Documents in other currencies say their VAT in NOK: by the day's rate, a credit note by its receipt's.

    Without a rate they go without: money that moved is booked all the same, and the missing rate is an error of the
    set-up.
    """
    foreign = [d for d in documents if d.currency != BOOKKEEPING_CURRENCY and d.sums.vat]
    if not foreign:
        return list(documents)
    rates = await rates_on(tx, local_date(tx.now, tenant.zone))
    said: dict[UUID, dict[str, Any]] = {r.id: r.content["vatInNok"] for r in issued if "vatInNok" in r.content}
    for document in foreign:
        rate = rates.get(document.currency)
        if document.kind is ReceiptKind.RECEIPT and rate is not None:
            said[document.id] = {"rate": f"{rate.nok.normalize():f}", "rateDate": rate.day.isoformat()}
        elif document.corrects_id in said:
            said[document.id] = said[document.corrects_id]
        if document.id in said:
            amount = vat_in_nok(document.sums.vat, Decimal(said[document.id]["rate"]))
            said[document.id] = said[document.id] | {"amount": amount}
    return [replace(d, content=d.content | {"vatInNok": said[d.id]}) if d.id in said else d for d in documents]


def _creditable(charge_id: UUID, documents: Sequence[Receipt]) -> list[tuple[Receipt, int]]:
    """The receipts of a charge, each with what its credit notes have given back already."""
    mine = [document for document in documents if document.charge_id == charge_id]
    return [
        (receipt, sum(note.sums.gross for note in mine if note.corrects_id == receipt.id))
        for receipt in mine
        if receipt.kind is ReceiptKind.RECEIPT
    ]


def _entry(tx: Transaction, charge: Charge, attempt: Attempt, booking: Booking) -> LedgerEntry:
    return LedgerEntry(
        id=new_id(),
        agreement_id=charge.agreement_id,
        purchase_id=charge.purchase_id,
        charge_id=charge.id,
        attempt_id=attempt.id,
        refund_id=booking.refund_id,
        kind=booking.kind,
        amount=booking.amount,
        currency=charge.price.currency,
        booked_at=tx.now,
    )


def _document(
    tx: Transaction,
    tenant: Tenant,
    owner: Agreement | Purchase,
    charge: Charge,
    entry: LedgerEntry,
    sums: Sums,
    corrects_id: UUID | None,
) -> Receipt:
    return Receipt(
        id=new_id(),
        seller=str(tenant.seller["organization_number"]),
        kind=ReceiptKind.RECEIPT if corrects_id is None else ReceiptKind.CREDIT_NOTE,
        number=0,
        ledger_id=entry.id,
        corrects_id=corrects_id,
        agreement_id=charge.agreement_id,
        purchase_id=charge.purchase_id,
        charge_id=charge.id,
        issuer=owner.issuer,
        subject=owner.subject,
        sums=sums,
        currency=charge.price.currency,
        content={
            "seller": tenant.seller,
            "product": charge.product_name or owner.terms.name,
            "period": charge.period,
            "periodStart": charge.period_start.isoformat(),
            "periodEnd": charge.period_end.isoformat(),
            "dueDate": charge.due.isoformat(),
            "gateway": str(owner.gateway),
        },
        issued_at=tx.now,
    )
