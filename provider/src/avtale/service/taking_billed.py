"""Take changes into agreements that Stripe bills: as soon as the subscription itself says that they have arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from avtale.domain import change as rules
from avtale.domain.agreement import Agreement, AgreementStatus, Asked
from avtale.domain.change import Change, ChangeKind, ChangeStatus, Taken
from avtale.domain.charge import Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.observations import ObservedAgreement, ObservedOrder, Standing
from avtale.domain.periods import local_date
from avtale.service.granting import grant
from avtale.service.ids import new_id
from avtale.service.pricing_billed import holding
from avtale.service.taking import close, enter, terms_after
from avtale.storage import agreements, calls, changes, charges
from avtale.storage.database import Transaction
from avtale.storage.phases import Phase
from avtale.storage.tenants import Tenant


async def take_arrived(tx: Transaction, tenant: Tenant, agreement: Agreement, observed: ObservedAgreement) -> Agreement:
    """Take the waiting change that this reading shows into its agreement, which is locked; gives it as it is now."""
    standing, asked = observed.standing, {order.change for order in observed.orders}
    waiting = (await changes.changes_with(tx, ChangeStatus.WAITING, [agreement.id])).get(agreement.id, ())
    answered = await calls.states(tx, [change.id for change in waiting])
    for change in waiting:
        shown = standing.last_change if standing is not None else None
        if str(change.id) not in {shown, *asked} and answered.get(change.id) != "accepted":
            continue
        terms = await terms_after(tx, agreement, change)
        if agreement.status is not AgreementStatus.ACTIVE or terms is None:
            await close(tx, agreement, replace(change, status=ChangeStatus.DROPPED))
            continue
        start = agreement.paused_from or agreement.next_period.start
        match change.kind:
            case ChangeKind.CHARGE_DAY:
                # Whether its share is too little was decided when it was asked for.
                taken = rules.move_charge_day(
                    agreement, start, change.charge_day or start.day, 0, tenant.rules, tenant.zone
                )
                taken = replace(taken, agreement=replace(taken.agreement, next_amount=None))
            case ChangeKind.PAUSE:
                taken = rules.pause(agreement, start, change.day, tx.now, tenant.rules, tenant.zone)
            case ChangeKind.RESUME:
                first = _free_until(tenant, standing, change.created_at) or start
                taken = rules.resume(agreement, max(start, first), tenant.rules, tenant.zone)
            case _:
                taken = rules.take_plan(agreement, start, terms, tenant.rules, tenant.zone)
        # It is Stripe that charges.
        taken = Taken(replace(taken.agreement, next_charge_at=None), taken.stretches)
        deferred = change.from_period is not None and agreement.last_period >= change.from_period
        await enter(tx, tenant, agreement, replace(change, deferred=deferred), taken, start)
        agreement = replace(taken.agreement, version=agreement.version + 1)
        if agreement.bridge_start is not None and change.amount == 0:
            agreement = await _give_bridge(tx, tenant, agreement)
    return agreement


def before_bridge(tenant: Tenant, change: Change, observed: ObservedAgreement) -> tuple[ObservedOrder, ...]:
    """The orders of a reading which were made before another charge day was asked for."""
    first = _free_until(tenant, observed.standing, change.created_at)
    found: list[ObservedOrder] = []
    for order in observed.orders:
        if order.change == str(change.id) or (first and local_date(order.starts_at, tenant.zone) >= first):
            break
        found.append(order)
    return tuple(found)


async def _give_bridge(tx: Transaction, tenant: Tenant, agreement: Agreement) -> Agreement:
    """The days until another charge day, where their share is less than Stripe takes: they cost nothing."""
    days, terms = agreement.next_period, agreement.terms
    charge = Charge(
        id=new_id(),
        agreement_id=agreement.id,
        purchase_id=None,
        kind=ChargeKind.RECURRING,
        period=days.number,
        period_start=days.start,
        period_end=days.end,
        due=days.start,
        price=replace(terms.price, amount=0),
        vat_basis_points=terms.vat_basis_points,
        status=ChargeStatus.WAIVED,
        totals=Totals(),
        failure_reason=None,
        version=1,
        product_id=terms.product_id,
        product_name=terms.name,
    )
    await charges.insert_charges(tx, [charge])
    begun = replace(agreement, last_period=days.number)
    await agreements.save_agreements(tx, [begun])
    await grant(tx, tenant, [agreement.id])
    return replace(begun, version=begun.version + 1)


def _free_until(tenant: Tenant, standing: Standing | None, asked_at: datetime) -> date | None:
    """The day until which nothing is charged, if that is what was asked for then."""
    until = standing.free_until if standing is not None else None
    return local_date(until, tenant.zone) if until is not None and until > asked_at else None


async def drop(tx: Transaction, change_id: UUID) -> None:
    """Stripe has refused a change: nothing becomes of it."""
    change = await changes.get_change(tx, change_id)
    if change is None or change.status not in (ChangeStatus.WAITING, ChangeStatus.PLANNED):
        return
    agreement = await agreements.get_agreement(tx, change.agreement_id, lock=True)
    if agreement is not None:
        await close(tx, agreement, replace(change, status=ChangeStatus.DROPPED))


async def asked_elsewise(
    tx: Transaction, told: Sequence[tuple[Agreement, ObservedAgreement]]
) -> dict[UUID, Asked | None]:
    """What Stripe asks for agreements, as far as that is news: neither what was agreed nor what was planned, so that
    somebody changed it there; None where it is what was agreed again.

    While a change waits for its answer nobody knows what is to be asked.
    """
    differing = {one.id: asks for one, seen in told if (asks := _not_agreed(one, seen)) is not None}
    planned = await changes.changes_with(tx, ChangeStatus.PLANNED, differing)
    waiting = await changes.changes_with(tx, ChangeStatus.WAITING, differing)
    news: dict[UUID, Asked | None] = {}
    for agreement, seen in told:
        asks = differing.get(agreement.id)
        if asks is not None and replace(asks.price, amount=0) == replace(agreement.terms.price, amount=0):
            is_planned = asks.price.amount in {change.amount for change in planned.get(agreement.id, ())}
            asks = None if is_planned and asks.interval == agreement.terms.interval else asks
        is_known = seen.standing is not None and seen.standing.asks is not None
        if is_known and agreement.id not in waiting and asks != agreement.asked:
            news[agreement.id] = asks
    return news


def _not_agreed(agreement: Agreement, observed: ObservedAgreement) -> Asked | None:
    asks, terms = observed.standing.asks if observed.standing is not None else None, agreement.terms
    agreed = {terms.price} | ({replace(terms.price, amount=terms.campaign.price)} if terms.campaign else set())
    return asks if asks is not None and (asks.price not in agreed or asks.interval != terms.interval) else None


@dataclass(frozen=True, slots=True)
class Begun:
    """An agreement in its next period, the prices that hold since then, and where it is counted from, if anew.

    `is_late`: it was to be paused by then, but Stripe had begun to charge it.
    """

    agreement: Agreement
    prices: tuple[Change, ...]
    phase: Phase | None
    is_late: bool = False


def begin_period(
    agreement: Agreement, order: ObservedOrder, days: tuple[date, date], planned: Sequence[Change], *, collects: bool
) -> Begun:
    """The period that begins with this order (`days`: its first, and the one after its last): at the price that was
    planned, if Stripe asks it, and counted from where Stripe says.

    A pause is over with it. One that Stripe knows of (it `collects` nothing), but too late to keep this order from
    being charged, begins after it.
    """
    start, end = days
    due = holding(planned, start)
    if due and due[-1].amount == order.amount.amount:
        agreement = replace(agreement, terms=replace(agreement.terms, price=order.amount))
    else:
        due = []
    is_late = agreement.paused_from is not None and start >= agreement.paused_from and not collects
    if is_late:
        agreement = replace(agreement, paused_from=end)
    elif agreement.paused_from is not None and start >= (agreement.resumes_on or agreement.paused_from):
        agreement = replace(agreement, paused_at=None, paused_from=None, resumes_on=None, pause_reason=None)
    number, phase = agreement.last_period + 1, None
    if agreement.last_period and start != agreement.next_period.start:
        agreement = replace(agreement, bridge_start=None, phase_period=number, phase_start=start)
        phase = Phase(agreement.id, number, start, agreement.terms.interval, "stripe")
    return Begun(replace(agreement, last_period=number), tuple(due), phase, is_late)


def product_of(
    agreement: Agreement, plans: Iterable[Change], charged: Sequence[Charge], start: date
) -> tuple[str | None, str | None]:
    """The product that a period from this day on is for, and its name: that of the charge before, where another of its
    `plans` holds only later."""
    later = any(one.takes_effect is not None and one.takes_effect > start for one in plans)
    if later and charged:
        return charged[-1].product_id, charged[-1].product_name
    return agreement.terms.product_id, agreement.terms.name
