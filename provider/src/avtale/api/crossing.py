"""Web pages of other origins may call a tenant's API if the tenant lists them (CORS, the Fetch standard)."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avtale.api.tenancy import Tenancy, TenantUnknown
from avtale.storage.database import DatabaseDown

#: Where programs are answered. Pages for people are of one origin, and nobody else's scripts call them.
_PREFIXES = ("/api/", "/v1/customer/")
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = "Accept, Accept-Language, Authorization, Content-Type, Idempotency-Key, X-Request-Id"
_EXPOSED = "Content-Disposition, Retry-After, WWW-Authenticate, X-Request-Id"
_SECONDS_MAX = "600"


class Crossing:
    """ASGI middleware. Callers bring a token, never a cookie, so that credentials are not allowed to browsers."""

    def __init__(self, app: ASGIApp, tenancy: Tenancy) -> None:
        self._app = app
        self._tenancy = tenancy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_PREFIXES):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        allowed = origin is not None and await self._allows(headers.get("host"), origin)
        if allowed and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(status_code=204, headers=_preflight(str(origin)))(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                marked = MutableHeaders(scope=message)
                marked.add_vary_header("Origin")
                if allowed:
                    marked["Access-Control-Allow-Origin"] = str(origin)
                    marked["Access-Control-Expose-Headers"] = _EXPOSED
            await send(message)

        await self._app(scope, receive, send_marked)

    async def _allows(self, host: str | None, origin: str) -> bool:
        try:
            site = await self._tenancy.at_host(host)
        except (TenantUnknown, DatabaseDown):
            return False
        return origin in site.tenant.origins


def _preflight(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": _SECONDS_MAX,
        "Vary": "Origin",
    }
