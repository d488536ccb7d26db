"""Periods of an agreement: local dates counted from an anchor, and the instants at which those dates begin."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Unit(StrEnum):
    """The unit of an interval."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


#: Longer intervals are mistakes of a digit; what a gateway can show of them is the gateway's matter.
COUNT_MAX = 366


@dataclass(frozen=True, slots=True)
class Interval:
    """How long one period lasts: a count of days, weeks, months or years (1 to 366)."""

    unit: Unit
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.count <= COUNT_MAX:
            raise ValueError(f"an interval counts 1 to {COUNT_MAX} units, not {self.count}")


@dataclass(frozen=True, slots=True)
class Period:
    """Period `number` (from 1) of an agreement: from the local date `start` up to, not including, `end`."""

    number: int
    start: date
    end: date


def plus(anchor: date, interval: Interval, times: int) -> date:
    """`anchor` plus `times` intervals; months and years clamp to the month's end, counted from the anchor.

    31 January plus one month is 28 February, plus two is 31 March.
    """
    count = interval.count * times
    if interval.unit is Unit.DAY:
        return anchor + timedelta(days=count)
    if interval.unit is Unit.WEEK:
        return anchor + timedelta(weeks=count)
    months = count * (12 if interval.unit is Unit.YEAR else 1)
    year, month0 = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return date(year, month0 + 1, min(anchor.day, calendar.monthrange(year, month0 + 1)[1]))


def period(anchor: date, interval: Interval, number: int) -> Period:
    """Period `number`, counted from the one that begins on `anchor`."""
    if number < 1:
        raise ValueError(f"periods count from 1, not {number}")
    return Period(number, plus(anchor, interval, number - 1), plus(anchor, interval, number))


def local_date(instant: datetime, zone: str) -> date:
    """The calendar date in `zone` at an instant."""
    if instant.tzinfo is None:
        raise ValueError("an instant has a time zone")
    return instant.astimezone(ZoneInfo(zone)).date()


def start_of(day: date, zone: str) -> datetime:
    """The instant (UTC) at which a local date begins in `zone`."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
