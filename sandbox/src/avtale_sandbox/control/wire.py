"""How the control room reads requests and spells answers: JSON in camelCase, errors as problem+json."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..pages.forms import same_origin

Body = TypeVar("Body")
Endpoint = Callable[[Request], Awaitable[Response]]


_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Problem(Exception):
    """What was asked cannot be done."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


class Door(Route):
    """One operation of the control room, which says of itself what its OpenAPI document needs to know.

    Its summary is the first sentence of its handler's docstring.
    """

    def __init__(
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        *,
        body: Any = None,
        gives: Any = None,
        status: int = 200,
        also: Mapping[int, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        """Take the type of the body and of the answer, if any, other statuses and query parameters with their words."""
        super().__init__(path, guarded(endpoint), methods=[method])
        self.method = method
        self.told = endpoint
        self.body_type = body
        self.gives_type = gives
        self.status = status
        self.also = dict(also or {})
        self.query = dict(query or {})


def answer(body: Any, status: int = 200) -> Response:
    """An answer with a JSON body; Structs are spelled as they say."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def nothing() -> Response:
    """Done, and nothing to tell."""
    return Response(status_code=204)


async def read(request: Request, kind: type[Body]) -> Body:
    """The body as `kind`; an empty one counts as an empty object. Raises Problem."""
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as problem:
        raise Problem(400, str(problem)) from None


def whole_number(request: Request, name: str) -> int | None:
    """A query parameter that is a whole number, or None when it is not given; raises Problem."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise Problem(400, f"{name} must be a whole number")
    return int(text)


def guarded(endpoint: Endpoint) -> Endpoint:
    """Spell what an endpoint raises as a problem, and do nothing for the page of another site."""

    async def spelled(request: Request) -> Response:
        try:
            if request.method not in _SAFE and _sent_by_a_page(request) and not same_origin(request):
                raise Problem(403, "Another site's page may not command this sandbox")
            return await endpoint(request)
        except Problem as problem:
            return problem_answer(problem)

    return spelled


def _sent_by_a_page(request: Request) -> bool:
    """Whether a browser sent this for a page: programs name no origin."""
    return "origin" in request.headers or "sec-fetch-site" in request.headers


def problem_answer(problem: Problem) -> Response:
    """A problem (RFC 9457)."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.more,
    }
    return Response(msgspec.json.encode(body), problem.status, media_type="application/problem+json")
