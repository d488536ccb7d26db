"""Agreements that an administrator gives, without a gateway and without a price: complimentary, or as a repair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus, AgreementVerb, Terms, step
from avtale.domain.charge import Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.errors import Conflict, Invalid
from avtale.domain.money import Money
from avtale.domain.periods import local_date, start_of
from avtale.service import announcing
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.service.repeating import first_use
from avtale.service.settling import grant
from avtale.storage import agreements, charges, locks, tenants
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

#: Longer gifts are mistakes of a digit.
GIFT_DAYS_MAX = 3660


@dataclass(frozen=True, slots=True)
class Gift:
    """Access for a person from a local date (None: today) up to, not including, another; the first may be to come."""

    person: Person
    product_id: str
    reason: str
    start: date | None
    end: date


async def give_agreement(db: Database, tenant: Tenant, gift: Gift, by: Person, key: str | None) -> UUID:
    """Make an active agreement that no gateway knows; a repeat with the same key answers the same one.

    One that starts later is pending until then, and gives no access before.

    Raises Invalid (`issuer_unknown`, `product_unknown`, `gift_dates`) and Conflict (`agreement_active`).
    """
    async with db.tenant(tenant.id) as tx:
        new = new_id()
        made = await first_use(tx, by, "give", key, gift, new)
        if made != new:
            return made
        await give(tx, tenant, gift, new)
        await note(tx, by, "give", f"agreement {new}", gift.reason, agreement_id=new, end=gift.end.isoformat())
    return new


async def give(tx: Transaction, tenant: Tenant, gift: Gift, new: UUID) -> None:
    """Write a gift under an id; what it raises, as in give_agreement, it raises before it has written anything."""
    terms = await _terms(tx, gift)
    start, end = gift_days(tx, tenant, gift)
    await locks.lock_person_and_product(tx, gift.person.issuer, gift.person.subject, gift.product_id)
    held = await agreements.agreements_of(tx, gift.person.issuer, gift.person.subject, product_id=gift.product_id)
    active = next((a for a in held if a.status is AgreementStatus.ACTIVE), None)
    if active is not None:
        detail = "this person has an active agreement for this product already"
        raise Conflict(detail, code="agreement_active", agreement_id=str(active.id))
    given = _agreement(tx, tenant, gift, terms, start, end, new)
    await agreements.insert_agreement(tx, given)
    if given.status is AgreementStatus.ACTIVE:
        await charges.insert_charges(tx, [_charge(given, start, end)])
        await announcing.announce(tx, [announcing.activated(given)])
        await grant(tx, tenant, [given.id])


async def begin_given(tx: Transaction, tenant: Tenant, batch_count_max: int) -> None:
    """The first day of these gifts has come. One whose person has the product already meanwhile comes to nothing."""
    for waiting in await agreements.gifts_to_begin(tx, batch_count_max):
        # The same lock as a checkout takes first, and then the rows.
        await locks.lock_person_and_product(tx, waiting.issuer, waiting.subject, waiting.terms.product_id)
        gift = await agreements.get_agreement(tx, waiting.id, lock=True)
        if gift is None or gift.status is not AgreementStatus.PENDING or gift.next_charge_at is None:
            continue
        held = await agreements.agreements_of(tx, gift.issuer, gift.subject, product_id=gift.terms.product_id)
        if any(one.status is AgreementStatus.ACTIVE for one in held):
            over = replace(gift, status=step(gift.status, AgreementVerb.EXPIRE), stop_reason="agreement_active")
            await agreements.save_agreements(tx, [replace(over, next_charge_at=None)])
            continue
        if gift.anchor is None or gift.access_ends_at is None:
            raise RuntimeError("a gift has a first and a last day")
        begun = replace(
            gift,
            status=step(gift.status, AgreementVerb.ACTIVATE),
            activated_at=gift.next_charge_at,
            last_period=1,
            next_charge_at=gift.access_ends_at,
        )
        await agreements.save_agreements(tx, [begun])
        end = local_date(gift.access_ends_at, tenant.zone)
        await charges.insert_charges(tx, [_charge(begun, gift.anchor, end)])
        await announcing.announce(tx, [announcing.activated(begun)])
        await grant(tx, tenant, [gift.id])


async def end_given(tx: Transaction, tenant: Tenant, over: Sequence[Agreement]) -> None:
    """The last day of these gifts has passed."""
    ended = [stopped(tx, agreement, "ended") for agreement in over]
    await agreements.save_agreements(tx, ended)
    await announcing.announce(tx, map(announcing.stopped, ended))
    await grant(tx, tenant, [agreement.id for agreement in over])


def stopped(tx: Transaction, agreement: Agreement, reason: str) -> Agreement:
    """An agreement without a gateway, stopped: nobody else need be told."""
    return replace(
        agreement,
        status=step(agreement.status, AgreementVerb.STOP),
        stopped_at=agreement.next_charge_at if reason == "ended" else tx.now,
        stop_reason=reason,
        next_charge_at=None,
    )


async def _terms(tx: Transaction, gift: Gift) -> Terms:
    """The product's terms, for nothing."""
    if gift.person.issuer not in {issuer.issuer for issuer in await tenants.get_issuers(tx)}:
        raise Invalid(f"this tenant does not know the issuer {gift.person.issuer}", code="issuer_unknown")
    terms = await tenants.get_product(tx, gift.product_id)
    if not isinstance(terms, Terms):
        raise Invalid(f"there is no subscription {gift.product_id!r} on sale", code="product_unknown")
    return replace(terms, price=Money(0, terms.price.currency))


def gift_days(tx: Transaction, tenant: Tenant, gift: Gift) -> tuple[date, date]:
    """The first day of a gift and the day after its last. Raises Invalid (`gift_dates`)."""
    today = local_date(tx.now, tenant.zone)
    start = gift.start or today
    if start > today + timedelta(days=GIFT_DAYS_MAX):
        raise Invalid(f"a gift starts within {GIFT_DAYS_MAX} days", code="gift_dates")
    if not max(start, today) < gift.end <= start + timedelta(days=GIFT_DAYS_MAX):
        detail = f"a gift ends after its first day and after today, and lasts at most {GIFT_DAYS_MAX} days"
        raise Invalid(detail, code="gift_dates")
    return start, gift.end


def _agreement(
    tx: Transaction, tenant: Tenant, gift: Gift, terms: Terms, start: date, end: date, agreement_id: UUID
) -> Agreement:
    later = start > local_date(tx.now, tenant.zone)
    return Agreement(
        id=agreement_id,
        issuer=gift.person.issuer,
        subject=gift.person.subject,
        terms=terms,
        status=AgreementStatus.PENDING if later else AgreementStatus.ACTIVE,
        gateway_agreement_id=None,
        anchor=start,
        last_period=0 if later else 1,
        next_charge_at=start_of(start if later else end, tenant.zone),
        created_at=tx.now,
        expires_at=None,
        activated_at=None if later else tx.now,
        stopped_at=None,
        stop_reason=None,
        parked_reason=None,
        version=1,
        gift_reason=gift.reason,
        access_ends_at=start_of(end, tenant.zone) if later else None,
    )


def _charge(given: Agreement, start: date, end: date) -> Charge:
    """One waived period as long as the gift."""
    return Charge(
        id=new_id(),
        agreement_id=given.id,
        purchase_id=None,
        kind=ChargeKind.INITIAL,
        period=1,
        period_start=start,
        period_end=end,
        due=start,
        price=given.terms.price,
        vat_basis_points=given.terms.vat_basis_points,
        status=ChargeStatus.WAIVED,
        totals=Totals(),
        failure_reason=None,
        version=1,
    )
