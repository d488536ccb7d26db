"""What goes around every request: its id, the headers of every answer, and the last word when code fails."""

from __future__ import annotations

import re
import uuid
from urllib.parse import unquote

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avtale.api.problems import RETRY_AFTER_SECONDS, Problem, problem_of

REQUEST_ID = "X-Request-Id"
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

#: Answers are about one person and one moment: nobody keeps them, nobody guesses what they are.
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

#: More than this in one process are sent away before anything is done for them.
REQUESTS_AT_ONCE_MAX = 500
_CROWDED = Problem(503, "too_busy", "too many requests at once; try again", {"Retry-After": str(RETRY_AFTER_SECONDS)})
#: Whoever asks whether this process lives is always answered.
_LIVE = "/admin/health/live"

log = structlog.get_logger()


class Envelope:
    """ASGI middleware, outermost of ours."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["path"] = _path(scope)
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if self._under_way >= REQUESTS_AT_ONCE_MAX and scope["path"] != _LIVE:
            await _CROWDED.answer(scope)(scope, receive, send_marked)
            return

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            self._under_way += 1
            try:
                await self._app(scope, receive, send_marked)
            except ClientDisconnect:
                log.info("client_went_away", route=_route(scope))
            except Exception as error:
                # Told once, here: whoever let it pass on to the server would have it told again.
                log.exception("request_failed", method=scope["method"], route=_route(scope))
                if started:
                    raise
                await problem_of(error).answer(scope)(scope, receive, send_marked)
            finally:
                self._under_way -= 1


def _path(scope: Scope) -> str:
    """The path, in which a slash that its sender has encoded parts nothing: it stays `%2F`, and so `%25` stays too.

    Whoever wants what a part says decodes it once more.
    """
    raw: bytes | None = scope.get("raw_path")
    if raw is None or b"%" not in raw:
        return str(scope["path"])
    parts = (unquote(part) for part in raw.decode("ascii", "replace").split("/"))
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def _request_id(headers: Headers) -> str:
    """The id that the caller gave, if it is safe to write down and unique enough, else a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _ACCEPTED_ID.fullmatch(given) else uuid.uuid4().hex


def _route(scope: Scope) -> str:
    """The template of the path, which carries nobody's ids or secrets."""
    return str(getattr(scope.get("route"), "path", "(none)"))
