"""Tag Agreements, for administrators: somebody else's agreements, those that are given, and those of tests."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.exceptions import HTTPException
from starlette.requests import Request

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, Routes, TheHouse, TheVisit, visit_of
from avtale.api.payments.agreements import IncludeDrafts
from avtale.api.payments.kinds import Flag
from avtale.api.payments.paths import AgreementId, IdempotencyKey, parse_id
from avtale.api.payments.people import EncodedId, IssuerName, subjects
from avtale.api.payments.shapes import Agreement, Agreements, Deleted, ForceAcceptRequest, GiftRequest
from avtale.service.checkout import Person
from avtale.service.forcing import force_accept, force_delete
from avtale.service.giving import Gift, give_agreement
from avtale.service.reading import find_person, get_agreement, list_agreements, only_issuer
from avtale.service.repeating import bind_key
from avtale.service.stopping import stop_agreement

ImmediateStop = Annotated[
    Flag, Query(alias="immediateStop", description="end access now, not at the end of what is paid")
]


class TestDoor(AdminDoor):
    """A route that only tenants for tests have."""

    async def admit(self, request: Request) -> None:
        """As an AdminDoor; a production tenant has no such route."""
        await super().admit(request)
        if visit_of(request).tenant.environment != "test":
            raise HTTPException(404, "only tenants for tests have this")


routes = Routes("Agreements", AdminDoor)
test_routes = Routes("Agreements", TestDoor)


@routes.get(
    "/api/v1/agreements/admin/{encodedId}",
    operation_id="getV1AgreementsAdmin",
    summary="Get agreements for end user (admin)",
    responses=refusals(400, 401, 403, 404, 500, 503),
)
async def agreements_of(
    encoded_id: EncodedId,
    visit: TheVisit,
    house: TheHouse,
    include_drafts: IncludeDrafts = False,
    issuer: IssuerName = None,
) -> Agreements:
    """Somebody's agreements, newest first."""
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    views = await list_agreements(house.db, visit.tenant, person, include_drafts=include_drafts)
    return Agreements(agreements=[Agreement.of(view) for view in views])


@routes.post(
    "/api/v1/agreements/admin/{encodedId}/{agreementId}/stop",
    operation_id="postV1AgreementsAdminStop",
    summary="Stop agreement (admin)",
    responses=refusals(400, 401, 403, 404, 409, 500, 503),
)
async def stop_for(
    encoded_id: EncodedId,
    agreement_id: AgreementId,
    visit: TheVisit,
    house: TheHouse,
    immediate: ImmediateStop = False,
    issuer: IssuerName = None,
    idempotency_key: IdempotencyKey = None,
) -> Agreement:
    """Charge no more. Access lasts to the end of what is paid, or ends now; nothing is given back."""
    wanted = parse_id(agreement_id, "agreement")
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    await get_agreement(house.db, visit.tenant, person, wanted)
    await bind_key(house.db, visit.tenant, visit.caller.person, "stop", idempotency_key, (wanted, immediate))
    by = visit.caller.person
    await stop_agreement(house.db, house.gateways, visit.tenant, None, wanted, immediate=immediate, by=by)
    return Agreement.of(await get_agreement(house.db, visit.tenant, person, wanted))


@routes.post(
    "/api/v1/agreements/admin/create",
    operation_id="postV1AgreementsAdminCreate",
    summary="Create admin agreement",
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 503),
)
async def create(
    wish: GiftRequest, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> Agreement:
    """Give somebody access without a payment company: as a present, or because something went wrong.

    It ends by itself, and can be stopped as any other.
    """
    issuer = wish.issuer or await only_issuer(house.db, visit.tenant)
    gift = Gift(Person(issuer, wish.subject), wish.product_id, wish.reason, wish.start, wish.end)
    made = await give_agreement(house.db, visit.tenant, gift, visit.caller.person, idempotency_key)
    return Agreement.of(await get_agreement(house.db, visit.tenant, None, made))


@test_routes.patch(
    "/api/v1/agreements/vipps/{agreementId}/force-accept",
    operation_id="patchV1AgreementsVippsForceaccept",
    summary="Force accept Vipps agreement (test endpoint)",
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 502, 503, 504),
)
async def accept(
    agreement_id: AgreementId,
    wish: ForceAcceptRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> Agreement:
    """Approve a draft in its payer's name, as Vipps's test environment allows. Production tenants have no such route.

    An active agreement stays as it is.
    """
    wanted = parse_id(agreement_id, "agreement")
    said = (wanted, wish.phone_number)
    await bind_key(house.db, visit.tenant, visit.caller.person, "force-accept", idempotency_key, said)
    return Agreement.of(
        await force_accept(house.db, house.gateways, visit.tenant, wanted, wish.phone_number, visit.caller.person)
    )


@test_routes.delete(
    "/api/v1/agreements/vipps/{agreementId}/force-delete",
    operation_id="deleteV1AgreementsVippsForcedelete",
    summary="Force delete Vipps agreement (test endpoint)",
    responses=refusals(400, 401, 403, 404, 409, 500, 503),
)
async def delete(
    agreement_id: AgreementId, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> Deleted:
    """Stop an agreement at Vipps, end its access, and show it to nobody any more.

    The books keep what was booked: receipts stay. Production tenants have no such route.
    """
    wanted = parse_id(agreement_id, "agreement")
    await bind_key(house.db, visit.tenant, visit.caller.person, "force-delete", idempotency_key, wanted)
    await force_delete(house.db, house.gateways, visit.tenant, wanted, visit.caller.person)
    return Deleted(agreement_id=wanted)
