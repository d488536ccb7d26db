"""The operations that callers were promised and that are still to come: named in the index, not in the contract."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planned:
    """An operation of later work."""

    tag: str
    method: str
    path: str
    operation_id: str
    summary: str


PLANNED: tuple[Planned, ...] = ()
