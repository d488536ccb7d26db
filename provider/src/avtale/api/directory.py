"""Finds an operation by how its path begins, so that no request asks every route in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import Receive, Scope, Send

#: So many parts of a path tell operations apart well enough; none of them has a parameter so early.
_PARTS = 3


class Directory(BaseRoute):
    """Stands before the routes that it knows, and leads to the first that fits a request in path and method.

    A path that fits with another method alone is answered with all of its methods (RFC 9110, 405). Whatever fits none
    goes on to the routes behind, which say so.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._below: dict[str, list[Route]] = {}
        for route in routes:
            if isinstance(route, Route):
                beginning = _beginning(route.path)
                if "{" in beginning:
                    raise ValueError(f"a parameter comes too early in {route.path}")
                self._below.setdefault(beginning, []).append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether one of the routes fits wholly, and what it makes of the path; else which methods would fit."""
        allowed: set[str] = set()
        if scope["type"] == "http":
            # Below a mount the path still begins with where that is.
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            for route in self._below.get(_beginning(path), ()):
                match, found = route.matches(scope)
                if match is Match.FULL:
                    return match, {**found, "route": route}
                if match is Match.PARTIAL:
                    allowed |= route.methods or set()
        return (Match.PARTIAL, {"allowed": allowed}) if allowed else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the route that was found answer. Raises HTTPException (405) where a method is wrong."""
        if "allowed" in scope:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(scope["allowed"]))})
        await scope["route"].handle(scope, receive, send)


def serving(routers: Sequence[Router]) -> list[BaseRoute]:
    """The routes of these, for an application that has them as they are, with their directory before them.

    FastAPI's own way of including routers makes each route again, and asks all of them twice for each request.
    """
    routes = [route for router in routers for route in router.routes]
    return [Directory(routes), *routes]


def _beginning(path: str) -> str:
    return "/".join(path.rstrip("/").split("/", _PARTS + 1)[1 : _PARTS + 1])
