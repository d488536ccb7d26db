"""Tag Config: what is wrong with the tenant's set-up."""

from __future__ import annotations

from starlette.requests import Request

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, Routes, TheHouse, TheVisit, hall_of
from avtale.api.payments.setup_shapes import ConfigErrors
from avtale.service.inspecting import find_config_errors

routes = Routes("Config", AdminDoor)


@routes.get(
    "/api/v1/config/errors",
    operation_id="listV1ConfigErrors",
    summary="List configuration errors (admin)",
    responses=refusals(401, 403, 404, 500, 503),
)
async def config_errors(request: Request, visit: TheVisit, house: TheHouse) -> ConfigErrors:
    """What is wrong now, found by asking Vipps and every issuer; an empty list says that all is well."""
    ask_issuer = hall_of(request).identity.ask
    return ConfigErrors.of(await find_config_errors(house.db, house.gateways, visit.tenant, ask_issuer))
