"""The clock in the control room: read it, set it, move it, and let others follow it."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..conductor import Moved, NotQuiet, Participant
from ..instants import add_duration, iso, parse_instant
from ..world import World
from .shapes import ClockShown, Follower
from .wire import Door, Problem, answer, nothing, read

_WALL_SECONDS_MAX = 3600.0


class ClockOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """What the clock shall show, and whether it shall run."""

    now: str | None = None
    running: bool | None = None


class MoveOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """How far to move: `to` an instant or `by` a duration such as P1M, P3D, PT10M."""

    to: str | None = None
    by: str | None = None
    wall_seconds_max: float = 60.0


class TimeControl:
    """The handlers below `/_sandbox/clock`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        back = {409: "Time does not go back"}
        late = {503: "The wall-clock limit came before everybody was quiet"}
        return [
            Door("GET", "/clock", self.show, gives=ClockShown),
            Door("PUT", "/clock", self.set, body=ClockOrder, gives=ClockShown, also=back),
            Door("POST", "/clock/advance", self.advance, body=MoveOrder, gives=Moved, also=back | late),
            Door("POST", "/clock/participants", self.follow, body=Participant, gives=Follower, status=201),
            Door(
                "DELETE",
                "/clock/participants/{name}",
                self.unfollow,
                status=204,
                also={404: "No participant has this name"},
            ),
        ]

    async def show(self, request: Request) -> Response:
        """The time, whether it runs, what is due next, and who follows (without their tokens)."""
        world = self._world
        due = world.agenda.next_at()
        return answer(
            {
                "now": iso(world.clock.now()),
                "running": world.clock.running,
                "next": None if due is None else iso(due),
                "participants": [{"name": one.name, "url": one.url} for one in world.conductor.participants()],
            }
        )

    async def set(self, request: Request) -> Response:
        """Set the time while nothing has happened yet; later only forward, which is a move."""
        order = await read(request, ClockOrder)
        world = self._world
        if order.now is not None:
            target = _instant(order.now)
            if world.is_empty and not world.clock.held:
                world.clock.set(target, world.clock.running)
            elif target < world.clock.now():
                raise Problem(409, "Time does not go back while anything is stored; reset first")
            else:
                await self._move(target, 60.0)
        if order.running is not None and order.running != world.clock.running:
            world.clock.run(order.running)
        world.settle()
        world.wake()
        world.conductor.tell_all()
        return await self.show(request)

    async def advance(self, request: Request) -> Response:
        """Move the clock through everything that is due on the way, everybody quiet at each step."""
        order = await read(request, MoveOrder)
        if (order.to is None) == (order.by is None):
            raise Problem(400, "Give either `to` or `by`")
        if not 0 < order.wall_seconds_max <= _WALL_SECONDS_MAX:
            raise Problem(400, f"wallSecondsMax must lie between 0 and {_WALL_SECONDS_MAX:g}")
        now = self._world.clock.now()
        try:
            target = parse_instant(order.to) if order.to is not None else add_duration(now, order.by or "")
        except ValueError as problem:
            raise Problem(400, str(problem)) from None
        if target < now:
            raise Problem(409, f"Time does not go back; it is {iso(now)}")
        return await self._move(target, order.wall_seconds_max)

    async def follow(self, request: Request) -> Response:
        """Register a participant, or change the one of that name."""
        participant = await read(request, Participant)
        if not participant.name or not participant.url.startswith(("http://", "https://")):
            raise Problem(400, "A participant needs a name, and a url with http or https")
        self._world.conductor.register(participant)
        return answer({"name": participant.name, "url": participant.url}, 201)

    async def unfollow(self, request: Request) -> Response:
        """Let a participant go."""
        if not self._world.conductor.unregister(request.path_params["name"]):
            raise Problem(404, "No participant has this name")
        return nothing()

    async def _move(self, target: int, wall_seconds_max: float) -> Response:
        try:
            moved = await self._world.conductor.advance(target, wall_seconds_max)
        except NotQuiet as late:
            raise Problem(
                503,
                "The wall-clock limit came before everybody was quiet",
                now=iso(self._world.clock.now()),
                notQuiet=late.busy,
            ) from None
        finally:
            self._world.wake()
        return answer(msgspec.to_builtins(moved))


def _instant(text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as problem:
        raise Problem(400, str(problem)) from None
