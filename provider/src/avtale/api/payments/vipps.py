"""Tag Vipps: start a checkout of an agreement or a purchase, and follow the agreement that comes of it."""

from __future__ import annotations

from avtale.api.contract import refusals
from avtale.api.doors import PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.paths import AgreementId, IdempotencyKey, parse_id
from avtale.api.payments.shapes import Agreement, CheckoutAnswer, CheckoutRequest
from avtale.service.buying import PurchaseCheckout, check_out
from avtale.service.checkout import Checkout, CheckoutWish
from avtale.service.reading import poll_agreement

routes = Routes("Vipps", PersonDoor)


@routes.post(
    "/api/v1/pay/vipps/checkout",
    operation_id="postV1PayVippsCheckout",
    summary="Initialize Vipps checkout",
    responses=refusals(400, 401, 404, 408, 409, 413, 415, 500, 502, 503, 504),
)
async def checkout(
    wish: CheckoutRequest, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> CheckoutAnswer:
    """Draft an agreement at Vipps, or answer the one that the same person has drafted for this product.

    A product that is bought once makes a purchase instead: the money is reserved when the person approves, and
    taken when access is given. Its status is at `/api/v1/purchases/{purchaseId}`.
    """
    started = await check_out(
        house.db,
        house.gateways,
        visit.tenant,
        visit.caller.person,
        CheckoutWish(
            wish.product_id,
            wish.return_url,
            wish.phone_number,
            wish.is_app,
            wish.campaign,
            consents=wish.consents,
            voucher=wish.voucher,
        ),
        idempotency_key,
    )
    return CheckoutAnswer(
        agreement_id=started.agreement_id if isinstance(started, Checkout) else None,
        purchase_id=started.purchase_id if isinstance(started, PurchaseCheckout) else None,
        confirmation_url=started.confirmation_url,
        expires_at=started.expires_at,
    )


@routes.get(
    "/api/v1/pay/vipps/recurring/agreements/{agreementId}",
    operation_id="getV1PayVippsRecurringAgreements",
    summary="Get Vipps agreement status",
    responses=refusals(401, 404, 409, 500, 503),
)
async def agreement_status(agreement_id: AgreementId, visit: TheVisit, house: TheHouse) -> Agreement:
    """The agreement as it stands. While it is pending this asks Vipps, so that a lost webhook delays nobody."""
    wanted = parse_id(agreement_id, "agreement")
    return Agreement.of(await poll_agreement(house.db, house.gateways, visit.tenant, visit.caller.person, wanted))
