"""Tag Purchases: what a person has bought once, and how it stands."""

from __future__ import annotations

from avtale.api.contract import refusals
from avtale.api.doors import PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.paths import PurchaseId, parse_id
from avtale.api.payments.purchase_shapes import Purchase, Purchases
from avtale.service.following import list_purchases, poll_purchase

routes = Routes("Purchases", PersonDoor)


@routes.get(
    "/api/v1/purchases",
    operation_id="listV1Purchases",
    summary="Get purchases for authenticated end user",
    responses=refusals(401, 404, 500, 503),
)
async def purchases(visit: TheVisit, house: TheHouse) -> Purchases:
    """The caller's purchases, newest first."""
    views = await list_purchases(house.db, visit.tenant, visit.caller.person)
    return Purchases(purchases=[Purchase.of(view) for view in views])


@routes.get(
    "/api/v1/purchases/{purchaseId}",
    operation_id="getV1Purchases",
    summary="Get purchase status",
    responses=refusals(401, 404, 409, 500, 503),
)
async def purchase_status(purchase_id: PurchaseId, visit: TheVisit, house: TheHouse) -> Purchase:
    """The purchase as it stands. While it may still move this asks Vipps, so that a lost webhook delays nobody.

    The owner reads what is theirs, an administrator anybody's.
    """
    wanted = parse_id(purchase_id, "purchase")
    person = None if visit.caller.is_admin else visit.caller.person
    return Purchase.of(await poll_purchase(house.db, house.gateways, visit.tenant, person, wanted))
