"""Give money back: the sum is reserved first, so that two wishes at once never exceed what was captured."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from avtale.domain.charge import OPEN_REFUNDS, Attempt, Charge, Refund, RefundStatus
from avtale.domain.errors import Conflict, GatewayRefused, Invalid, NotFound
from avtale.domain.outcome import Answered, Refused
from avtale.domain.ports import Gateways
from avtale.service.checkout import Person
from avtale.service.desks import desk_of_charge
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.service.repeating import first_use
from avtale.service.sending import lease_seconds, send_written
from avtale.service.settling import write_refund
from avtale.storage import agreements, calls, charges, purchases, refunds
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """A wish that was passed on: `accepted`, or `unknown` while the gateway has not answered; it is then made to."""

    refund_id: UUID
    status: str
    amount: int


async def refund_charge(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    charge_id: UUID,
    amount: int,
    reason: str,
    by: Person,
    key: str | None = None,
    instead_of: UUID | None = None,
) -> RefundAnswer:
    """Give back `amount` (minor units) of a charge, an agreement's or a purchase's; the credit note follows from
    the reading.

    A repeat with the same key answers the same refund; one that is made `instead_of` another, which came to nothing, is
    made once. Raises NotFound, Invalid (`invalid_amount`), Conflict (`refund_exceeds_captured`, `refund_not_failed`,
    `idempotency_conflict`), GatewayRefused.
    """
    if amount <= 0:
        raise Invalid("a refund is more than nothing", code="invalid_amount")
    at = await desk_of_charge(db, gateways, tenant, charge_id)
    async with db.tenant(tenant.id) as tx:
        new = new_id()
        made = await first_use(tx, by, "refund", key, (charge_id, amount, reason), new)
        if made != new:
            return await _made_before(tx, charge_id, made)
        charge, attempt = await _refundable(tx, charge_id, amount)
        if instead_of is not None and await refunds.see_to(tx, instead_of) is None:
            raise Conflict("this refund does not wait for an operator", code="refund_not_failed")
        wish = Refund(new, charge_id, attempt.id, amount, reason, RefundStatus.WRITTEN)
        try:
            call = await write_refund(tx, at.gateway, at.payments, charge, attempt, wish, by.subject)
        except ValueError as error:
            raise Conflict(f"this cannot be given back: {error}", code="refund_impossible") from error
        about = f"charge {charge_id}"
        await note(tx, by, "refund", about, reason, agreement_id=charge.agreement_id, amount=amount)
        await calls.write_calls(tx, [call], lease_seconds(gateways, 1))
    ((_, outcome),) = await send_written(db, gateways, tenant, [call])
    if isinstance(outcome, Refused):
        raise GatewayRefused(f"the refund was refused: {outcome.detail}", reason=outcome.code)
    return RefundAnswer(wish.id, "accepted" if isinstance(outcome, Answered) else "unknown", amount)


async def _made_before(tx: Transaction, charge_id: UUID, refund_id: UUID) -> RefundAnswer:
    """What became of the refund that this key was first used for."""
    refund = next(one for one in await refunds.refunds_of(tx, [charge_id]) if one.id == refund_id)
    if refund.status is RefundStatus.REJECTED:
        raise GatewayRefused("the refund that this Idempotency-Key was used for was refused", reason="refused_before")
    # What came back from the bank was accepted as well, and what the gateway has taken is not read again at once.
    heard = (await calls.states(tx, [refund_id])).get(refund_id)
    waits = refund.status in OPEN_REFUNDS and heard != "accepted"
    return RefundAnswer(refund_id, "unknown" if waits else "accepted", refund.amount)


async def _refundable(tx: Transaction, charge_id: UUID, amount: int) -> tuple[Charge, Attempt]:
    """The charge, and its attempt that still has `amount` to give back; the owner is locked."""
    found = (await charges.get_charges(tx, [charge_id])).get(charge_id)
    if found is None:
        raise NotFound(f"there is no charge {charge_id}", code="charge_not_found")
    if found.agreement_id is not None:
        await agreements.lock_agreements(tx, [found.agreement_id])
    else:
        await purchases.get_purchase(tx, found.owner_id, lock=True)
    wishes = await refunds.refunds_of(tx, [charge_id])
    left = 0
    for attempt in await charges.attempts_of(tx, [charge_id]):
        reserved = sum(r.amount for r in wishes if r.attempt_id == attempt.id and r.status in OPEN_REFUNDS)
        free = attempt.totals.captured - attempt.totals.refunded - reserved
        if free >= amount:
            return found, attempt
        left = max(left, free)
    raise Conflict(f"at most {left} of this charge can be given back", code="refund_exceeds_captured")
