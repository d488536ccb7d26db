"""Charge something besides the periods of an agreement: once, for a reason that its person reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus
from avtale.domain.billing import due_on
from avtale.domain.charge import Attempt, AttemptStatus, Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.errors import Conflict, GatewayRefused, IllegalStep, Invalid, NotFound
from avtale.domain.money import Money
from avtale.domain.observations import Standing
from avtale.domain.outcome import Refused
from avtale.domain.periods import local_date
from avtale.domain.ports import Gateways
from avtale.domain.wishes import ChargeWish, IntentWish, WrittenRequest
from avtale.service.budgeting import write_calls
from avtale.service.changing_billed import read_standing
from avtale.service.checking import read_attempts_now
from avtale.service.checkout import Person
from avtale.service.customers import answered
from avtale.service.desks import Desk, desk_of_agreement
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.service.repeating import first_use
from avtale.service.sending import lease_seconds, send_written
from avtale.service.stopping import may_see
from avtale.storage import agreements, charges
from avtale.storage.calls import Call, CallKind
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant

#: A fixed price lets one charge be this many times as much (Vipps Recurring, price ceilings).
CEILING_FACTOR = 5
#: A charge that is due later is a mistake of a digit.
DAYS_AHEAD_MAX = 365
_A_DAY = timedelta(days=1)


async def charge_once(
    db: Database,
    gateways: Gateways,
    tenant: Tenant,
    by: Person,
    agreement_id: UUID,
    amount: int,
    description: str,
    due: date | None,
    key: str | None = None,
) -> UUID:
    """Order one charge besides the periods; a repeat with the same key answers the same one. Gives its id.

    Vipps tries it as it tries a period's, Stripe takes it at once or not at all; if it fails, nothing else ends.

    Raises NotFound, IllegalStep (`agreement_not_active`), Conflict (`agreement_given`, `gateway_unsuited`,
    `payment_method_needed`, `idempotency_conflict`), Invalid (`price_unsuited`, `change_day`) and GatewayRefused; where
    Stripe bills, also GatewayBusy and GatewayUnknown, and then nothing was ordered.
    """
    at = await desk_of_agreement(db, gateways, tenant, agreement_id)
    standing = await _standing(db, at, tenant, agreement_id)
    pays_with = await _pays_with(at, standing)
    async with db.tenant(tenant.id) as tx:
        new = new_id()
        made = await first_use(tx, by, "charge_once", key, (agreement_id, amount, description, due), new)
        if made != new:
            return made
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None or not may_see(None, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        _check(at, agreement, amount, due)
        today = local_date(tx.now, tenant.zone)
        if due is not None and not today < due <= today + timedelta(days=DAYS_AHEAD_MAX):
            raise Invalid(f"a charge is due tomorrow or within {DAYS_AHEAD_MAX} days", code="change_day")
        we_bill = at.recurring is not None
        charge = _charge(new, agreement, amount, description, due_on(due or today, tx.now, tenant.zone))
        charge = charge if we_bill else replace(charge, due=today, period_start=today, period_end=today + _A_DAY)
        drawn_on = (agreement.gateway_agreement_id or "") if we_bill else None
        attempt = Attempt(new_id(), charge.id, AttemptStatus.WRITTEN, Totals(), drawn_on, agreement.gateway)
        await charges.insert_charges(tx, [charge])
        await charges.insert_attempts(tx, [attempt])
        call = Call(_order(tenant, at, agreement, charge, attempt, standing, pays_with), CallKind.CHARGE, attempt.id)
        about = f"agreement {agreement_id}"
        await note(tx, by, "charge once", about, description, agreement_id=agreement_id, amount=amount)
        pace = at.recurring.charge_pace if at.recurring is not None else None
        leaving = await write_calls(tx, tenant, pace, [call], lease_seconds(gateways, 1))
    for _, outcome in await send_written(db, gateways, tenant, leaving):
        if isinstance(outcome, Refused):
            raise GatewayRefused(f"the charge was refused: {outcome.detail}", reason=outcome.code)
    if not we_bill:
        await read_attempts_now(db, gateways, tenant, [attempt.id])
    return new


async def _standing(db: Database, at: Desk, tenant: Tenant, agreement_id: UUID) -> Standing | None:
    """What the subscription says of itself, where Stripe bills."""
    if at.billing is None:
        return None
    _, observed = await read_standing(db, at.billing, tenant, None, agreement_id)
    return observed.standing if observed is not None else None


async def _pays_with(at: Desk, standing: Standing | None) -> str | None:
    """The payment method that pays a subscription: its own, else its customer's."""
    if at.billing is None or standing is None:
        return None
    if standing.payment_method_id is not None:
        return standing.payment_method_id
    customer = answered(await at.billing.fetch_customer(standing.customer_id), "read the customer")
    return customer.default_payment_method_id if customer is not None else None


def _order(
    tenant: Tenant,
    at: Desk,
    agreement: Agreement,
    charge: Charge,
    attempt: Attempt,
    standing: Standing | None,
    pays_with: str | None,
) -> WrittenRequest:
    """The bytes of the order. Raises Conflict (`payment_method_needed`)."""
    if at.recurring is not None:
        wish = ChargeWish(
            order_id=attempt.id,
            gateway_agreement_id=attempt.gateway_agreement_id or "",
            amount=charge.price.amount,
            due=charge.due,
            retry_days=tenant.rules.retry_days,
            description=charge.product_name or "",
            reference=f"{agreement.id}.0",
        )
        return at.recurring.write_charge(wish)
    if at.billing is None or standing is None or pays_with is None:
        raise Conflict("there is nothing at Stripe that this could be paid with", code="payment_method_needed")
    intent = IntentWish(
        order_id=attempt.id,
        reference=agreement.id,
        customer_id=standing.customer_id,
        amount=charge.price,
        description=charge.product_name or "",
        payment_method_id=pays_with,
    )
    return at.billing.write_intent(intent)


def _check(at: Desk, agreement: Agreement, amount: int, due: date | None) -> None:
    if agreement.gift_reason is not None:
        raise Conflict("what was given is not charged", code="agreement_given")
    if agreement.status is not AgreementStatus.ACTIVE:
        raise IllegalStep(f"the agreement is {agreement.status.value}", code="agreement_not_active")
    terms = agreement.terms
    most = terms.suggested_max or CEILING_FACTOR * terms.price.amount
    gateway = at.recurring or at.billing
    if gateway is None:
        raise RuntimeError("a desk of no gateway")
    if due is not None and at.recurring is None:
        raise Conflict("Stripe takes it at once: no day can be said", code="gateway_unsuited")
    least = gateway.amount_min(terms.price.currency)
    if not least <= amount <= most:
        raise Invalid(f"a charge is {least} to {most} minor units here", code="price_unsuited")


def _charge(charge_id: UUID, agreement: Agreement, amount: int, description: str, due: date) -> Charge:
    return Charge(
        id=charge_id,
        agreement_id=agreement.id,
        purchase_id=None,
        kind=ChargeKind.ONE_OFF,
        period=None,
        period_start=due,
        period_end=due + timedelta(days=1),
        due=due,
        price=Money(amount, agreement.terms.price.currency),
        vat_basis_points=agreement.terms.vat_basis_points,
        status=ChargeStatus.OPEN,
        totals=Totals(),
        failure_reason=None,
        version=1,
        product_id=agreement.terms.product_id,
        product_name=description,
    )
