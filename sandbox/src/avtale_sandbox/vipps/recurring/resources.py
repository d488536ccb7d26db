"""What is stored of agreements and charges; amounts are minor units, instants milliseconds since 1970."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .states import AgreementStatus, ChargeStatus

PricingType = Literal["LEGACY", "VARIABLE", "FLEXIBLE"]
CampaignType = Literal["PRICE_CAMPAIGN", "PERIOD_CAMPAIGN", "EVENT_CAMPAIGN", "FULL_FLEX_CAMPAIGN", "LEGACY_CAMPAIGN"]
TransactionType = Literal["DIRECT_CAPTURE", "RESERVE_CAPTURE"]
ChargeType = Literal["INITIAL", "RECURRING", "UNSCHEDULED"]
ProcessingMode = Literal["MULTIPLE_ATTEMPTS", "SINGLE_ATTEMPT"]
HistoryEvent = Literal["CREATE", "RESERVE", "CAPTURE", "REFUND", "CANCEL", "FAIL"]
Actor = Literal["MERCHANT", "USER", "ADMIN"]
FailureReason = Literal["user_action_required", "charge_amount_too_high", "non_technical_error", "technical_error"]


class Interval(Struct, array_like=True, frozen=True, gc=False):
    """A stretch of calendar time: a unit (YEAR, MONTH, WEEK, DAY) and how many."""

    unit: str
    count: int


class Campaign(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A lower price for a while; presentation only, no charge is made or limited by it.

    `period` is how long a PERIOD_CAMPAIGN lasts, and how often a FULL_FLEX_CAMPAIGN's price is paid.
    """

    type: CampaignType
    price: int
    end: int
    start: int | None = None
    period: Interval | None = None
    text: str | None = None
    explanation: str = ""


class Agreement(Struct, array_like=True, omit_defaults=True, kw_only=True):
    """A payer's consent to be charged.

    `phone_number` is what the merchant wrote in the draft, `person` who has it in their app. `next_at` is
    when a waiting draft expires. `number` orders things that happen at one instant.
    """

    id: str
    number: int
    msn: str
    uuid: str
    created: int
    pricing: PricingType
    currency: str
    product_name: str
    redirect_url: str
    status: AgreementStatus = "PENDING"
    amount: int = 0
    suggested_max_amount: int = 0
    max_amount: int | None = None
    interval: Interval | None = None
    product_description: str | None = None
    agreement_url: str | None = None
    phone_number: str | None = None
    person: str | None = None
    external_id: str | None = None
    campaign: Campaign | None = None
    initial_charge: str | None = None
    is_app: bool = False
    scope: str | None = None
    sub: str | None = None
    start: int | None = None
    stop: int | None = None
    next_at: int | None = None


class Occurrence(Struct, array_like=True, frozen=True):
    """One line of a charge's history, as merchants see it."""

    at: int
    event: HistoryEvent
    amount: int
    key: str
    success: bool = True
    transaction_id: str | None = None


class Try(Struct, array_like=True, frozen=True):
    """One execution against the payer's money, seen only inside; `reason` is empty when it worked."""

    at: int
    reason: FailureReason | None = None


class Charge(Struct, array_like=True, omit_defaults=True, kw_only=True):
    """One payment under an agreement.

    `due` is a local date `YYYY-MM-DD` in the merchant's market. `next_at` is when something happens by
    itself: it becomes visible, is tried, or its reservation is released.
    """

    id: str
    number: int
    agreement_id: str
    msn: str
    type: ChargeType
    transaction_type: TransactionType
    amount: int
    currency: str
    description: str
    due: str
    created: int
    retry_days: int = 0
    processing_mode: ProcessingMode = "MULTIPLE_ATTEMPTS"
    external_id: str | None = None
    status: ChargeStatus = "PENDING"
    transaction_id: str | None = None
    failure_reason: FailureReason | None = None
    captured: int = 0
    refunded: int = 0
    cancelled: int = 0
    reserved_at: int | None = None
    captured_at: int | None = None
    next_at: int | None = None
    history: list[Occurrence] = []
    tries: list[Try] = []

    @property
    def key(self) -> str:
        """Where it is stored: charge ids are unique within a sales unit only."""
        return charge_key(self.msn, self.id)

    @property
    def remaining(self) -> int:
        """What is reserved and neither captured nor released."""
        return self.amount - self.captured - self.cancelled if self.reserved_at is not None else 0


def charge_key(msn: str, charge_id: str) -> str:
    """The key under which a charge is stored."""
    return f"{msn}/{charge_id}"
