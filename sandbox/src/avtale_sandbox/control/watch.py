"""What happened, in the control room: calls, events, deliveries and their replay, expectations."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..instants import iso, parse_instant
from ..vipps.webhooks.deliveries import Delivery
from ..world import World
from .expectations import Expectation, Outcome, outcomes
from .record import Sought
from .shapes import DeliveryList, DeliveryShown, EventList, Exchange, ExchangeList
from .wire import Door, Problem, answer, read, whole_number

_EXPECTATIONS_MAX = 1000

_SOUGHT = {
    "text": "a part of anything that is shown",
    "agreement": "an agreement's id",
    "about": "any id that occurs in it",
    "since": "the number of an earlier one, or an instant of business time",
    "limit": "the newest so many only",
}
_SOUGHT_CALLS = {
    "path": "a part of the path",
    "method": "the HTTP method",
    "operationId": "the operation",
    "status": "a status such as 409, a class such as 4xx, or none for calls without an answer",
    "faulty": "true for calls that a fault befell",
}


class ExpectOrder(Struct, forbid_unknown_fields=True):
    """What is expected; all of it is looked at, also after the first that does not hold."""

    expect: list[Expectation]


class ExpectAnswer(TypedDict):
    """Whether everything holds, and for each expectation why or why not."""

    holds: bool
    results: list[Outcome]


class WatchControl:
    """The handlers of what was asked, what was told, and what is expected."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        unknown = {404: "There is none with this number"}
        return [
            Door("GET", "/requests", self.requests, gives=ExchangeList, query=_SOUGHT_CALLS | _SOUGHT),
            Door("GET", "/requests/{number:int}", self.one_request, gives=Exchange, also=unknown),
            Door("GET", "/events", self.events, gives=EventList, query={"event": "the name of the event"} | _SOUGHT),
            Door(
                "GET",
                "/webhooks/deliveries",
                self.deliveries,
                gives=DeliveryList,
                query={"event": "the name of the event", "state": "waiting, delivered or dropped"},
            ),
            Door(
                "POST",
                "/webhooks/deliveries/{number:int}/replay",
                self.replay,
                gives=DeliveryShown,
                status=201,
                also=unknown | {409: "Its registration is gone"},
            ),
            Door(
                "POST",
                "/expect",
                self.expect,
                body=ExpectOrder,
                gives=ExpectAnswer,
                also={417: "Something does not hold; the body says what"},
            ),
        ]

    async def requests(self, request: Request) -> Response:
        """The last exchanges with the APIs that match, secrets masked."""
        return answer({"requests": self._world.record.exchanges(sought(request))})

    async def one_request(self, request: Request) -> Response:
        """One exchange."""
        found = self._world.record.exchange(request.path_params["number"])
        if found is None:
            raise Problem(404, "There is no exchange with this number (any more)")
        return answer(found)

    async def events(self, request: Request) -> Response:
        """The last events that match, whether anybody was told of them or not."""
        return answer({"events": self._world.record.events(sought(request))})

    async def deliveries(self, request: Request) -> Response:
        """Every delivery that is kept, with each attempt's answer."""
        event, state = request.query_params.get("event"), request.query_params.get("state")
        found = [
            delivery_shape(one)
            for one in (*self._world.deliveries.all(), *self._world.stripe.deliveries.all())
            if event in (None, "", one.event) and state in (None, "", one.state)
        ]
        return answer({"deliveries": found})

    async def replay(self, request: Request) -> Response:
        """Send an event once more, signed afresh, whatever became of its first delivery."""
        try:
            number, now = request.path_params["number"], self._world.clock.now()
            delivery = self._world.deliveries.replay(number, now) or self._world.stripe.deliveries.replay(number, now)
        except LookupError as problem:
            raise Problem(409, str(problem).strip("'\"")) from None
        if delivery is None:
            raise Problem(404, "There is no delivery with this number (any more)")
        return answer(delivery_shape(delivery), 201)

    async def expect(self, request: Request) -> Response:
        """Say what should have come to pass, and hear whether it has; 417 when it has not."""
        order = await read(request, ExpectOrder)
        if len(order.expect) > _EXPECTATIONS_MAX:
            raise Problem(400, f"At most {_EXPECTATIONS_MAX} expectations can be looked at at once")
        try:
            results = outcomes(self._world, order.expect)
        except ValueError as problem:
            raise Problem(400, str(problem)) from None
        holds = all(one.holds for one in results)
        return answer({"holds": holds, "results": results}, 200 if holds else 417)


def sought(request: Request) -> Sought:
    """What the query parameters ask for; raises Problem."""
    asked = request.query_params
    since: int | str | None = asked.get("since") or None
    if isinstance(since, str) and since.isdecimal():
        since = whole_number(request, "since")
    elif isinstance(since, str):
        try:
            since = iso(parse_instant(since))
        except ValueError as problem:
            raise Problem(400, str(problem)) from None
    return Sought(
        path=asked.get("path"),
        method=asked.get("method"),
        operation_id=asked.get("operationId"),
        status=asked.get("status"),
        about=asked.get("about") or asked.get("agreement"),
        text=asked.get("text"),
        event=asked.get("event"),
        faulty=asked.get("faulty") == "true",
        since=since,
        limit=whole_number(request, "limit"),
    )


def delivery_shape(delivery: Delivery) -> dict[str, Any]:
    """A delivery as it is shown."""
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
        "replayOf": delivery.replay_of,
        "attempts": [
            {"at": iso(one.at), "wallTime": iso(one.wall), "status": one.status, "error": one.error}
            for one in delivery.attempts
        ],
        "body": msgspec.json.decode(delivery.body),
    }
