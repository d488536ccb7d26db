"""Dunning: what a charge that could not be taken asks of its person, when it is tried anew, and how it ends. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID


class Advice(StrEnum):
    """What to do about a failure, as far as its reason tells."""

    ASK_TO_PAY = "ask_to_pay"
    RAISE_LIMIT = "raise_limit"
    NEW_AGREEMENT = "new_agreement"
    WAIT = "wait"


#: By the gateway's reason (Vipps Recurring, failure reasons): see to card or money; allow more in the app; the
#: profile cannot be charged any more; nobody but the gateway can do anything. The others are Stripe's (decline codes,
#: those that ask nobody to do anything); all else at Stripe asks for another card, or money on it.
_ADVICE = {
    "user_action_required": Advice.ASK_TO_PAY,
    "charge_amount_too_high": Advice.RAISE_LIMIT,
    "non_technical_error": Advice.NEW_AGREEMENT,
    "technical_error": Advice.WAIT,
    "processing_error": Advice.WAIT,
    "issuer_not_available": Advice.WAIT,
    "reenter_transaction": Advice.WAIT,
    "try_again_later": Advice.WAIT,
}


class DunningStatus(StrEnum):
    """Where dunning for a charge stands. `recovered`: it was paid; `lost`: every try failed, or it was cancelled."""

    OPEN = "open"
    RECOVERED = "recovered"
    LOST = "lost"


class DunningEnd(StrEnum):
    """What becomes of an agreement whose charge is lost: it is stopped, or held until somebody resumes it."""

    STOP = "stop"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Dunning:
    """A charge whose first try has failed. `reason` is the gateway's latest; `orders` counts the orders that have
    failed for good, and the next one is due on `next_order_on`."""

    charge_id: UUID
    agreement_id: UUID
    status: DunningStatus
    reason: str | None
    orders: int
    next_order_on: date | None
    opened_at: datetime
    closed_at: datetime | None = None

    @property
    def advice(self) -> Advice:
        """What to do about it."""
        return advice(self.reason)


@dataclass(frozen=True, slots=True)
class DunningRules:
    """How many orders follow the first one that failed, how many days later each is due, and how it ends."""

    orders: int = 0
    wait_days: int = 3
    end: DunningEnd = DunningEnd.STOP

    def next_order_on(self, failed_orders: int, today: date) -> date | None:
        """When the next order is due, after so many have failed for good; None when there is none any more."""
        return today + timedelta(days=self.wait_days) if failed_orders <= self.orders else None

    def days(self, retry_days: int) -> int:
        """How many days after the first due date the last try may be, and the day on which its failure is known."""
        return (self.orders + 1) * (retry_days + 1) + self.orders * self.wait_days


def advice(reason: str | None) -> Advice:
    """What a gateway's reason asks for; one that we do not know asks the person to look."""
    return _ADVICE.get(reason or "", Advice.ASK_TO_PAY)
