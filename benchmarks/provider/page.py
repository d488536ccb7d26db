"""Writes figures into their page: `make bench PAGE=yes`, or from a file `python -m benchmarks.provider.page file`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .beside import ALONE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "performance.md"
PICTURE = PAGE.with_suffix(".svg")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

Told = dict[str, Any]

_BARE = (
    ("webhooks in", ("webhooks",)),
    *((f"a checkout {name}", ("checkout", name)) for name in ("begun", f"begun{ALONE}")),
    *((name, ("reads", name)) for name in ("agreements of a person", f"agreements of a person{ALONE}")),
    *((name, ("reads", name)) for name in ("receipts of a person", f"receipts of a person{ALONE}")),
)
_COLUMNS = (
    *("connections", "ours per_second", "bare per_second", "ratio"),
    *("ours p50", "ours p99", "bare p50", "bare p99", "cpu_us", "ours failed"),
)
WIDTH, ROW, LEFT = 720, 34, 260


def write(told: Told) -> None:
    """Put the figures between the page's two marks, and draw them."""
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{measured(told)}{END}{tail}", encoding="utf-8")
    PICTURE.write_text(picture(told), encoding="utf-8")


def measured(told: Told) -> str:
    """The figures as Markdown."""
    parts = [f"Measured {told['when']} on {told['machine']}. {told['versions']}.\n"]
    if rows := told.get("billing"):
        names = [name for name in rows[0] if name not in ("due", "idle")]
        parts.append("| Billing | " + " | ".join(f"{r['due']:,} due among {r['idle']:,} idle" for r in rows) + " |")
        parts.append("| --- |" + " --- |" * len(rows))
        parts += [f"| {name} | " + " | ".join(_number(row.get(name)) for row in rows) + " |" for name in names]
        parts.append("")
    if budget := told.get("budget"):
        parts.append("| A budget of calls a minute | |\n| --- | --- |")
        parts += [f"| {name} | {_number(value)} |" for name, value in budget.items()]
        parts.append("")
    found = [(name, one) for name, path in _BARE if (one := _at(told, path)) is not None]
    if found:
        parts.append(
            "| Beside the bare endpoint | connections | ours a second | bare a second | ours : bare | ours p50 ms "
            "| ours p99 ms | bare p50 ms | bare p99 ms | our processor time, µs each | failed or late |"
        )
        parts.append("| --- |" + " --- |" * 10)
        for name, one in found:
            parts.append(f"| {name} | " + " | ".join(_number(one[column]) for column in _COLUMNS) + " |")
        parts.append("")
    if missing := [name for name, path in _BARE if _at(told, path) is None]:
        parts.append(f"Not in this run: {', '.join(missing)}.\n")
    if reads := told.get("reads"):
        scans = sum(one.get("sequential scans", 0) for one in reads.values() if isinstance(one, dict))
        parts.append(
            f"The reads were of tables with {reads['agreements']:,} agreements and {reads['receipts']:,} receipts; "
            f"PostgreSQL counted {scans} sequential scans of them meanwhile.\n"
        )
    if start := told.get("start"):
        parts.append(f"`avtale serve` answers {start['ready_seconds']} s after its start on this database.\n")
    return "\n".join(parts)


def picture(told: Told) -> str:
    """How many times the bare endpoint's rate ours is, as bars; the bare one is the line at 1."""
    found = [(name, one["ratio"]) for name, path in _BARE if (one := _at(told, path)) is not None]
    found += [
        (
            f"charges sent ({row['idle']:,} idle)",
            row["accepted a second, one worker"] / row["accepted a second, bare loop"],
        )
        for row in told.get("billing", [])
    ]
    height = ROW * len(found) + 30
    scale = (WIDTH - LEFT - 60) / max([1.0, *(ratio for _, ratio in found)])
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="13" role="img"><title>Our rate beside a bare program that does the same calls</title>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for place, (name, ratio) in enumerate(found):
        y = 10 + ROW * place
        lines.append(f'<text x="{LEFT - 8}" y="{y + 17}" text-anchor="end" fill="#222">{name}</text>')
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{ratio * scale:.0f}" height="24" fill="#3b6ea5"/>')
        lines.append(f'<text x="{LEFT + ratio * scale + 6:.0f}" y="{y + 17}" fill="#222">{ratio:.2f}</text>')
    one = LEFT + scale
    lines.append(
        f'<line x1="{one:.0f}" y1="4" x2="{one:.0f}" y2="{height - 18}" stroke="#a33" stroke-dasharray="4 3"/>'
    )
    lines.append(f'<text x="{one:.0f}" y="{height - 4}" text-anchor="middle" fill="#a33">bare</text></svg>')
    return "\n".join(lines) + "\n"


def _at(told: Told, path: Sequence[str]) -> Any:
    found: Any = told
    for name in path:
        found = None if found is None else found.get(name)
    return found


def _number(value: Any) -> str:
    if value is None:
        return "not run"
    if isinstance(value, float) and value < 100:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:,.0f}"


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text())["provider"])
