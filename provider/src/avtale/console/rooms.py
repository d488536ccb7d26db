"""What every room of pages shares: who visits, how pages are drawn, and how failures are told to people."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from avtale.console.house import ConsoleHouse
from avtale.console.look.page import Pages, send_on
from avtale.console.look.words import Words
from avtale.domain.errors import Conflict, GatewayBusy, GatewayRefused, GatewayUnknown, NotFound, Refusal
from avtale.entrance.sessions import Session
from avtale.service.reading import business_now
from avtale.storage.database import DatabaseDown
from avtale.storage.tenants import Issuer, Tenant

Handler = Callable[[Request, "Visit"], Awaitable[Response]]

#: What each kind of failure is as an HTTP status; the nearest kind of an exception decides.
_STATUS: Mapping[type[Exception], HTTPStatus] = {
    Refusal: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    GatewayRefused: HTTPStatus.BAD_GATEWAY,
    GatewayBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    GatewayUnknown: HTTPStatus.GATEWAY_TIMEOUT,
}
_STATUS_OF_CODE = {
    "issuer_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "admin_only": HTTPStatus.FORBIDDEN,
    "not_our_form": HTTPStatus.FORBIDDEN,
}

log = structlog.get_logger()


class SignInNeeded(Exception):
    """The page is for somebody who is signed in; `back` is where to return to."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


class OperatorsOnly(Refusal):
    """Somebody is signed in, but not as an operator of this tenant."""

    code = "admin_only"


@dataclass(frozen=True, slots=True)
class Visit:
    """Which tenant's pages are visited, and by whom."""

    tenant: Tenant
    issuers: tuple[Issuer, ...]
    session: Session | None
    words: Words

    def signed_in(self, back: str) -> Session:
        """The session. Raises SignInNeeded."""
        if self.session is None:
            raise SignInNeeded(back)
        return self.session

    def operator(self, back: str) -> Session:
        """The session of an operator. Raises SignInNeeded or OperatorsOnly."""
        session = self.signed_in(back)
        if not session.is_admin:
            raise OperatorsOnly("this page is for operators; sign in as one")
        return session


class Room:
    """Pages under one prefix; a subclass has the handlers."""

    def __init__(self, house: ConsoleHouse) -> None:
        self.house = house
        self.pages = Pages()

    def guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler behind what every page needs: a tenant, a session if there is one, and a page for failures."""

        async def handle(request: Request) -> Response:
            visit: Visit | None = None
            try:
                visit = await self._visit(request)
                return await handler(request, visit)
            except SignInNeeded as needed:
                return send_on(f"/signin/?back={quote(needed.back, safe='/')}")
            except (HTTPException, ClientDisconnect):
                raise
            except Refusal as error:
                kinds = (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
                return self._trouble(visit, _STATUS_OF_CODE.get(error.code) or next(kinds), error.detail, error.code)
            except DatabaseDown:
                said = "the database cannot be reached just now; try again in a moment"
                return self._trouble(visit, HTTPStatus.SERVICE_UNAVAILABLE, said, "database_unavailable")
            except Exception:
                mark = request.scope.get("state", {}).get("request_id") or uuid.uuid4().hex
                log.exception("page_failed", route=str(getattr(request.scope.get("route"), "path", "(none)")))
                said = f"something went wrong here; {mark} finds it in the log"
                return self._trouble(visit, HTTPStatus.INTERNAL_SERVER_ERROR, said, "internal_error")

        return handle

    async def draw(
        self, visit: Visit, template: str, values: Mapping[str, Any], *, status: int = 200, **more: Any
    ) -> Response:
        """A whole page: what every page shows, and the values of this one."""
        now = await business_now(self.house.db, visit.tenant)
        shared = {"now": now, "has_clock": self.house.sandbox_url is not None, **self.shared(visit)}
        return self.pages.answer(template, {**shared, **values}, status=status, **more)

    def shared(self, visit: Visit) -> dict[str, Any]:
        """What every template of a visit may use."""
        return {"tenant": visit.tenant, "session": visit.session, "words": visit.words}

    async def _visit(self, request: Request) -> Visit:
        site = await self.house.find_site(request.headers.get("host"))
        session = self.house.entrance.session(request, site.tenant, site.issuers)
        return Visit(site.tenant, site.issuers, session, Words(ZoneInfo(site.tenant.zone)))

    def _trouble(self, visit: Visit | None, status: HTTPStatus, detail: str, code: str) -> Response:
        said = detail[:1].upper() + detail[1:]
        session = None if visit is None else visit.session
        tenant = None if visit is None else visit.tenant
        values: dict[str, Any] = {
            "title": _TITLES.get(status, "This did not work"),
            "said": said.rstrip(".") + ".",
            "code": code,
        }
        values |= {"session": session, "tenant": tenant, "words": Words(ZoneInfo("UTC")), "has_clock": False}
        return self.pages.answer("trouble.html", values, status=status)


_TITLES = {
    HTTPStatus.NOT_FOUND: "There is no such page",
    HTTPStatus.FORBIDDEN: "This is not for you",
    HTTPStatus.SERVICE_UNAVAILABLE: "Just a moment",
    HTTPStatus.GATEWAY_TIMEOUT: "Vipps did not answer",
    HTTPStatus.BAD_GATEWAY: "Vipps said no",
    HTTPStatus.CONFLICT: "That does not fit",
}
