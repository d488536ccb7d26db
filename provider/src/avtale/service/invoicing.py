"""Learn of the orders that a gateway makes by itself: each invoice becomes a charge with its one attempt."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from avtale.domain.agreement import Agreement
from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.charge import Attempt, AttemptStatus, Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.observations import ObservedAgreement, ObservedOrder
from avtale.domain.periods import local_date
from avtale.domain.withdrawal import may_be_kept
from avtale.service import settling
from avtale.service.ids import new_id
from avtale.service.taking import close
from avtale.service.taking_billed import begin_period, product_of
from avtale.storage import agreements, changes, charges, checks, phases
from avtale.storage.checks import CheckKind
from avtale.storage.database import Transaction
from avtale.storage.phases import Phase
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
    fresh = [one.id for one, observed in told if any(order.order_id not in known for order in observed.orders)]
    planned = await changes.changes_with(tx, ChangeStatus.PLANNED, fresh)
    done = await changes.changes_with(tx, ChangeStatus.DONE, fresh)
    news = []
    for agreement, observed in told:
        prices, taken = planned.get(agreement.id, []), done.get(agreement.id, [])
        before = _Before(known, owed_before.get(agreement.id, []), prices, taken)
        news.append(_news(tenant, agreement, observed, before, agreement.id in strays))
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
    moved = [one.agreement for one in news if one.agreement != now[one.agreement.id]]
    priced = [one for one in moved if one.terms != now[one.id].terms]
    await agreements.save_agreements(tx, [one for one in moved if one.terms == now[one.id].terms])
    for one in priced:
        await agreements.save_terms(tx, one)
    now |= {one.id: replace(one, version=one.version + 1) for one in moved}
    for learnt in news:
        await phases.begin_phases(tx, learnt.agreement, learnt.phases)
        for change in [*learnt.prices, *learnt.late]:
            await close(tx, learnt.agreement, change)
    await settling.grant(tx, tenant, sorted(one.agreement.id for one in news if len(one.owed) > len(one.tried)))
    return now


@dataclass(frozen=True, slots=True)
class _News:
    """What was not known of an agreement: charges, their attempts, what is different in it since its last period began,
    and pauses that came too `late` for it."""

    agreement: Agreement
    owed: list[Charge] = field(default_factory=list)
    tried: list[Attempt] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    prices: list[Change] = field(default_factory=list)
    late: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Before:
    """What is known: orders, charges, prices that are to hold from a day on, and what was changed before."""

    known: Container[str | None]
    owed: Sequence[Charge]
    prices: Sequence[Change]
    done: Sequence[Change]

    @property
    def plans(self) -> list[Change]:
        """Plans that hold since a day."""
        return [change for change in self.done if change.kind is ChangeKind.PLAN]

    @property
    def pauses(self) -> list[Change]:
        """Pauses, the last one at the end."""
        return [change for change in self.done if change.kind is ChangeKind.PAUSE]

    def resumed_since(self, order: ObservedOrder) -> bool:
        """Whether an order is of days that began in a pause which is over by now, be it on the same day."""
        resumes = [change for change in self.done if change.kind is ChangeKind.RESUME]
        return any(change.done_at is not None and order.starts_at <= change.done_at for change in resumes)


def _news(tenant: Tenant, agreement: Agreement, observed: ObservedAgreement, before: _Before, stray: bool) -> _News:
    free_starts = {charge.period_start for charge in before.owed if charge.status is ChargeStatus.WAIVED}
    # What was billed for the time before an agreement moved in is in somebody else's books.
    moved_in = agreement.created_at if before.owed and before.owed[0].status is ChargeStatus.WAIVED else None
    news = _News(agreement)
    for order in observed.orders:
        start = local_date(order.starts_at, tenant.zone)
        if order.order_id in before.known:
            continue
        if order.amount.amount == 0 and (stray or start in free_starts):
            continue
        if moved_in is not None and order.starts_at <= moved_in:
            continue
        if order.is_void and not stray and (_was_never_owed(news.agreement, start) or before.resumed_since(order)):
            continue
        if not stray:
            days = (start, local_date(order.ends_at, tenant.zone))
            prices = [change for change in before.prices if change.id not in {one.id for one in news.prices}]
            collects = observed.standing is None or observed.standing.collects
            begun = begin_period(news.agreement, order, days, prices, collects=collects)
            news = replace(news, agreement=begun.agreement)
            news.phases.extend([begun.phase] if begun.phase else [])
            if begun.is_late:
                news.late.extend(replace(c, deferred=True, takes_effect=days[1]) for c in before.pauses[-1:])
            news.prices.extend(replace(c, status=ChangeStatus.DONE, takes_effect=start) for c in begun.prices)
        product = product_of(news.agreement, before.plans, [*before.owed, *news.owed], start)
        charge = _charge(tenant, agreement, order, None if stray else news.agreement.last_period, product)
        if agreement.withdrawn_at is not None:
            # It was made before the withdrawal, and nobody knew of it by then.
            day = local_date(agreement.access_ends_at or agreement.withdrawn_at, tenant.zone)
            charge = replace(charge, keep_max=may_be_kept(charge, agreement.consented_at is not None, day))
        news.owed.append(charge)
        if charge.status is not ChargeStatus.WAIVED:
            news.tried.append(_attempt(agreement, observed, order, charge))
    return news


def _was_never_owed(agreement: Agreement, start: date) -> bool:
    """Whether a void invoice is for days of a pause, or of one that was: no period, and no charge."""
    return start >= (agreement.paused_from or date.max) or start < agreement.next_period.start


def _charge(
    tenant: Tenant,
    agreement: Agreement,
    order: ObservedOrder,
    period: int | None,
    product: tuple[str | None, str | None],
) -> Charge:
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
        product_id=product[0],
        product_name=product[1],
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
