"""A tenant's rules for the life of its agreements: what owners may do, and how prices change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from avtale.domain.change import ChangeKind

#: What an owner may change without being asked otherwise; a price is the merchant's.
OWNER_MAY = (ChangeKind.PAUSE, ChangeKind.RESUME, ChangeKind.CHARGE_DAY, ChangeKind.PLAN)


@dataclass(frozen=True, slots=True)
class Policy:
    """`owner_may`: the changes that owners make by themselves. `price_notice_days`: how long before a higher or lower
    price holds it is told."""

    owner_may: tuple[ChangeKind, ...] = OWNER_MAY
    price_notice_days: int = 30

    def row(self) -> dict[str, Any]:
        """As it is stored."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def of(row: Mapping[str, Any]) -> Policy:
        """A stored policy; what it does not say is as ever."""
        known = dict(row)
        if "owner_may" in known:
            known["owner_may"] = tuple(ChangeKind(kind) for kind in known["owner_may"])
        return Policy(**known)
