"""Orders that were accepted among many and not created after all: they are over, and their charges get new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from uuid import UUID

from avtale.domain.charge import Attempt, AttemptStatus
from avtale.domain.outcome import Answered, Outcome, Refused
from avtale.domain.periods import local_date
from avtale.domain.ports import AgreementGateway
from avtale.domain.settlement import ObservedCharge
from avtale.service.sending import order_again
from avtale.storage import agreements, charges, checks, inbox
from avtale.storage.checks import Check
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant

Told = tuple[Check, Outcome[ObservedCharge]]

_WHY = Refused(HTTPStatus.NOT_FOUND, "charge-creation-failed", "it was accepted, and could not be created afterwards")


async def settle_uncreated(
    db: Database,
    gateway: AgreementGateway,
    tenant: Tenant,
    tried: Mapping[UUID, Attempt],
    told: Sequence[Told],
) -> list[Told]:
    """End what was not created, and give back the readings that are about something else.

    That an order is not there (yet) proves nothing by itself. It is over where the gateway has told so, or its due date
    has come, from which on nobody can create it; and only if the same keys find its agreement.
    """
    missing = {one.id: one for one, outcome in told if _is_missing(tried[one.id], outcome)}
    if not missing:
        return list(told)
    drawn_on = {tried[attempt_id].gateway_agreement_id or "" for attempt_id in missing}
    there = {one for one in sorted(drawn_on) if isinstance(await gateway.fetch_agreement(one), Answered)}
    over: list[Check] = []
    async with db.tenant(tenant.id) as tx:
        owed = await charges.get_charges(tx, {tried[attempt_id].charge_id for attempt_id in missing})
        await agreements.lock_agreements(tx, {charge.owner_id for charge in owed.values()})
        named = await inbox.told_not_created(tx, missing.keys())
        today = local_date(tx.now, tenant.zone)
        for attempt_id, one in sorted(missing.items()):
            attempt = tried[attempt_id]
            is_over = attempt_id in named or owed[attempt.charge_id].due <= today
            if is_over and attempt.gateway_agreement_id in there:
                if await charges.uncreate(tx, attempt_id):
                    await order_again(tx, attempt_id, _WHY)
                over.append(one)
        await checks.finish(tx, [(one, None) for one in over])
    gone = {one.id for one in over}
    return [(one, outcome) for one, outcome in told if one.id not in gone]


def _is_missing(attempt: Attempt, outcome: Outcome[ObservedCharge]) -> bool:
    made_with_others = attempt.status is AttemptStatus.ACCEPTED and attempt.batch_id is not None
    return made_with_others and isinstance(outcome, Refused) and outcome.status == HTTPStatus.NOT_FOUND
