"""What a person confirms at Stripe: from the answer to our call, or read anew where that never came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from avtale.domain.observations import Confirmation
from avtale.domain.outcome import Answered, Outcome, Unknown
from avtale.domain.ports import BillingGateway, Gateways
from avtale.service.sending import send_written
from avtale.storage import calls
from avtale.storage.calls import Call
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

#: How often a checkout sends its call before it says that Stripe does not answer.
SENDINGS_COUNT_MAX = 2


async def confirmation(
    db: Database,
    gateways: Gateways,
    stripe: BillingGateway,
    tenant: Tenant,
    subject_id: UUID,
    call: Call | None,
    made: Callable[[Transaction], Awaitable[str | None]],
) -> Outcome[Confirmation]:
    """Send the call that makes a subscription or an intent, and give what there is to confirm.

    `call` is None where an earlier request has written it; `made` reads the gateway's id of what it made, if known.
    """
    outcome: Outcome[object] = Unknown("not sent")
    for _ in range(SENDINGS_COUNT_MAX):
        if call is None:
            async with db.tenant(tenant.id) as tx:
                call = await calls.get_call(tx, subject_id)
        if call is None:
            break
        ((_, outcome),) = await send_written(db, gateways, tenant, [call])
        if isinstance(outcome, Answered) and isinstance(outcome.value, Confirmation):
            return Answered(outcome.value)
        if not isinstance(outcome, Unknown):
            break
        call = None
    async with db.tenant(tenant.id) as tx:
        there = await made(tx)
    if there is not None:
        return await stripe.fetch_confirmation(there)
    return outcome if not isinstance(outcome, Answered) else Unknown("not known")
