"""Hangs the pages into the application, beside the API."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from avtale.console.clock import ClockRoom
from avtale.console.house import ConsoleHouse
from avtale.console.look.page import send_on, static_files
from avtale.console.shop import Shop
from avtale.console.signin import SignIn
from avtale.console.streams import Streams


def add_console(app: Starlette, house: ConsoleHouse) -> None:
    """Add every page; the API's own routes stay as they are."""
    streams = Streams(house.closing)
    shop: list[BaseRoute] = [*Shop(house, streams).routes(), *ClockRoom(house).routes()]
    app.router.routes += [
        Route("/", _front, methods=["GET"]),
        Mount("/shop", routes=shop),
        Mount("/signin", routes=SignIn(house).routes()),
        Mount("/look", app=static_files()),
    ]


async def _front(request: Request) -> Response:
    return send_on("/shop/")
