"""Tag Entitlements: what people may use now, for shops, identity providers and whoever lets them in."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.people import EncodedId, IssuerName, subjects
from avtale.api.payments.setup_shapes import (
    CLAIM_COUNT_MAX,
    Entitlement,
    EntitlementCheck,
    EntitlementClaim,
    Entitlements,
)
from avtale.service.entitling import claim_of, list_entitlements
from avtale.service.reading import find_person

routes = Routes("Entitlements", PersonDoor)
admin_routes = Routes("Entitlements", AdminDoor)


@routes.get(
    "/api/v1/entitlements",
    operation_id="listV1Entitlements",
    summary="Get what the caller may use now",
    responses=refusals(401, 404, 500, 503),
)
async def mine(visit: TheVisit, house: TheHouse) -> Entitlements:
    """Each product with the agreement or purchase that gives access to it, and until when."""
    found = await list_entitlements(house.db, visit.tenant, visit.caller.person)
    return Entitlements(entitlements=[Entitlement.of(one) for one in found])


@routes.post(
    "/api/v1/entitlements/check",
    operation_id="postV1EntitlementsCheck",
    summary="Check whether the caller may use some products",
    responses=refusals(400, 401, 404, 408, 413, 415, 500, 503),
)
async def check(wish: EntitlementCheck, visit: TheVisit, house: TheHouse) -> Entitlements:
    """Those of them that the caller may use at this moment: for tokens that are old, or do not hold them all."""
    asked = set(wish.product_ids)
    found = await list_entitlements(house.db, visit.tenant, visit.caller.person)
    return Entitlements(entitlements=[Entitlement.of(one) for one in found if one.product_id in asked])


@admin_routes.get(
    "/api/v1/entitlements/admin/{encodedId}",
    operation_id="getV1EntitlementsAdmin",
    summary="Get what somebody may use now (admin)",
    responses=refusals(400, 401, 403, 404, 500, 503),
)
async def of_person(encoded_id: EncodedId, visit: TheVisit, house: TheHouse, issuer: IssuerName = None) -> Entitlements:
    """As the person reads it."""
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    found = await list_entitlements(house.db, visit.tenant, person)
    return Entitlements(entitlements=[Entitlement.of(one) for one in found])


@admin_routes.get(
    "/api/v1/entitlements/admin/{encodedId}/claim",
    operation_id="getV1EntitlementsAdminClaim",
    summary="Get the claims that somebody's token should have (admin)",
    responses=refusals(400, 401, 403, 404, 500, 503),
)
async def claim(
    encoded_id: EncodedId,
    visit: TheVisit,
    house: TheHouse,
    issuer: IssuerName = None,
    limit: Annotated[int, Query(ge=1, le=CLAIM_COUNT_MAX, description="how many products a token may name")] = 50,
) -> EntitlementClaim:
    """For an identity provider to put into a token as it stands; who is not known here (404) gets no claims."""
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    return EntitlementClaim.of(await claim_of(house.db, visit.tenant, person, limit))
