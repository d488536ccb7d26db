"""Tag Stripe Webhooks: take in what Stripe tells, once it is proven to be from Stripe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request

from avtale.api.contract import refusals
from avtale.api.doors import Door, Routes, TheHouse, hall_of, read_body
from avtale.api.house import House
from avtale.api.payments.kinds import Flag
from avtale.api.payments.shapes import WebhookAnswer
from avtale.api.tenancy import TenantUnknown
from avtale.service.absorbing import absorb_stripe_webhook
from avtale.storage.tenants import Tenant

routes = Routes("Stripe Webhooks", Door)

OnlyTest = Annotated[
    Flag, Query(alias="test", description="the endpoint is one of test mode: events about real money are not taken")
]
_EVENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "An event of Stripe. Its exact bytes are signed (`Stripe-Signature`).",
        "content": {
            "application/json": {
                "schema": {"type": "object", "examples": [{"object": "event", "type": "invoice.paid"}]}
            }
        },
    }
}


@routes.post(
    "/api/v1/webhook/stripe/",
    operation_id="postV1WebhookStripe",
    summary="Receive Stripe webhook (shared tenant mode)",
    responses=refusals(400, 408, 413, 500, 503),
    openapi_extra=_EVENT,
)
async def webhook(request: Request, house: TheHouse, test: OnlyTest = False) -> WebhookAnswer:
    """Keep an authentic event for the tenant of the account that it names, else of this host.

    Whatever it is about, the truth is read at Stripe afterwards. A repeated event is answered 200 as well.
    """
    try:
        candidates = [(await hall_of(request).tenancy.at_host(request.headers.get("host"))).tenant]
    except TenantUnknown:
        candidates = []
    return await _absorb(request, house, candidates, test)


@routes.post(
    "/api/v1/webhook/stripe/{organization}",
    operation_id="postV1WebhookStripe2",
    summary="Receive Stripe webhook (organization path)",
    responses=refusals(400, 408, 413, 500, 503),
    openapi_extra=_EVENT,
)
async def webhook_of(organization: str, request: Request, house: TheHouse, test: OnlyTest = False) -> WebhookAnswer:
    """Keep an authentic event for the tenant of the account that it names, else of that tenant of the organization
    whose secret has signed it."""
    return await _absorb(request, house, await hall_of(request).tenancy.organized(organization), test)


async def _absorb(request: Request, house: House, candidates: Sequence[Tenant], only_test: bool) -> WebhookAnswer:
    body = await read_body(request)
    await absorb_stripe_webhook(
        house.db,
        hall_of(request).intake,
        house.gateways,
        house.sealer,
        candidates,
        dict(request.headers),
        body,
        house.wall(),
        only_test=only_test,
    )
    return WebhookAnswer()
