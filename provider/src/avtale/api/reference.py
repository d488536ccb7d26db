"""`/docs`: the published contract to read in a browser, and its files for programs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from avtale.api.publishing import INDEX, WHOLE, by_tag, example, published, slice_name, slug

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_templates = Environment(loader=PackageLoader("avtale.api"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def add_reference(app: FastAPI) -> None:
    """Add `/docs` and the files below it; they are made when somebody first asks."""
    app.router.routes += [
        Route("/docs", partial(_page, app), methods=["GET"]),
        Route("/docs/", partial(_page, app), methods=["GET"]),
        Route("/docs/{name:path}", partial(_file, app), methods=["GET"]),
    ]


async def _page(app: FastAPI, request: Request) -> Response:
    text = await run_in_threadpool(_page_of, app.openapi())
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})


def _page_of(contract: Mapping[str, Any]) -> str:
    return _templates.get_template("reference.html").render(
        info=contract["info"],
        tags=by_tag(contract),
        schemas=contract["components"]["schemas"],
        whole=WHOLE,
        index=INDEX,
        slice_name=slice_name,
        slug=slug,
        schema_of=_schema_of,
        example=partial(example, contract),
    )


def _schema_of(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: its type, or the name of the one it leads to."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_schema_of(one) for one in schema[several])
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_schema_of(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


async def _file(app: FastAPI, request: Request) -> Response:
    files = await run_in_threadpool(published, app.openapi())
    found = files.get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    kind = "text/markdown" if request.path_params["name"].endswith(".md") else "application/json"
    return Response(found, media_type=f"{kind}; charset=utf-8", headers={"Cache-Control": "no-cache"})
