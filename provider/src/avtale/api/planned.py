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


def _of(tag: str, *rows: tuple[str, str, str, str]) -> list[Planned]:
    return [Planned(tag, *row) for row in rows]


_METHODS = "/api/v1/customer/paymentMethods"

PLANNED: tuple[Planned, ...] = (
    *_of(
        "Stripe Checkout",
        ("POST", "/api/v1/pay/stripe/tvod", "postV1PayStripeTvod", "Create Stripe TVOD payment intent"),
    ),
    *_of(
        "Customer",
        ("GET", "/api/v1/customer", "listV1Customer", "Get customer for authenticated end user"),
        ("POST", "/api/v1/customer/", "postV1Customer", "Create customer for authenticated end user"),
        ("PUT", "/api/v1/customer/", "putV1Customer", "Update customer (default payment method)"),
        ("GET", _METHODS, "listV1CustomerPaymentMethods", "Get payment methods for authenticated end user"),
        (
            "DELETE",
            f"{_METHODS}/{{paymentMethodId}}/remove",
            "deleteV1CustomerPaymentMethodsRemove",
            "Remove payment method",
        ),
    ),
)
