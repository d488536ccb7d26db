"""Somebody else's system that hears of everything, fails as it likes, and keeps what it took in the order it came."""

from __future__ import annotations

import json
from random import Random
from types import TracebackType
from typing import Self

from aiohttp import web

from stories.clients import Json
from stories.houses import HOST

#: How often a delivery meets a fault: an answer of 500, one of 200 that is lost, or none at all.
FAULT_CHANCE = 0.05


class Listener:
    """An endpoint of the tenant's events. Use as an async context manager; `well` ends faults, `deaf` takes nothing."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.well = False
        self.deaf = False
        self.taken: list[Json] = []
        self.faults = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/events", self._receive)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}/events"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        event = json.loads(await request.read())
        fault = "refused" if self.deaf else None
        if not self.deaf and not self.well and self._dice.random() < FAULT_CHANCE:
            self.faults += 1
            fault = self._dice.choice(("refused", "taken, and the answer lost", "cut"))
        if fault != "refused" and fault != "cut":
            self.taken.append(event)
        if fault is None:
            return web.Response(status=204)
        if fault == "refused":
            return web.Response(status=500)
        assert request.transport is not None
        request.transport.close()
        return web.Response(status=204)
