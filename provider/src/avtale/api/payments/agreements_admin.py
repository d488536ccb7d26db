"""Tag Agreements, for administrators: somebody else's agreements."""

from __future__ import annotations

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.agreements import IncludeDrafts
from avtale.api.payments.paths import AgreementId, parse_id
from avtale.api.payments.people import EncodedId, IssuerName, subjects
from avtale.api.payments.shapes import Agreement, Agreements
from avtale.service.reading import find_person, get_agreement, list_agreements
from avtale.service.stopping import stop_agreement

routes = Routes("Agreements", AdminDoor)


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
    encoded_id: EncodedId, agreement_id: AgreementId, visit: TheVisit, house: TheHouse, issuer: IssuerName = None
) -> Agreement:
    """Charge no more. Access lasts to the end of what is paid."""
    wanted = parse_id(agreement_id, "agreement")
    person = await find_person(house.db, visit.tenant, subjects(encoded_id), issuer)
    await get_agreement(house.db, visit.tenant, person, wanted)
    await stop_agreement(house.db, house.gateways, visit.tenant, None, wanted)
    return Agreement.of(await get_agreement(house.db, visit.tenant, person, wanted))
