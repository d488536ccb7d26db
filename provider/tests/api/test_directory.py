"""The directory leads every request to the operation that asking all routes in turn would lead to."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match, Route, Router

from avtale.api.app import ROUTES
from avtale.api.directory import Directory, serving

ROUTES_BEHIND = [route for router in ROUTES for route in router.routes if isinstance(route, APIRoute)]


def _asked(path: str, method: str) -> dict[str, Any]:
    return {"type": "http", "path": path, "root_path": "", "method": method}


def _in_turn(routes: list[BaseRoute], scope: dict[str, Any]) -> object:
    return next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)


@pytest.mark.parametrize("route", ROUTES_BEHIND, ids=lambda route: f"{'/'.join(route.methods)} {route.path}")
def test_every_operation_is_found_where_it_was(route: APIRoute) -> None:
    directory, *behind = serving(ROUTES)
    path = route.path.replace("{", "").replace("}", "")
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        scope = _asked(path, method)
        match, found = directory.matches(scope)
        assert found.get("route") is _in_turn(behind, scope)
        assert (match is Match.FULL) == (found.get("route") is not None)
    assert directory.matches(_asked(path, next(iter(route.methods))))[0] is Match.FULL


@pytest.mark.parametrize(
    "path", ["/", "", "/api", "/api/v1/nothing", "/api/v1/agreements/a/b/c", "//api/v1/agreements"]
)
def test_what_is_nowhere_goes_on(path: str) -> None:
    assert serving(ROUTES)[0].matches(_asked(path, "GET"))[0] is Match.NONE


def test_a_parameter_that_comes_too_early_is_told_at_the_start() -> None:
    with pytest.raises(ValueError, match="too early"):
        Directory(Router([Route("/api/{version}/agreements", lambda request: None)]).routes)
