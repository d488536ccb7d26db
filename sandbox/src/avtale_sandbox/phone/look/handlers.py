"""Runs a page's handler and has what it changed stored and told before the answer leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]


def settled(handler: Handler, settle: Callable[[], object]) -> Handler:
    """Give a handler that calls `settle` between working out its answer and sending it."""

    async def answer(request: Request) -> Response:
        response = await handler(request)
        settle()
        return response

    return answer
