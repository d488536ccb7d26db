"""The shapes of events, and of the endpoints that they are delivered to, as the contract publishes them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from avtale.api.payments.kinds import Instant, Shape, shown
from avtale.domain import event as domain
from avtale.domain.addresses import URL_LENGTH_MAX
from avtale.service.endpoints import EndpointView

Cursor = Annotated[str, Field(pattern="^[0-9]{1,18}$", examples=["0"])]

EventTypes = Annotated[
    list[Annotated[domain.EventKind, Field(strict=False)]] | None,
    Field(min_length=1, max_length=50, description="the types of events that it gets; null for all"),
]
OVERLAP_HOURS_MAX = 168


class Event(Shape):
    """Something that happened to an agreement or a purchase.

    `agreementSeq` counts the events of each from 1 without gaps; `data` depends on the `type`.
    """

    id: UUID
    type: str = Field(examples=["charge.paid"], description="more types may come")
    timestamp: Instant
    cursor: Cursor
    agreement_id: UUID | None
    purchase_id: UUID | None
    agreement_seq: int
    issuer: str
    subject: str
    product_id: str
    data: dict[str, Any]

    @staticmethod
    def of(event: domain.Event) -> Event:
        return Event(
            id=event.id,
            type=event.kind,
            timestamp=event.occurred_at,
            cursor=str(event.position),
            agreement_id=event.agreement_id,
            purchase_id=event.purchase_id,
            agreement_seq=event.agreement_seq,
            issuer=event.issuer,
            subject=event.subject,
            product_id=event.product_id,
            data=dict(event.data),
        )


class Events(Shape):
    """Events behind a cursor, in order; `next` is the cursor to go on from, also when there is nothing new."""

    events: list[Event]
    next: Cursor


class EndpointRequest(Shape):
    """An address that events are to be delivered to."""

    model_config = Shape.model_config | shown(url="https://film.example/events")

    url: str = Field(min_length=1, max_length=URL_LENGTH_MAX)
    types: EventTypes = None


class TypesRequest(Shape):
    """The types of events that an endpoint is to get from now on; null for all."""

    model_config = Shape.model_config | shown(types=["charge.paid", "charge.refunded"])

    types: EventTypes


class SecretRequest(Shape):
    """How long deliveries are signed with the present secret too, so that the receiver can change in its own time."""

    model_config = Shape.model_config | shown(overlapHours=24)

    overlap_hours: int = Field(24, ge=0, le=OVERLAP_HOURS_MAX)


class ReplayRequest(Shape):
    """From where on events are to be delivered once more: all of them from "0"."""

    model_config = Shape.model_config | shown(after="0")

    after: Cursor


class Endpoint(Shape):
    """Where events are delivered to; `waiting` events of `waitingAgreements` agreements have not been taken yet."""

    endpoint_id: UUID
    name: str | None = Field(description="its name in the tenants file, if it is from there")
    url: str
    created_at: Instant
    disabled_at: Instant | None
    disabled_reason: str | None
    types: list[str] | None = Field(description="the types of events that it gets; null for all")
    old_secret_until: Instant | None = Field(description="until when the secret before the present one signs as well")
    waiting: int
    waiting_agreements: int
    last_error: str | None

    @staticmethod
    def of(view: EndpointView) -> Endpoint:
        return Endpoint(**_endpoint(view))


class NewEndpoint(Endpoint):
    """An endpoint with the new secret that its receiver checks signatures with (Standard Webhooks)."""

    secret: str = Field(examples=["whsec_..."])

    @staticmethod
    def made(view: EndpointView, secret: str) -> NewEndpoint:
        return NewEndpoint(secret=secret, **_endpoint(view))


class Endpoints(Shape):
    """The tenant's endpoints, oldest first."""

    endpoints: list[Endpoint]


class EndpointDeleted(Shape):
    """The endpoint that is gone."""

    endpoint_id: UUID


def _endpoint(view: EndpointView) -> dict[str, Any]:
    return {
        "endpoint_id": view.endpoint.id,
        "name": view.endpoint.name,
        "url": view.endpoint.url,
        "created_at": view.endpoint.created_at,
        "disabled_at": view.endpoint.disabled_at,
        "disabled_reason": view.endpoint.disabled_reason,
        "types": view.endpoint.types,
        "old_secret_until": view.endpoint.old_secret_wall,
        "waiting": view.waiting.events,
        "waiting_agreements": view.waiting.lanes,
        "last_error": view.waiting.last_error,
    }
