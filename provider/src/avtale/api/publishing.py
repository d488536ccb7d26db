"""The contract as files: the whole of it, a self-contained slice for each tag, and an index for language models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WHOLE = "avtale.openapi.json"
INDEX = "avtale.llms.md"

_SCHEMAS = "#/components/schemas/"
_DESCRIPTION_LENGTH_MAX = 240


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a contract, with what it says of itself."""

    method: str
    path: str
    said: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.said["operationId"])

    @property
    def tag(self) -> str:
        return str(self.said["tags"][0])

    @property
    def security(self) -> str:
        """The names of the schemes that it asks for."""
        return ", ".join(name for scheme in self.said.get("security", []) for name in scheme) or "none"


def operations(contract: Mapping[str, Any]) -> list[Operation]:
    """Every operation, in the order in which the contract says them."""
    return [
        Operation(method.upper(), path, said)
        for path, methods in contract["paths"].items()
        for method, said in methods.items()
    ]


def by_tag(contract: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """The operations of each tag."""
    found: dict[str, list[Operation]] = {}
    for operation in operations(contract):
        found.setdefault(operation.tag, []).append(operation)
    return found


def slug(tag: str) -> str:
    """A tag in addresses and file names."""
    return re.sub(r"[^a-z0-9]+", "-", tag.lower()).strip("-")


def slice_name(tag: str) -> str:
    """The file of a tag's slice."""
    return f"tags/{slug(tag)}.openapi.json"


def published(contract: Mapping[str, Any]) -> dict[str, str]:
    """Every file of the published contract, by its name."""
    slices = {slice_name(tag): _json(slice_of(contract, tag)) for tag in by_tag(contract)}
    return {WHOLE: _json(contract), **slices, INDEX: index(contract)}


def slice_of(contract: Mapping[str, Any], tag: str) -> dict[str, Any]:
    """The contract of one tag alone, with the schemas that it leads to and no others."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in by_tag(contract)[tag]:
        paths.setdefault(operation.path, {})[operation.method.lower()] = operation.said
    schemas = contract["components"]["schemas"]
    wanted: set[str] = set()
    found = set(_references(paths))
    while found:
        wanted |= found
        found = {name for schema in found for name in _references(schemas[schema])} - wanted
    components: dict[str, Any] = {"schemas": {name: schemas[name] for name in sorted(wanted)}}
    if any(operation.said.get("security") for operation in by_tag(contract)[tag]):
        components["securitySchemes"] = contract["components"]["securitySchemes"]
    info = contract["info"] | {"title": f"{contract['info']['title']}: {tag}"}
    return {"openapi": contract["openapi"], "info": info, "paths": paths, "components": components}


def example(contract: Mapping[str, Any], operation: Operation) -> str:
    """A request as curl makes it; `{…}` and `$…` are to be filled in, and the body is the contract's own example.

    A file is named: `rows.csv`, of which the contract has an example.
    """
    said = ["curl", *([] if operation.method == "GET" else ["-X", operation.method]), f'"$AVTALE{operation.path}"']
    if operation.said.get("security"):
        said.append('-H "Authorization: Bearer $TOKEN"')
    for kind, body in operation.said.get("requestBody", {}).get("content", {}).items():
        shown = _schema(contract, body["schema"])["examples"][0]
        if kind == "text/csv":
            said += [f'-H "Content-Type: {kind}"', "--data-binary @rows.csv"]
        elif kind == "application/json":
            said += [f'-H "Content-Type: {kind}"', f"-d '{json.dumps(shown, ensure_ascii=False)}'"]
        else:
            said += [f'-d "{name}={value}"' for name, value in shown.items()]
    return " ".join(said)


def _schema(contract: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = contract["components"]["schemas"][schema["$ref"].removeprefix(_SCHEMAS)]
    return found


def index(contract: Mapping[str, Any]) -> str:
    """A page that fits into a language model's context: every operation in a few lines."""
    return "\n".join(_index(contract)) + "\n"


def _index(contract: Mapping[str, Any]) -> Iterator[str]:
    info, tags = contract["info"], by_tag(contract)
    yield f"# {info['title']} {info['version']}: compact index for language models"
    yield ""
    yield "<!-- written by `avtale openapi`; do not edit by hand -->"
    yield ""
    yield f"> {info['summary']}"
    yield ""
    yield f"- Whole contract: `{WHOLE}`; one self-contained file for each tag: `tags/<tag>.openapi.json`."
    yield "- Base: `https://{tenant}.<your domain>`; the host name decides the tenant."
    yield "- `bearerAuth`: a JWT of an OpenID Connect issuer that the tenant has registered. 401 without one,"
    yield "  403 (`admin_only`) where an administrator is needed."
    yield "- A write takes an `Idempotency-Key`; the same key with another request is 409 (`idempotency_conflict`)."
    yield "- A failure is `application/problem+json` (RFC 9457); its `code` is stable, its `detail` is for people."
    yield "- Amounts are minor units with a currency; instants are ISO 8601 in UTC. A path may end with a slash or not."
    yield ""
    yield "| Tag | Operations | Slice |"
    yield "|---|---|---|"
    for tag, mine in tags.items():
        yield f"| {tag} | {len(mine)} | [`{slice_name(tag)}`]({slice_name(tag)}) |"
    for tag, mine in tags.items():
        yield ""
        yield f"## {tag}"
        for operation in mine:
            yield ""
            yield from _lines(contract, operation)


def _lines(contract: Mapping[str, Any], operation: Operation) -> Iterator[str]:
    said = operation.said
    yield f"### {operation.method} {operation.path} `{operation.id}`"
    yield f"**{said['summary']}.** {_shortened(said.get('description', ''))}".rstrip()
    facts = [f"auth: {operation.security}", f"answers: {', '.join(sorted(said['responses']))}"]
    for place in ("path", "query", "header"):
        named = [one["name"] for one in said.get("parameters", []) if one["in"] == place]
        if named:
            facts.append(f"{place}: {', '.join(named)}")
    if "requestBody" in said:
        facts.append(f"body: {_content(said['requestBody'])}")
    facts.append(f"200: {_content(said['responses']['200'])}")
    yield " • ".join(facts)
    yield f"`{example(contract, operation)}`"


def _content(part: Mapping[str, Any]) -> str:
    """The media types of a body, and the name of the schema where it has one."""
    names = sorted(set(_references(part.get("content", {}))))
    return ", ".join([*names, *(kind for kind in part.get("content", {}) if kind != "application/json")]) or "JSON"


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _DESCRIPTION_LENGTH_MAX else flat[:_DESCRIPTION_LENGTH_MAX].rsplit(" ", 1)[0] + " …"


def _references(part: Any) -> Iterator[str]:
    """The names of the schemas that a part of the contract leads to."""
    if isinstance(part, Mapping):
        target = part.get("$ref")
        if isinstance(target, str):
            yield target.removeprefix(_SCHEMAS)
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _json(said: Mapping[str, Any]) -> str:
    return json.dumps(said, ensure_ascii=False, indent=1) + "\n"
