"""Our words to Vipps ePayment and back: pure functions, wishes to bytes and bytes to observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from avtale.domain.charge import Totals
from avtale.domain.money import Money
from avtale.domain.purchase import PurchaseTerms
from avtale.domain.settlement import GatewayChargeState, ObservedCharge
from avtale.domain.wishes import PaymentWish, WrittenRequest
from avtale.gateways.vipps.limits import AMOUNT_MIN, MSISDN
from avtale.gateways.vipps.reading import Json, minor_units, object_of, optional_text, text
from avtale.gateways.vipps.translate import json_bytes, same
from avtale.gateways.vipps.wording import length, shortened

PAYMENTS = "/epayment/v1/payments"

AMOUNT_MAX = 65_000_000
DESCRIPTION_LENGTH_MIN, DESCRIPTION_LENGTH_MAX = 3, 100
RETURN_URL_LENGTH_MAX = 2500

_STATES = {
    "CREATED": GatewayChargeState.WAITING,
    "AUTHORIZED": GatewayChargeState.RESERVED,
    "ABORTED": GatewayChargeState.ABORTED,
    "EXPIRED": GatewayChargeState.EXPIRED,
    "TERMINATED": GatewayChargeState.CANCELLED,
}


def check_terms(terms: PurchaseTerms) -> None:
    """Raises ValueError where Vipps would refuse a payment on these terms, saying why."""
    if not terms.name.strip():
        raise ValueError("the product's name is empty")
    _check_price(terms.price)


def payment_path(order_id: UUID) -> str:
    """Where a payment lives: its reference is our order id."""
    return f"{PAYMENTS}/{order_id}"


def write_payment(wish: PaymentWish) -> WrittenRequest:
    """A payment that the person approves on a page of Vipps, and that is then reserved. Raises ValueError where
    Vipps would refuse it; a long description is shortened, one that is too short for Vipps is left out."""
    _check_price(wish.amount)
    if not wish.return_url or length(wish.return_url) > RETURN_URL_LENGTH_MAX:
        raise ValueError(f"a return address has 1 to {RETURN_URL_LENGTH_MAX} characters")
    said: dict[str, Any] = {
        "amount": _amount(wish.amount),
        "paymentMethod": {"type": "WALLET"},
        "reference": str(wish.order_id),
        "userFlow": "WEB_REDIRECT",
        "returnUrl": wish.return_url,
    }
    description = shortened(wish.description.strip(), DESCRIPTION_LENGTH_MAX)
    if len(description) >= DESCRIPTION_LENGTH_MIN:
        said["paymentDescription"] = description
    if wish.phone_number is not None:
        if not MSISDN.fullmatch(wish.phone_number):
            raise ValueError("a phone number is 8 to 15 digits, country code first")
        said["customer"] = {"phoneNumber": wish.phone_number}
    return WrittenRequest(wish.order_id, "POST", PAYMENTS, json_bytes(said))


def write_capture(request_id: UUID, order_id: UUID, amount: Money) -> WrittenRequest:
    """Take this much of what is reserved."""
    return _modification(request_id, order_id, "capture", amount)


def write_refund(request_id: UUID, order_id: UUID, amount: Money) -> WrittenRequest:
    """Give this much of what was taken back; ePayment has no place for a reason."""
    return _modification(request_id, order_id, "refund", amount)


def write_release(request_id: UUID, order_id: UUID) -> WrittenRequest:
    """End a payment: all that is not taken is given up. The body is an object: an empty one may become a list."""
    body = json_bytes({"cancelTransactionOnly": False})
    return WrittenRequest(request_id, "POST", f"{payment_path(order_id)}/cancel", body)


def read_created(body: bytes, order_id: UUID) -> str | None:
    """The address at which the person approves. Raises ValueError: without it nobody can."""
    said = object_of(body)
    same("payment", text(said, "reference"), str(order_id))
    return text(said, "redirectUrl")


def read_address(body: bytes, order_id: UUID) -> str | None:
    """The same address out of a payment that is there, if it is told. Raises ValueError."""
    said = object_of(body)
    same("payment", text(said, "reference"), str(order_id))
    return optional_text(said, "redirectUrl")


def read_payment(body: bytes, order_id: UUID) -> ObservedCharge:
    """One payment with its cumulative totals. Its state freezes when it is authorized: what became of the money
    afterwards is in the sums alone (ePayment, payment states). Raises ValueError."""
    said = object_of(body)
    same("payment", text(said, "reference"), str(order_id))
    state = _STATES.get(name := text(said, "state"))
    if state is None:
        raise ValueError(f"a payment state that we do not know: {name[:40]}")
    sums = said.get("aggregate")
    if not isinstance(sums, dict):
        raise ValueError("aggregate is not an object")
    authorized, cancelled, captured, refunded = (
        _value(sums, name) for name in ("authorizedAmount", "cancelledAmount", "capturedAmount", "refundedAmount")
    )
    if refunded > captured:
        raise ValueError(f"refunded {refunded} of {captured} captured")
    if captured:
        state = GatewayChargeState.CAPTURED
    elif state is GatewayChargeState.RESERVED and 0 < authorized <= cancelled:
        state = GatewayChargeState.CANCELLED
    return ObservedCharge(str(order_id), state, Totals(captured, refunded, cancelled))


def _value(sums: Json, name: str) -> int:
    amount = sums.get(name)
    if not isinstance(amount, dict):
        raise ValueError(f"{name} is not an amount")
    return minor_units(amount, "value")


def _modification(request_id: UUID, order_id: UUID, what: str, amount: Money) -> WrittenRequest:
    if not 1 <= amount.amount <= AMOUNT_MAX:
        raise ValueError(f"an amount is 1 to {AMOUNT_MAX} minor units, not {amount.amount}")
    body = json_bytes({"modificationAmount": _amount(amount)})
    return WrittenRequest(request_id, "POST", f"{payment_path(order_id)}/{what}", body)


def _amount(amount: Money) -> Mapping[str, Any]:
    return {"currency": amount.currency, "value": amount.amount}


def _check_price(price: Money) -> None:
    least = AMOUNT_MIN.get(price.currency)
    if least is None:
        raise ValueError(f"Vipps takes payments in {', '.join(AMOUNT_MIN)}, not {price.currency}")
    if not least <= price.amount <= AMOUNT_MAX:
        raise ValueError(f"a price in {price.currency} is {least} to {AMOUNT_MAX} minor units")
