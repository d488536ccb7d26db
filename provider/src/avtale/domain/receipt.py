"""Receipts and credit notes: facts that are only ever added, numbered without gaps in their series."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from avtale.domain.money import vat_included, vat_returned


class ReceiptKind(StrEnum):
    """The two series of a seller."""

    RECEIPT = "receipt"
    CREDIT_NOTE = "credit_note"


@dataclass(frozen=True, slots=True)
class Sums:
    """Gross and VAT of one document, in minor units; a credit note's are positive and count the other way."""

    gross: int
    vat: int
    vat_basis_points: int


#: The currency in which Norwegian bookkeeping wants VAT to be stated (bookkeeping regulation, 5-1-1).
BOOKKEEPING_CURRENCY = "NOK"


def vat_in_nok(vat: int, nok_per_unit: Decimal) -> int:
    """VAT of another currency in øre, rounded half up; both currencies have hundredths."""
    return int((vat * nok_per_unit).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def receipt_sums(captured: int, vat_basis_points: int) -> Sums:
    """The sums of a receipt for captured money."""
    return Sums(captured, vat_included(captured, vat_basis_points), vat_basis_points)


def credit_sums(receipt: Sums, credited_before: int, refund: int) -> Sums:
    """The sums of a credit note for `refund` of a receipt, with the receipt's own VAT rate."""
    vat = vat_returned(receipt.gross, receipt.vat_basis_points, credited_before, refund)
    return Sums(refund, vat, receipt.vat_basis_points)
