"""The control room's doors: every route below `/_sandbox`, and the handlers that belong to the whole."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..instants import iso, parse_instant
from ..vipps.webhooks.deliveries import Delivery
from ..world import World
from .cast import CastControl
from .export import export
from .faults import Action, Fault, Match
from .time import TimeControl
from .wire import Problem, answer, guarded, nothing, read


class FaultOrder(Struct, forbid_unknown_fields=True):
    """A script to follow; without an id it gets one."""

    match: Match
    action: Action
    id: str = ""
    times: int = 1


class ControlRoom:
    """The handlers of what is asked about the whole sandbox."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """Every route, to mount at `/_sandbox`."""
        return [
            Route("/health", guarded(self.health), methods=["GET"]),
            *TimeControl(self._world).routes(),
            *CastControl(self._world).routes(),
            Route("/faults", guarded(self.faults), methods=["GET"]),
            Route("/faults", guarded(self.add_fault), methods=["POST"]),
            Route("/faults", guarded(self.forget_faults), methods=["DELETE"]),
            Route("/faults/{id}", guarded(self.forget_faults), methods=["DELETE"]),
            Route("/requests", guarded(self.requests), methods=["GET"]),
            Route("/webhooks/deliveries", guarded(self.deliveries), methods=["GET"]),
            Route("/tokens/expire", guarded(self.expire_tokens), methods=["POST"]),
            Route("/export", guarded(self.export), methods=["GET"]),
            Route("/reset", guarded(self.reset), methods=["POST"]),
        ]

    async def health(self, request: Request) -> Response:
        """Whether the sandbox answers."""
        return answer({"status": "ok"})

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
        """Forget one script, or all."""
        fault_id = request.path_params.get("id")
        if not self._world.faults.delete(fault_id) and fault_id is not None:
            raise Problem(404, "There is no such fault")
        return nothing()

    async def requests(self, request: Request) -> Response:
        """The last exchanges with the APIs; `path` is a part of the path, `since` a number or an instant."""
        since = request.query_params.get("since")
        exchanges = self._world.record.exchanges(
            request.query_params.get("path"), int(since) if since and since.isdecimal() else None
        )
        if since and not since.isdecimal():
            try:
                earliest = iso(parse_instant(since))
            except ValueError as problem:
                raise Problem(400, str(problem)) from None
            exchanges = [one for one in exchanges if one["now"] >= earliest]
        return answer({"requests": exchanges})

    async def deliveries(self, request: Request) -> Response:
        """Every delivery that is kept, with each attempt's answer."""
        return answer({"deliveries": [_delivery(one) for one in self._world.deliveries.all()]})

    async def expire_tokens(self, request: Request) -> Response:
        """Make every access token that was issued so far worthless, as an hour would."""
        self._world.tokens.expire_all()
        return nothing()

    async def export(self, request: Request) -> Response:
        """Everything that happened to everybody's money."""
        return answer(export(self._world))

    async def reset(self, request: Request) -> Response:
        """Forget everything but merchants, participants and the time."""
        self._world.reset()
        return nothing()


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "match": msgspec.to_builtins(fault.match),
        "times": fault.times,
        "matched": fault.matched,
        "action": msgspec.to_builtins(fault.action),
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.number,
        "webhookId": delivery.registration_id,
        "merchantSerialNumber": delivery.msn,
        "url": delivery.url,
        "event": delivery.event,
        "created": iso(delivery.created),
        "state": delivery.state,
        "why": delivery.why,
        "next": None if delivery.next_at is None else iso(delivery.next_at),
        "attempts": [
            {"at": iso(one.at), "wallTime": iso(one.wall), "status": one.status, "error": one.error}
            for one in delivery.attempts
        ],
        "body": msgspec.json.decode(delivery.body),
    }
