"""When the next period is charged, and with which due date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from avtale.domain.errors import Invalid
from avtale.domain.periods import Period, local_date, start_of

#: Vipps takes a charge until midnight before its due date (Vipps Recurring, how it works, since October 2025).
DUE_DAYS_MIN = 1


#: The first try of a due date has been made by then, and told of if it took the money (Vipps: before 10 in the market).
FIRST_READING_AFTER = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class BillingRules:
    """A tenant's rules for Vipps charges, in days: created ahead of the due date, tried again after it."""

    charge_lead_days: int = 3
    retry_days: int = 5

    def __post_init__(self) -> None:
        if not DUE_DAYS_MIN <= self.charge_lead_days <= 365:
            raise Invalid(f"charge_lead_days is 1 to 365, not {self.charge_lead_days}", code="invalid_lead_days")
        if not 0 <= self.retry_days <= 14:
            raise Invalid(f"retry_days is 0 to 14, not {self.retry_days}", code="invalid_retry_days")


@dataclass(frozen=True, slots=True)
class PlannedCharge:
    """The next period with its due date; `wait_for_operator` when yet another period is late as well."""

    period: Period
    due: date
    wait_for_operator: bool


def plan_at(starts: date, rules: BillingRules, zone: str) -> datetime:
    """The instant (UTC) from which a period is to be charged: `charge_lead_days` before it starts."""
    return start_of(starts - timedelta(days=rules.charge_lead_days), zone)


def plan(this: Period, now: datetime, zone: str) -> PlannedCharge:
    """The charge for a period, due when it starts or on the earliest legal date after an outage.

    The anchor is kept. At most one late period is billed by itself; a second one waits for an operator.
    """
    return PlannedCharge(this, due_on(this.start, now, zone), wait_for_operator=this.end <= local_date(now, zone))


def due_on(wanted: date, now: datetime, zone: str) -> date:
    """The wanted date, or the earliest on which a charge that is made now can be due."""
    return max(wanted, local_date(now, zone) + timedelta(days=DUE_DAYS_MIN))


def settled_by(due: date, retry_days: int, zone: str) -> datetime:
    """The instant by which a charge must have ended: midnight after the last day of tries (Vipps: T9)."""
    return start_of(due + timedelta(days=retry_days + 1), zone)


def read_next(due: date, retry_days: int, now: datetime, zone: str) -> datetime:
    """When to look at an unsettled charge although nobody says that it changed.

    At noon of its due date, after the first try, and at each midnight after it: a try that has failed is known the
    same day, and a lost webhook costs a day. Every six hours once overdue.
    """
    if now >= settled_by(due, retry_days, zone):
        return now + timedelta(hours=6)
    first = start_of(due, zone) + FIRST_READING_AFTER
    if now < first:
        return first
    return start_of(max(due, local_date(now, zone)) + timedelta(days=1), zone)
