"""Hand the file in, kill every worker twice on the way, and compare what has become of each row and each person."""

from __future__ import annotations

import asyncio
import csv
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stories.audit import audit
from stories.clients import Refused
from stories.houses import MIGRATION_SECRET, Houses
from stories.moving.file import END, PRICE, Business

#: Before the lead of the next charges, and after the day on which both companies take them.
BEGIN = datetime(2027, 2, 9, 9, tzinfo=UTC)
CHARGED = datetime(2027, 2, 16, 18, tzinfo=UTC)
#: How often the report is asked for: it counts every row, so that of a big file less often.
LOOK_SECONDS_MIN, LOOK_SECONDS_MAX = 0.05, 2.0
ROWS_PER_LOOK_SECOND = 50_000
#: A file of fewer rows is applied before anybody can see how much of it.
SMALL_COUNT = 5000
WORK_SECONDS_MAX = 7200.0
#: Shorter than the calls' own limit.
TURN_SECONDS_MAX = 60
TENTHS = 10
#: The audit reads whole books at once.
AUDITED_COUNT_MAX = 5000

Json = dict[str, Any]


@dataclass
class Measured:
    """What a rehearsal took, in seconds of wall time, and the memory of processes in megabytes."""

    rows: int
    seconds: dict[str, float] = field(default_factory=dict)
    peak_megabytes: dict[str, float] = field(default_factory=dict)
    half_way_megabytes: dict[str, float] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For people."""
        told = [f"{self.rows} rows"]
        told += [f"{name}: {took:.1f} s, {self.rows / took:.0f} rows a second" for name, took in self.seconds.items()]
        told.append(f"all of it: {sum(self.seconds.values()):.0f} s")
        for name, peak in self.peak_megabytes.items():
            told.append(f"{name}: {peak:.0f} MB at most, {self.half_way_megabytes.get(name, peak):.0f} MB half way")
        return [*told, *(self.differences or ["every row and every charge is as it must be"])]


class Rehearsal:
    """One run."""

    def __init__(self, houses: Houses, rows: int, say: Callable[[str], None]) -> None:
        self.houses = houses
        self.business = Business(rows)
        self.measured = Measured(rows)
        self._say = say
        self._kills = 0
        self._look_seconds = min(max(rows / ROWS_PER_LOOK_SECOND, LOOK_SECONDS_MIN), LOOK_SECONDS_MAX)

    async def run(self, *, bill: bool = True) -> Measured:
        """From the old business to the next month's money."""
        await self._timed("planting", self._open())
        file = self.houses.processes.folder / "agreements.csv"
        self.business.write(file)
        one = await self._timed("handing in", self._hand_in(file))
        await self._timed("checking", self._until(one, "checking", "ready"))
        await self._timed("applying", self._until(one, "applying", "applied"))
        self._compare_report(await self._see(one))
        await self._compare_rows(one)
        self._remember(self.measured.peak_megabytes, "VmHWM")
        again = await self._hand_in(file)
        await self._done(again)
        self._expect("already, when handed in again", await self._count(again, "already"), len(self.business.right()))
        if bill:
            await self._timed("charging the next month", self._bill())
            await self._compare_charges()
        return self.measured

    async def _open(self) -> None:
        await self.business.open(self.houses.sandbox, self.houses.offer.stripe_price)

    async def _hand_in(self, file: Path) -> str:
        return await self.houses.provider.hand_in(f"/api/v1/migrate/v2/nordlys/film/{MIGRATION_SECRET}", file)

    async def _until(self, one: str, phase: str, state: str) -> None:
        """Wait for a phase to end; every worker is killed in the middle of it, and others are started."""
        rows = self.business.rows
        killed, told = False, 0
        while (seen := await self._see(one))["status"] in ("receiving", "checking", "applying"):
            if seen["status"] != phase and (phase == "checking" or killed):
                return
            done = seen["counts"][state]
            if seen["status"] == phase and done * TENTHS // rows > told:
                told = done * TENTHS // rows
                self._say(f"{phase}: {done} of {rows}")
            in_the_middle = done >= rows // 4 or (phase == "applying" and rows < SMALL_COUNT)
            if not killed and seen["status"] == phase and in_the_middle:
                self._remember(self.measured.half_way_megabytes, "VmRSS")
                await self._kill_workers()
                killed = True
            await asyncio.sleep(self._look_seconds)
        self._expect(f"kills while {phase}", int(killed), 1)

    async def _kill_workers(self) -> None:
        for name in self.houses.processes.names():
            if name.startswith("worker-"):
                self.houses.processes.kill(name)
                await self.houses.restart(name)
                self._kills += 1
        self._say(f"{self._kills} kills of workers")

    async def _done(self, one: str) -> None:
        for _ in range(int(WORK_SECONDS_MAX / self._look_seconds)):
            if (await self._see(one))["status"] not in ("receiving", "checking", "applying"):
                return
            await asyncio.sleep(self._look_seconds)

    async def _bill(self) -> None:
        """Turn the clock; where that would take too long for one call, in as many as it takes."""
        for _ in range(int(WORK_SECONDS_MAX / TURN_SECONDS_MAX)):
            try:
                await self.houses.sandbox.advance(to=CHARGED, wall_seconds_max=TURN_SECONDS_MAX)
                return
            except Refused as error:
                if error.status != 503:
                    raise
                waits = "; ".join(error.body.get("notQuiet", ())) if isinstance(error.body, dict) else ""
                self._say(f"still turning: {(await self.houses.sandbox.now()):%d %B %H:%M}, {waits}")
        self._expect("turned", "not in time", "in time")

    def _compare_report(self, seen: Json) -> None:
        expected, rows = self.business.expected(), self.business.rows
        self._expect("rows", seen["rows"], rows)
        self._expect("totals", sum(seen["counts"].values()), rows)
        self._expect("applied", seen["counts"]["applied"], len(self.business.right()))
        self._expect("reasons", {one["code"]: one["count"] for one in seen["reasons"]}, dict(expected))
        applied = [one["amount"] for one in seen["sums"] if one["state"] == "applied"]
        self._expect("sum", applied, [len(self.business.right()) * PRICE])

    async def _compare_rows(self, one: str) -> None:
        """Each row of the result says what was to be said of it."""
        header: list[str] = []
        seen, wrong = 0, 0
        async for text in self.houses.provider.lines(f"/api/v1/imports/{one}/result"):
            values = next(csv.reader([text]))
            if not header:
                header = values
                continue
            row = dict(zip(header, values, strict=True))
            right = self.business.is_right(int(row["line"]) - 2)
            wrong += (row["state"] == "applied") != right
            seen += 1
        self._expect("rows of the result", seen, self.business.rows)
        self._expect("rows of which the wrong thing became", wrong, 0)

    async def _compare_charges(self) -> None:
        """At Vipps each person was charged once for the next period, and whoever did not move in not at all."""
        right = self.business.right()
        charged: Counter[str] = Counter()
        exported = await self.houses.sandbox.export()
        if self.business.rows <= AUDITED_COUNT_MAX:
            await self._audit(exported)
        for agreement in exported["agreements"]:
            for charge in agreement["charges"]:
                if charge["due"][:10] >= END and charge["status"] == "CHARGED" and charge["externalId"]:
                    charged[agreement["agreementId"]] += 1
        for subscription in exported["stripe"]["subscriptions"]:
            paid = sum(1 for invoice in subscription["invoices"] if invoice["status"] == "paid")
            # The first invoice was the old system's.
            charged[subscription["subscription"]] += paid - 1
        self._expect("people who were charged once", sum(1 for one in right if charged[one] == 1), len(right))
        self._expect("people who were charged", sum(1 for times in charged.values() if times), len(right))
        swept = await self.houses.provider.post(f"/api/v1/migrate/dashboard/charges/nordlys/film/{MIGRATION_SECRET}")
        await self._done(swept["importId"])
        booked: Counter[str] = Counter()
        header: list[str] = []
        async for text in self.houses.provider.lines(f"/api/v1/imports/{swept['importId']}/result"):
            row = next(csv.reader([text]))
            header = header or row
            if row is not header:
                booked[row[header.index("captured")]] += 1
        self._expect("booked", dict(booked), {"0": len(right), str(PRICE): len(right)})

    async def _audit(self, exported: Json) -> None:
        """Both sides tell the same story; those who did not move in are the old system's still."""
        theirs = {*self.business.agreement_ids} - self.business.right()
        ours, unit = await self.houses.provider.export(), self.houses.offer.merchant_serial_number
        found = await asyncio.to_thread(audit, exported, ours, merchant=unit)
        for one in found:
            if one.agreement not in theirs:
                self.measured.differences.append(f"{one.code} {one.agreement}: {one.sentence}")

    async def _see(self, one: str) -> Json:
        return await self.houses.provider.get(f"/api/v1/imports/{one}")

    async def _count(self, one: str, state: str) -> int:
        return int((await self._see(one))["counts"][state])

    async def _timed(self, name: str, work: Any) -> Any:
        began = time.monotonic()
        result = await work
        self.measured.seconds[name] = time.monotonic() - began
        self._say(f"{name}: {self.measured.seconds[name]:.1f} s")
        return result

    def _expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.measured.differences.append(f"{what}: {found}, and not {wanted}")

    def _remember(self, where: dict[str, float], name: str) -> None:
        for process in self.houses.processes.names():
            if process.startswith(("api-", "worker-")):
                where[process] = _megabytes(self.houses.processes[process].handle.pid, name)


def _megabytes(pid: int, name: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return 0.0
