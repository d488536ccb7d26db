"""A consumer's right to withdraw within fourteen days: until when, and what may be kept of what was charged. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from avtale.domain.charge import Charge
from avtale.domain.periods import local_date, start_of

#: Counted from the day after the agreement was made (Directive 2011/83/EU, articles 9 and 14).
WITHDRAWAL_DAYS = 14


def withdrawal_until(activated_at: datetime, zone: str) -> datetime:
    """The instant at which the right ends: midnight after the fourteenth day."""
    return start_of(local_date(activated_at, zone) + timedelta(days=WITHDRAWAL_DAYS + 1), zone)


def may_be_kept(charge: Charge, consented: bool, today: date) -> int:
    """What the merchant may keep of a charge, in minor units: nothing, unless its person asked for the service to begin
    at once; then the share of the days until today, which counts as used, rounded down."""
    if not consented or charge.period is None or today < charge.period_start:
        return 0
    days = (charge.period_end - charge.period_start).days
    used = min((today - charge.period_start).days + 1, days)
    return charge.price.amount * used // days
