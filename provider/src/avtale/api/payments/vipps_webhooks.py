"""Tag Vipps Webhooks: take in what Vipps tells, once it is proven to be from Vipps."""

from __future__ import annotations

from starlette.requests import Request

from avtale.api.contract import refusals
from avtale.api.doors import Door, Routes, TheHouse, hall_of, read_body
from avtale.api.payments.shapes import WebhookAnswer
from avtale.api.tenancy import TenantUnknown
from avtale.domain.errors import Invalid
from avtale.service.absorbing import absorb_webhook

routes = Routes("Vipps Webhooks", Door)


@routes.post(
    "/api/v1/webhook/vipps/{organization}/{tenant}",
    operation_id="postV1WebhookVipps",
    summary="Receive Vipps webhook event",
    responses=refusals(400, 408, 413, 500, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "An event of Vipps Recurring. Its exact bytes are signed.",
            "content": {
                "application/json": {
                    "schema": {"type": "object", "examples": [{"eventType": "recurring.charge-captured.v1"}]}
                }
            },
        }
    },
)
async def webhook(organization: str, tenant: str, request: Request, house: TheHouse) -> WebhookAnswer:
    """Keep an authentic event, whatever it is about, and read the truth at Vipps afterwards.

    The signature is checked against the address that was registered. A repeated event is answered 200 as well.
    """
    try:
        addressed = await hall_of(request).tenancy.named(organization, tenant)
    except TenantUnknown as unknown:
        raise Invalid(unknown.detail, code=unknown.code) from unknown
    body = await read_body(request)
    intake, headers = hall_of(request).intake, dict(request.headers)
    await absorb_webhook(intake, house.gateways, house.sealer, addressed, headers, body, house.wall())
    return WebhookAnswer()
