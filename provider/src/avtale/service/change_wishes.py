"""What a wish to change an agreement may ask, of whom it is asked, and whether it was asked before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from avtale.domain import change as rules
from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.errors import Conflict, IllegalStep, Invalid, NotFound
from avtale.domain.periods import local_date
from avtale.domain.ports import Gateways
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.service.repeating import first_use
from avtale.service.stopping import may_see
from avtale.storage import agreements, changes, locks, tenants
from avtale.storage.database import Transaction
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


async def admit(
    tx: Transaction,
    gateways: Gateways,
    tenant: Tenant,
    owner: Person | None,
    by: Person,
    agreement_id: UUID,
    wish: ChangeWish,
    key: str | None,
) -> tuple[UUID, Agreement] | Change:
    """The id of a new change and its agreement, which is locked; or the change that this key has made already.

    What the merchant asks (`owner` None) is in the log. Raises what `change_agreement` says.
    """
    new = new_id()
    made = await first_use(tx, by, "change", key, (agreement_id, wish), new)
    if made != new:
        change = await changes.get_change(tx, made)
        if change is None:
            raise Conflict("this Idempotency-Key was used for something else", code="idempotency_conflict")
        return change
    if wish.product_id is not None:
        await _lock_product(tx, agreement_id, wish.product_id)
    agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
    if agreement is None or not may_see(owner, agreement):
        raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
    await _check(tx, gateways, tenant, owner, agreement, wish)
    if owner is None:
        about = f"agreement {agreement_id}"
        await note(tx, by, f"change: {wish.kind.value}", about, "", agreement_id=agreement_id, change=str(new))
    return new, agreement


async def _lock_product(tx: Transaction, agreement_id: UUID, product_id: str) -> None:
    """The lock of a checkout of that product, which is taken before the agreement's."""
    agreement = await agreements.get_agreement(tx, agreement_id)
    if agreement is not None:
        await locks.lock_person_and_product(tx, agreement.issuer, agreement.subject, product_id)


async def _check(
    tx: Transaction,
    gateways: Gateways,
    tenant: Tenant,
    owner: Person | None,
    agreement: Agreement,
    wish: ChangeWish,
) -> None:
    """Whether this may be asked of the agreement, which is locked. Raises what `change_agreement` says."""
    if owner is not None and wish.kind not in tenant.policy.owner_may:
        raise Conflict("this is not for owners to change: ask the merchant", code="change_not_offered")
    check_active(agreement)
    if await changes.changes_with(tx, ChangeStatus.WAITING, [agreement.id]):
        detail = "an earlier change waits for what becomes of a charge; ask for the changes"
        raise Conflict(detail, code="change_under_way")
    today = local_date(tx.now, tenant.zone)
    if wish.kind is ChangeKind.RESUME:
        if agreement.paused_at is None:
            raise Conflict("the agreement is not paused", code="agreement_not_paused")
    elif wish.kind in (ChangeKind.CHARGE_DAY, ChangeKind.PLAN) and agreement.paused_at is not None:
        raise Conflict("the agreement is paused: resume it first", code="agreement_paused")
    check_day(wish, today)
    if wish.charge_day is not None:
        rules.check_charge_day(agreement, wish.charge_day)
    if wish.product_id is not None:
        await _check_plan(tx, agreement, wish.product_id)
    if wish.amount is not None:
        check_price(gateways, tenant, agreement.terms, wish, today)


def check_active(agreement: Agreement) -> None:
    """Raise Conflict or IllegalStep for an agreement that nothing can be changed in."""
    if agreement.gift_reason is not None:
        raise Conflict("what was given is not charged, so there is nothing to change", code="agreement_given")
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


def check_day(wish: ChangeWish, today: date) -> None:
    """Raise Invalid (`change_day`) for a day that is over, or far away."""
    if wish.day is not None and not today <= wish.day <= today + timedelta(days=DAYS_AHEAD_MAX):
        raise Invalid(f"a day is today or within {DAYS_AHEAD_MAX} days", code="change_day")


def check_price(gateways: Gateways, tenant: Tenant, terms: Terms, wish: ChangeWish, today: date) -> None:
    """Raise Invalid (`price_unsuited`, `notice_too_short`) for a price that nobody could be charged, or was told of too
    late."""
    try:
        price = replace(terms.price, amount=wish.amount or 0)
        gateways.check_terms(replace(terms, price=price, campaign=None))
    except ValueError as error:
        raise Invalid(f"nobody could be charged this: {error}", code="price_unsuited") from error
    noticed = wish.noticed_on or today
    days = tenant.policy.price_notice_days
    if noticed > today or wish.day is None or wish.day < noticed + timedelta(days=days):
        detail = f"a price holds {days} days after it was told at the earliest, and was told today or before"
        raise Invalid(detail, code="notice_too_short")
