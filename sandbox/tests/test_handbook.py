"""The control room describes itself: every door is in its OpenAPI document, which is valid and true."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from starlette.routing import Mount, Route

from avtale_sandbox.control.wire import Door
from avtale_sandbox.rooms import rooms
from avtale_sandbox.settings import Settings
from avtale_sandbox.world import World

#: What is for people and not for programs, or is the description itself.
PAGES = {"/openapi.json", "/docs", "/"}

# The bones of OpenAPI 3.1, as far as this document uses it.
OPENAPI = {
    "type": "object",
    "required": ["openapi", "info", "paths", "components"],
    "properties": {
        "openapi": {"const": "3.1.0"},
        "info": {"type": "object", "required": ["title", "version"]},
        "paths": {
            "patternProperties": {
                "^/": {"additionalProperties": {"$ref": "#/$defs/operation"}},
            },
            "additionalProperties": False,
        },
    },
    "$defs": {
        "content": {"additionalProperties": {"type": "object", "required": ["schema"]}},
        "operation": {
            "type": "object",
            "required": ["operationId", "summary", "tags", "responses"],
            "properties": {
                "summary": {"type": "string", "minLength": 5},
                "parameters": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name", "in", "schema"],
                        "properties": {"in": {"enum": ["path", "query"]}},
                        "if": {"properties": {"in": {"const": "path"}}},
                        "then": {"properties": {"required": {"const": True}}},
                    },
                },
                "requestBody": {"required": ["content"], "properties": {"content": {"$ref": "#/$defs/content"}}},
                "responses": {
                    "minProperties": 1,
                    "patternProperties": {
                        r"^[1-5]\d\d$": {
                            "required": ["description"],
                            "properties": {"content": {"$ref": "#/$defs/content"}},
                        }
                    },
                    "additionalProperties": False,
                },
            },
        },
    },
}


@pytest.fixture
async def document(sandbox: Any) -> dict[str, Any]:
    reply = await sandbox.control("GET", "/openapi.json")
    assert reply.status == 200
    return dict(reply.body)


def control_routes() -> list[Route]:
    world = World(Settings())
    mount = next(one for one in rooms(world).routes if isinstance(one, Mount) and one.path == "/_sandbox")
    return [one for one in mount.routes or [] if isinstance(one, Route)]


def test_every_route_of_the_control_room_is_a_door() -> None:
    plain = [one.path for one in control_routes() if not isinstance(one, Door)]
    hidden = [path for path in plain if path not in PAGES and not path.startswith("/ui")]
    assert not hidden, f"make a Door of {hidden}, so that the control room's description has it"


async def test_every_door_is_described(document: dict[str, Any]) -> None:
    doors = [one for one in control_routes() if isinstance(one, Door)]
    expected = {(one.method.lower(), "/_sandbox" + re.sub(r":\w+\}", "}", one.path)) for one in doors}
    assert {(method, path) for path, methods in document["paths"].items() for method in methods} == expected


async def test_the_document_is_valid(document: dict[str, Any]) -> None:
    jsonschema.validate(document, OPENAPI, cls=jsonschema.Draft202012Validator)
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    ids = [one["operationId"] for one in operations]
    assert len(set(ids)) == len(ids)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    references = set(re.findall(r"'#/components/schemas/([^']+)'", str(document)))
    assert references <= document["components"]["schemas"].keys()
    for path, methods in document["paths"].items():
        names = set(re.findall(r"\{(\w+)\}", path))
        for operation in methods.values():
            assert {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"} == names


async def test_answers_are_as_described(sandbox: Any, document: dict[str, Any], hooked: Any, quiet: Any) -> None:
    agreement_id = await sandbox.agree()
    await sandbox.charge(agreement_id)
    await quiet()
    await sandbox.control("POST", "/faults", {"match": {"path": "/x"}, "action": {"kind": "hang"}})
    await sandbox.control("PUT", "/faults/random", {"calls": {"hang": 0.0}})
    await sandbox.control("POST", "/failures", {"chargeId": "none"})
    await sandbox.control("POST", "/snapshots")
    await sandbox.control("POST", "/clock/participants", {"name": "a", "url": "http://127.0.0.1:9/"})
    values = {"number": "4791234567"}
    for path, methods in document["paths"].items():
        if "get" not in methods:
            continue
        number = (await sandbox.control("GET", "/requests"))["requests"][0]["number"]
        filled = path.replace("{number}", str(number) if "requests" in path else values["number"])
        reply = await sandbox.raw("GET", filled)
        assert reply.status == 200, filled
        schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        jsonschema.validate(reply.body, whole, cls=jsonschema.Draft202012Validator)


async def test_the_page_reads_every_operation_aloud(sandbox: Any, document: dict[str, Any]) -> None:
    reply = await sandbox.raw("GET", "/_sandbox/docs")
    assert reply.status == 200
    page = reply.body.decode()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f'id="{operation["operationId"]}"' in page
            assert method.upper() in page
            assert path in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
