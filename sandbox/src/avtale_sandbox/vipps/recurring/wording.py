"""What both versions of the API say alike: why a payment failed, and when it is due."""

from __future__ import annotations

from ...instants import iso, parse_day, utc_day_instant
from .resources import Charge

FAILURE_TEXTS = {
    "user_action_required": "User action required",
    "charge_amount_too_high": "The amount is higher than the limit the user has set",
    "non_technical_error": "The user could not be charged",
    "technical_error": "Something went wrong while the payment was processed",
}


def failure_text(charge: Charge) -> str | None:
    """The sentence that goes with the charge's failureReason."""
    return None if charge.failure_reason is None else FAILURE_TEXTS[charge.failure_reason]


def due_instant(charge: Charge) -> str:
    """The due date as a date-time, which is how it is read; an initial charge is due when it is made."""
    return iso(charge.created if charge.type == "INITIAL" else utc_day_instant(parse_day(charge.due)))


def instant(at: int | None) -> str | None:
    """A date-time, or null."""
    return None if at is None else iso(at)
