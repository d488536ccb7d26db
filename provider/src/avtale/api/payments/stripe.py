"""Tag Stripe Checkout: start a subscription or a purchase that its payer's browser confirms."""

from __future__ import annotations

from avtale.api.contract import refusals
from avtale.api.doors import PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.paths import IdempotencyKey
from avtale.api.payments.stripe_shapes import (
    StripeCheckoutAnswer,
    StripeCheckoutRequest,
    StripeTvodAnswer,
    StripeTvodRequest,
)
from avtale.service.renting import start_payment
from avtale.service.subscribing import StripeWish, start_subscription

routes = Routes("Stripe Checkout", PersonDoor)


@routes.post(
    "/api/v1/pay/stripe/checkout",
    operation_id="postV1PayStripeCheckout",
    summary="Create Stripe subscription checkout",
    responses=refusals(400, 401, 404, 408, 409, 413, 415, 500, 502, 503, 504),
)
async def checkout(
    wish: StripeCheckoutRequest, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> StripeCheckoutAnswer:
    """Make a subscription at Stripe, or answer the one that the same person has begun for this product.

    It becomes active when the payer has confirmed it: ask for the agreement's status, and believe no browser.
    """
    started = await start_subscription(
        house.db,
        house.gateways,
        visit.tenant,
        visit.caller.person,
        StripeWish(wish.product_id, wish.payment_method_id, wish.email, wish.name, wish.consents, wish.voucher),
        idempotency_key,
    )
    return StripeCheckoutAnswer(
        agreement_id=started.agreement_id,
        client_secret=started.client_secret,
        confirms="setup" if started.confirms == "setup" else "payment",
        publishable_key=started.publishable_key,
        expires_at=started.expires_at,
    )


@routes.post(
    "/api/v1/pay/stripe/tvod",
    operation_id="postV1PayStripeTvod",
    summary="Create Stripe TVOD payment intent",
    responses=refusals(400, 401, 404, 408, 409, 413, 415, 500, 502, 503, 504),
)
async def tvod(
    wish: StripeTvodRequest, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> StripeTvodAnswer:
    """Make a payment for a product that is bought once, or answer the one that the same person has begun.

    Access is given when the money is taken. Its status is at `/api/v1/purchases/{purchaseId}`.
    """
    started = await start_payment(
        house.db,
        house.gateways,
        visit.tenant,
        visit.caller.person,
        StripeWish(wish.product_id, None, wish.email, wish.name),
        idempotency_key,
    )
    return StripeTvodAnswer(
        purchase_id=started.purchase_id,
        client_secret=started.client_secret,
        publishable_key=started.publishable_key,
        expires_at=started.expires_at,
    )
