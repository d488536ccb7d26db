"""Tag Agreements: what a person subscribes to, and stopping it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from avtale.api.contract import refusals
from avtale.api.doors import PersonDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.kinds import Flag
from avtale.api.payments.paths import AgreementId, IdempotencyKey, parse_id
from avtale.api.payments.shapes import Agreement, Agreements
from avtale.service.noting import WHY_LENGTH_MAX, said_why
from avtale.service.reading import get_agreement, list_agreements
from avtale.service.repeating import bind_key
from avtale.service.stopping import stop_agreement

routes = Routes("Agreements", PersonDoor)

StopReason = Annotated[
    str | None, Query(min_length=1, max_length=WHY_LENGTH_MAX, description="why, in the words of whoever stops it")
]
IncludeDrafts = Annotated[Flag, Query(alias="includeDrafts", description="also those that never became active")]


@routes.get(
    "/api/v1/agreements",
    operation_id="listV1Agreements",
    summary="Get agreements for authenticated end user",
    responses=refusals(400, 401, 404, 500, 503),
)
async def agreements(
    visit: TheVisit,
    house: TheHouse,
    include_drafts: IncludeDrafts = False,
) -> Agreements:
    """The caller's agreements, newest first."""
    views = await list_agreements(house.db, visit.tenant, visit.caller.person, include_drafts=include_drafts)
    return Agreements(agreements=[Agreement.of(view) for view in views])


@routes.post(
    "/api/v1/agreements/{agreementId}/stop",
    operation_id="postV1AgreementsStop",
    summary="Stop agreement (end-user)",
    responses=refusals(400, 401, 404, 409, 500, 503),
)
async def stop(
    agreement_id: AgreementId,
    visit: TheVisit,
    house: TheHouse,
    reason: StopReason = None,
    idempotency_key: IdempotencyKey = None,
) -> Agreement:
    """Charge no more. Access lasts to the end of what is paid; stopping again changes nothing.

    What an owner gives as the reason is on the agreement and told with its end; an administrator's is in the log.

    The owner stops what is theirs, an administrator anybody's. The answer says `stopping` while Vipps has not
    confirmed it.
    """
    wanted = parse_id(agreement_id, "agreement")
    person = None if visit.caller.is_admin else visit.caller.person
    await bind_key(house.db, visit.tenant, visit.caller.person, "stop", idempotency_key, (wanted, False))
    why, by = said_why(reason) if reason is not None else "", visit.caller.person if person is None else None
    await stop_agreement(house.db, house.gateways, visit.tenant, person, wanted, by=by, why=why)
    return Agreement.of(await get_agreement(house.db, visit.tenant, person, wanted))
