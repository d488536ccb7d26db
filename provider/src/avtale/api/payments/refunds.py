"""Tag Refunds: give money back."""

from __future__ import annotations

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.paths import ChargeId, IdempotencyKey, parse_id
from avtale.api.payments.purchase_shapes import RefundAnswer, RefundRequest
from avtale.service.refunding import refund_charge

routes = Routes("Refunds", AdminDoor)


@routes.post(
    "/api/v1/charges/{chargeId}/refunds",
    operation_id="postV1ChargesRefunds",
    summary="Refund a charge, in part or in full (admin)",
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 502, 503),
)
async def refund(
    charge_id: ChargeId, wish: RefundRequest, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> RefundAnswer:
    """Give back what a charge captured. The sum is reserved first, so that two requests never exceed it."""
    wanted = parse_id(charge_id, "charge")
    answer = await refund_charge(
        house.db,
        house.gateways,
        visit.tenant,
        wanted,
        wish.amount,
        wish.reason,
        visit.caller.person,
        idempotency_key,
    )
    return RefundAnswer(
        refund_id=answer.refund_id,
        status="accepted" if answer.status == "accepted" else "unknown",
        amount=answer.amount,
    )
