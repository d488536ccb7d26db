"""When charges may fall due, become visible, are tried, and when reservations and refunds run out."""

from __future__ import annotations

from datetime import date, timedelta

from ...instants import DAY, add_months, iso, local_day, local_instant, parse_day
from ...merchants import Market
from ...settings import Settings
from ..refusals import Refused, invalid
from .resources import Charge


def check_due(due: str, now: int, market: Market, settings: Settings) -> None:
    """Raises Refused unless the due date lies in the allowed window (Vipps Recurring, due dates).

    The window begins `charge_lead_days` after today and ends `charge_horizon_years` later, days being those
    of the market.
    """
    try:
        day = parse_day(due)
    except ValueError:
        raise invalid("due", "must be a date in the format YYYY-MM-DD") from None
    today = local_day(now, market.zone)
    earliest = today + timedelta(days=settings.charge_lead_days)
    if day < earliest:
        raise Refused("charge-due-too-soon", "The due date is too soon", [("due", f"must not be before {earliest}")])
    latest = add_months(today, 12 * settings.charge_horizon_years)
    if day > latest:
        raise Refused(
            "charge-due-in-too-long",
            "The due date is too far ahead",
            [("due", f"must not be after {latest}")],
        )


def visible_at(due: date, market: Market, settings: Settings) -> int:
    """From when the payer sees the charge, and its status is DUE."""
    return local_instant(due - timedelta(days=settings.charge_visible_days), 0, market.zone)


def next_try(charge: Charge, market: Market, after: int | None) -> int | None:
    """The next slot later than `after` in which the charge is tried, or None when its days are over.

    A charge is tried at the market's hours on its due date and each of the `retry_days` days that follow;
    one with a single attempt only once.
    """
    due = parse_day(charge.due)
    if charge.processing_mode == "SINGLE_ATTEMPT" and charge.tries:
        return None
    day, last = due, due + timedelta(days=charge.retry_days)
    if after is not None:
        day = max(day, local_day(after, market.zone))
    while day <= last:
        for hour in market.slot_hours:
            at = local_instant(day, hour, market.zone)
            if after is None or at > after:
                return at
        day += timedelta(days=1)
    return None


def release_at(reserved_at: int, capture_days: int) -> int:
    """When a reservation that was not captured is given back to the payer."""
    return reserved_at + capture_days * DAY


def check_refund_window(captured_at: int, now: int, settings: Settings) -> None:
    """Raises Refused when the last capture is too long ago to refund anything of it."""
    until = captured_at + settings.refund_window_days * DAY
    if now > until:
        raise Refused("operation-failed", f"The charge could be refunded until {iso(until)}")
