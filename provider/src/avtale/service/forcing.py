"""What only tests may do to an agreement: approve it in its payer's name, and make it disappear."""

from __future__ import annotations

from uuid import UUID

from avtale.domain.agreement import AgreementStatus
from avtale.domain.errors import Conflict, GatewayBusy, GatewayRefused, GatewayUnknown, Invalid
from avtale.domain.gateway import GatewayName
from avtale.domain.outcome import Answered, Refused, Throttled
from avtale.domain.ports import Gateways
from avtale.service.checking import read_now
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.service.reading import AgreementView, get_agreement
from avtale.service.stopping import stop_agreement
from avtale.storage import drafts
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant


async def force_accept(
    db: Database, gateways: Gateways, tenant: Tenant, agreement_id: UUID, phone_number: str, by: Person
) -> AgreementView:
    """Have a draft approved as if its payer had; one that is active already stays so. For test tenants alone.

    Raises NotFound, Conflict (`agreement_not_pending`), GatewayRefused, GatewayBusy, GatewayUnknown.
    """
    view = await get_agreement(db, tenant, None, agreement_id)
    if view.agreement.status is AgreementStatus.ACTIVE:
        return view
    if view.agreement.gateway is not GatewayName.VIPPS:
        raise Conflict("only Vipps lets a draft be approved in its payer's name", code="agreement_not_pending")
    if view.agreement.status is not AgreementStatus.PENDING:
        raise Conflict(f"the agreement is {view.agreement.status.value}, no draft", code="agreement_not_pending")
    gateway = await gateways.recurring(tenant.id)
    async with db.tenant(tenant.id) as tx:
        its_drafts = await drafts.drafts_of(tx, [agreement_id])
        await note(tx, by, "force accept", f"agreement {agreement_id}", "", agreement_id=agreement_id)
    draft = next((one for one in reversed(its_drafts) if one.status == "drafted"), None)
    if draft is None or draft.gateway_agreement_id is None:
        raise Conflict("Vipps has not told the address of this draft", code="agreement_not_pending")
    try:
        request = gateway.write_acceptance(new_id(), draft.gateway_agreement_id, phone_number)
    except ValueError as error:
        raise Invalid(f"Vipps would not take this: {error}") from error
    outcome = await gateway.accept(request)
    if isinstance(outcome, Refused):
        raise GatewayRefused(f"Vipps would not approve it: {outcome.detail}", reason=outcome.code)
    if isinstance(outcome, Throttled):
        raise GatewayBusy("Vipps asks us to wait; try again", outcome.retry_after_seconds)
    await read_now(db, gateway, tenant, draft)
    if not isinstance(outcome, Answered):
        raise GatewayUnknown("Vipps did not answer; ask for the agreement's status", agreement_id=str(agreement_id))
    return await get_agreement(db, tenant, None, agreement_id)


async def force_delete(db: Database, gateways: Gateways, tenant: Tenant, agreement_id: UUID, by: Person) -> None:
    """Stop an agreement at Vipps, end its access now, and hide it. For test tenants alone. Raises NotFound."""
    await stop_agreement(db, gateways, tenant, None, agreement_id, immediate=True, hide=True, by=by)
