"""Strict reading of JSON: every value together with where it stands, so that every complaint names the place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stories.almanac import parse_instant


class ExportError(ValueError):
    """An export that cannot be audited: the message names the place and what stands there."""


@dataclass(frozen=True)
class Node:
    """One JSON value together with where it stands, so that every complaint can name the place."""

    value: object
    path: str

    def field(self, key: str) -> Node:
        if not isinstance(self.value, dict):
            raise ExportError(f"{self.path}: an object was expected, not {self.value!r}")
        if key not in self.value:
            raise ExportError(f"{self.path}: {key} is missing")
        return Node(self.value[key], f"{self.path}.{key}")

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def items(self, key: str) -> Iterator[Node]:
        node = self.field(key)
        if not isinstance(node.value, list):
            raise ExportError(f"{node.path}: a list was expected, not {node.value!r}")
        return (Node(item, f"{node.path}[{place}]") for place, item in enumerate(node.value))

    def text(self, key: str) -> str:
        node = self.field(key)
        if not isinstance(node.value, str):
            raise ExportError(f"{node.path}: text was expected, not {node.value!r}")
        return node.value

    def whole(self, key: str) -> int:
        """A whole number; amounts are minor units and are never written with a point."""
        node = self.field(key)
        if not isinstance(node.value, int) or isinstance(node.value, bool):
            raise ExportError(f"{node.path}: a whole number was expected, not {node.value!r}")
        return node.value

    def day(self, key: str) -> date:
        """A local date; the date part when a gateway renders it as a date-time."""
        try:
            return date.fromisoformat(self.text(key)[:10])
        except ValueError:
            raise ExportError(f"{self.path}.{key}: a date was expected, not {self.text(key)!r}") from None

    def zone(self, key: str) -> ZoneInfo:
        try:
            return ZoneInfo(self.text(key))
        except (ZoneInfoNotFoundError, ValueError):
            found = self.text(key)
            raise ExportError(f"{self.path}.{key}: a time zone was expected, not {found!r}") from None

    def instant(self, key: str) -> datetime:
        try:
            return parse_instant(self.text(key))
        except ValueError:
            raise ExportError(f"{self.path}.{key}: a date-time was expected, not {self.text(key)!r}") from None

    def maybe_text(self, key: str) -> str | None:
        return self.text(key) if self.has(key) else None

    def maybe_day(self, key: str) -> date | None:
        return self.day(key) if self.has(key) else None

    def maybe_instant(self, key: str) -> datetime | None:
        return self.instant(key) if self.has(key) else None
