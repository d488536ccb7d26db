"""The kinds of routes: who may enter, checked before a byte of the body is read, and how a body is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, cast

from fastapi import APIRouter, Depends, Query, params
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Message

from avtale.api.contract import refusals
from avtale.api.house import House
from avtale.api.identity import AdminOnly, Caller, Identity
from avtale.api.problems import BodyTooLarge, BodyTooSlow, MediaTypeUnknown
from avtale.api.tenancy import Tenancy
from avtale.entrance.signing_in import Entrance
from avtale.service.intake import Intake
from avtale.service.noting import WHY_LENGTH_MAX, said_why
from avtale.storage.tenants import Tenant

BODY_BYTES_MAX = 1024 * 1024
BODY_SECONDS_MAX = 20.0

#: How the contract says that a token is needed; the doors themselves do the asking.
_BEARER = Depends(
    HTTPBearer(scheme_name="bearerAuth", bearerFormat="JWT", auto_error=False, description="A registered issuer's")
)


@dataclass(frozen=True, slots=True)
class Hall:
    """What the doors share: the house, who finds out tenants and callers, and where browsers sign in."""

    house: House
    tenancy: Tenancy
    identity: Identity
    entrance: Entrance | None
    intake: Intake


@dataclass(frozen=True, slots=True)
class Visit:
    """Which tenant is asked, and by whom."""

    tenant: Tenant
    caller: Caller


class Door(APIRoute):
    """A route that anybody may use."""

    #: Whether the contract says that a token is needed, and how.
    asks_for_token: ClassVar[bool] = False
    scheme: ClassVar[params.Depends] = _BEARER

    async def admit(self, request: Request) -> None:
        """Let a request in, or raise what it is refused with."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler, behind the checks of this door."""
        handle = super().get_route_handler()
        takes_json = self.body_field is not None

        async def enter(request: Request) -> Response:
            await self.admit(request)
            if takes_json:
                body = await read_body(request)
                if body and not _says_json(request):
                    raise MediaTypeUnknown("send the body as application/json")
                request = Request(request.scope, _replay(body))
            return await handle(request)

        return enter


class PersonDoor(Door):
    """A route for whoever is signed in at the tenant of the host."""

    asks_for_token = True

    async def admit(self, request: Request) -> None:
        """Find out tenant and caller. Raises TenantUnknown, NotSignedIn or IssuerUnavailable."""
        hall = hall_of(request)
        site = await hall.tenancy.at_host(request.headers.get("host"))
        caller = await hall.identity.caller(site.issuers, request.headers.getlist("authorization"))
        request.state.visit = Visit(site.tenant, caller)


class AdminDoor(PersonDoor):
    """A route for administrators of the tenant of the host."""

    async def admit(self, request: Request) -> None:
        """As a PersonDoor; raises AdminOnly for a caller who is none."""
        await super().admit(request)
        if not visit_of(request).caller.is_admin:
            raise AdminOnly("this is for administrators of the tenant")


class Routes(APIRouter):
    """Routes of one tag behind one kind of door, each answered with and without a slash at its end.

    What administrators do there (`acts`: behind an AdminDoor, or where it is said) may have a reason.
    """

    def __init__(self, tag: str, door: type[Door], *, acts: bool = False) -> None:
        bearer = [door.scheme] if door.asks_for_token else []
        super().__init__(tags=[tag], route_class=door, dependencies=bearer, redirect_slashes=False)
        self._acts = acts or issubclass(door, AdminDoor)

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
        """Add the route as it is published, and its other form beside it."""
        if self._acts and set(settings.get("methods") or ["GET"]) != {"GET"}:
            settings["dependencies"] = [*(settings.get("dependencies") or []), Depends(_take_reason)]
            settings["responses"] = refusals(400) | (settings.get("responses") or {})
        super().add_api_route(path, endpoint, **settings)
        other = path[:-1] if path.endswith("/") else f"{path}/"
        self.routes.append(_beside(cast(APIRoute, self.routes[-1]), other))


def _beside(route: APIRoute, path: str) -> APIRoute:
    """The same route at another path, which the contract does not tell of; nothing else of it is made again."""
    other = copy(route)
    other.path, other.include_in_schema = path, False
    other.path_regex, other.path_format, other.param_convertors = compile_path(path)
    return other


def hall_of(request: Request) -> Hall:
    """What the doors of this application share."""
    return cast(Hall, request.app.state.hall)


def visit_of(request: Request) -> Visit:
    """Who came through the door, and to which tenant."""
    return cast(Visit, request.state.visit)


# What FastAPI asks for is `async`, although nothing is waited for: it would call anything else in a thread.
async def _house(request: Request) -> House:
    return hall_of(request).house


async def _visit(request: Request) -> Visit:
    return visit_of(request)


async def _take_reason(
    request: Request,
    reason: Annotated[
        str | None,
        Query(min_length=1, max_length=WHY_LENGTH_MAX, description="why an administrator does this, for the log"),
    ] = None,
) -> None:
    """Have the visit know why its administrator acts. Raises Invalid (`why_needed`) for what is no line of text."""
    visit = visit_of(request)
    if reason is not None and visit.caller.is_admin:
        person = replace(visit.caller.person, why=said_why(reason))
        request.state.visit = replace(visit, caller=replace(visit.caller, person=person))


#: For endpoints: the house, and behind a PersonDoor or AdminDoor the visit.
TheHouse = Annotated[House, Depends(_house)]
TheVisit = Annotated[Visit, Depends(_visit)]


async def read_body(request: Request) -> bytes:
    """The whole body. Raises BodyTooLarge over 1 MB and BodyTooSlow after 20 s."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > BODY_BYTES_MAX:
        raise BodyTooLarge(f"a body has at most {BODY_BYTES_MAX} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for part in request.stream():
                body += part
                if len(body) > BODY_BYTES_MAX:
                    raise BodyTooLarge(f"a body has at most {BODY_BYTES_MAX} bytes")
    except TimeoutError as error:
        raise BodyTooSlow(f"the body did not arrive within {BODY_SECONDS_MAX:g} s") from error
    return bytes(body)


def _says_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _replay(body: bytes) -> Callable[[], Awaitable[Message]]:
    """The body once more, for those who read a request's body themselves."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
