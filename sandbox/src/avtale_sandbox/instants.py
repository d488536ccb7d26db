"""Instants of business time: whole milliseconds since 1970 in memory, ISO 8601 in UTC on the wire."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_MAX = 9000
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|z|[+-]\d{2}:?\d{2})\Z")
_DURATION = re.compile(
    r"P(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,7})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,10})S)?)?\Z"
)


def parse_instant(text: str) -> int:
    """Read an ISO 8601 date-time with zone; a fraction finer than a millisecond is rounded up.

    Rounding up keeps a promise: whoever asked to be woken at an instant is never woken before it.
    Raises ValueError.
    """
    match = _INSTANT.match(text)
    if match is None:
        raise ValueError(f"not an ISO 8601 date-time with zone: {text!r}")
    whole, fraction, zone = match.groups()
    moment = datetime.fromisoformat(whole.upper() + ("+00:00" if zone in "Zz" else zone))
    if not 1970 <= moment.year <= _YEAR_MAX:
        raise ValueError(f"the year must be between 1970 and {_YEAR_MAX}: {text!r}")
    millis = round((moment - _EPOCH).total_seconds()) * SECOND
    if fraction:
        nanos = int(fraction.ljust(9, "0"))
        millis += -(-nanos // 1_000_000)
    return millis


@lru_cache(maxsize=4096)
def iso(instant: int) -> str:
    """Spell an instant as `2027-01-15T09:00:00Z`, with three decimals only when there are milliseconds."""
    seconds, millis = divmod(instant, SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{millis:03d}Z" if millis else f"{text}Z"


def parse_day(text: str) -> date:
    """Read `YYYY-MM-DD` and nothing else; raises ValueError."""
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        raise ValueError(f"not a date YYYY-MM-DD: {text!r}")
    return date.fromisoformat(text)


@lru_cache(maxsize=4096)
def local_instant(day: date, hour: int, zone: ZoneInfo) -> int:
    """The instant at which the clocks of `zone` show `hour`:00 on `day`.

    On the night when the clocks are turned, an hour that does not exist is the instant one hour later, and an
    hour that comes twice is the first of the two.
    """
    return round(datetime.combine(day, time(hour), zone).timestamp() * SECOND)


def local_day(instant: int, zone: ZoneInfo) -> date:
    """The date that a calendar in `zone` shows at the instant."""
    return datetime.fromtimestamp(instant / SECOND, zone).date()


def utc_day_instant(day: date) -> int:
    """Midnight UTC of the date."""
    return (day.toordinal() - _EPOCH.date().toordinal()) * DAY


def add_months(day: date, months: int) -> date:
    """The same day `months` later, or that month's last day when it is shorter; raises ValueError."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not 1970 <= year <= _YEAR_MAX:
        raise ValueError("the date leaves the calendar")
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def add_units(instant: int, unit: str, count: int) -> int:
    """Move an instant by YEAR, MONTH, WEEK or DAY in the UTC calendar."""
    if unit in ("WEEK", "DAY"):
        return instant + count * (7 if unit == "WEEK" else 1) * DAY
    days, rest = divmod(instant, DAY)
    day = add_months(_EPOCH.date() + timedelta(days=days), count * (12 if unit == "YEAR" else 1))
    return utc_day_instant(day) + rest


def add_duration(instant: int, duration: str) -> int:
    """Move an instant by an ISO 8601 duration such as `P1M`, `P3D` or `PT10M`; raises ValueError."""
    match = _DURATION.match(duration)
    if match is None or len(duration) < 3:
        raise ValueError(f"not an ISO 8601 duration: {duration!r}")
    part = {name: int(value or 0) for name, value in match.groupdict().items()}
    moved = add_units(instant, "MONTH", part["years"] * 12 + part["months"])
    moved += (part["weeks"] * 7 + part["days"]) * DAY
    moved += part["hours"] * HOUR + part["minutes"] * MINUTE + part["seconds"] * SECOND
    if moved > utc_day_instant(date(_YEAR_MAX, 1, 1)):
        raise ValueError("the duration leaves the calendar")
    return moved
