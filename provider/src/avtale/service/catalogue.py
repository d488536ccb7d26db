"""What a tenants file says of a product's campaigns and vouchers, and of the currencies that it sells in."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from avtale.domain.campaign import Campaign, CampaignKind
from avtale.domain.periods import Interval, Unit
from avtale.domain.voucher import FREE_DAYS_MAX, Voucher


class CampaignEntry(BaseModel):
    """A campaign of a subscription: `until` for a price or an event, `period` for a period, `event_text` for an event.

    Vipps shows an event's text after a price: 15 characters, in small letters.
    """

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    kind: CampaignKind
    price_minor: int = Field(ge=0, le=2_000_000)
    until: date | None = None
    period: Unit | None = None
    period_count: int = Field(1, ge=1, le=31)
    event_text: str | None = Field(None, min_length=1, max_length=15)
    offered_until: date | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> CampaignEntry:
        self.campaign()
        return self

    def campaign(self) -> Campaign:
        length = Interval(self.period, self.period_count) if self.period else None
        return Campaign(self.id, self.kind, self.price_minor, self.until, length, self.event_text, self.offered_until)


class VoucherEntry(BaseModel):
    """A voucher of a subscription: a price for its first periods, or free days before the first of them."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(pattern=r"^[A-Z0-9_-]{3,40}$")
    price_minor: int | None = Field(None, ge=0, le=2_000_000)
    periods: int | None = Field(None, ge=1, le=24)
    free_days: int | None = Field(None, ge=1, le=FREE_DAYS_MAX)
    valid_from: date | None = None
    valid_until: date | None = None
    uses_max: int | None = Field(None, ge=1, le=10_000_000)
    uses_per_person_max: int = Field(1, ge=1, le=1000)

    @model_validator(mode="after")
    def _one_kind(self) -> VoucherEntry:
        self.voucher()
        return self

    def voucher(self) -> Voucher:
        said = self.model_dump(exclude={"price_minor"})
        return Voucher(price=self.price_minor, **said)


class ExchangeRateEntry(BaseModel):
    """What one unit of a currency is worth in NOK from a day on, until the next rate's."""

    model_config = ConfigDict(extra="forbid")

    currency: Literal["DKK", "EUR"]
    day: date
    nok: Decimal = Field(gt=0, lt=10_000, decimal_places=8)
