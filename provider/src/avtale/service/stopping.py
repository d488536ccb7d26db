"""Stop an agreement: the gateway hears of it at once, and access lasts to the end of what is paid."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus, AgreementVerb, step
from avtale.domain.errors import NotFound
from avtale.domain.ports import Gateways
from avtale.service.announcing import announce
from avtale.service.announcing import stopped as told_stopped
from avtale.service.checking import read_now
from avtale.service.checkout import Person
from avtale.service.desks import desk_of_agreement
from avtale.service.giving import stopped
from avtale.service.noting import note
from avtale.service.sending import lease_seconds, send_written
from avtale.service.settling import ask_to_stop, grant
from avtale.storage import agreements, calls, drafts
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant


async def stop_agreement(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    person: Person | None,
    agreement_id: UUID,
    *,
    immediate: bool = False,
    hide: bool = False,
    by: Person | None = None,
    why: str = "",
) -> None:
    """Stop a person's own agreement, or anybody's for the merchant (None); stopping it again changes nothing.

    Access lasts to the end of what is paid, or ends now (`immediate`); nothing is given back. With `hide` nobody is
    shown the agreement any more, and a draft is given up as well; the books keep what was booked. An administrator
    (`by`) is noted, with `why`; that of an owner stays on the agreement, and is told with its end.

    Raises NotFound for an agreement of somebody else, IllegalStep while it is still a draft. Without an answer
    from its gateway it stays `stopping`, is charged no more, and the same call is made until the answer is certain.
    """
    reason = "stopped_by_merchant" if person is None else "stopped_by_person"
    gateway = (await desk_of_agreement(db, gateways, tenant, agreement_id)).gateway
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None or not may_see(person, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        taken_back = agreement.gift_reason is not None and agreement.status is AgreementStatus.PENDING
        if not hide and not taken_back:
            step(agreement.status, AgreementVerb.ASK_TO_STOP)
        if by is not None:
            about = f"agreement {agreement_id}"
            await note(tx, by, "stop", about, why, agreement_id=agreement_id, immediate=immediate, hidden=hide)
        if person is not None and why and agreement.status is AgreementStatus.ACTIVE:
            agreement = replace(agreement, stop_comment=why)
        before, agreement = agreement.status, _marked(tx, agreement, reason, immediate, hide)
        if agreement.status is not AgreementStatus.ACTIVE:
            await agreements.save_agreements(tx, [agreement])
            if agreement.status is AgreementStatus.STOPPED and before is not agreement.status:
                await announce(tx, [told_stopped(agreement)])
            await grant(tx, tenant, [agreement_id])
            return
        won = (await drafts.won_drafts(tx, [agreement_id]))[agreement_id]
        _, call = await ask_to_stop(tx, gateway, agreement, won.id, reason)
        if immediate:
            await grant(tx, tenant, [agreement_id])
        await calls.write_calls(tx, [call], lease_seconds(gateways, 1))
    await send_written(db, gateways, tenant, [call])
    await read_now(db, gateway, tenant, won)


def _marked(tx: Transaction, agreement: Agreement, reason: str, immediate: bool, hide: bool) -> Agreement:
    """The agreement as far as it ends without a gateway's word."""
    if hide:
        agreement = replace(agreement, hidden_at=tx.now)
    if immediate:
        agreement = replace(agreement, access_ends_at=min(agreement.access_ends_at or tx.now, tx.now))
    if agreement.status is AgreementStatus.PENDING:
        return replace(agreement, status=step(agreement.status, AgreementVerb.EXPIRE), next_charge_at=None)
    if agreement.gift_reason and agreement.status is AgreementStatus.ACTIVE:
        return stopped(tx, agreement, reason)
    return agreement


def may_see(person: Person | None, agreement: Agreement) -> bool:
    """Whether an agreement is this person's (the pair of issuer and subject decides); the merchant (None) sees all, but
    what is hidden."""
    return agreement.hidden_at is None and _is_theirs(person, agreement)


def _is_theirs(person: Person | None, agreement: Agreement) -> bool:
    return person is None or (agreement.issuer, agreement.subject) == (person.issuer, person.subject)
