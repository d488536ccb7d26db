"""Campaigns: a lower price for a first stretch of an agreement, in the three kinds that Vipps can show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from avtale.domain.periods import Interval, Period, plus


class CampaignKind(StrEnum):
    """What a campaign's price is for (Vipps Recurring, campaigns).

    `price`: each period that begins before a date. `period`: one first period of another length. `event`: one
    first period that ends at a date.
    """

    PRICE = "price"
    PERIOD = "period"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of a product. `price` is in the product's currency; `until` is a local date, not included.

    `length` is what a `period` campaign's first period lasts, `text` what an `event` is called.
    """

    id: str
    kind: CampaignKind
    price: int
    until: date | None = None
    length: Interval | None = None
    text: str | None = None
    offered_until: date | None = None

    def __post_init__(self) -> None:
        if self.price < 0:
            raise ValueError("a campaign's price is not negative")
        if (self.until is None) != (self.kind is CampaignKind.PERIOD):
            raise ValueError("a price or event campaign has a last date, and a period campaign has none")
        if (self.length is None) != (self.kind is not CampaignKind.PERIOD):
            raise ValueError("a period campaign, and no other, has a length")
        if (self.text is None) != (self.kind is not CampaignKind.EVENT):
            raise ValueError("an event campaign, and no other, has a text")

    def offered(self, today: date) -> bool:
        """Whether it can be begun today: it is still on offer, and does not end before tomorrow."""
        return (self.offered_until is None or today < self.offered_until) and (self.until is None or today < self.until)

    def first_period(self, anchor: date) -> Period | None:
        """Period 1, where the campaign makes it; the regular ones are then counted from its end."""
        if self.length is not None:
            return Period(1, anchor, plus(anchor, self.length, 1))
        if self.kind is CampaignKind.EVENT and self.until is not None:
            # Approved in the last minutes before the event: a period lasts a day at least.
            return Period(1, anchor, max(self.until, anchor + timedelta(days=1)))
        return None

    def price_of(self, number: int, starts: date) -> int | None:
        """The campaign's price for a period that begins then; None where the ordinary one holds."""
        if number == 1:
            return self.price
        during = self.kind is CampaignKind.PRICE and self.until is not None and starts < self.until
        return self.price if during else None
