"""Stop an agreement: the gateway hears of it at once, and access lasts to the end of what is paid."""

from __future__ import annotations

from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus, AgreementVerb, step
from avtale.domain.errors import NotFound
from avtale.domain.ports import Gateways
from avtale.service.checking import read_now
from avtale.service.checkout import Person
from avtale.service.sending import lease_seconds, send_written
from avtale.service.settling import ask_to_stop
from avtale.storage import agreements, calls
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant


async def stop_agreement(
    db: Database, gateways: Gateways, tenant: Tenant, person: Person | None, agreement_id: UUID
) -> None:
    """Stop a person's own agreement, or anybody's for the merchant (None); stopping it again changes nothing.

    Raises NotFound for an agreement of somebody else, IllegalStep while it is still a draft. Without an answer
    from Vipps it stays `stopping`, is charged no more, and the same call is made until the answer is certain.
    """
    reason = "stopped_by_merchant" if person is None else "stopped_by_person"
    gateway = await gateways.recurring(tenant.id)
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None or not may_see(person, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        step(agreement.status, AgreementVerb.ASK_TO_STOP)
        if agreement.status is not AgreementStatus.ACTIVE:
            return
        drafts = await agreements.drafts_of(tx, [agreement_id])
        draft = next(draft for draft in drafts if draft.status == "won")
        _, call = await ask_to_stop(tx, gateway, agreement, draft.id, reason)
        await calls.write_calls(tx, [call], lease_seconds(gateways, 1))
    await send_written(db, gateways, tenant, [call])
    await read_now(db, gateway, tenant, draft)


def may_see(person: Person | None, agreement: Agreement) -> bool:
    """Whether an agreement is this person's (the pair of issuer and subject decides); the merchant (None) sees all."""
    return person is None or (agreement.issuer, agreement.subject) == (person.issuer, person.subject)
