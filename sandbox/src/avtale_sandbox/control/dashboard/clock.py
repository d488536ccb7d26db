"""The clock on the dashboard: what it shows, how it goes on, who follows it; and everything kept as it is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...conductor import NotQuiet
from ...instants import add_duration, local_instant, parse_day
from ..wire import Problem
from .desk import _ZONE, PATH, Form, Room, back_of, when

_WALL_SECONDS_MAX = 60.0


class ClockRoom(Room):
    """Time, and the way back."""

    title = "Clock"
    path = "clock"

    def routes(self) -> list[Route]:
        """Its page and its forms."""
        return [
            Route("/clock", self.show, methods=["GET"]),
            Route("/clock/move", self.form(self.move), methods=["POST"]),
            Route("/clock/run", self.form(self.run), methods=["POST"]),
            Route("/clock/snapshots", self.form(self.take), methods=["POST"]),
            Route("/clock/snapshots/restore", self.form(self.restore), methods=["POST"]),
            Route("/clock/snapshots/forget", self.form(self.forget), methods=["POST"]),
            Route("/clock/reset", self.form(self.reset), methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """What the clock shows, what comes next, who follows, and what was kept."""
        world = self.world
        values = {
            "next": world.agenda.next_at(),
            "participants": world.conductor.participants(),
            "snapshots": self.desk.keeper.all(),
        }
        return self.page(request, "clock.html", values)

    async def move(self, request: Request, form: Form) -> Response:
        """Move the clock by a duration or to a day, and go back to where one was."""
        now = self.world.clock.now()
        if form.get("day"):
            target = local_instant(parse_day(form["day"]), 12, _ZONE)
        else:
            target = add_duration(now, form.get("by", ""))
        if target < now:
            raise Problem(409, "Time does not go back while anything is stored.")
        try:
            moved = await self.world.conductor.advance(target, _WALL_SECONDS_MAX)
        except NotQuiet as late:
            busy = "; ".join(late.busy)
            raise Problem(503, f"Not everybody became quiet within a minute: {busy}") from None
        finally:
            self.world.wake()
        told = "" if moved.delivered == 0 else f", {moved.delivered} webhook{'s'[: moved.delivered > 1]} delivered"
        return self.desk.to(back_of(form, f"{PATH}/clock"), f"It is now {when(target)}{told}.")

    async def run(self, request: Request, form: Form) -> Response:
        """Let the clock run, or stand still."""
        clock = self.world.clock
        running = form.get("running") == "yes"
        if not clock.held and running != clock.running:
            clock.set(clock.now(), running)
            self.world.settle()
            self.world.wake()
            self.world.conductor.tell_all()
        return self.desk.to(f"{PATH}/clock", "The clock runs." if running else "The clock stands still.")

    async def take(self, request: Request, form: Form) -> Response:
        """Keep everything as it is."""
        name = self.desk.keeper.take(form.get("name", "").strip())
        return self.desk.to(f"{PATH}/clock", f"Kept as “{name}”.")

    async def restore(self, request: Request, form: Form) -> Response:
        """Make everything what it was."""
        self.desk.keeper.restore(form.get("name", ""))
        return self.desk.to(f"{PATH}/clock", "Everything is as it was.")

    async def forget(self, request: Request, form: Form) -> Response:
        """Forget a snapshot."""
        self.desk.keeper.forget(form.get("name", ""))
        return self.desk.to(f"{PATH}/clock", "Forgotten.")

    async def reset(self, request: Request, form: Form) -> Response:
        """Begin again."""
        if self.world.clock.held:
            raise Problem(409, "The clock is being moved just now.")
        self.world.reset()
        return self.desk.to(f"{PATH}/clock", "Everything is forgotten but merchants, participants and the time.")
