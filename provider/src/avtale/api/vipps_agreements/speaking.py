"""Answers in JSON, or in XML for whoever would rather have that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"
XML = "application/xml"

_KINDS = {JSON: (JSON, "application/*", "*/*"), XML: (XML, "text/xml", "application/*", "*/*")}
#: What XML 1.0 cannot hold, however it is written.
_UNSPEAKABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def answer(
    request: Request, members: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with these members, in the language that the request's `Accept` prefers."""
    kind = XML if prefers_xml(request.headers.get("accept", "")) else JSON
    body = _xml(members) if kind == XML else json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, {**(headers or {}), "Vary": "Accept"}, media_type=kind)


def prefers_xml(accept: str) -> bool:
    """Whether an `Accept` header (RFC 9110) likes XML better than JSON."""
    return _liking(accept, XML) > _liking(accept, JSON)


def _liking(accept: str, kind: str) -> float:
    """The weight of a media type: that of the most specific range which has it."""
    ranges = dict(_ranges(accept))
    return next((ranges[name] for name in _KINDS[kind] if name in ranges), 0.0)


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
        yield name, float(weight) if _WEIGHT.fullmatch(weight) else 0.0


def _xml(members: Mapping[str, Any]) -> bytes:
    """Members as elements below `response`; a list is an element for each of its items."""
    root = Element("response")
    _add(root, members)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode").encode()


def _add(parent: Element, members: Mapping[str, Any]) -> None:
    for name, value in members.items():
        for item in value if isinstance(value, list) else [value]:
            element = SubElement(parent, name)
            if isinstance(item, Mapping):
                _add(element, item)
            else:
                element.text = _UNSPEAKABLE.sub("�", str(item).lower() if isinstance(item, bool) else str(item))
