"""Which rooms the dashboard has, in the order in which they are shown."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount, Route

from ...world import World
from ..keep import Keeper
from .agreements import Agreements
from .charges import Charges
from .clock import ClockRoom
from .desk import Desk, Room, shared_files
from .faultroom import FaultRoom
from .overview import Overview
from .payments import PaymentRoom
from .people import PeopleRoom
from .recordroom import RecordRoom
from .stripes import StripeRoom
from .webhooks import Webhooks

ROOMS: tuple[type[Room], ...] = (
    Overview,
    Agreements,
    Charges,
    PaymentRoom,
    StripeRoom,
    Webhooks,
    PeopleRoom,
    FaultRoom,
    RecordRoom,
    ClockRoom,
)


def dashboard(world: World, keeper: Keeper) -> tuple[Desk, list[BaseRoute]]:
    """The desk, and the routes to put below `/_sandbox`; the room without a path is at its top."""
    desk = Desk(world, keeper)
    rooms = [room(desk) for room in ROOMS]
    desk.rooms += [{"title": room.title, "address": room.address} for room in rooms]
    desk.rooms.append({"title": "For programs", "address": "/_sandbox/docs"})
    first: list[BaseRoute] = [
        Route("/", route.endpoint, methods=["GET"]) for room in rooms if not room.path for route in room.routes()
    ]
    below: list[BaseRoute] = [route for room in rooms if room.path for route in room.routes()]
    return desk, [*first, Mount("/ui", routes=[*below, *shared_files()])]
