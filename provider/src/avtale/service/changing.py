"""Change a running agreement: pause and resume it, charge it on another day, for another plan, or at another price."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from avtale.domain import change as rules
from avtale.domain.agreement import Agreement
from avtale.domain.change import CANCELLING, Change, ChangeKind, ChangeStatus
from avtale.domain.charge import AttemptStatus
from avtale.domain.errors import Conflict, Invalid, NotFound
from avtale.domain.periods import local_date
from avtale.domain.ports import Gateways, RecurringGateway
from avtale.service import announcing
from avtale.service.change_wishes import ChangeWish, admit, check_active
from avtale.service.changing_billed import change_billed
from avtale.service.checking import read_attempts_now
from avtale.service.checkout import Person
from avtale.service.desks import desk_of_agreement
from avtale.service.noting import note
from avtale.service.sending import lease_seconds, send_written
from avtale.service.stopping import may_see
from avtale.service.taking import cancel_call, take, take_waiting
from avtale.storage import agreements, calls, changes, charges
from avtale.storage.calls import Call
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant


async def change_agreement(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    owner: Person | None,
    by: Person,
    agreement_id: UUID,
    wish: ChangeWish,
    key: str | None = None,
) -> Change:
    """Change a person's own agreement, or anybody's for the merchant (`owner` None); a repeat with the same key
    answers the same change.

    A charge that is created for a period which has not begun is cancelled and read again first. Until its fate is
    known the change is `waiting`; if it was captured meanwhile, the change is `deferred` to the period after it. An
    agreement that Stripe bills is changed there, and read again.

    Raises NotFound, IllegalStep (`agreement_not_active`), Conflict (`change_not_offered`, `change_under_way`,
    `agreement_paused`, `agreement_not_paused`, `agreement_active`, `idempotency_conflict`) and Invalid
    (`change_day`, `charge_day_unsuited`, `plan_unsuited`, `price_unsuited`, `notice_too_short`); where Stripe bills,
    also GatewayRefused, GatewayBusy and GatewayUnknown, and then nothing was changed.
    """
    at = await desk_of_agreement(db, gateways, tenant, agreement_id)
    if at.billing is not None:
        return await change_billed(db, gateways, at.billing, tenant, owner, by, agreement_id, wish, key)
    gateway = await gateways.recurring(tenant.id)
    async with db.tenant(tenant.id) as tx:
        admitted = await admit(tx, gateways, tenant, owner, by, agreement_id, wish, key)
        if isinstance(admitted, Change):
            return admitted
        new, agreement = admitted
        change, written = await _begin(tx, tenant, gateway, agreement, wish, new, by)
        await calls.write_calls(tx, written, lease_seconds(gateways, len(written)))
    if written:
        await send_written(db, gateways, tenant, written)
        await read_attempts_now(db, gateways, tenant, [call.subject_id for call in written])
    async with db.tenant(tenant.id) as tx:
        return await changes.get_change(tx, change.id) or change


async def list_changes(db: Database, tenant: Tenant, owner: Person | None, agreement_id: UUID) -> list[Change]:
    """What was changed, or is to be, oldest first. Raises NotFound."""
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id)
        if agreement is None or not may_see(owner, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        return await changes.changes_of(tx, agreement_id)


async def say_amount(
    db: Database, gateways: Gateways, tenant: Tenant, by: Person, agreement_id: UUID, amount: int
) -> None:
    """Say what the next period of an agreement whose price may vary is to cost; the last word before it is charged
    counts. Raises NotFound, IllegalStep, Conflict (`price_fixed`) and Invalid (`price_unsuited`)."""
    gateway = await gateways.recurring(tenant.id)
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None or not may_see(None, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        check_active(agreement)
        terms = agreement.terms
        if terms.suggested_max is None:
            raise Conflict("the price of this agreement is fixed", code="price_fixed")
        least = gateway.amount_min(terms.price.currency)
        if amount and not least <= amount <= terms.suggested_max:
            detail = f"an amount is 0, or {least} to {terms.suggested_max} minor units"
            raise Invalid(detail, code="price_unsuited")
        await agreements.save_agreements(tx, [replace(agreement, next_amount=amount)])
        about = f"agreement {agreement_id}"
        await note(tx, by, "say amount", about, "", agreement_id=agreement_id, amount=amount)


async def _begin(
    tx: Transaction,
    tenant: Tenant,
    gateway: RecurringGateway,
    agreement: Agreement,
    wish: ChangeWish,
    change_id: UUID,
    by: Person,
) -> tuple[Change, list[Call]]:
    """Write the change, and take it at once unless a charge is in its way; returns the calls that cancel it."""
    owed = await charges.charges_of(tx, [agreement.id])
    today = local_date(tx.now, tenant.zone)
    in_the_way = rules.unbegun(owed, today) if wish.kind in CANCELLING else []
    status = ChangeStatus.PLANNED if wish.kind is ChangeKind.PRICE else ChangeStatus.WAITING
    change = Change(
        id=change_id,
        agreement_id=agreement.id,
        kind=wish.kind,
        status=status,
        version=await changes.next_version(tx, agreement.id),
        requested_by=by.subject,
        created_at=tx.now,
        day=wish.day,
        amount=wish.amount,
        charge_day=wish.charge_day,
        product_id=wish.product_id,
        noticed_on=(wish.noticed_on or today) if wish.kind is ChangeKind.PRICE else None,
        from_period=in_the_way[0].period if in_the_way else None,
    )
    await changes.insert_change(tx, change)
    if status is ChangeStatus.PLANNED:
        await announcing.announce(tx, [announcing.changed(agreement, change)])
        return change, []
    if not in_the_way:
        return await take(tx, tenant, gateway, agreement, change), []
    # One that waits for an operator has no order: nothing would be told of it.
    await take_waiting(tx, tenant, gateway, [agreement.id])
    attempts = await charges.attempts_of(tx, [charge.id for charge in in_the_way])
    accepted = [attempt.id for attempt in attempts if attempt.status is AttemptStatus.ACCEPTED]
    return change, [await cancel_call(tx, gateway, attempt_id) for attempt_id in accepted]
