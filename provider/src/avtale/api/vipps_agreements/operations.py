"""The three operations of `/v1/customer/payment/vipps/agreement`, as an application of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from avtale.api.contract import without_framework_faults
from avtale.api.directory import serving
from avtale.api.doors import Hall, PersonDoor, Routes, TheHouse, TheVisit, hall_of
from avtale.api.vipps_agreements import shapes
from avtale.api.vipps_agreements.faults import tell
from avtale.api.vipps_agreements.speaking import XML, answer
from avtale.service.adding import begin_adding, customer_api, list_valid, remove_agreement
from avtale.service.pacing import keep_pace

PREFIX = "/v1/customer"
PATH = "/payment/vipps/agreement"


_TOKEN = Depends(
    HTTPBearer(
        scheme_name="Authorization_Code",
        bearerFormat="JWT",
        auto_error=False,
        description="The access token of the authorization code flow at the tenant's identity provider",
    )
)


class CustomerDoor(PersonDoor):
    """A route for whoever is signed in, at a pace, whose failures are told in this API's own shapes."""

    scheme = _TOKEN

    async def admit(self, request: Request) -> None:
        """As a PersonDoor; raises TooManyCalls as well."""
        await super().admit(request)
        house, visit = hall_of(request).house, request.state.visit
        await keep_pace(house.db, visit.tenant, visit.caller.person, house.customer_calls_per_minute_max)

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler, behind this door."""
        handle = super().get_route_handler()

        async def enter(request: Request) -> Response:
            try:
                return await handle(request)
            except ClientDisconnect:
                raise
            except Exception as error:
                return tell(request, error)

        return enter


routes = Routes("Vipps", CustomerDoor)


def _said(answered: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Every answer of an operation, for its contract."""

    def of(model: type[BaseModel], description: str) -> dict[str, Any]:
        return {"model": model, "description": description, "content": {XML: {}}}

    return {
        200: of(answered, "OK"),
        400: of(shapes.Fault, "Bad Request"),
        401: of(shapes.OAuthFault, "Unauthorized"),
        404: of(shapes.Fault, "Not Found"),
        429: of(shapes.Fault, "Too Many Requests"),
        500: of(shapes.Fault, "Internal Server Error"),
        503: of(shapes.Fault, "Service Unavailable"),
    }


def _write(request: Request, shape: shapes.Shape) -> Response:
    return answer(request, shape.model_dump(mode="json", by_alias=True, exclude_none=True))


@routes.get(
    PATH,
    operation_id="listVippsAgreements",
    summary="List vipps agreements",
    response_model=None,
    responses=_said(shapes.RecurringAgreements),
)
async def list_agreements(request: Request, visit: TheVisit, house: TheHouse) -> Response:
    """The caller's agreements that are in force."""
    api = await customer_api(house.db, visit.tenant)
    views = await list_valid(house.db, visit.tenant, visit.caller.person)
    mine = [
        shapes.RecurringAgreement(
            agreement_ref=str(view.agreement.id),
            payment_provider_id=api.payment_provider_id,
            product_code=view.agreement.terms.product_id,
        )
        for view in views
    ]
    return _write(request, shapes.RecurringAgreements(recurring_agreements=mine))


@routes.post(
    PATH,
    operation_id="addVippsAgreement",
    summary="Add vipps agreement",
    response_model=None,
    responses=_said(shapes.AddAnswer),
)
async def add_agreement(wish: shapes.AddRequest, request: Request, visit: TheVisit, house: TheHouse) -> Response:
    """Begin to add an agreement: the browser goes on with the transaction, at `/payment/vipps/agreement/add`."""
    await customer_api(house.db, visit.tenant)
    transaction_id = await begin_adding(house.db, visit.tenant, visit.caller.person, wish.product_code)
    return _write(request, shapes.AddAnswer(success=transaction_id is not None, transaction_id=transaction_id))


@routes.patch(
    PATH,
    operation_id="removeVippsAgreement",
    summary="Remove vipps agreement",
    response_model=None,
    responses=_said(shapes.RemoveAnswer),
)
async def remove(wish: shapes.RemoveRequest, request: Request, visit: TheVisit, house: TheHouse) -> Response:
    """Mark an agreement as deleted: it is charged no more, and access lasts to the end of what is paid."""
    done = await remove_agreement(
        house.db,
        house.gateways,
        visit.tenant,
        visit.caller.person,
        wish.agreement_ref,
        wish.payment_provider_id,
    )
    return _write(request, shapes.RemoveAnswer(success=done))


class CustomerApi(FastAPI):
    """The application below `/v1/customer`."""

    def openapi(self) -> dict[str, Any]:
        """Its own OpenAPI document."""
        if self.openapi_schema is None:
            without_framework_faults(super().openapi())
        return self.openapi_schema or {}


def customer_app(hall: Hall, version: str) -> CustomerApi:
    """The application that answers below `/v1/customer`, with a contract of its own at `/v1/customer/openapi.json`."""
    app = CustomerApi(
        title="avtale, customer API",
        summary="Vipps agreements of people who are signed in.",
        version=version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.hall = hall
    app.router.routes += serving([routes])
    app.add_exception_handler(HTTPException, tell)
    return app
