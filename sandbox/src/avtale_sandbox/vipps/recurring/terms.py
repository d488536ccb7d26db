"""What a merchant asks for, read from a request of either version, before any rule has looked at it."""

from __future__ import annotations

from msgspec import Struct

from .resources import CampaignType, ChargeType, Interval, PricingType, ProcessingMode, TransactionType


class CampaignTerms(Struct, frozen=True, kw_only=True):
    """A campaign as asked for; which fields must be there depends on the type."""

    type: CampaignType
    price: int
    end: str | None = None
    period: Interval | None = None
    event_date: str | None = None
    event_text: str | None = None


class InitialChargeTerms(Struct, frozen=True, kw_only=True):
    """The payment that is made when the agreement is approved."""

    amount: int
    description: str
    transaction_type: TransactionType
    order_id: str | None = None
    external_id: str | None = None


class DraftTerms(Struct, frozen=True, kw_only=True):
    """An agreement as asked for; amounts are minor units."""

    pricing: PricingType
    currency: str
    redirect_url: str
    product_name: str
    amount: int | None = None
    suggested_max_amount: int | None = None
    interval: Interval | None = None
    agreement_url: str | None = None
    product_description: str | None = None
    phone_number: str | None = None
    external_id: str | None = None
    campaign: CampaignTerms | None = None
    initial_charge: InitialChargeTerms | None = None
    is_app: bool = False
    skip_landing_page: bool = False
    scope: str | None = None


class UpdateTerms(Struct, frozen=True, kw_only=True):
    """What is to be changed in an agreement; None leaves a field as it is.

    `amount_min` is the least price in place of the market's.
    """

    product_name: str | None = None
    product_description: str | None = None
    agreement_url: str | None = None
    external_id: str | None = None
    amount: int | None = None
    amount_min: int | None = None
    suggested_max_amount: int | None = None
    interval: Interval | None = None
    interval_removed: bool = False
    campaign: CampaignTerms | None = None


class ChargeTerms(Struct, frozen=True, kw_only=True):
    """A charge as asked for; `due` is `YYYY-MM-DD`."""

    amount: int
    description: str
    transaction_type: TransactionType
    type: ChargeType = "RECURRING"
    due: str | None = None
    retry_days: int | None = None
    processing_mode: ProcessingMode | None = None
    order_id: str | None = None
    external_id: str | None = None
