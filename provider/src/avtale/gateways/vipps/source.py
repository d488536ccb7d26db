"""Agreements that another system made at our sales unit: what Vipps says of one, and of what was charged on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from avtale.domain.money import Money
from avtale.domain.observations import NEVER_OVER, FoundAgreement
from avtale.domain.outcome import Answered, Outcome
from avtale.domain.periods import Interval, Unit
from avtale.gateways.outbound import Answer
from avtale.gateways.vipps.calling import READ, VippsCalls, understood
from avtale.gateways.vipps.reading import Json, minor_units, object_of, optional_instant, text
from avtale.gateways.vipps.translate import agreement_path, read_agreement

#: A charge in one of these states will never be taken.
_GONE = frozenset({"FAILED", "CANCELLED"})
_UNITS: Mapping[str, Unit] = {unit.value.upper(): unit for unit in Unit}


class VippsSource:
    """The port AgreementSource: two readings for each agreement, itself and its newest charges."""

    calls_per_agreement = 2

    def __init__(self, calls: VippsCalls) -> None:
        self._calls = calls

    async def find(self, gateway_agreement_id: str) -> Outcome[FoundAgreement]:
        """Refused with status 404 where our sales unit has none such."""
        path = agreement_path(gateway_agreement_id)
        told = await self._calls.call("GET", path)
        found = understood(told, READ, lambda body: read_found(body, gateway_agreement_id))
        if not isinstance(found, Answered):
            return found
        charged = await self._calls.call("GET", f"{path}/charges")
        if not isinstance(charged, Answer):
            return charged
        return understood(charged, READ, lambda body: replace(found.value, last_due=read_last_due(body)))


def read_found(body: bytes, gateway_agreement_id: str) -> FoundAgreement:
    """An agreement with its terms. Raises ValueError."""
    observed = read_agreement(body, gateway_agreement_id)
    said = object_of(body)
    return FoundAgreement(
        gateway_agreement_id=gateway_agreement_id,
        state=observed.state,
        price=_price(said),
        interval=_interval(said.get("interval")),
        started_at=observed.started_at,
        last_due=None,
        reduced_until=_campaign_end(said.get("campaign")),
    )


def read_last_due(body: bytes) -> date | None:
    """The latest due date among the charges that were taken or may be. Raises ValueError."""
    rows = json.loads(body)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("charges are not a list")
    return max((_due(row) for row in rows if row.get("status") not in _GONE), default=None)


def _due(row: Json) -> date:
    return date.fromisoformat(text(row, "due")[:10])


def _price(said: Json) -> Money | None:
    pricing = said.get("pricing")
    if not isinstance(pricing, dict):
        raise ValueError("pricing is missing")
    if text(pricing, "type") != "LEGACY":
        return None
    return Money(minor_units(pricing, "amount"), text(pricing, "currency"))


def _campaign_end(said: object) -> datetime | None:
    """Until when a campaign holds; one that we cannot read is never over."""
    if said is None:
        return None
    if not isinstance(said, dict):
        raise ValueError("campaign is no object")
    try:
        return optional_instant(said, "end") or optional_instant(said, "eventDate") or NEVER_OVER
    except ValueError:
        return NEVER_OVER


def _interval(said: object) -> Interval | None:
    if not isinstance(said, dict) or said.get("unit") not in _UNITS:
        return None
    return Interval(_UNITS[str(said["unit"])], minor_units(said, "count"))
