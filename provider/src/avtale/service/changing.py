"""Change a running agreement: pause and resume it, charge it on another day, for another plan, or at another price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from avtale.domain import change as rules
from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.change import CANCELLING, Change, ChangeKind, ChangeStatus
from avtale.domain.charge import AttemptStatus
from avtale.domain.errors import Conflict, IllegalStep, Invalid, NotFound
from avtale.domain.gateway import GatewayName
from avtale.domain.periods import local_date
from avtale.domain.ports import Gateways, RecurringGateway
from avtale.service import announcing
from avtale.service.checking import read_attempts_now
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.service.repeating import first_use
from avtale.service.sending import lease_seconds, send_written
from avtale.service.stopping import may_see
from avtale.service.taking import cancel_call, take
from avtale.storage import agreements, calls, changes, charges, locks, tenants
from avtale.storage.calls import Call
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

#: A pause that is longer, and a price that holds later, are mistakes of a digit.
DAYS_AHEAD_MAX = 3660


@dataclass(frozen=True, slots=True)
class ChangeWish:
    """What is to be changed; see Change for what each kind says."""

    kind: ChangeKind
    day: date | None = None
    amount: int | None = None
    charge_day: int | None = None
    product_id: str | None = None
    noticed_on: date | None = None


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
    known the change is `waiting`; if it was captured meanwhile, the change is `deferred` to the period after it.

    Raises NotFound, IllegalStep (`agreement_not_active`), Conflict (`change_not_offered`, `change_under_way`,
    `agreement_paused`, `agreement_not_paused`, `agreement_active`, `idempotency_conflict`) and Invalid
    (`change_day`, `charge_day_unsuited`, `plan_unsuited`, `price_unsuited`, `notice_too_short`).
    """
    gateway = await gateways.recurring(tenant.id)
    async with db.tenant(tenant.id) as tx:
        new = new_id()
        made = await first_use(tx, by, "change", key, (agreement_id, wish), new)
        if made != new:
            return await _made_before(tx, made)
        if wish.product_id is not None:
            await _lock_product(tx, agreement_id, wish.product_id)
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None or not may_see(owner, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        await _check(tx, gateways, tenant, owner, agreement, wish)
        if owner is None:
            about = f"agreement {agreement_id}"
            await note(tx, by, f"change: {wish.kind.value}", about, "", agreement_id=agreement_id, change=str(new))
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


async def say_amount(db: Database, gateways: Gateways, tenant: Tenant, agreement_id: UUID, amount: int) -> None:
    """Say what the next period of an agreement whose price may vary is to cost; the last word before it is charged
    counts. Raises NotFound, IllegalStep, Conflict (`price_fixed`) and Invalid (`price_unsuited`)."""
    gateway = await gateways.recurring(tenant.id)
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None or not may_see(None, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        _check_active(agreement)
        terms = agreement.terms
        if terms.suggested_max is None:
            raise Conflict("the price of this agreement is fixed", code="price_fixed")
        least = gateway.amount_min(terms.price.currency)
        if amount and not least <= amount <= terms.suggested_max:
            detail = f"an amount is 0, or {least} to {terms.suggested_max} minor units"
            raise Invalid(detail, code="price_unsuited")
        await agreements.save_agreements(tx, [replace(agreement, next_amount=amount)])


async def _made_before(tx: Transaction, change_id: UUID) -> Change:
    change = await changes.get_change(tx, change_id)
    if change is None:
        raise Conflict("this Idempotency-Key was used for something else", code="idempotency_conflict")
    return change


async def _lock_product(tx: Transaction, agreement_id: UUID, product_id: str) -> None:
    """The lock of a checkout of that product, which is taken before the agreement's."""
    agreement = await agreements.get_agreement(tx, agreement_id)
    if agreement is not None:
        await locks.lock_person_and_product(tx, agreement.issuer, agreement.subject, product_id)


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
    attempts = await charges.attempts_of(tx, [charge.id for charge in in_the_way])
    accepted = [attempt.id for attempt in attempts if attempt.status is AttemptStatus.ACCEPTED]
    return change, [await cancel_call(tx, gateway, attempt_id) for attempt_id in accepted]


async def _check(
    tx: Transaction,
    gateways: Gateways,
    tenant: Tenant,
    owner: Person | None,
    agreement: Agreement,
    wish: ChangeWish,
) -> None:
    if owner is not None and wish.kind not in tenant.policy.owner_may:
        raise Conflict("this is not for owners to change: ask the merchant", code="change_not_offered")
    _check_active(agreement)
    if await changes.changes_with(tx, ChangeStatus.WAITING, [agreement.id]):
        detail = "an earlier change waits for what becomes of a charge; ask for the changes"
        raise Conflict(detail, code="change_under_way")
    today = local_date(tx.now, tenant.zone)
    if wish.kind is ChangeKind.RESUME:
        if agreement.paused_at is None:
            raise Conflict("the agreement is not paused", code="agreement_not_paused")
    elif wish.kind in (ChangeKind.CHARGE_DAY, ChangeKind.PLAN) and agreement.paused_at is not None:
        raise Conflict("the agreement is paused: resume it first", code="agreement_paused")
    if wish.day is not None and not today <= wish.day <= today + timedelta(days=DAYS_AHEAD_MAX):
        raise Invalid(f"a day is today or within {DAYS_AHEAD_MAX} days", code="change_day")
    if wish.charge_day is not None:
        rules.check_charge_day(agreement, wish.charge_day)
    if wish.product_id is not None:
        await _check_plan(tx, agreement, wish.product_id)
    if wish.amount is not None:
        _check_price(gateways, tenant, agreement, wish, today)


def _check_active(agreement: Agreement) -> None:
    if agreement.gift_reason is not None:
        raise Conflict("what was given is not charged, so there is nothing to change", code="agreement_given")
    if agreement.gateway is not GatewayName.VIPPS:
        raise Conflict("Stripe bills this agreement: change it there", code="change_not_offered")
    if agreement.status is not AgreementStatus.ACTIVE:
        raise IllegalStep(f"the agreement is {agreement.status.value}", code="agreement_not_active")


async def _check_plan(tx: Transaction, agreement: Agreement, product_id: str) -> None:
    before, terms = agreement.terms, await tenants.get_product(tx, product_id)
    if not isinstance(terms, Terms):
        raise Invalid(f"there is no subscription {product_id!r} on sale", code="product_unknown")
    if terms.product_id == before.product_id:
        raise Conflict("the agreement is about this product already", code="agreement_active")
    fits = terms.price.currency == before.price.currency
    if not fits or (terms.suggested_max is None) != (before.suggested_max is None):
        detail = "another plan has the same currency, and a price of the same kind: fixed, or one that may vary"
        raise Invalid(detail, code="plan_unsuited")
    held = await agreements.agreements_of(tx, agreement.issuer, agreement.subject, product_id=product_id)
    active = next((one for one in held if one.status is AgreementStatus.ACTIVE), None)
    if active is not None:
        detail = "this person has an active agreement for that product already"
        raise Conflict(detail, code="agreement_active", agreement_id=str(active.id))


def _check_price(gateways: Gateways, tenant: Tenant, agreement: Agreement, wish: ChangeWish, today: date) -> None:
    try:
        price = replace(agreement.terms.price, amount=wish.amount or 0)
        gateways.check_terms(replace(agreement.terms, price=price, campaign=None))
    except ValueError as error:
        raise Invalid(f"Vipps would not take this: {error}", code="price_unsuited") from error
    noticed = wish.noticed_on or today
    days = tenant.policy.price_notice_days
    if noticed > today or wish.day is None or wish.day < noticed + timedelta(days=days):
        detail = f"a price holds {days} days after it was told at the earliest, and was told today or before"
        raise Invalid(detail, code="notice_too_short")
