"""Reads a contract file: its operations, with the check of each one's body compiled once."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from .schema import Check, compile_schema

METHODS = ("get", "post", "put", "patch", "delete")


class Operation(Struct, frozen=True, eq=False, kw_only=True):
    """One operation: where it is, and what it expects.

    `body` checks a decoded body, and is None where the operation takes none. Of a body that is a list, it
    checks the list alone: `item` is for each of its items, which are refused one by one. `key_headers` are
    the names, in small letters, under which an idempotency key may come.
    """

    id: str
    api: str
    method: str
    path: str
    body: Check | None
    item: Check | None
    ignores_case: bool
    needs_idempotency_key: bool
    key_headers: tuple[bytes, ...]


class Contract:
    """One API, as its file in this folder describes it."""

    def __init__(self, name: str) -> None:
        text = resources.files(__package__).joinpath(f"{name}.json").read_bytes()
        self.name = name
        self.document: dict[str, Any] = msgspec.json.decode(text)
        self.operations = [
            self._operation(path, method, item[method])
            for path, item in self.document["paths"].items()
            for method in METHODS
            if method in item
        ]

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Follow a `$ref` into this document."""
        while "$ref" in schema:
            found: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def _operation(self, path: str, method: str, item: dict[str, Any]) -> Operation:
        schema, item_schema = self._body_schemas(item)
        parameters = [self.resolve(parameter) for parameter in item.get("parameters", [])]
        keys = [parameter for parameter in parameters if parameter["name"] == "Idempotency-Key"]
        return Operation(
            id=item["operationId"],
            api=self.name,
            method=method.upper(),
            path=path,
            body=None if schema is None else compile_schema(schema, self.resolve),
            item=None if item_schema is None else compile_schema(item_schema, self.resolve),
            ignores_case=item.get("x-ignore-case", False),
            needs_idempotency_key=any(parameter.get("required") for parameter in keys),
            key_headers=tuple(
                name.lower().encode()
                for parameter in keys
                for name in (parameter["name"], *parameter.get("x-also-called", ()))
            ),
        )

    def _body_schemas(self, item: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        content = item.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return None, None
        schema = self.resolve(content["application/json"]["schema"])
        if schema.get("type") != "array":
            return schema, None
        return {name: value for name, value in schema.items() if name != "items"}, schema["items"]
