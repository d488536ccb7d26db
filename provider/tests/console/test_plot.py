"""The plot of months: its bars are as high as their sums, and its lines stand at round ones."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtale.console.look.plot import HEIGHT, WIDTH, month_plot
from avtale.domain.settlement import BookingKind
from avtale.storage.overview import Flow, MonthFlow

FIRST = date(2026, 4, 1)


def flow(month: date, kind: BookingKind, amount: int, currency: str = "NOK") -> MonthFlow:
    return MonthFlow(month, Flow(kind, currency, 1, amount))


def test_without_money_there_is_no_plot() -> None:
    assert month_plot(FIRST, []) is None


def test_a_year_of_months_ends_with_this_one() -> None:
    plot = month_plot(FIRST, [flow(date(2027, 3, 1), BookingKind.CAPTURE, 100)])
    assert plot is not None
    assert [bar.month for bar in plot.bars][:2] == [date(2026, 4, 1), date(2026, 5, 1)]
    assert plot.bars[-1].month == date(2027, 3, 1)
    assert plot.bars[-1].charged == 100


def test_the_currency_with_the_most_money_is_shown() -> None:
    plot = month_plot(
        FIRST, [flow(FIRST, BookingKind.CAPTURE, 100, "EUR"), flow(FIRST, BookingKind.CAPTURE, 900, "NOK")]
    )
    assert plot is not None
    assert plot.currency == "NOK"
    assert plot.bars[0].charged == 900


@given(
    charged=st.lists(st.integers(0, 10**10), min_size=12, max_size=12),
    refunded=st.lists(st.integers(0, 10**10), min_size=12, max_size=12),
)
def test_everything_fits_into_the_picture(charged: list[int], refunded: list[int]) -> None:
    months = [date(2026 + (3 + n) // 12, (3 + n) % 12 + 1, 1) for n in range(12)]
    told = [flow(m, BookingKind.CAPTURE, a) for m, a in zip(months, charged, strict=True) if a]
    told += [flow(m, BookingKind.REFUND, a) for m, a in zip(months, refunded, strict=True) if a]
    plot = month_plot(FIRST, told)
    if plot is None:
        assert not told
        return
    for bar in plot.bars:
        assert 0 <= bar.charged_y <= plot.zero_y + 0.1
        assert plot.zero_y + bar.refunded_height <= HEIGHT
        assert plot.left <= bar.x < bar.x + bar.width <= WIDTH
    highest = max(plot.bars, key=lambda bar: bar.charged)
    assert highest.charged_height == max(bar.charged_height for bar in plot.bars)
    assert 1 <= len(plot.lines) <= 4
    assert all(line.amount % 100 == 0 for line in plot.lines)


@pytest.mark.parametrize(("highest", "lines"), [(9900, 2), (34000, 4), (100, 1)])
def test_lines_are_few(highest: int, lines: int) -> None:
    plot = month_plot(FIRST, [flow(FIRST, BookingKind.CAPTURE, highest)])
    assert plot is not None
    assert len(plot.lines) == lines
