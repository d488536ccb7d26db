"""What `make bench` measures of the provider: real processes, real HTTP, real commits, and something bare beside it."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from . import beside, billing, budget

PARTS = ("billing", "budget", "webhooks", "checkout", "reads", "start")
_VERSIONS = ("avtale", "fastapi", "uvicorn", "SQLAlchemy", "psycopg", "procrastinate", "aiohttp")


def run(
    only: str | None,
    due: int,
    idle: Sequence[int],
    fleets: Sequence[int],
    rows: int | None,
    rounds: int,
    seconds: int,
) -> dict[str, Any]:
    """Measure what was asked for, and print it."""
    load = os.getloadavg()[0]
    told: dict[str, Any] = {
        "when": datetime.now(UTC).strftime("%d %B %Y").lstrip("0"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the beginning",
        "versions": ", ".join(
            [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _VERSIONS)]
        ),
    }
    if only in (None, "billing"):
        told["billing"] = []
        for count in idle:
            told["billing"].append(asyncio.run(billing.run(due, count, fleets)))
            print("\nbilling", *billing.lines(told["billing"][-1]), sep="\n", flush=True)
    if only in (None, "budget"):
        told["budget"] = asyncio.run(budget.run())
        print("\nbudget", *billing.lines(told["budget"]), sep="\n", flush=True)
    if only not in ("billing", "budget"):
        told |= asyncio.run(beside.run(only, rounds, seconds, max(idle) if rows is None else rows))
        print("\nbeside the bare endpoint", *beside.lines(told), sep="\n", flush=True)
    return told
