"""Learn of the orders that a gateway makes by itself: each invoice becomes a charge with its one attempt."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

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
    strays = {agreement.id} if stray else set()
    return (await learn_all_orders(tx, tenant, [(agreement, observed)], strays))[agreement.id]


async def learn_all_orders(
    tx: Transaction,
    tenant: Tenant,
    told: Sequence[tuple[Agreement, ObservedAgreement]],
    strays: Collection[UUID],
) -> dict[UUID, Agreement]:
    """As learn_orders, for many agreements (each once); `strays` are those that lost to another one."""
    if not told:
        return {}
    known: dict[str | None, Attempt] = {}
    for gateway in sorted({agreement.gateway for agreement, _ in told}):
        names = {order.order_id for one, observed in told if one.gateway is gateway for order in observed.orders}
        known |= {one.gateway_order_id: one for one in await charges.attempts_of_orders(tx, gateway, names)}
    owed_before: dict[UUID, list[Charge]] = {}
    for charge in await charges.charges_of(tx, [agreement.id for agreement, _ in told]):
        owed_before.setdefault(charge.owner_id, []).append(charge)
    news = [_news(tenant, *one, known, owed_before.get(one[0].id, []), one[0].id in strays) for one in told]
    await charges.insert_charges(tx, [charge for one in news for charge in one.owed])
    await charges.insert_attempts(tx, [attempt for one in news for attempt in one.tried])
    # A failed order that is paid after all moves no state of its agreement: it is seen here.
    paid_late = [
        known[order.order_id].id
        for _, observed in told
        for order in observed.orders
        if order.is_paid and order.order_id in known and known[order.order_id].status is not AttemptStatus.CAPTURED
    ]
    tried = [attempt.id for one in news for attempt in one.tried]
    await checks.ask(tx, CheckKind.ATTEMPT, {*tried, *paid_late}, tx.now)
    now = {agreement.id: agreement for agreement, _ in told}
    moved = [replace(one.agreement, last_period=one.last) for one in news if one.last != one.agreement.last_period]
    await agreements.save_agreements(tx, moved)
    now |= {one.id: replace(one, version=one.version + 1) for one in moved}
    await settling.grant(tx, tenant, sorted(one.agreement.id for one in news if len(one.owed) > len(one.tried)))
    return now


@dataclass(frozen=True, slots=True)
class _News:
    """What was not known of an agreement: charges, their attempts, and the number of its last period."""

    agreement: Agreement
    owed: list[Charge]
    tried: list[Attempt]
    last: int


def _news(
    tenant: Tenant,
    agreement: Agreement,
    observed: ObservedAgreement,
    known: Container[str | None],
    owed_before: Sequence[Charge],
    stray: bool,
) -> _News:
    free_starts = {charge.period_start for charge in owed_before if charge.status is ChargeStatus.WAIVED}
    # What was billed for the time before an agreement moved in is in somebody else's books.
    moved_in = owed_before[0].period_end if owed_before and owed_before[0].status is ChargeStatus.WAIVED else None
    last = agreement.last_period
    owed: list[Charge] = []
    tried: list[Attempt] = []
    for order in observed.orders:
        start = local_date(order.starts_at, tenant.zone)
        if order.order_id in known:
            continue
        if order.amount.amount == 0 and (stray or start in free_starts):
            continue
        if moved_in is not None and start < moved_in:
            continue
        last += 0 if stray else 1
        charge = _charge(tenant, agreement, order, None if stray else last)
        owed.append(charge)
        if charge.status is not ChargeStatus.WAIVED:
            tried.append(_attempt(agreement, observed, order, charge))
    return _News(agreement, owed, tried, last)


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
