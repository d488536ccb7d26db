"""Reads a contract file: its operations, with the check of each one's body compiled once."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from .schema import Check, compile_schema

METHODS = ("get", "post", "put", "patch", "delete")


class Limit(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How many calls a minute one sales unit may make that are alike in `by`; equal names are counted together."""

    count: int
    by: tuple[str, ...] = ()
    shared_as: str = ""


class Operation(Struct, frozen=True, eq=False, kw_only=True):
    """One operation: where it is, and what it expects.

    `body` checks a decoded body, and is None where the operation takes none. Of a body that is a list, it
    checks the list alone: `item` is for each of its items, which are refused one by one. `key_headers` are
    the names, in small letters, under which an idempotency key may come. `headers` are those that this API
    itself looks at: name in lower case, name as written, whether it must be there, its check.
    `keys_are_its_own` lets an idempotency key serve once for each operation, instead of once for all.
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
    keys_are_its_own: bool = False
    body_may_be_left_out: bool = False
    headers: tuple[tuple[bytes, str, bool, Check], ...] = ()
    limits: tuple[Limit, ...] = ()


class Contract:
    """One API, as its file in this folder describes it."""

    def __init__(self, name: str) -> None:
        text = resources.files(__package__).joinpath(f"{name}.json").read_bytes()
        self.name = name
        self.document: dict[str, Any] = msgspec.json.decode(text)
        # In which of its two shapes the gateway in front of this API says no.
        self.gateway_errors: str = self.document.get("x-gateway-errors", "response-info")
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
            keys_are_its_own=self.document.get("x-keys-per-operation", False),
            body_may_be_left_out=not item.get("requestBody", {}).get("required", True),
            headers=self._headers(parameters) if self.document.get("x-check-headers") else (),
            limits=tuple(
                msgspec.convert({"sharedAs": item["operationId"]} | limit, Limit) for limit in item.get("x-limits", ())
            ),
        )

    def _headers(self, parameters: list[dict[str, Any]]) -> tuple[tuple[bytes, str, bool, Check], ...]:
        return tuple(
            (
                parameter["name"].lower().encode(),
                parameter["name"],
                parameter.get("required", False),
                compile_schema(parameter["schema"], self.resolve),
            )
            for parameter in parameters
            if parameter["in"] == "header"
        )

    def _body_schemas(self, item: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        content = item.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return None, None
        schema = self.resolve(content["application/json"]["schema"])
        if schema.get("type") != "array":
            return schema, None
        return {name: value for name, value in schema.items() if name != "items"}, schema["items"]
