"""Shapes of receipts: what the accounts say of each captured or refunded sum."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from pydantic import Field

from avtale.api.payments.kinds import (
    Day,
    Instant,
    MinorUnits,
    Money,
    Shape,
)
from avtale.domain.receipt import ReceiptKind
from avtale.storage.receipts import Receipt as StoredReceipt


class Vat(Shape):
    """The VAT inside a gross amount."""

    amount: MinorUnits
    currency: str
    rate_basis_points: int = Field(description="2500 is 25 %")


class VatInNok(Shape):
    """The VAT of another currency in NOK, by the rate that held on the day of the receipt."""

    amount: MinorUnits = Field(description="øre")
    rate: str = Field(description="what one unit of the currency was worth in NOK", examples=["11.6543"])
    rate_date: Day = Field(description="from when on that rate held")


class Receipt(Shape):
    """A receipt, or a credit note that corrects one; both amounts are positive."""

    receipt_id: UUID
    number: int = Field(description="without gaps in the seller's series of this kind")
    kind: ReceiptKind
    agreement_id: UUID | None = Field(description="whose period it is for; null for a purchase")
    purchase_id: UUID | None = Field(description="the purchase that it is for; null for a period")
    charge_id: UUID
    period: int | None
    issued_at: Instant
    amount: Money
    vat: Vat
    vat_in_nok: VatInNok | None = Field(description="null for a receipt in NOK, or where the tenant has no rate")
    corrects_receipt_id: UUID | None
    seller: dict[str, Any]
    product: str
    period_start: date
    period_end: date
    due_date: date | None = Field(description="when it was due; null for what was issued before that was kept")

    @staticmethod
    def of(stored: StoredReceipt) -> Receipt:
        sums, content = stored.sums, stored.content
        return Receipt(
            receipt_id=stored.id,
            number=stored.number,
            kind=stored.kind,
            agreement_id=stored.agreement_id,
            purchase_id=stored.purchase_id,
            charge_id=stored.charge_id,
            period=content["period"],
            issued_at=stored.issued_at,
            amount=Money(amount=sums.gross, currency=stored.currency),
            vat=Vat(amount=sums.vat, currency=stored.currency, rate_basis_points=sums.vat_basis_points),
            vat_in_nok=VatInNok(**content["vatInNok"]) if "vatInNok" in content else None,
            corrects_receipt_id=stored.corrects_id,
            seller=content["seller"],
            product=content["product"],
            period_start=date.fromisoformat(content["periodStart"]),
            period_end=date.fromisoformat(content["periodEnd"]),
            due_date=date.fromisoformat(content["dueDate"]) if "dueDate" in content else None,
        )


class Receipts(Shape):
    """A person's receipts and credit notes, newest first."""

    receipts: list[Receipt]
