"""Kills processes as `kill -9` does: at random moments, and at the named ones between two steps of a charge."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import psycopg

from stories.clients import Sandbox
from stories.houses import Houses

POLL_SECONDS = 0.01
DOWN_SECONDS = 0.2
DATABASE_DOWN_SECONDS = 2.0


@dataclass
class Kills:
    """Whoever kills, and the count; what was killed is started again where it was."""

    houses: Houses
    dice: Random
    count: int = 0
    moments: list[str] = field(default_factory=list)
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def workers(self) -> list[str]:
        return [f"worker-{n}" for n in range(1, self.houses.size.workers + 1)]

    @property
    def apis(self) -> list[str]:
        return [f"api-{n}" for n in range(1, self.houses.size.apis + 1)]

    async def at_random(self, seconds: float) -> None:
        """Kill one process somewhere in the next so many seconds."""
        await asyncio.sleep(self.dice.random() * seconds)
        await self._kill([self.dice.choice([*self.workers, *self.workers, *self.apis])])

    async def before_the_call(self) -> None:
        """Between transaction A and the call: the bytes are committed, and the gateway has not acted on them."""
        await self._when_befallen({"kind": "hang"})
        await self._kill(self.workers)
        self.moments.append("before the call")

    async def after_the_call(self) -> None:
        """Between the call and transaction B: the gateway has done it, and nobody here knows."""
        await self._when_befallen({"kind": "effect-then-hang"})
        await self._kill(self.workers)
        self.moments.append("after the call")

    async def before_the_end(self) -> None:
        """Between transaction B and the end of the job, which a lock on the tenant's row of due work holds up."""
        await self._when_befallen({"kind": "delay", "seconds": 0.5})
        with suppress(psycopg.OperationalError):  # the database may be the one that dies
            await self._before_the_end()
        self.moments.append("before the end of the job")

    async def the_database(self, seconds: float, *, asked: bool) -> None:
        """Stop PostgreSQL, or kill it in the middle of its work, somewhere in the next so many seconds."""
        await asyncio.sleep(self.dice.random() * seconds)
        async with self._busy:
            await asyncio.to_thread(self.houses.stop_database if asked else self.houses.kill_database)
            self.count += 1
            await asyncio.sleep(DATABASE_DOWN_SECONDS)
            await self.houses.start_database()
        self.moments.append("PostgreSQL stopped" if asked else "PostgreSQL killed")

    async def _before_the_end(self) -> None:
        owner = self.houses.environment["AVTALE_DATABASE_OWNER_URL"]
        async with await psycopg.AsyncConnection.connect(owner) as connection:
            await connection.execute("SELECT 1 FROM due_tenants WHERE job = 'bill' FOR UPDATE")
            for _ in range(300):
                waiting = await connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                if (row := await waiting.fetchone()) and row[0]:
                    break
                await asyncio.sleep(POLL_SECONDS)
            await self._kill(self.workers)

    async def _when_befallen(self, action: dict[str, object]) -> None:
        sandbox: Sandbox = self.houses.sandbox
        creation = "CreateChargeV3" if self.houses.offer.charges_per_call_max == 1 else "CreateChargeAsyncV3"
        fault = await sandbox.fault({"operationId": creation}, action)
        while True:
            if any(f["id"] == fault and f["matched"] for f in (await sandbox.faults())["faults"]):
                return
            await asyncio.sleep(POLL_SECONDS * 5)

    async def _kill(self, names: list[str]) -> None:
        async with self._busy:
            for name in names:
                self.houses.processes.kill(name)
                self.count += 1
            await asyncio.sleep(DOWN_SECONDS)
            for name in names:
                await self.houses.restart(name)

    async def mend(self) -> None:
        """Nobody is killed any more; whatever is down is started."""
        async with self._busy:
            for name in (*self.workers, *self.apis):
                if not self.houses.processes[name].running:
                    await self.houses.restart(name)


async def end(tasks: list[asyncio.Task[None]]) -> None:
    """Call off kills that have not happened."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
