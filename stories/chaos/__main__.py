"""`make chaos`: business for months while processes die and the gateway fails; then both books must agree."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from stories.audit import audit
from stories.audit_events import audit_events
from stories.books import Difference
from stories.chaos.deeds import Deeds
from stories.chaos.history import history, latest_calls
from stories.chaos.kills import Kills, end
from stories.chaos.listener import Listener
from stories.chaos.lives import draw_lives
from stories.chaos.weather import Weather
from stories.clients import Json, Refused
from stories.houses import Houses, Offer, Size
from stories.processes import ProcessFailed, installed

START = datetime(2027, 1, 31, 9, tzinfo=UTC)
#: After the last fault: long enough for every retry of a charge and of a webhook, and for the weekly reading.
QUIET_DAYS = 24
ADVANCE_SECONDS_MAX = 45
ADVANCES_COUNT_MAX = 4
#: How many differences are shown with their histories.
SHOWN_COUNT_MAX = 10
#: How many charges are created in one call: in half of the runs more than one.
CHARGES_PER_CALL = (1, 1, 1, 3, 20, 2000)


@dataclass(frozen=True)
class Scale:
    """How much happens: people, days of business, days between two changes of the weather, kills at random, how many
    operations the weather spoils at a time at most.

    With `whole`, people also change their subscriptions, and PostgreSQL is stopped once and killed once.
    """

    people: int
    days: int
    step_days: int
    kills: int
    storm: int = 8
    whole: bool = True


SHORT = Scale(people=40, days=70, step_days=5, kills=4, whole=False)
LONG = Scale(people=1000, days=365, step_days=10, kills=28, storm=16)


@dataclass(frozen=True)
class Result:
    """The plain result of a run."""

    charges: int
    payments: int
    events: int
    faults: int
    kills: int
    moments: tuple[str, ...]
    differences: list[Difference]
    own_audit: str
    exports: tuple[Json, Json]

    @property
    def agrees(self) -> bool:
        return not self.differences and not self.own_audit


class Run:
    """One run from one seed."""

    def __init__(self, seed: int, scale: Scale, console: Console) -> None:
        self.seed = seed
        self.scale = scale
        self.console = console
        self.dice = Random(seed)
        # Not of the same dice: the lives of a seed stay what they were.
        self.offer = Offer(charges_per_call_max=Random(f"charges of {seed}").choice(CHARGES_PER_CALL))

    async def run(self) -> Result:
        """Live through it all, then be quiet, then compare. Raises ProcessFailed, or Refused for no quiet."""
        settings = {"AVTALE_VIPPS_CALL_SECONDS_MAX": "1.0"}
        async with (
            Listener(Random(self.seed)) as listener,
            Houses(start_at=START, offer=self.offer, size=Size(apis=2, workers=3), settings=settings) as houses,
        ):
            await houses.provider.listen(listener.url)
            scale = self.scale
            lives, diary = draw_lives(self.dice, scale.people, START.date(), scale.days, turns=scale.whole)
            deeds = Deeds(houses, Random(self.dice.random()))
            kills = Kills(houses, Random(self.dice.random()))
            weather = Weather(houses.sandbox, Random(self.dice.random()), scale.storm)
            await asyncio.gather(*(deeds.introduce(life) for life in lives))
            steps = range(0, scale.days, scale.step_days)
            fatal = set(self.dice.sample(steps, min(scale.kills, len(steps))))
            outages = {steps[len(steps) // 3]: True, steps[len(steps) * 2 // 3]: False} if scale.whole else {}
            moments = [
                asyncio.create_task(one())
                for one in (kills.before_the_call, kills.after_the_call, kills.before_the_end)
            ]
            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            with Progress(*columns, console=self.console, transient=True) as progress:
                bar = progress.add_task("business days", total=scale.days)
                for day in steps:
                    last = min(day + scale.step_days, scale.days) - 1
                    await weather.change()
                    killing = []
                    if day in fatal:
                        killing.append(asyncio.create_task(kills.at_random(1.0)))
                    if day in outages:
                        killing.append(asyncio.create_task(kills.the_database(1.0, asked=outages[day])))
                    await asyncio.gather(*(deeds.do(life, act) for life, act in diary.between(day, last)))
                    await self._advance(houses, START + timedelta(days=last + 1))
                    await asyncio.gather(*killing)
                    progress.update(bar, completed=last + 1)
                    if not self.console.is_terminal:
                        self.console.print(f"{last + 1} days", highlight=False)
                progress.update(bar, description="quiet")
                await end(moments)
                await kills.mend()
                await weather.clear()
                await houses.sandbox.clear_faults()
                listener.well = True
                await self._advance(houses, START + timedelta(days=scale.days + QUIET_DAYS))
            return await self._compare(houses, weather.befallen + listener.faults, kills, listener)

    async def _advance(self, houses: Houses, to: datetime) -> None:
        """Turn the clock; a house that is not quiet in time is given more of it, a few times."""
        for left in reversed(range(ADVANCES_COUNT_MAX)):
            try:
                await houses.sandbox.advance(to=to, wall_seconds_max=ADVANCE_SECONDS_MAX)
                return
            except Refused:
                if not left:
                    for name in houses.processes.names():
                        self.console.print(f"--- {name}\n{houses.processes.tail(name, 12)}", highlight=False)
                    for call in await latest_calls(houses):
                        self.console.print(f"--- {call}", highlight=False)
                    raise

    async def _compare(self, houses: Houses, faults: int, kills: Kills, listener: Listener) -> Result:
        sandbox, provider = await houses.sandbox.export(), await houses.provider.export()
        stream = await houses.provider.events()
        try:
            await houses.processes.run("audit", installed("avtale"), "audit", environment=houses.environment)
            own = ""
        except ProcessFailed as failed:
            own = failed.tail
        return Result(
            charges=sum(len(agreement["charges"]) for agreement in sandbox["agreements"])
            + sum(len(one["invoices"]) for one in sandbox["stripe"]["subscriptions"]),
            payments=len(sandbox["payments"]) + len(sandbox["stripe"]["payments"]),
            events=len(stream),
            faults=faults,
            kills=kills.count,
            moments=tuple(kills.moments),
            differences=[
                *audit(sandbox, provider, merchant=houses.offer.merchant_serial_number),
                *audit_events(stream, listener.taken, provider, sandbox["now"]),
            ],
            own_audit=own,
            exports=(sandbox, provider),
        )


def tell(console: Console, result: Result, seed: int) -> None:
    """Print what differs, each with its history; last the plain result."""
    shown: set[str] = set()
    for difference in result.differences[:SHOWN_COUNT_MAX]:
        console.print(f"\n[bold red]{difference.code}[/] {difference.agreement} period {difference.period}")
        console.print(f"  gateway {difference.sandbox!r}, provider {difference.provider!r}: {difference.sentence}")
        if difference.agreement and difference.agreement not in shown:
            shown.add(difference.agreement)
            for at, side, what in history(difference.agreement, *result.exports):
                console.print(f"  {at or '(now)':<26} {side:<9} {what}", highlight=False)
    if len(result.differences) > SHOWN_COUNT_MAX:
        codes = Counter((one.code, one.agreement) for one in result.differences[SHOWN_COUNT_MAX:])
        console.print("\nand more:", ", ".join(f"{count} {code} {one}" for (code, one), count in codes.items()))
    if result.own_audit:
        console.print("\n[bold red]avtale audit[/]")
        console.print(result.own_audit, highlight=False)
    console.print(f"killed at named moments: {', '.join(result.moments) or 'none came'}")
    console.print(
        f"{result.charges} charges, {result.payments} rentals, {result.events} events, {result.faults} faults, "
        f"{result.kills} kills, {len(result.differences) + bool(result.own_audit)} differences, seed {seed}",
        highlight=False,
    )


def main() -> int:
    """0 when both books agree, 1 when they differ or never became quiet."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or secrets.randbelow(10**6)))
    parser.add_argument("--people", type=int, default=int(os.environ.get("PEOPLE") or 0))
    parser.add_argument("--days", type=int, default=int(os.environ.get("DAYS") or 0))
    parser.add_argument("--scale", type=int, default=int(os.environ.get("SCALE") or 1))
    parser.add_argument("--short", action="store_true", default=os.environ.get("SHORT") == "1")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(f"seed {options.seed}: SEED={options.seed} runs the same lives and the same faults again")
    scale = SHORT if options.short else LONG
    people, days = (options.people or scale.people) * options.scale, options.days or scale.days
    scale = replace(scale, people=people, days=days)
    run = Run(options.seed, scale, console)
    began = time.monotonic()
    try:
        result = asyncio.run(run.run())
    except Refused as refused:
        console.print(f"[bold red]the houses did not become quiet:[/] {refused.body}")
        console.print(f"0 charges compared, seed {options.seed}", highlight=False)
        return 1
    except ProcessFailed as failed:
        console.print(f"[bold red]{failed}[/]\n{failed.tail}\nseed {options.seed}")
        return 1
    together = run.offer.charges_per_call_max
    console.print(f"charges were created {f'up to {together} in one call' if together > 1 else 'one by one'}")
    console.print(f"{scale.people} people, {scale.days} days, {(time.monotonic() - began) / 60:.1f} minutes")
    tell(console, result, options.seed)
    return 0 if result.agrees else 1


if __name__ == "__main__":
    raise SystemExit(main())
