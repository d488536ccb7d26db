"""Reads Stripe's requests: forms whose names are paths in brackets, such as `items[0][price]`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from .refusals import Refused, invalid

FIELD_COUNT_MAX = 2_000
_DEPTH_MAX = 8
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_PART = re.compile(r"\[([^\[\]]*)\]")


def parse(encoded: bytes) -> dict[str, Any]:
    """Decode `a=1&b[c][]=2` into nested dicts; a list is a dict whose keys are numbers. Raises Refused."""
    tree: dict[str, Any] = {}
    try:
        fields = parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELD_COUNT_MAX)
    except ValueError:
        raise invalid("The body is no form that can be read, or has too many fields.") from None
    for name, value in fields:
        _put(tree, name, value)
    return tree


def _put(tree: dict[str, Any], name: str, value: str) -> None:
    match = _NAME.match(name)
    if match is None:
        raise _unreadable(name)
    path = [match[1], *_PART.findall(match[2])]
    if len(path) > _DEPTH_MAX:
        raise _unreadable(name)
    node = tree
    for place, part in enumerate(path[:-1]):
        part = part or str(_last(node) + (path[place + 1] in node.get(str(_last(node)), {})))
        inner = node.setdefault(part, {})
        if not isinstance(inner, dict):
            raise _unreadable(name)
        node = inner
    last = path[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise _unreadable(name)
    node[last] = value


def _last(node: dict[str, Any]) -> int:
    """The place of the latest element of a list: `a[][x]=1&a[][y]=2` fills one element until a name comes again."""
    return max(len(node) - 1, 0)


def _unreadable(name: str) -> Refused:
    return invalid(f"The parameter name {name[:200]!r} cannot be read.", param=name[:200])
