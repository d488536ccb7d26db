"""Many charges in one call of Vipps Recurring v3, to bytes and back: pure functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from avtale.domain.observations import ManyCreated
from avtale.domain.outcome import Refused
from avtale.domain.wishes import ChargeWish, WrittenRequest
from avtale.gateways.vipps.reading import object_of, printable
from avtale.gateways.vipps.refusals import DETAIL_CHARACTERS_MAX
from avtale.gateways.vipps.translate import AGREEMENTS, agreement_path, charge_said, json_bytes

#: Where many charges are created at once, and how many a call may have (Vipps Recurring, creating many charges).
CHARGES = f"{AGREEMENTS}/charges"
CHARGES_PER_CALL_MAX = 2000

#: The code of an order that was refused alone: why, is told in words that nobody has published.
NOT_VALID = "invalid-charge"


def write_charges(request_id: UUID, wishes: Sequence[ChargeWish]) -> WrittenRequest:
    """These orders in one call. Raises ValueError where Vipps would refuse one of them for its form."""
    if not 1 <= len(wishes) <= CHARGES_PER_CALL_MAX:
        raise ValueError(f"a call creates 1 to {CHARGES_PER_CALL_MAX} charges, not {len(wishes)}")
    items = []
    for wish in wishes:
        said = charge_said(wish)
        # Only recurring ones can be created so, and an item says its agreement instead.
        del said["type"]
        items.append(json_bytes({"agreementId": wish.gateway_agreement_id} | said))
    return WrittenRequest(request_id, "POST", CHARGES, b"[" + b",".join(items) + b"]")


def orders_in(request: WrittenRequest) -> list[WrittenRequest]:
    """Each order of a call for many as a call of its own, under the same id."""
    orders = []
    for item in json.loads(request.body):
        path = f"{agreement_path(item.pop('agreementId'))}/charges"
        orders.append(WrittenRequest(UUID(item["orderId"]), "POST", path, json_bytes({"type": "RECURRING"} | item)))
    return orders


def read_many(body: bytes) -> ManyCreated:
    """What became of each order that the answer names. Raises ValueError.

    One that is both valid and not (the same id twice) is neither: what became of it is not known.
    """
    said = object_of(body)
    valid, invalid = said.get("validCharges"), said.get("invalidCharges")
    if not isinstance(valid, list) or not isinstance(invalid, list):
        raise ValueError("validCharges and invalidCharges are not both lists")
    accepted = {order for one in valid if (order := _order(one)) is not None}
    refused: dict[UUID, Refused] = {}
    for one in invalid:
        item = one.get("chargeBatchItemDto") if isinstance(one, dict) else None
        order = _order(item.get("orderId")) if isinstance(item, dict) else None
        if order is not None:
            refused[order] = Refused(HTTPStatus.BAD_REQUEST, NOT_VALID, _why(one.get("errors")))
    twice = accepted & refused.keys()
    return ManyCreated(frozenset(accepted - twice), {o: why for o, why in refused.items() if o not in twice})


def _order(said: object) -> UUID | None:
    try:
        return UUID(said) if isinstance(said, str) else None
    except ValueError:
        return None


def _why(errors: Any) -> str:
    texts = [one for one in errors if isinstance(one, str)] if isinstance(errors, list) else []
    return printable("; ".join(texts), DETAIL_CHARACTERS_MAX) or "Vipps said no reason"
