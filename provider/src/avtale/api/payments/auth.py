"""Tag Auth: the object that a person's entitlements are read from."""

from __future__ import annotations

from avtale.api.contract import refusals
from avtale.api.doors import PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.paths import IdempotencyKey
from avtale.api.payments.setup_shapes import EntitlementObject
from avtale.service.entitling import set_up_entitlements
from avtale.service.repeating import bind_key

routes = Routes("Auth", PersonDoor)


@routes.post(
    "/api/v1/auth/setup",
    operation_id="postV1AuthSetup",
    summary="Initialize entitlement object for authenticated user",
    responses=refusals(400, 401, 404, 409, 500, 503),
)
async def set_up(visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None) -> EntitlementObject:
    """Make the caller's entitlement object, or answer the one that is there: rights are never taken away by this.

    Every repeat answers the same, with the same `Idempotency-Key` or without one.
    """
    await bind_key(house.db, visit.tenant, visit.caller.person, "set-up", idempotency_key, "")
    return EntitlementObject.of(await set_up_entitlements(house.db, visit.tenant, visit.caller.person))
