"""A plot of months as plain numbers for an SVG: what was charged upwards, what was given back downwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from avtale.domain.settlement import BookingKind
from avtale.storage.overview import MonthFlow

WIDTH, HEIGHT = 720, 240
LEFT, TOP, BOTTOM = 84, 14, 30
MONTHS = 12
#: Lines behind the bars, at round sums: 1, 2 or 5 times a power of ten.
LINES_COUNT_MAX = 4
_ROUND = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """One month: its sums in minor units, and where its two bars are."""

    month: date
    charged: int
    refunded: int
    x: float
    width: float
    charged_y: float
    charged_height: float
    refunded_height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A sum in minor units, and its height in the picture."""

    amount: int
    y: float


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything that the picture shows, in one currency."""

    currency: str
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    zero_y: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


def month_plot(first_month: date, flows: Iterable[MonthFlow]) -> Plot | None:
    """The plot of twelve months from `first_month`, in the currency with the most money; None without any."""
    told = list(flows)
    totals: dict[str, int] = {}
    for one in told:
        totals[one.flow.currency] = totals.get(one.flow.currency, 0) + one.flow.amount
    if not totals:
        return None
    currency = max(sorted(totals), key=lambda name: totals[name])
    sums: dict[tuple[date, BookingKind], int] = {
        (one.month, one.flow.kind): max(0, one.flow.amount) for one in told if one.flow.currency == currency
    }
    months = [_plus_months(first_month, count) for count in range(MONTHS)]
    charged = [sums.get((month, BookingKind.CAPTURE), 0) for month in months]
    refunded = [sums.get((month, BookingKind.REFUND), 0) for month in months]
    step = _step(max(charged))
    top = max(step, -(-max(charged) // step) * step)
    room = HEIGHT - TOP - BOTTOM
    below = max(refunded)
    scale = room / (top + below)
    zero_y = TOP + top * scale
    slot = (WIDTH - LEFT) / MONTHS
    bars = tuple(
        Bar(
            month=month,
            charged=taken,
            refunded=given,
            x=round(LEFT + slot * number + slot * 0.18, 1),
            width=round(slot * 0.64, 1),
            charged_y=round(zero_y - taken * scale, 1),
            charged_height=round(taken * scale, 1),
            refunded_height=round(given * scale, 1),
        )
        for number, (month, taken, given) in enumerate(zip(months, charged, refunded, strict=True))
    )
    lines = tuple(Line(amount, round(zero_y - amount * scale, 1)) for amount in range(step, top + 1, step))
    return Plot(currency, bars, lines, round(zero_y, 1))


def _step(highest: int) -> int:
    """A round sum of whole currency units of which at most LINES_COUNT_MAX fit in `highest` (minor units)."""
    power = 100
    while True:
        for factor in _ROUND:
            step = power * factor
            if step * LINES_COUNT_MAX >= highest:
                return step
        power *= 10


def _plus_months(first: date, count: int) -> date:
    year, month0 = divmod(first.year * 12 + first.month - 1 + count, 12)
    return date(year, month0 + 1, 1)
