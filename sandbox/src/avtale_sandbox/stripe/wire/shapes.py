"""The members of every object, with what stands in them when there is nothing to say (shapes.json)."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec

API_VERSION = "2026-10-28.endive"

_SHAPES: dict[str, bytes] = {
    name: bytes(raw)
    for name, raw in msgspec.json.decode(
        resources.files(__package__).joinpath("shapes.json").read_bytes(), type=dict[str, msgspec.Raw]
    ).items()
}
_decode = msgspec.json.Decoder().decode


def shaped(name: str, /, **values: Any) -> dict[str, Any]:
    """A fresh object of a shape, with these members filled in; raises KeyError for one that it has not."""
    shape: dict[str, Any] = _decode(_SHAPES[name])
    for key, value in values.items():
        if key not in shape:
            raise KeyError(f"{name} has no {key}")
        shape[key] = value
    return shape


def address(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """An address, or None."""
    return None if not given else shaped("address", **{name: text or None for name, text in given.items()})


def listed(url: str, data: list[dict[str, Any]], has_more: bool = False) -> dict[str, Any]:
    """A list as it stands inside an object, or is an answer of its own."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
