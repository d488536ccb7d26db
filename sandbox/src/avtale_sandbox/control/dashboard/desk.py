"""What every room of the dashboard shares: the frame around its pages, its forms, and how things are said."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from ...instants import iso
from ...pages.forms import NotAForm, read_form, same_origin
from ...pages.page import Pages, page_headers, static_files
from ...phone import phrases
from ...vipps.refusals import Refused
from ...world import World
from ..keep import Keeper
from ..wire import Problem

PATH = "/_sandbox/ui"
HERE = Path(__file__).parent
PER_PAGE = 50

Thing = TypeVar("Thing")
Form = dict[str, str]
_ZONE = ZoneInfo("Europe/Oslo")


class Desk:
    """The frame: every page has the clock above it and the rooms beside it."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self.world = world
        self.keeper = keeper
        self.rooms: list[dict[str, str]] = []
        filters: dict[str, Callable[..., Any]] = {
            "iso": iso,
            "when": when,
            "money": phrases.money,
            "tone": tone,
            "json": pretty,
            "ticks": ticks,
        }
        self._pages = Pages(HERE / "templates", filters, path=PATH)

    def show(
        self, request: Request, room: str, template: str, values: Mapping[str, Any], title: str = "", status: int = 200
    ) -> Response:
        """A page of a room; what a form led to is said above it."""
        clock = self.world.clock
        frame: dict[str, Any] = {
            "title": title or room,
            "title_of_room": room,
            "rooms": self.rooms,
            "here": str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
            "now": clock.now(),
            "running": clock.running,
            "problem": None,
            "done": request.query_params.get("done"),
        }
        return self._pages.answer(template, frame | dict(values), status=status)

    def to(self, address: str, done: str = "") -> Response:
        """Lead on after a form, and say there what was done."""
        if done:
            address, hash_mark, place = address.partition("#")
            address, _, query = address.partition("?")
            kept = "&".join(part for part in query.split("&") if part and not part.startswith("done="))
            address += "?" + (f"{kept}&" if kept else "") + urlencode({"done": done}) + hash_mark + place
        return RedirectResponse(address, 303, headers=page_headers())

    def trouble(self, request: Request, room: str, status: int, problem: str) -> Response:
        """A page that says only what is wrong."""
        return self.show(request, room, "trouble.html", {"problem": problem}, "This cannot be done", status)


class Room:
    """One noun on the dashboard. A new one is a subclass in a module of its own, and a line in `rooms.ROOMS`."""

    title: ClassVar[str]
    path: ClassVar[str]

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.world = desk.world

    @property
    def address(self) -> str:
        """Where the room begins."""
        return f"{PATH}/{self.path}" if self.path else "/_sandbox/"

    def routes(self) -> list[Route]:
        """Every page and form of the room, below `/_sandbox/ui`."""
        raise NotImplementedError

    def page(
        self, request: Request, template: str, values: Mapping[str, Any], title: str = "", status: int = 200
    ) -> Response:
        """One of its pages."""
        return self.desk.show(request, self.title, template, values, title, status)

    def form(self, handle: Callable[[Request, Form], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """A handler of a form that this server's own page has sent; what it cannot do is said on a page."""

        async def handled(request: Request) -> Response:
            if not same_origin(request):
                return self.desk.trouble(request, self.title, 403, "This form was not sent from here.")
            try:
                return await handle(request, dict(await read_form(request)))
            except NotAForm as problem:
                return self.desk.trouble(request, self.title, 400, str(problem))
            except Problem as problem:
                return self.desk.trouble(request, self.title, problem.status, problem.detail)
            except Refused as refused:
                said = "; ".join(f"{name} {reason}" for name, reason in refused.fields) or refused.detail
                return self.desk.trouble(request, self.title, 409, said)
            except ValueError as problem:
                return self.desk.trouble(request, self.title, 400, str(problem))

        return handled


def shared_files() -> list[BaseRoute]:
    """The stylesheets."""
    return [static_files(), Mount("/own", StaticFiles(directory=HERE / "static"))]


def back_of(form: Form, otherwise: str) -> str:
    """Where the form says that it stood, if that is one of our own pages."""
    back = form.get("back", "")
    return back if back.startswith("/_sandbox/") and "//" not in back and "\\" not in back else otherwise


def paged(request: Request, things: Iterable[Thing]) -> tuple[list[Thing], dict[str, Any]]:
    """The things of the page that is asked for, and what the page needs to lead to its neighbours."""
    text = request.query_params.get("page", "1")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 8 and int(text) else 1
    found: Iterator[Thing] = islice(things, (number - 1) * PER_PAGE, number * PER_PAGE + 1)
    shown = list(found)
    kept = [(name, value) for name, value in request.query_params.items() if name not in ("page", "done") and value]

    def link(to: int) -> str:
        return "?" + urlencode([*kept, ("page", str(to))])

    pages = {
        "number": number,
        "newer": link(number - 1) if number > 1 else None,
        "older": link(number + 1) if len(shown) > PER_PAGE else None,
    }
    return shown[:PER_PAGE], pages


def when(instant: int | None) -> str:
    """Say an instant in Oslo: "15 Jan 2027, 10:00", with seconds when there are any."""
    if instant is None:
        return "—"
    moment = phrases.local(instant, _ZONE)
    seconds = f":{moment:%S}" if instant % 60_000 else ""
    return f"{moment.day} {moment:%b %Y}, {moment:%H:%M}{seconds}"


def tone(status: str) -> str:
    """Whether a state is good, bad, or to be waited for."""
    return _TONES.get(status, "")


def ticks(text: str) -> Markup:
    """Plain words, with `what stands between ticks` as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def pretty(text: str) -> str:
    """JSON in lines; what is none, as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


_TONES = {
    "AUTHORIZED": "good",
    "CREATED": "wait",
    "ABORTED": "bad",
    "TERMINATED": "bad",
    "active": "good",
    "trialing": "good",
    "paid": "good",
    "succeeded": "good",
    "open": "wait",
    "draft": "wait",
    "incomplete": "wait",
    "past_due": "bad",
    "unpaid": "bad",
    "canceled": "bad",
    "incomplete_expired": "bad",
    "uncollectible": "bad",
    "requires_action": "wait",
    "requires_payment_method": "bad",
    "ACTIVE": "good",
    "CHARGED": "good",
    "delivered": "good",
    "PENDING": "wait",
    "DUE": "wait",
    "RESERVED": "wait",
    "PARTIALLY_CAPTURED": "wait",
    "waiting": "wait",
    "FAILED": "bad",
    "EXPIRED": "bad",
    "dropped": "bad",
}
