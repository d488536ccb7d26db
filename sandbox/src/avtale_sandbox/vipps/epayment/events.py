"""What merchants are told about a payment by webhook: names and bodies."""

from __future__ import annotations

from typing import Any

import msgspec

from ...instants import iso
from ...people import Person
from .resources import Event, Payment
from .shapes import amount_shape, guarantee_shape, user_details

_encode = msgspec.json.Encoder().encode


def event_type(event: Event) -> str:
    """The name under which a webhook is registered; the body says the short one."""
    return f"epayments.payment.{event.name.lower()}.v1"


def event_body(payment: Payment, event: Event, person: Person | None) -> bytes:
    """The body of `epayments.payment.<name>.v1`: the event's own reference and amount, no totals."""
    body: dict[str, Any] = {
        "msn": payment.msn,
        "reference": payment.reference,
        "pspReference": event.psp,
        "name": event.name,
        "amount": amount_shape(event.amount, payment.currency),
        "timestamp": iso(event.at),
        "success": True,
    }
    if event.key is not None:
        body["idempotencyKey"] = event.key
    if event.name == "AUTHORIZED":
        body["captureGuaranteedUntil"] = guarantee_shape(payment)
        if payment.sub is not None:
            body["sub"] = payment.sub
            body["userDetails"] = user_details(payment, person)
        if payment.shipping is not None:
            body["shippingDetails"] = payment.shipping
    return _encode(body)
