"""A plot of columns as plain numbers for an SVG: one figure upwards for each month, and perhaps another downwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 480, 180
LEFT, TOP, BOTTOM = 72, 12, 26
LINES_COUNT_MAX = 4
_ROUND = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Column:
    """One month: its figures, and where its two bars are."""

    month: date
    up: int
    down: int
    x: float
    width: float
    up_y: float
    up_height: float
    down_height: float


@dataclass(frozen=True, slots=True)
class Columns:
    """Everything that the picture shows; `lines` are round figures with their heights."""

    columns: tuple[Column, ...]
    lines: tuple[tuple[int, float], ...]
    zero_y: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to see."""
        return not any(column.up or column.down for column in self.columns)


def columns(values: Sequence[tuple[date, int, int]], unit: int = 1) -> Columns:
    """The plot of (month, up, down) figures; lines are at 1, 2 or 5 times a power of ten of `unit`."""
    highest = max(max(up, 0) for _, up, _ in values)
    lowest = max(max(down, 0) for _, _, down in values)
    step = _step(max(highest, lowest), unit)
    top = max(step, -(-highest // step) * step)
    scale = (HEIGHT - TOP - BOTTOM) / (top + lowest)
    zero_y = TOP + top * scale
    slot = (WIDTH - LEFT) / len(values)
    made = tuple(
        Column(
            month=month,
            up=up,
            down=down,
            x=round(LEFT + slot * number + slot * 0.18, 1),
            width=round(slot * 0.64, 1),
            up_y=round(zero_y - max(up, 0) * scale, 1),
            up_height=round(max(up, 0) * scale, 1),
            down_height=round(max(down, 0) * scale, 1),
        )
        for number, (month, up, down) in enumerate(values)
    )
    lines = tuple((figure, round(zero_y - figure * scale, 1)) for figure in range(step, top + 1, step))
    return Columns(made, lines, round(zero_y, 1))


def _step(highest: int, unit: int) -> int:
    power = unit
    while True:
        for factor in _ROUND:
            if power * factor * LINES_COUNT_MAX >= highest:
                return power * factor
        power *= 10
