"""The control room's own description: an OpenAPI document made from its doors, and a page that reads it aloud."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .dashboard.desk import Desk
from .shapes import ProblemShown
from .wire import Door, answer

PATH = "/_sandbox"

_ABOUT = """Everything that the outside world would do by itself is commanded here: people decide, time passes, money
is missing, networks fail. Bodies are JSON in camelCase; what cannot be done is answered as
`application/problem+json` with a `detail` that says why. There is nothing to sign in to."""
_PROBLEM = "application/problem+json"
_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")


class Handbook:
    """Describes groups of doors."""

    def __init__(self, groups: Mapping[str, Sequence[BaseRoute]], desk: Desk) -> None:
        self._groups = {name: [one for one in doors if isinstance(one, Door)] for name, doors in groups.items()}
        self._desk = desk

    def routes(self) -> list[BaseRoute]:
        """Where the description is."""
        return [
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/docs", self.page, methods=["GET"]),
        ]

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        return answer(self.document)

    async def page(self, request: Request) -> Response:
        """The document, to read."""
        return self._desk.show(request, "For programs", "docs.html", {"groups": self._read_aloud(), "about": _ABOUT})

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document of all doors."""
        doors = [door for group in self._groups.values() for door in group]
        types = {id(one): one for door in doors for one in (door.body_type, door.gives_type) if one is not None}
        schemas, components = msgspec.json.schema_components(
            [*types.values(), ProblemShown], ref_template="#/components/schemas/{name}"
        )
        spelled = dict(zip(types, schemas, strict=False))
        paths: dict[str, dict[str, Any]] = {}
        for tag, group in self._groups.items():
            for door in group:
                path = PATH + _PARAMETER.sub(r"{\1}", door.path)
                paths.setdefault(path, {})[door.method.lower()] = _operation(tag, door, spelled)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "The control room of the avtale sandbox",
                "version": version("avtale-sandbox"),
                "description": _ABOUT,
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": name} for name in self._groups],
            "paths": paths,
            "components": {"schemas": components},
        }

    def _read_aloud(self) -> list[dict[str, Any]]:
        """The document as the page needs it: per group its operations, each with its fields in rows."""
        document = self.document
        groups: dict[str, list[dict[str, Any]]] = {name: [] for name in self._groups}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
                groups[operation["tags"][0]].append(
                    {
                        "id": operation["operationId"],
                        "method": method.upper(),
                        "path": path,
                        "summary": operation["summary"],
                        "about": operation.get("description", ""),
                        "parameters": operation.get("parameters", []),
                        "fields": [] if body is None else _fields(body, document),
                        "answers": [
                            (status, one["description"], _name_of(one))
                            for status, one in operation["responses"].items()
                        ],
                    }
                )
        return [{"name": name, "operations": operations} for name, operations in groups.items()]


def _operation(tag: str, door: Door, spelled: Mapping[int, Any]) -> dict[str, Any]:
    words = inspect.cleandoc(inspect.getdoc(door.told) or "")
    summary, _, more = words.partition("\n\n")
    problem = {"content": {_PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemShown"}}}}
    given: dict[str, Any] = {"description": "Done"}
    if door.gives_type is not None:
        given["content"] = {"application/json": {"schema": spelled[id(door.gives_type)]}}
    responses: dict[str, Any] = {str(door.status): given}
    if door.body_type is not None or door.query:
        responses["400"] = {"description": "What was asked means nothing"} | problem
    for status, meaning in door.also.items():
        is_answer = status < 300 or status == 417
        responses[str(status)] = {"description": meaning} | (
            {"content": given["content"]} if is_answer and "content" in given else {} if is_answer else problem
        )
    operation: dict[str, Any] = {
        "operationId": _camel(getattr(door.told, "__name__", "operation")),
        "tags": [tag],
        "summary": " ".join(summary.split()).removesuffix("."),
        "responses": responses,
    }
    if more:
        operation["description"] = more
    parameters = [_parameter(name, kind) for name, kind in _PARAMETER.findall(door.path)]
    parameters += [
        {"name": name, "in": "query", "required": False, "description": words, "schema": {"type": "string"}}
        for name, words in door.query.items()
    ]
    if parameters:
        operation["parameters"] = parameters
    if door.body_type is not None:
        schema = spelled[id(door.body_type)]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _parameter(name: str, kind: str) -> dict[str, Any]:
    schema = {"type": "integer"} if kind == "int" else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _fields(schema: dict[str, Any], document: dict[str, Any], prefix: str = "", depth: int = 0) -> list[dict[str, Any]]:
    """The fields of a body, one level of nesting into objects."""
    named = _resolved(schema, document)
    rows: list[dict[str, Any]] = []
    for name, field in named.get("properties", {}).items():
        inner = _resolved(field.get("items", field), document)
        rows.append(
            {
                "name": prefix + name,
                "type": _type_of(field, document),
                "required": name in named.get("required", []),
                "default": msgspec.json.encode(field["default"]).decode() if "default" in field else None,
                "about": inner.get("description", "").split("\n\n")[0] if "properties" in inner else "",
            }
        )
        if depth == 0 and "properties" in inner:
            rows += _fields(inner, document, f"{prefix}{name}{'[]' if 'items' in field else ''}.", depth + 1)
    return rows


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    for one in schema.get("anyOf", []):
        if "$ref" in one:
            return _resolved(one, document)
    reference = schema.get("$ref")
    return schema if reference is None else document["components"]["schemas"][reference.rpartition("/")[2]]


def _type_of(schema: dict[str, Any], document: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type_of(one, document) for one in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " or ".join(str(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items', {}), document)}"
    return str(schema.get("type", "anything"))


def _name_of(response: dict[str, Any]) -> str:
    for content in response.get("content", {}).values():
        return str(content["schema"].get("$ref", "").rpartition("/")[2])
    return ""
