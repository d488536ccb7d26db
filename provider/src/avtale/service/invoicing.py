"""Learn of the orders that a gateway makes by itself: each invoice becomes a charge with its one attempt."""

from __future__ import annotations

from dataclasses import replace

from avtale.domain.agreement import Agreement
from avtale.domain.charge import Attempt, AttemptStatus, Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.periods import local_date
from avtale.domain.ports import ObservedAgreement, ObservedOrder
from avtale.service import settling
from avtale.service.ids import new_id
from avtale.storage import agreements, charges, checks
from avtale.storage.checks import CheckKind
from avtale.storage.database import Transaction
from avtale.storage.tenants import Tenant


async def learn_orders(
    tx: Transaction, tenant: Tenant, agreement: Agreement, observed: ObservedAgreement, *, stray: bool = False
) -> Agreement:
    """Write charges for invoices that we did not know, and ask for what is new to be read.

    The agreement is locked by this transaction. With `stray` they are of a subscription that lost to another one, and
    what they took is given back. Returns the agreement as it is now.
    """
    orders = observed.orders
    known = {
        attempt.gateway_order_id: attempt
        for attempt in await charges.attempts_of_orders(tx, agreement.gateway, {order.order_id for order in orders})
    }
    news = [order for order in orders if order.order_id not in known]
    owed_before = await charges.charges_of(tx, [agreement.id])
    free_starts = {charge.period_start for charge in owed_before if charge.status is ChargeStatus.WAIVED}
    # What was billed for the time before an agreement moved in is in somebody else's books.
    moved_in = owed_before[0].period_end if owed_before and owed_before[0].status is ChargeStatus.WAIVED else None
    last = agreement.last_period
    owed: list[Charge] = []
    tried: list[Attempt] = []
    for order in news:
        start = local_date(order.starts_at, tenant.zone)
        if order.amount.amount == 0 and (stray or start in free_starts):
            continue
        if moved_in is not None and start < moved_in:
            continue
        last += 0 if stray else 1
        charge = _charge(tenant, agreement, order, None if stray else last)
        owed.append(charge)
        if charge.status is not ChargeStatus.WAIVED:
            tried.append(_attempt(agreement, observed, order, charge))
    await charges.insert_charges(tx, owed)
    await charges.insert_attempts(tx, tried)
    # A failed order that is paid after all moves no state of its agreement: it is seen here.
    paid_late = [
        known[order.order_id].id
        for order in orders
        if order.is_paid and order.order_id in known and known[order.order_id].status is not AttemptStatus.CAPTURED
    ]
    await checks.ask(tx, CheckKind.ATTEMPT, [*(attempt.id for attempt in tried), *paid_late], tx.now)
    if last != agreement.last_period:
        agreement = replace(agreement, last_period=last)
        await agreements.save_agreements(tx, [agreement])
        agreement = replace(agreement, version=agreement.version + 1)
    if len(owed) > len(tried):
        await settling.grant(tx, tenant, [agreement.id])
    return agreement


def _charge(tenant: Tenant, agreement: Agreement, order: ObservedOrder, period: int | None) -> Charge:
    """What an invoice asks: its days are those of its lines, local to the tenant."""
    kind = ChargeKind.INITIAL if order.is_first else ChargeKind.RECURRING
    start = local_date(order.starts_at, tenant.zone)
    return Charge(
        id=new_id(),
        agreement_id=agreement.id,
        purchase_id=None,
        kind=ChargeKind.STRAY if period is None else kind,
        period=period,
        period_start=start,
        period_end=local_date(order.ends_at, tenant.zone),
        due=start,
        price=order.amount,
        vat_basis_points=agreement.terms.vat_basis_points,
        status=ChargeStatus.WAIVED if order.amount.amount == 0 else ChargeStatus.OPEN,
        totals=Totals(),
        failure_reason=None,
        version=1,
    )


def _attempt(agreement: Agreement, observed: ObservedAgreement, order: ObservedOrder, charge: Charge) -> Attempt:
    return Attempt(
        id=new_id(),
        charge_id=charge.id,
        status=AttemptStatus.ACCEPTED,
        totals=Totals(),
        gateway_agreement_id=observed.gateway_agreement_id,
        gateway=agreement.gateway,
        gateway_order_id=order.order_id,
    )
