"""Turns a schema of a contract file into a function that finds everything wrong with a value at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Problems = list[tuple[str, str]]
# (value, name of the value, where to write what is wrong)
Check = Callable[[Any, str, Problems], None]
Resolve = Callable[[dict[str, Any]], dict[str, Any]]

_INT32 = (-2_147_483_648, 2_147_483_647)
_INT64 = (-9_223_372_036_854_775_808, 9_223_372_036_854_775_807)
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "object": (dict, "must be an object"),
    "array": (list, "must be an array"),
    "string": (str, "must be a string"),
    "integer": (int, "must be a whole number"),
    "number": ((int, float), "must be a number"),
    "boolean": (bool, "must be true or false"),
}


def compile_schema(schema: dict[str, Any], resolve: Resolve) -> Check:
    """Compile a schema of OpenAPI 3.0, as far as our contract files use it.

    Properties that the schema does not name are ignored, and null stands for an absent optional property:
    that is how the real hosts treat them.
    """
    schema = resolve(schema)
    if "oneOf" in schema:
        return _choice(schema, resolve)
    if "type" not in schema and "properties" not in schema:
        return _none(schema, resolve)
    kind = schema.get("type", "object")
    expected, complaint = _TYPES[kind]
    details = _DETAILS.get(kind, _none)(schema, resolve)

    def check(value: Any, name: str, problems: Problems) -> None:
        # To Python, True is also an int.
        if not isinstance(value, expected) or (isinstance(value, bool) and kind in ("integer", "number")):
            problems.append((name, complaint))
        else:
            details(value, name, problems)

    return check


def _none(schema: dict[str, Any], resolve: Resolve) -> Check:
    return lambda value, name, problems: None


def _object(schema: dict[str, Any], resolve: Resolve) -> Check:
    required = frozenset(schema.get("required", ()))
    properties = [
        (name, name in required, bool(resolve(part).get("nullable")), compile_schema(part, resolve))
        for name, part in schema.get("properties", {}).items()
    ]

    def check(value: Any, name: str, problems: Problems) -> None:
        for key, must, may_be_null, inner in properties:
            part = value.get(key)
            path = f"{name}.{key}" if name else key
            if part is not None:
                inner(part, path, problems)
            elif must and not (may_be_null and key in value):
                problems.append((path, "must not be null"))

    return check


def _array(schema: dict[str, Any], resolve: Resolve) -> Check:
    item = compile_schema(schema["items"], resolve) if "items" in schema else _none(schema, resolve)
    least, most = schema.get("minItems", 0), schema.get("maxItems")

    def check(value: Any, name: str, problems: Problems) -> None:
        if len(value) < least or (most is not None and len(value) > most):
            problems.append((name, f"must hold between {least} and {most or 'any number of'} items"))
            return
        for index, part in enumerate(value):
            item(part, f"{name}[{index}]", problems)

    return check


def _string(schema: dict[str, Any], resolve: Resolve) -> Check:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    allowed = schema.get("enum")
    asked = schema.get("pattern")
    # To Python, "$" is also true before a line break at the end, and "\d" of any script's digits.
    pattern = None if asked is None else re.compile(re.sub(r"(?<!\\)\$\Z", r"\\Z", asked), re.ASCII)

    def check(value: Any, name: str, problems: Problems) -> None:
        if allowed is not None and value not in allowed:
            problems.append((name, f"must be one of {', '.join(allowed)}"))
        elif len(value) < least or (most is not None and len(value) > most):
            problems.append((name, f"length must be between {least} and {most or 'any'}"))
        elif pattern is not None and not pattern.search(value):
            problems.append((name, f'must match "{asked}"'))

    return check


def _integer(schema: dict[str, Any], resolve: Resolve) -> Check:
    widest = _INT64 if schema.get("format") == "int64" else _INT32
    least, most = schema.get("minimum", widest[0]), schema.get("maximum", widest[1])

    def check(value: Any, name: str, problems: Problems) -> None:
        if value < least:
            problems.append((name, f"must be greater than or equal to {least}"))
        elif value > most:
            problems.append((name, f"must be less than or equal to {most}"))

    return check


def _choice(schema: dict[str, Any], resolve: Resolve) -> Check:
    """One of several shapes, told apart by a property; `x-default` is its value when it is absent."""
    discriminator = schema["discriminator"]
    key, default = discriminator["propertyName"], discriminator.get("x-default")
    shapes = {value: compile_schema({"$ref": target}, resolve) for value, target in discriminator["mapping"].items()}

    def check(value: Any, name: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems.append((name, "must be an object"))
            return
        chosen = value.get(key)
        chosen = default if chosen is None else chosen
        shape = shapes.get(chosen) if isinstance(chosen, str) else None
        if shape is None:
            problems.append((f"{name}.{key}", f"must be one of {', '.join(shapes)}"))
        else:
            shape(value, name, problems)

    return check


_DETAILS: dict[str, Callable[[dict[str, Any], Resolve], Check]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
}
