"""Charge something besides the periods of an agreement: once, for a reason that its person reads."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus
from avtale.domain.billing import due_on
from avtale.domain.charge import Attempt, AttemptStatus, Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.errors import Conflict, GatewayRefused, IllegalStep, Invalid, NotFound
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.outcome import Refused
from avtale.domain.periods import local_date
from avtale.domain.ports import ChargeWish, Gateways, RecurringGateway
from avtale.service.checkout import Person
from avtale.service.ids import new_id
from avtale.service.repeating import first_use
from avtale.service.sending import lease_seconds, send_written
from avtale.service.stopping import may_see
from avtale.storage import agreements, calls, charges
from avtale.storage.calls import Call, CallKind
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant

#: A fixed price lets one charge be this many times as much (Vipps Recurring, price ceilings).
CEILING_FACTOR = 5
#: A charge that is due later is a mistake of a digit.
DAYS_AHEAD_MAX = 365


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

    It is tried as a period's is; if it fails, nothing else ends.

    Raises NotFound, IllegalStep (`agreement_not_active`), Conflict (`agreement_given`, `gateway_unsuited`,
    `idempotency_conflict`), Invalid (`price_unsuited`, `change_day`) and GatewayRefused.
    """
    gateway = await gateways.recurring(tenant.id)
    async with db.tenant(tenant.id) as tx:
        new = new_id()
        made = await first_use(tx, by, "charge_once", key, (agreement_id, amount, description, due), new)
        if made != new:
            return made
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None or not may_see(None, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        _check(gateway, agreement, amount)
        today = local_date(tx.now, tenant.zone)
        if due is not None and not today < due <= today + timedelta(days=DAYS_AHEAD_MAX):
            raise Invalid(f"a charge is due tomorrow or within {DAYS_AHEAD_MAX} days", code="change_day")
        charge = _charge(new, agreement, amount, description, due_on(due or today, tx.now, tenant.zone))
        drawn_on = agreement.gateway_agreement_id or ""
        attempt = Attempt(new_id(), charge.id, AttemptStatus.WRITTEN, Totals(), drawn_on)
        await charges.insert_charges(tx, [charge])
        await charges.insert_attempts(tx, [attempt])
        wish = ChargeWish(
            order_id=attempt.id,
            gateway_agreement_id=drawn_on,
            amount=amount,
            due=charge.due,
            retry_days=tenant.rules.retry_days,
            description=description,
            reference=f"{agreement.id}.0",
        )
        call = Call(gateway.write_charge(wish), CallKind.CHARGE, attempt.id)
        await calls.write_calls(tx, [call], lease_seconds(gateways, 1))
    ((_, outcome),) = await send_written(db, gateways, tenant, [call])
    if isinstance(outcome, Refused):
        raise GatewayRefused(f"Vipps refused the charge: {outcome.detail}", reason=outcome.code)
    return new


def _check(gateway: RecurringGateway, agreement: Agreement, amount: int) -> None:
    if agreement.gift_reason is not None:
        raise Conflict("what was given is not charged", code="agreement_given")
    if agreement.gateway is not GatewayName.VIPPS:
        raise Conflict("only agreements with Vipps are charged besides their periods", code="gateway_unsuited")
    if agreement.status is not AgreementStatus.ACTIVE:
        raise IllegalStep(f"the agreement is {agreement.status.value}", code="agreement_not_active")
    terms = agreement.terms
    most = terms.suggested_max or CEILING_FACTOR * terms.price.amount
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
