"""What merchants are told by webhook about agreements and charges: names and bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...instants import iso
from .resources import Actor, Agreement, Charge
from .terms import ChargeTerms

AGREEMENT_EVENTS = (
    "recurring.agreement-activated.v1",
    "recurring.agreement-rejected.v1",
    "recurring.agreement-stopped.v1",
    "recurring.agreement-expired.v1",
)
CHARGE_EVENTS = (
    "recurring.charge-reserved.v1",
    "recurring.charge-captured.v1",
    "recurring.charge-canceled.v1",
    "recurring.charge-refunded.v1",
    "recurring.charge-failed.v1",
    "recurring.charge-creation-failed.v1",
)

# (MSN, event name, order lane, instant, body): what happens to one agreement is told in order.
Publish = Callable[[str, str, str, int, bytes], None]

_encode = msgspec.json.Encoder().encode

# The published descriptions do not list the numbers; these are this sandbox's own.
_FAILURE_CODES = {
    "user_action_required": 1,
    "charge_amount_too_high": 2,
    "non_technical_error": 3,
    "technical_error": 4,
}


def agreement_event(name: str, agreement: Agreement, at: int, actor: Actor | None = None) -> bytes:
    """The body of `recurring.agreement-<name>.v1`; only a stop has an actor."""
    return _encode(
        {
            "agreementId": agreement.id,
            "agreementUUID": agreement.uuid,
            "agreementExternalId": agreement.external_id,
            "eventType": f"recurring.agreement-{name}.v1",
            "occurred": iso(at),
            "actor": actor,
            "msn": agreement.msn,
        }
    )


def charge_event(name: str, charge: Charge, at: int) -> bytes:
    """The body of `recurring.charge-<name>.v1`; the three amounts are totals so far."""
    body: dict[str, Any] = {
        "agreementId": charge.agreement_id,
        "chargeId": charge.id,
        "chargeExternalId": charge.external_id,
        "eventType": f"recurring.charge-{name}.v1",
        "occurred": iso(at),
        "amount": charge.amount,
        "currency": charge.currency,
        "chargeType": charge.type,
        "amountCaptured": charge.captured,
        "amountCanceled": charge.cancelled,
        "amountRefunded": charge.refunded,
        "transactionId": charge.transaction_id,
        "msn": charge.msn,
    }
    if name == "failed":
        body["failureReason"] = charge.failure_reason
        body["failureCode"] = _FAILURE_CODES.get(charge.failure_reason or "", 0)
    return _encode(body)


def charge_creation_failed_event(msn: str, agreement_id: str, terms: ChargeTerms, currency: str, at: int) -> bytes:
    """The body of `recurring.charge-creation-failed.v1`: a bulk call's charge was accepted, then refused."""
    return _encode(
        {
            "agreementId": agreement_id,
            "chargeId": terms.order_id,
            "chargeExternalId": terms.external_id,
            "eventType": "recurring.charge-creation-failed.v1",
            "occurred": iso(at),
            "amount": terms.amount,
            "currency": currency,
            "chargeType": "RECURRING",
            "amountCaptured": 0,
            "amountCanceled": 0,
            "amountRefunded": 0,
            "failureReason": "non_technical_error",
            "failureCode": _FAILURE_CODES["non_technical_error"],
            "transactionId": None,
            "msn": msn,
        }
    )
