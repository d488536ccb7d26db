"""Plan what is due, commit it with the exact bytes, then send: the first half of every charge."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus
from avtale.domain.billing import PlannedCharge, due_on, plan, plan_at
from avtale.domain.charge import Attempt, AttemptStatus, Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.periods import Period
from avtale.domain.ports import Gateways, RecurringGateway
from avtale.domain.wishes import ChargeWish
from avtale.service import settling
from avtale.service.batching import put_together
from avtale.service.budgeting import write_calls
from avtale.service.ending import finish_stops
from avtale.service.giving import begin_given, end_given
from avtale.service.ids import new_id
from avtale.service.sending import lease_seconds, send_written
from avtale.service.taking import take_prices, take_waiting
from avtale.storage import agreements, charges
from avtale.storage.calls import Call
from avtale.storage.database import Database, Job, Transaction
from avtale.storage.due import refresh_due
from avtale.storage.tenants import Tenant


async def bill(db: Database, gateways: Gateways, tenant: Tenant, batch_count_max: int = 500) -> bool:
    """Plan and send one batch of charges; True when there may be more."""
    gateway = await gateways.recurring(tenant.id)
    batch_count_max = max(batch_count_max, gateway.charges_per_call_max)
    async with db.tenant(tenant.id) as tx:
        await begin_given(tx, tenant, batch_count_max)
    async with db.tenant(tenant.id) as tx:
        written = await plan_charges(tx, tenant, gateway, batch_count_max)
        written += await _attempt_anew(tx, tenant, gateway, batch_count_max)
        lease = lease_seconds(gateways, len(written))
        leaving = await write_calls(tx, tenant, gateway.charge_pace, written, lease)
    await send_written(db, gateways, tenant, leaving)
    async with db.tenant(tenant.id) as tx:
        await refresh_due(tx, Job.BILL)
    return sum(call.orders_count for call in written) >= batch_count_max


async def plan_charges(tx: Transaction, tenant: Tenant, gateway: RecurringGateway, batch_count_max: int) -> list[Call]:
    """Move each due agreement to its next period, with a charge and an attempt; returns the calls to send."""
    claimed = await agreements.claim_due(tx, batch_count_max)
    await end_given(tx, tenant, [agreement for agreement in claimed if agreement.gift_reason])
    due = list((await take_prices(tx, gateway, [one for one in claimed if not one.gift_reason])).values())
    moved: list[tuple[Agreement, Period, datetime, bool]] = []
    owed: list[Charge] = []
    tried: list[tuple[Attempt, Charge, Agreement]] = []
    together, batch_id = gateway.charges_per_call_max, None
    for agreement in due:
        planned = _plan(tx, tenant, agreement)
        following = agreement.period(planned.period.number + 1)
        at = plan_at(following.start, tenant.rules, tenant.zone)
        moved.append((agreement, planned.period, at, planned.wait_for_operator))
        charge = _charge(agreement, planned)
        owed.append(charge)
        if charge.status is not ChargeStatus.WAIVED:
            if together > 1 and len(tried) % together == 0:
                batch_id = new_id()
            tried.append((_attempt(agreement, charge, batch_id), charge, agreement))
    await agreements.move_on(tx, moved)
    await charges.insert_charges(tx, owed)
    await charges.insert_attempts(tx, [attempt for attempt, _, _ in tried])
    await settling.grant(tx, tenant, [charge.owner_id for charge in owed if charge.price.amount == 0])
    return put_together(gateway, [(one[0].batch_id, _wish(tenant, *one)) for one in tried])


async def _attempt_anew(tx: Transaction, tenant: Tenant, gateway: RecurringGateway, batch_count_max: int) -> list[Call]:
    """New attempts for charges whose last one was refused; a charge of an ended agreement ends with it."""
    waiting = await charges.due_replans(tx, batch_count_max)
    owners = await agreements.lock_agreements(tx, {charge.owner_id for charge in waiting})
    await take_waiting(tx, tenant, gateway, owners)
    still = {charge.id for charge in await charges.due_replans(tx, batch_count_max)}
    wishes = []
    for charge in waiting:
        if charge.id not in still:
            continue
        agreement = owners[charge.owner_id]
        if agreement.status is not AgreementStatus.ACTIVE or agreement.anchor is None or charge.period is None:
            await charges.close_charge(tx, charge.id, ChargeStatus.CANCELLED, None)
            await finish_stops(tx, [agreement.id])
            continue
        due = due_on(charge.period_start, tx.now, tenant.zone)
        await charges.replan_charge(tx, charge.id, None, due)
        again = replace(charge, due=due)
        attempt = _attempt(agreement, again)
        await charges.insert_attempts(tx, [attempt])
        wishes.append((None, _wish(tenant, attempt, again, agreement)))
    return put_together(gateway, wishes)


def _plan(tx: Transaction, tenant: Tenant, agreement: Agreement) -> PlannedCharge:
    return plan(agreement.next_period, tx.now, tenant.zone)


def _charge(agreement: Agreement, planned: PlannedCharge) -> Charge:
    price = agreement.price_of(planned.period)
    free = price.amount == 0
    return Charge(
        id=new_id(),
        agreement_id=agreement.id,
        purchase_id=None,
        kind=ChargeKind.RECURRING,
        period=planned.period.number,
        period_start=planned.period.start,
        period_end=planned.period.end,
        due=planned.due,
        price=price,
        vat_basis_points=agreement.terms.vat_basis_points,
        status=ChargeStatus.WAIVED if free else ChargeStatus.OPEN,
        totals=Totals(),
        failure_reason=None,
        version=1,
        product_id=agreement.terms.product_id,
        product_name=agreement.terms.name,
    )


def _attempt(agreement: Agreement, charge: Charge, batch_id: UUID | None = None) -> Attempt:
    if agreement.gateway_agreement_id is None:
        raise RuntimeError("an active agreement has a gateway agreement")
    drawn_on = agreement.gateway_agreement_id
    return Attempt(new_id(), charge.id, AttemptStatus.WRITTEN, Totals(), drawn_on, batch_id=batch_id)


def _wish(tenant: Tenant, attempt: Attempt, charge: Charge, agreement: Agreement) -> ChargeWish:
    if attempt.gateway_agreement_id is None:
        raise RuntimeError("a period's order is drawn on an agreement")
    return ChargeWish(
        order_id=attempt.id,
        gateway_agreement_id=attempt.gateway_agreement_id,
        amount=charge.price.amount,
        due=charge.due,
        retry_days=tenant.rules.retry_days,
        description=_description(agreement, charge),
        reference=f"{agreement.id}.{charge.period}",
    )


def _description(agreement: Agreement, charge: Charge) -> str:
    """What the person reads in the app: the product and its days; the gateway shortens a name that is too long."""
    last = charge.period_end - timedelta(days=1)
    return f"{charge.product_name or agreement.terms.name}, {charge.period_start.isoformat()} – {last.isoformat()}"
