"""Reading JSON that strangers wrote: the parts we need, each of the right kind, or a ValueError."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]

#: Tokens, and the addresses that carry them, are the longest texts.
TEXT_CHARACTERS_MAX = 16_384

#: Neither PostgreSQL's text nor one line of a log can hold these: control characters and halves of a pair.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def json_of(body: bytes) -> Any:
    """The JSON value of a body. Raises ValueError, also for a nesting that is too deep to be honest."""
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except ValueError:
        raise ValueError(f"not JSON ({len(body)} bytes)") from None


def object_of(body: bytes) -> Json:
    """The JSON object of a body; raises ValueError if it is anything else."""
    value = json_of(body)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def text(source: Json, name: str) -> str:
    """A text that must be there; never empty, never with characters that a database or a log cannot hold."""
    value = optional_text(source, name)
    if value is None:
        raise ValueError(f"{name} is missing")
    return value


def optional_text(source: Json, name: str) -> str | None:
    """Like `text`, but None where it is absent, null or empty."""
    value = source.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX or _UNFIT.search(value):
        raise ValueError(f"{name} is not a text")
    return value


def minor_units(source: Json, name: str) -> int:
    """An amount: a whole number of minor units, not negative."""
    value = source.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is not an amount in minor units")
    return value


def optional_instant(source: Json, name: str) -> datetime | None:
    """An ISO 8601 instant in UTC, or None; without an offset it is UTC, which is all that Vipps writes."""
    value = optional_text(source, name)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is not an instant") from None


def printable(value: object, characters_max: int) -> str:
    """Whatever a stranger wrote, as one line for people and logs."""
    line = "".join(c if c.isprintable() else " " for c in str(value)[: 2 * characters_max])
    return " ".join(line.split())[:characters_max]
