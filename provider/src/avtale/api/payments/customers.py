"""Tag Customer: who somebody is at Stripe, and what they pay with."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from avtale.api.contract import refusals
from avtale.api.doors import PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.paths import IdempotencyKey
from avtale.api.payments.stripe_shapes import (
    Customer,
    CustomerChange,
    CustomerRequest,
    PaymentMethods,
    RemovedMethod,
)
from avtale.service.repeating import bind_key
from avtale.service.wallets import change_customer, get_customer, get_wallet, make_customer, remove_method

routes = Routes("Customer", PersonDoor)

METHODS = "/api/v1/customer/paymentMethods"
MethodInPath = Annotated[str, Path(alias="paymentMethodId", min_length=1, max_length=255)]


@routes.get(
    "/api/v1/customer",
    operation_id="listV1Customer",
    summary="Get customer for authenticated end user",
    responses=refusals(401, 404, 409, 500, 502, 503, 504),
)
async def customer(visit: TheVisit, house: TheHouse) -> Customer:
    """Who the caller is at Stripe; nobody is a customer there before they first check out, or ask for it."""
    return Customer.of(await get_customer(house.db, house.gateways, visit.tenant, visit.caller.person))


@routes.post(
    "/api/v1/customer/",
    operation_id="postV1Customer",
    summary="Create customer for authenticated end user",
    responses=refusals(400, 401, 404, 408, 409, 413, 415, 500, 502, 503, 504),
)
async def create(
    wish: CustomerRequest, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> Customer:
    """Make the caller a customer at Stripe, or answer the customer that they are, with what is given here."""
    person = visit.caller.person
    await bind_key(house.db, visit.tenant, person, "customer", idempotency_key, wish)
    return Customer.of(await make_customer(house.db, house.gateways, visit.tenant, person, wish.email, wish.name))


@routes.put(
    "/api/v1/customer/",
    operation_id="putV1Customer",
    summary="Update customer (default payment method)",
    responses=refusals(400, 401, 404, 408, 409, 413, 415, 500, 502, 503, 504),
)
async def change(
    wish: CustomerChange, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> Customer:
    """Change address, name, or what pays. The method has to be the caller's own already."""
    person = visit.caller.person
    await bind_key(house.db, visit.tenant, person, "customer change", idempotency_key, wish)
    return Customer.of(
        await change_customer(
            house.db,
            house.gateways,
            visit.tenant,
            person,
            wish.email,
            wish.name,
            wish.default_payment_method_id,
        )
    )


@routes.get(
    METHODS,
    operation_id="listV1CustomerPaymentMethods",
    summary="Get payment methods for authenticated end user",
    responses=refusals(401, 404, 409, 500, 502, 503, 504),
)
async def methods(visit: TheVisit, house: TheHouse) -> PaymentMethods:
    """What the caller can pay with, the newest first; nothing for somebody who is no customer."""
    return PaymentMethods.of(await get_wallet(house.db, house.gateways, visit.tenant, visit.caller.person))


@routes.delete(
    f"{METHODS}/{{paymentMethodId}}/remove",
    operation_id="deleteV1CustomerPaymentMethodsRemove",
    summary="Remove payment method",
    responses=refusals(400, 401, 404, 409, 500, 502, 503, 504),
)
async def remove(
    payment_method_id: MethodInPath, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> RemovedMethod:
    """Remove a payment method for good. The last one stays while an agreement is active; if the default goes, the
    newest of the others takes its place."""
    person = visit.caller.person
    await bind_key(house.db, visit.tenant, person, "remove method", idempotency_key, payment_method_id)
    left = await remove_method(house.db, house.gateways, visit.tenant, person, payment_method_id)
    return RemovedMethod(payment_method_id=payment_method_id, default_payment_method_id=left)
