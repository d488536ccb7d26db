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
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.repeating import first_use
from avtale.service.settling import grant
from avtale.storage import agreements, charges, locks, tenants
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

#: Longer gifts are mistakes of a digit.
GIFT_DAYS_MAX = 3660


@dataclass(frozen=True, slots=True)
class Gift:
    """Access for a person from a local date (None: today) up to, not including, another."""

    person: Person
    product_id: str
    reason: str
    start: date | None
    end: date


async def give_agreement(db: Database, tenant: Tenant, gift: Gift, by: Person, key: str | None) -> UUID:
    """Make an active agreement that no gateway knows; a repeat with the same key answers the same one.

    Raises Invalid (`issuer_unknown`, `product_unknown`, `gift_dates`) and Conflict (`agreement_active`).
    """
    async with db.tenant(tenant.id) as tx:
        new = new_id()
        made = await first_use(tx, by, "give", key, gift, new)
        if made != new:
            return made
        terms = await _terms(tx, gift)
        start, end = _dates(tx, tenant, gift)
        await locks.lock_person_and_product(tx, gift.person.issuer, gift.person.subject, gift.product_id)
        held = await agreements.agreements_of(tx, gift.person.issuer, gift.person.subject, product_id=gift.product_id)
        active = next((a for a in held if a.status is AgreementStatus.ACTIVE), None)
        if active is not None:
            detail = "this person has an active agreement for this product already"
            raise Conflict(detail, code="agreement_active", agreement_id=str(active.id))
        given = _agreement(tx, tenant, gift, terms, start, end, new)
        await agreements.insert_agreement(tx, given)
        await charges.insert_charges(tx, [_charge(given, start, end)])
        await grant(tx, tenant, [given.id])
    return new


async def end_given(tx: Transaction, tenant: Tenant, over: Sequence[Agreement]) -> None:
    """The last day of these gifts has passed."""
    await agreements.save_agreements(tx, [stopped(tx, agreement, "ended") for agreement in over])
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


def _dates(tx: Transaction, tenant: Tenant, gift: Gift) -> tuple[date, date]:
    today = local_date(tx.now, tenant.zone)
    start = gift.start or today
    if start > today:
        raise Invalid("a gift starts today or has started already", code="gift_dates")
    if not max(start, today) < gift.end <= start + timedelta(days=GIFT_DAYS_MAX):
        raise Invalid(f"a gift ends after today, and lasts at most {GIFT_DAYS_MAX} days", code="gift_dates")
    return start, gift.end


def _agreement(
    tx: Transaction, tenant: Tenant, gift: Gift, terms: Terms, start: date, end: date, agreement_id: UUID
) -> Agreement:
    return Agreement(
        id=agreement_id,
        issuer=gift.person.issuer,
        subject=gift.person.subject,
        terms=terms,
        status=AgreementStatus.ACTIVE,
        gateway_agreement_id=None,
        anchor=start,
        last_period=1,
        next_charge_at=start_of(end, tenant.zone),
        created_at=tx.now,
        expires_at=None,
        activated_at=tx.now,
        stopped_at=None,
        stop_reason=None,
        parked_reason=None,
        version=1,
        gift_reason=gift.reason,
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
