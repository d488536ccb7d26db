"""A tenant's rules for the life of its agreements: what owners may do, and how prices change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from avtale.domain.change import ChangeKind
from avtale.domain.dunning import DunningEnd, DunningRules

#: What an owner may change without being asked otherwise; a price is the merchant's.
OWNER_MAY = (ChangeKind.PAUSE, ChangeKind.RESUME, ChangeKind.CHARGE_DAY, ChangeKind.PLAN)


@dataclass(frozen=True, slots=True)
class Policy:
    """`owner_may`: the changes that owners make by themselves. `price_notice_days`: how long before a higher or lower
    price holds it is told. `dunning`: how charges that fail are
    tried anew."""

    dunning: DunningRules = field(default_factory=DunningRules)
    owner_may: tuple[ChangeKind, ...] = OWNER_MAY
    price_notice_days: int = 30

    def row(self) -> dict[str, Any]:
        """As it is stored."""
        said = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return said | {"dunning": asdict(self.dunning)}

    @staticmethod
    def of(row: Mapping[str, Any]) -> Policy:
        """A stored policy; what it does not say is as ever."""
        known = dict(row)
        if "owner_may" in known:
            known["owner_may"] = tuple(ChangeKind(kind) for kind in known["owner_may"])
        if "dunning" in known:
            rules = known["dunning"]
            known["dunning"] = DunningRules(rules["orders"], rules["wait_days"], DunningEnd(rules["end"]))
        return Policy(**known)
