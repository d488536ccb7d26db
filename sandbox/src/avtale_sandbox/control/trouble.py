"""What shall go wrong, in the control room: faults in order, random faults, and charges that fail."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..failures import Failure
from ..world import World
from .faults import Action, Dice, Fault, Match
from .shapes import FaultList, FaultShown
from .wire import Door, Problem, answer, nothing, read


class FaultOrder(Struct, forbid_unknown_fields=True):
    """A script to follow; without an id it gets one."""

    match: Match
    action: Action
    id: str = ""
    times: int = 1


class DiceShown(TypedDict):
    """The random faults that are on, or null."""

    random: Dice | None


class FailureList(TypedDict):
    """Every order, in order."""

    failures: list[Failure]


class TroubleControl:
    """The handlers below `/_sandbox/faults` and `/_sandbox/failures`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        gone = {404: "There is none with this id"}
        return [
            Door("GET", "/faults", self.faults, gives=FaultList),
            Door("POST", "/faults", self.add_fault, body=FaultOrder, gives=FaultShown, status=201),
            Door("DELETE", "/faults", self.forget_faults, status=204),
            Door("GET", "/faults/random", self.random_faults, gives=DiceShown),
            Door("PUT", "/faults/random", self.set_random_faults, body=Dice, gives=DiceShown),
            Door("DELETE", "/faults/random", self.end_random_faults, status=204),
            Door("DELETE", "/faults/{id}", self.forget_fault, status=204, also=gone),
            Door("GET", "/failures", self.failures, gives=FailureList),
            Door("POST", "/failures", self.add_failure, body=Failure, gives=Failure, status=201),
            Door("DELETE", "/failures", self.forget_failures, status=204),
            Door("DELETE", "/failures/{id}", self.forget_failure, status=204, also=gone),
        ]

    async def faults(self, request: Request) -> Response:
        """Every script, and how often it has matched."""
        return answer({"faults": [_fault(fault) for fault in self._world.faults.all()]})

    async def add_fault(self, request: Request) -> Response:
        """Add a script, or replace the one with its id."""
        order = await read(request, FaultOrder)
        fault = Fault(id=order.id, match=order.match, action=order.action, times=order.times)
        try:
            return answer(_fault(self._world.faults.add(fault)), 201)
        except ValueError as problem:
            raise Problem(400, str(problem)) from None

    async def forget_faults(self, request: Request) -> Response:
        """Forget all scripts."""
        self._world.faults.delete(None)
        return nothing()

    async def forget_fault(self, request: Request) -> Response:
        """Forget one script."""
        if not self._world.faults.delete(request.path_params["id"]):
            raise Problem(404, "There is no such fault")
        return nothing()

    async def random_faults(self, request: Request) -> Response:
        """The random faults that are on, with what was thrown and what befell."""
        return answer({"random": self._world.faults.dice})

    async def set_random_faults(self, request: Request) -> Response:
        """Throw for every call and every event from now on, from a seed and at a rate per kind."""
        try:
            self._world.faults.roll(await read(request, Dice))
        except ValueError as problem:
            raise Problem(400, str(problem)) from None
        return await self.random_faults(request)

    async def end_random_faults(self, request: Request) -> Response:
        """Throw no more."""
        self._world.faults.roll(None)
        return nothing()

    async def failures(self, request: Request) -> Response:
        """Every order for charges to fail."""
        return answer({"failures": self._world.failures.all()})

    async def add_failure(self, request: Request) -> Response:
        """Let the first tries of some charges fail, or all of them, for a reason of your choice."""
        try:
            return answer(self._world.failures.add(await read(request, Failure)), 201)
        except ValueError as problem:
            raise Problem(400, str(problem)) from None

    async def forget_failures(self, request: Request) -> Response:
        """Forget all orders for charges to fail."""
        self._world.failures.delete(None)
        return nothing()

    async def forget_failure(self, request: Request) -> Response:
        """Forget one order for charges to fail."""
        if not self._world.failures.delete(request.path_params["id"]):
            raise Problem(404, "There is no such order")
        return nothing()


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "match": msgspec.to_builtins(fault.match),
        "times": fault.times,
        "matched": fault.matched,
        "action": msgspec.to_builtins(fault.action),
    }
