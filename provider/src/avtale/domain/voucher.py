"""Vouchers: a code that makes an agreement cheaper for its first periods, or free for its first days. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from avtale.domain.campaign import Campaign, CampaignKind
from avtale.domain.periods import Interval, Unit, plus

#: How many days a voucher can give: a campaign's period at Vipps has at most 31 days.
FREE_DAYS_MAX = 31


@dataclass(frozen=True, slots=True)
class Voucher:
    """A code for one product: a `price` (minor units) of its first `periods`, or `free_days` before the first of them.

    It can be taken from `valid_from` until `valid_until` (not included), `uses_max` times in all (None: without end)
    and `uses_per_person_max` times by one person.
    """

    code: str
    price: int | None = None
    periods: int | None = None
    free_days: int | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    uses_max: int | None = None
    uses_per_person_max: int = 1

    def __post_init__(self) -> None:
        if (self.price is None) != (self.periods is None) or (self.price is None) == (self.free_days is None):
            raise ValueError("a voucher gives a price for some periods, or some free days")
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise ValueError("a voucher is valid for a day at least")

    def valid(self, today: date) -> bool:
        """Whether it can be taken today."""
        begun = self.valid_from is None or self.valid_from <= today
        return begun and (self.valid_until is None or today < self.valid_until)

    def campaign(self, interval: Interval, today: date) -> Campaign:
        """What it makes of an agreement that is begun today: the campaign that a gateway can show."""
        if self.free_days is not None:
            return Campaign(self.code, CampaignKind.PERIOD, 0, length=Interval(Unit.DAY, self.free_days))
        ends = plus(today, interval, self.periods or 1)
        return Campaign(self.code, CampaignKind.PRICE, self.price or 0, until=ends)


def spelled(code: str) -> str:
    """A code as it is kept: letters are not told apart by their size."""
    return code.upper()
