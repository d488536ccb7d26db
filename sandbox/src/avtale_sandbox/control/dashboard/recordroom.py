"""The record on the dashboard: calls to search and to read whole, and events."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...instants import parse_instant
from ..record import Sought
from .desk import Room, paged

_STATUSES = ("2xx", "4xx", "5xx", "none")


class RecordRoom(Room):
    """What was asked, answered and told."""

    title = "Record"
    path = "record"

    def routes(self) -> list[Route]:
        """The calls, one of them, and the events."""
        return [
            Route("/record", self.calls, methods=["GET"]),
            Route("/record/events", self.events, methods=["GET"]),
            Route("/record/{number:int}", self.one, methods=["GET"]),
        ]

    async def calls(self, request: Request) -> Response:
        """The calls that are asked for, newest first, secrets masked."""
        asked = {name: request.query_params.get(name, "").strip() for name in ("text", "path", "operation", "status")}
        found = self.world.record.exchanges(
            Sought(
                text=asked["text"] or None,
                path=asked["path"] or None,
                operation_id=asked["operation"] or None,
                status=asked["status"] or None,
            )
        )[::-1]
        shown, pages = paged(request, found)
        values = {
            "calls": [one | {"at": parse_instant(one["now"])} for one in shown],
            "count": len(found),
            "pages": pages,
            "asked": asked,
            "statuses": _STATUSES,
            "operations": self.world.operations,
        }
        return self.page(request, "record.html", values)

    async def one(self, request: Request) -> Response:
        """One call, whole."""
        call = self.world.record.exchange(request.path_params["number"])
        if call is None:
            return self.desk.trouble(request, self.title, 404, "This call is not kept any more.")
        values = {"call": call | {"at": parse_instant(call["now"]), "wall": parse_instant(call["wallTime"])}}
        return self.page(request, "call.html", values, call["operationId"] or call["path"])

    async def events(self, request: Request) -> Response:
        """The events that are asked for, newest first."""
        text = request.query_params.get("text", "").strip()
        found = self.world.record.events(Sought(text=text or None))[::-1]
        shown, pages = paged(request, found)
        values = {
            "events": [one | {"at": parse_instant(one["now"])} for one in shown],
            "count": len(found),
            "pages": pages,
            "text": text,
        }
        return self.page(request, "events.html", values, "Events")
