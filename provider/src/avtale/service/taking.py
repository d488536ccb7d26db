"""Take a change into an agreement: what waits for a charge's fate as soon as that is known, a price on its day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from avtale.domain import change as rules
from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.change import Change, ChangeKind, ChangeStatus, Taken
from avtale.domain.charge import ChargeStatus
from avtale.domain.periods import local_date
from avtale.domain.ports import RecurringGateway
from avtale.service import announcing
from avtale.service.granting import grant
from avtale.service.ids import new_id
from avtale.storage import agreements, calls, changes, charges, drafts, dunnings, locks, phases, tenants
from avtale.storage.calls import Call, CallKind
from avtale.storage.charges import Order
from avtale.storage.database import Transaction
from avtale.storage.phases import Phase
from avtale.storage.tenants import Tenant


async def take_waiting(
    tx: Transaction, tenant: Tenant, gateway: RecurringGateway, agreement_ids: Collection[UUID]
) -> None:
    """Take the changes of these agreements (locked) whose charges have all met their fate."""
    for agreement_id, waiting in sorted((await changes.changes_with(tx, ChangeStatus.WAITING, agreement_ids)).items()):
        open_ones = {attempt.charge_id for attempt in await charges.open_attempts(tx, [agreement_id])}
        for change in waiting:
            owed = await charges.charges_of(tx, [agreement_id])
            touched = [c for c in owed if c.period is not None and c.period >= (change.from_period or 0)]
            if any(charge.id in open_ones for charge in touched):
                continue
            for charge in touched:
                # One without an order, since the gateway refused it: it would have been tried anew.
                await charges.close_charge(tx, charge.id, ChargeStatus.CANCELLED, None)
            agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
            if agreement is not None:
                await take(tx, tenant, gateway, agreement, change)


async def take(
    tx: Transaction, tenant: Tenant, gateway: RecurringGateway, agreement: Agreement, change: Change
) -> Change:
    """Take a change into its agreement, which is locked; one that cannot be any more is dropped."""
    owed = await charges.charges_of(tx, [agreement.id])
    start, deferred = rules.next_start(agreement, owed, change.from_period)
    terms = await terms_after(tx, agreement, change)
    if agreement.status is not AgreementStatus.ACTIVE or terms is None:
        return await close(tx, agreement, replace(change, status=ChangeStatus.DROPPED))
    agreement = rules.with_amount_said(agreement, owed, change.from_period)
    taken = _taken(tx, tenant, gateway, agreement, change, start, terms)
    if await dunnings.holds(tx, agreement.id):
        # A charge that is in dunning holds the next period, whatever that is.
        taken = replace(taken, agreement=replace(taken.agreement, next_charge_at=None))
    if taken.agreement.next_period.start >= local_date(tx.now, tenant.zone):
        # No period is late any more, so none waits for an operator.
        taken = replace(taken, agreement=replace(taken.agreement, parked_reason=None))
    done = await enter(tx, tenant, agreement, replace(change, deferred=deferred), taken, start)
    if change.kind is ChangeKind.PLAN:
        await show_terms(tx, gateway, [replace(taken.agreement, version=agreement.version + 1)])
    return done


async def enter(
    tx: Transaction, tenant: Tenant, agreement: Agreement, change: Change, taken: Taken, start: date
) -> Change:
    """Write an agreement as it is after a change, with what follows for its periods and for access."""
    after = taken.agreement
    await agreements.save_terms(tx, after)
    reason = change.kind.value
    counted = [Phase(agreement.id, one.from_period, one.start, one.interval, reason) for one in taken.stretches]
    await phases.begin_phases(tx, agreement, counted)
    if change.kind is ChangeKind.PLAN:
        # What was to be the price of another product will not be.
        for price in (await changes.changes_with(tx, ChangeStatus.PLANNED, [agreement.id])).get(agreement.id, ()):
            await close(tx, after, replace(price, status=ChangeStatus.DROPPED))
    await grant(tx, tenant, [agreement.id])
    effect = start if change.kind is ChangeKind.PAUSE else after.next_period.start
    return await close(tx, after, replace(change, status=ChangeStatus.DONE, takes_effect=effect))


async def take_prices(tx: Transaction, gateway: RecurringGateway, due: Sequence[Agreement]) -> dict[UUID, Agreement]:
    """These agreements (locked, about to be charged for their next period) at the prices that hold when it begins."""
    planned = await changes.changes_with(tx, ChangeStatus.PLANNED, [agreement.id for agreement in due])
    priced = {agreement.id: agreement for agreement in due}
    for agreement in due if planned else ():
        starts = agreement.next_period.start
        # The last one that holds by then; what it overtakes has been taken as well.
        for change in sorted(planned.get(agreement.id, ()), key=lambda one: (one.day or starts, one.version)):
            if change.amount is None or change.day is None or change.day > starts:
                continue
            now = priced[agreement.id]
            least = gateway.amount_min(now.terms.price.currency)
            priced[agreement.id] = rules.at_price(now, change.amount, least)
            await close(tx, now, replace(change, status=ChangeStatus.DONE, takes_effect=starts))
    changed = [priced[agreement.id] for agreement in due if priced[agreement.id] is not agreement]
    for now in changed:
        await agreements.save_terms(tx, now)
        priced[now.id] = replace(now, version=now.version + 1)
    await show_terms(tx, gateway, changed)
    return priced


async def show_terms(tx: Transaction, gateway: RecurringGateway, changed: Sequence[Agreement]) -> None:
    """Have the gateway show what these agreements are about now; older words about them are not said any more."""
    won = await drafts.won_drafts(tx, [agreement.id for agreement in changed])
    written = []
    for agreement in changed:
        if agreement.gateway_agreement_id is None or agreement.id not in won:
            continue
        await calls.supersede(tx, CallKind.UPDATE, won[agreement.id].id)
        request = gateway.write_update(new_id(), agreement.gateway_agreement_id, agreement.terms)
        written.append(Call(request, CallKind.UPDATE, won[agreement.id].id))
    await calls.write_calls(tx, written, lease_seconds_max=0)


async def cancel_for_changes(tx: Transaction, gateway: RecurringGateway, accepted: Sequence[Order]) -> None:
    """Orders that the gateway has accepted only now, although a change of their agreement waits for their end."""
    owners = {order.agreement_id for order in accepted if order.agreement_id is not None}
    waiting = await changes.changes_with(tx, ChangeStatus.WAITING, owners)
    written = []
    for order in accepted if waiting else ():
        mine = waiting.get(order.agreement_id, ()) if order.agreement_id is not None else ()
        from_periods = [one.from_period or 0 for one in mine]
        if from_periods and (order.period or 0) >= min(from_periods):
            written.append(await cancel_call(tx, gateway, order.attempt_id))
    await calls.write_calls(tx, written, lease_seconds_max=0)


async def cancel_call(tx: Transaction, gateway: RecurringGateway, attempt_id: UUID) -> Call:
    """The call that cancels an order which is not captured yet."""
    attempt = (await charges.get_attempts(tx, [attempt_id]))[attempt_id]
    if attempt.gateway_agreement_id is None:
        raise RuntimeError("a period's order is drawn on an agreement")
    request = gateway.write_cancel(new_id(), attempt.gateway_agreement_id, str(attempt_id))
    return Call(request, CallKind.CANCEL, attempt_id)


def _taken(
    tx: Transaction,
    tenant: Tenant,
    gateway: RecurringGateway,
    agreement: Agreement,
    change: Change,
    start: date,
    terms: Terms,
) -> Taken:
    match change.kind:
        case ChangeKind.PAUSE:
            return rules.pause(agreement, start, change.day, tx.now, tenant.rules, tenant.zone)
        case ChangeKind.RESUME:
            first = max(start, change.day or local_date(tx.now, tenant.zone))
            return rules.resume(agreement, first, tenant.rules, tenant.zone)
        case ChangeKind.CHARGE_DAY:
            least = gateway.amount_min(agreement.terms.price.currency)
            day = change.charge_day or start.day
            return rules.move_charge_day(agreement, start, day, least, tenant.rules, tenant.zone)
        case ChangeKind.PLAN:
            return rules.take_plan(agreement, start, terms, tenant.rules, tenant.zone)
        case ChangeKind.PRICE:
            raise RuntimeError("a price is taken on its day")


async def terms_after(tx: Transaction, agreement: Agreement, change: Change) -> Terms | None:
    """The terms after a change; None where another plan is not to be had any more."""
    if change.product_id is None:
        return agreement.terms
    await locks.lock_person_and_product(tx, agreement.issuer, agreement.subject, change.product_id)
    held = await agreements.agreements_of(tx, agreement.issuer, agreement.subject, product_id=change.product_id)
    terms = await tenants.get_product(tx, change.product_id)
    taken = any(one.status is AgreementStatus.ACTIVE for one in held)
    return terms if isinstance(terms, Terms) and not taken else None


async def close(tx: Transaction, agreement: Agreement, change: Change) -> Change:
    """A change is done or dropped, and told."""
    closed = replace(change, done_at=tx.now)
    await changes.save_change(tx, closed)
    await announcing.announce(tx, [announcing.changed(agreement, closed)])
    return closed
