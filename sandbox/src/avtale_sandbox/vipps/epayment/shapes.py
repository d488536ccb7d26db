"""How ePayment spells payments, events and sums."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ...instants import DAY, SECOND, iso
from ...people import Address, Person
from .resources import Event, Payment

# The test card of every telephone is a Visa, for which a reservation is guaranteed this long (Vipps ePayment,
# reservation guarantee); afterwards a capture is a new try to take the money.
GUARANTEE_DAYS = 7
CARD_BIN = "424242"


def amount_shape(value: int, currency: str) -> dict[str, Any]:
    """An amount."""
    return {"currency": currency, "value": value}


def payment_shape(payment: Payment, redirect_url: str | None, person: Person | None) -> dict[str, Any]:
    """A payment as it is fetched."""
    method: dict[str, Any] = {"type": "WALLET"}
    body: dict[str, Any] = {
        "aggregate": aggregate_shape(payment),
        "amount": amount_shape(payment.amount, payment.currency),
        "state": payment.state,
        "paymentMethod": method,
        "profile": {},
        "pspReference": payment.psp,
        "reference": payment.reference,
    }
    if redirect_url is not None:
        body["redirectUrl"] = redirect_url
    if payment.ask.metadata is not None:
        body["metadata"] = payment.ask.metadata
    if payment.authorized_at is not None:
        method["cardBin"] = CARD_BIN
        body["captureGuaranteedUntil"] = guarantee_shape(payment)
    if payment.sub is not None:
        body["profile"] = {"sub": payment.sub}
        body["userDetails"] = user_details(payment, person)
    if payment.shipping is not None:
        body["shippingDetails"] = payment.shipping
    return body


def modification_shape(payment: Payment) -> dict[str, Any]:
    """What capture, cancel and refund answer: the payment's amount, not the step's."""
    return {
        "amount": amount_shape(payment.amount, payment.currency),
        "state": payment.state,
        "aggregate": aggregate_shape(payment),
        "pspReference": payment.psp,
        "reference": payment.reference,
    }


def event_shape(payment: Payment, event: Event) -> dict[str, Any]:
    """One line of the log."""
    body: dict[str, Any] = {
        "reference": payment.reference,
        "pspReference": event.psp,
        "name": event.name,
        "amount": amount_shape(event.amount, payment.currency),
        "timestamp": iso(event.at),
        "success": True,
    }
    if event.key is not None:
        body["idempotencyKey"] = event.key
    return body


def aggregate_shape(payment: Payment) -> dict[str, Any]:
    """The four sums."""
    return {
        "authorizedAmount": amount_shape(payment.authorized, payment.currency),
        "cancelledAmount": amount_shape(payment.cancelled, payment.currency),
        "capturedAmount": amount_shape(payment.captured, payment.currency),
        "refundedAmount": amount_shape(payment.refunded, payment.currency),
    }


def guaranteed_until(payment: Payment) -> int:
    """Until when a capture of what is reserved cannot fail for want of money."""
    return (payment.authorized_at or 0) + GUARANTEE_DAYS * DAY


def guarantee_shape(payment: Payment) -> str:
    """The same as the real host spells it: three decimals, and the offset in digits."""
    moment = datetime.fromtimestamp(guaranteed_until(payment) / SECOND, UTC)
    return moment.isoformat(timespec="milliseconds")


def address_shape(address: Address) -> dict[str, str]:
    """Where somebody lives."""
    return {
        "addressLine1": address.street_address,
        "city": address.region,
        "country": address.country,
        "postCode": address.postal_code,
    }


def user_details(payment: Payment, person: Person | None) -> dict[str, Any]:
    """What the payer agreed to share, as far as the sandbox knows it."""
    if person is None:
        return {}
    scope = (payment.ask.scope or "").split()
    found: dict[str, Any] = {}
    if "name" in scope:
        first, _, last = person.name.rpartition(" ")
        found |= {"firstName": first or person.name, "lastName": last if first else ""}
    if "email" in scope and person.email is not None:
        found["email"] = person.email
    if "phoneNumber" in scope:
        found["mobileNumber"] = person.phone_number
    if "birthDate" in scope and person.birth_date is not None:
        found["dateOfBirth"] = person.birth_date
    if "address" in scope and person.address is not None:
        found["addresses"] = [address_shape(person.address)]
    return found
