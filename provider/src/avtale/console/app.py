"""Hangs the pages into the application, beside the API."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from avtale.console.adding import Adding
from avtale.console.clock import ClockRoom
from avtale.console.desk import Desk
from avtale.console.dunning import DunningRoom
from avtale.console.house import ConsoleHouse
from avtale.console.imports import ImportRooms
from avtale.console.look.page import send_on, static_files
from avtale.console.operator import Operator
from avtale.console.rooms import Room, Visit
from avtale.console.shop import Shop
from avtale.console.signin import SignIn
from avtale.console.streams import Streams
from avtale.domain.errors import NotFound


def add_console(app: Starlette, house: ConsoleHouse) -> None:
    """Add every page; the API's own routes stay as they are."""
    streams = Streams(house.closing)
    elsewhere = _Elsewhere(house).routes()
    shop: list[BaseRoute] = [
        *Shop(house, streams).routes(),
        *Adding(house).routes(),
        *ClockRoom(house).routes(),
        *elsewhere,
    ]
    app.router.routes += [
        *(Route(path, _front, methods=["GET"]) for path in ("/", "/shop")),
        Route("/operator", _operator, methods=["GET"]),
        Mount("/shop", routes=shop),
        Mount(
            "/operator",
            routes=[
                *Operator(house, streams).routes(),
                *Desk(house).routes(),
                *DunningRoom(house, streams).routes(),
                *ImportRooms(house, streams).routes(),
                *elsewhere,
            ],
        ),
        Mount("/signin", routes=[*SignIn(house).routes(), *elsewhere]),
        Mount("/look", app=static_files()),
    ]


class _Elsewhere(Room):
    """Every other address below our prefixes: people are told so on a page, not as a program is."""

    def routes(self) -> list[Route]:
        return [Route("/{rest:path}", self.guarded(self._nothing))]

    async def _nothing(self, request: Request, visit: Visit) -> Response:
        raise NotFound("there is nothing at this address")


async def _front(request: Request) -> Response:
    return send_on("/shop/")


async def _operator(request: Request) -> Response:
    return send_on("/operator/")
