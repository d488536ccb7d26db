"""The audit's own calendar: where periods begin, and when a local day begins in universal time."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

UNITS = ("day", "week", "month", "year")


def period_start(anchor: date, unit: str, count: int, period: int) -> date:
    """The first local day of a period (1 is the anchor's own).

    Months and years are counted from the anchor and clamped to the end of the month they land in, so that
    31 January is followed by 28 February and then by 31 March. `ValueError` for another unit.
    """
    steps = (period - 1) * count
    if unit == "day":
        return anchor + timedelta(days=steps)
    if unit == "week":
        return anchor + timedelta(weeks=steps)
    if unit not in ("month", "year"):
        raise ValueError(f"{unit!r} is not one of {', '.join(UNITS)}")
    months = steps * (12 if unit == "year" else 1)
    year, month0 = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return date(year, month0 + 1, min(anchor.day, calendar.monthrange(year, month0 + 1)[1]))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a local day begins."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The local date at an instant."""
    return instant.astimezone(zone).date()


def iso(instant: datetime) -> str:
    """An instant as the exports write it: `2027-01-15T09:00:00Z`, with a fraction only when there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """An instant from ISO 8601; `ValueError` when the text names no zone."""
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} does not say its zone")
    return instant.astimezone(UTC)
