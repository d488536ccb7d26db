"""The audit's calendar, against dates that were written down by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.almanac import UNITS, iso, local_day, midnight, parse_instant, period_start


@pytest.mark.parametrize(
    ("anchor", "unit", "count", "starts"),
    [
        (
            date(2027, 1, 31),
            "month",
            1,
            ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"],
        ),
        (date(2027, 12, 30), "month", 1, ["2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30"]),
        (date(2027, 11, 30), "month", 3, ["2027-11-30", "2028-02-29", "2028-05-30"]),
        (
            date(2028, 2, 29),
            "year",
            1,
            ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"],
        ),
        (date(2027, 3, 27), "week", 2, ["2027-03-27", "2027-04-10", "2027-04-24"]),
        (date(2027, 12, 31), "day", 1, ["2027-12-31", "2028-01-01"]),
    ],
)
def test_periods_begin_where_a_calendar_on_paper_says(anchor: date, unit: str, count: int, starts: list[str]) -> None:
    found = [period_start(anchor, unit, count, n).isoformat() for n in range(1, len(starts) + 1)]
    assert found == starts


@given(
    anchor=st.dates(date(2000, 1, 1), date(2060, 12, 31)),
    unit=st.sampled_from(UNITS),
    count=st.integers(1, 31),
    period=st.integers(1, 40),
)
def test_periods_follow_each_other_and_keep_the_day_of_the_anchor_where_the_month_has_it(
    anchor: date, unit: str, count: int, period: int
) -> None:
    here, after = period_start(anchor, unit, count, period), period_start(anchor, unit, count, period + 1)
    assert here < after
    if unit in ("month", "year"):
        next_day_is_another_month = date.fromordinal(here.toordinal() + 1).month != here.month
        assert here.day == anchor.day or (here.day < anchor.day and next_day_is_another_month)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        period_start(date(2027, 1, 1), "fortnight", 1, 2)


def test_local_midnight_moves_with_summer_time() -> None:
    oslo = ZoneInfo("Europe/Oslo")
    assert iso(midnight(date(2027, 3, 28), oslo)) == "2027-03-27T23:00:00Z"
    assert iso(midnight(date(2027, 3, 29), oslo)) == "2027-03-28T22:00:00Z"
    assert local_day(datetime(2027, 3, 28, 22, 30, tzinfo=UTC), oslo) == date(2027, 3, 29)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        parse_instant("2027-03-28T22:30:00")
