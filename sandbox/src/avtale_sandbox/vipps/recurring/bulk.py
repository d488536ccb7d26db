"""Many charges in one call: each is looked at twice, and stands or falls alone."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from ..exchange import Call
from ..refusals import Refused
from .model import Recurring
from .v3_shapes import charge_terms

_ITEM_FIELDS = (
    "due",
    "retryDays",
    "processingMode",
    "amount",
    "description",
    "transactionType",
    "orderId",
    "agreementId",
    "externalId",
)


def create(model: Recurring, call: Call) -> dict[str, Any]:
    """Create what can be created of the items, and say which items could not even be read.

    What is wrong with an item itself comes back in the answer. What is wrong with its agreement is found
    out later and told by the event `recurring.charge-creation-failed.v1` (Vipps Recurring, creating many
    charges).
    """
    valid: dict[str, None] = {}
    refused: list[dict[str, Any]] = []
    for item in call.body:
        errors = _errors(model, call, item, taken=valid)
        if errors:
            shape = {name: item.get(name) for name in _ITEM_FIELDS} if isinstance(item, dict) else {}
            refused.append({"chargeBatchItemDto": shape, "errors": errors})
            continue
        valid[item["orderId"]] = None
        try:
            model.create_charge(call.merchant, item["agreementId"], charge_terms(item), call.key)
        except Refused:
            model.tell_creation_failed(call.merchant, item["agreementId"], charge_terms(item))
    return {"validCharges": list(valid), "invalidCharges": refused}


def _errors(model: Recurring, call: Call, item: Any, taken: Container[str]) -> list[str]:
    problems: list[tuple[str, str]] = []
    if call.operation.item is not None:
        call.operation.item(item, "", problems)
    if problems:
        return [f"{name}: {reason}" for name, reason in problems]
    if item["orderId"] in taken:
        return ["orderId: is used twice in this request"]
    try:
        model.check_charge_alone(call.merchant, charge_terms(item))
    except Refused as found:
        return [f"{name}: {reason}" for name, reason in found.fields] or [found.detail]
    return []
