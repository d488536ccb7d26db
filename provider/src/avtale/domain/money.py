"""Money as an integer of minor units with its currency, and the VAT that is part of a gross sum."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Money:
    """A sum in minor units (øre, cent) of one ISO 4217 currency; sums of two currencies never mix."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, int) or isinstance(self.amount, bool):
            raise TypeError(f"an amount is an integer of minor units, not {self.amount!r}")
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isupper():
            raise ValueError(f"a currency is three capital letters (ISO 4217), not {self.currency!r}")

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other).amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other).amount, self.currency)

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other


def vat_included(gross: int, rate_basis_points: int) -> int:
    """The VAT inside a gross sum, in minor units, rounded half up (2500 basis points are 25 %)."""
    if rate_basis_points < 0:
        raise ValueError(f"a VAT rate is not negative: {rate_basis_points}")
    exact = Decimal(gross * rate_basis_points) / Decimal(BASIS_POINTS + rate_basis_points)
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def vat_returned(gross: int, rate_basis_points: int, refunded_before: int, refund: int) -> int:
    """The VAT of one refund of a receipt, so that the parts of a receipt given back in full sum to its VAT.

    `gross` is the receipt's sum, `refunded_before` what earlier credit notes gave back; all in minor units.
    """
    if refund <= 0 or refunded_before < 0 or refunded_before + refund > gross:
        raise ValueError(f"a refund of {refund} after {refunded_before} does not fit in {gross}")
    whole = vat_included(gross, rate_basis_points)
    return _share(whole, refunded_before + refund, gross) - _share(whole, refunded_before, gross)


def _share(whole: int, part: int, total: int) -> int:
    return int((Decimal(whole * part) / Decimal(total)).quantize(Decimal(1), rounding=ROUND_HALF_UP))
