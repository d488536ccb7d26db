"""`make story`: eleven people and three months of business, told in the terminal and written to story.json."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from stories.clients import Refused
from stories.houses import Houses, Size
from stories.processes import ProcessFailed
from stories.renewals import ROLES, START, Renewals
from stories.report import write_report
from stories.telling import Teller, terminal
from stories.world import ZONE, World

INTRODUCTION = (
    "A tenant sells a monthly film subscription, on Vipps and on Stripe, and single films. The sandbox plays both,",
    "and the phones and banks of eleven people; the provider bills them, or books what Stripe bills. They share",
    "nothing but HTTP. Only the clock is turned.",
)


def main() -> int:
    """Run the story; 0 when both sides agree and everybody's end is as expected, else 1."""
    parser = argparse.ArgumentParser(prog="python -m stories", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("story.json"), help="where the report goes")
    parser.add_argument("--workers", type=int, default=2, help="how many provider workers run (default 2)")
    options = parser.parse_args()
    console = terminal()
    try:
        return asyncio.run(_story(console, options.out, Size(workers=options.workers)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print(" Stopped. Nothing is left running.")
        return 130
    except ProcessFailed as error:
        Teller(console, ZONE).failure(error)
        console.print(" Nothing is left running. Run it again; `make test` shows which part is broken.")
        return 1


async def _story(console: Console, out: Path, size: Size) -> int:
    task = asyncio.current_task()
    with suppress(NotImplementedError):  # no signal handlers in the loops of some systems
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel if task else lambda: None)
    teller = Teller(console, ZONE)
    teller.title("Eleven people, three months", INTRODUCTION)
    began = time.monotonic()
    with console.status("PostgreSQL, the sandbox and the provider are starting ..."):
        houses = await Houses(start_at=START, size=size).__aenter__()
    try:
        started = time.monotonic() - began
        teller.say(f"{len(houses.processes.names())} processes started in {started:.1f} s.")
        report = await Renewals(World(houses), teller.events).run()
        write_report(report, out)
    except Refused as error:
        for name in houses.processes.names():
            if tail := houses.processes.tail(name, 8):
                teller.failure(ProcessFailed(name, "said last:", tail))
        console.print(f" {error}", style="bold red")
        return 1
    finally:
        await houses.__aexit__(*sys.exc_info())
    console.print()
    for role, told in zip(ROLES, report["people"], strict=True):
        teller.person(told, role.story)
    teller.verdict(report)
    teller.say(f"{time.monotonic() - began:.0f} s of your time. The whole report is in {out}.")
    return 0 if report["audit"] == "ok" and not any(p["unmet"] for p in report["people"]) else 1


if __name__ == "__main__":
    sys.exit(main())
