"""Send written calls, and write down what came of them: accepted, rejected, or not known and so sent again."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from avtale.domain.billing import read_next
from avtale.domain.change import ChangeStatus
from avtale.domain.charge import AttemptStatus, ChargeStatus, RefundStatus
from avtale.domain.errors import Conflict
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import Confirmation
from avtale.domain.outcome import Answered, Outcome, Refused, Throttled, Unknown
from avtale.domain.pace import LATE_MAX
from avtale.domain.ports import BillingGateway, Gateways, PaymentGateway, RecurringGateway
from avtale.domain.purchase import Purchase
from avtale.service import delivering, drafting, taking_billed
from avtale.service.batching import Sent, take_apart
from avtale.service.budgeting import claim_unsent, pace_of
from avtale.service.taking import cancel_for_changes
from avtale.storage import budgets, calls, changes, charges, checks, drafts, inbox, refunds
from avtale.storage.calls import ORDERS, REFUNDS, Call, CallKind, resend_seconds
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Job, Transaction
from avtale.storage.due import refresh_due
from avtale.storage.tenants import Tenant

#: How many calls of one batch are under way at a time.
CALLS_AT_ONCE_MAX = 32
#: How many attempts a charge gets when the gateway refuses them, before it waits for an operator.
ATTEMPTS_COUNT_MAX = 3
#: Before a refused charge is attempted anew, its agreement is read again: business time to wait for that.
REPLAN_AFTER = timedelta(minutes=1)

#: What a worker may need beyond its calls, before its work counts as abandoned, in seconds of wall time.
LEASE_SECONDS_BESIDES = 3.0

#: What these changed about a purchase's order is known when it has been read.
_OF_PAYMENTS = frozenset({CallKind.PAYMENT_CAPTURE, CallKind.PAYMENT_RELEASE, CallKind.PAYMENT_REFUND})


def lease_seconds(gateways: Gateways, count: int) -> float:
    """How long a batch of calls is left to its worker before another takes it up, in seconds of wall time.

    As long as its calls can take at most, a new access token included. Taking up a batch too early costs calls and
    no money: they carry the same keys.
    """
    return gateways.call_seconds_max * (2 + math.ceil(count / CALLS_AT_ONCE_MAX)) + LEASE_SECONDS_BESIDES


async def send_written(db: Database, gateways: Gateways, tenant: Tenant, written: Sequence[Call]) -> list[Sent]:
    """Send calls that are committed, and record the outcomes in one transaction."""
    if not written:
        return []
    send_one, vipps = await _sender(gateways, tenant, {call.request.gateway for call in written})
    slots = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    async def send(call: Call) -> Sent:
        if call.leave_at is not None:
            await asyncio.sleep(max(0.0, call.leave_at - time.monotonic()))
        async with slots:
            return call, await send_one(call)

    sent = await asyncio.gather(*(send(call) for call in written))
    async with db.tenant(tenant.id) as tx:
        await record(tx, tenant, vipps, sent)
    # In a transaction of its own: `record` says what else is due, and rows of due work are locked in one order.
    async with db.tenant(tenant.id) as tx:
        await refresh_due(tx, Job.SEND)
    return list(sent)


async def resend(db: Database, gateways: Gateways, tenant: Tenant, batch_count_max: int = 200) -> bool:
    """Send again, with the same bytes, what has no certain answer; True when there may be more."""
    pace = await pace_of(gateways, tenant)
    async with db.tenant(tenant.id) as tx:
        unsent = await claim_unsent(tx, pace, batch_count_max, lambda count: lease_seconds(gateways, count))
    await send_written(db, gateways, tenant, unsent)
    async with db.tenant(tenant.id) as tx:
        await refresh_due(tx, Job.SEND)
    return len(unsent) == batch_count_max


async def _sender(
    gateways: Gateways, tenant: Tenant, names: Collection[GatewayName]
) -> tuple[Callable[[Call], Awaitable[Outcome[object]]], RecurringGateway | None]:
    """How calls to these gateways are made, and Vipps if it is one of them. What is not set up any more is not sent,
    and kept until it is."""
    missing: dict[GatewayName, str] = {}
    try:
        stripe = await gateways.stripe(tenant.id) if GatewayName.STRIPE in names else None
    except Conflict as conflict:
        stripe, missing[GatewayName.STRIPE] = None, conflict.detail
    vipps = await gateways.recurring(tenant.id) if GatewayName.VIPPS in names else None
    payments = await gateways.payments(tenant.id) if GatewayName.VIPPS in names else None

    async def send(call: Call) -> Outcome[object]:
        if call.request.gateway in missing:
            return Unknown(missing[call.request.gateway], sent=False)
        if stripe is not None and call.request.gateway is GatewayName.STRIPE:
            return await _send_to_stripe(stripe, call)
        if vipps is None or payments is None:
            raise RuntimeError("a call to no gateway")
        return await _send(vipps, payments, call)

    return send, vipps


async def _send_to_stripe(stripe: BillingGateway, call: Call) -> Outcome[object]:
    match call.kind:
        case CallKind.SUBSCRIPTION:
            return await stripe.create_subscription(call.request, again=call.sends > 1)
        case CallKind.UPDATE:
            return await stripe.change(call.request, again=call.sends > 1)
        case CallKind.PAYMENT | CallKind.CHARGE:
            return await stripe.create_intent(call.request, again=call.sends > 1)
        case CallKind.PAYMENT_RELEASE:
            return await stripe.release(call.request)
        case CallKind.STOP:
            return await stripe.stop(call.request)
        case CallKind.REFUND:
            return await stripe.refund(call.request)
        case _:
            raise RuntimeError(f"Stripe is never asked for a {call.kind.value}")


async def _send(gateway: RecurringGateway, payments: PaymentGateway, call: Call) -> Outcome[object]:
    match call.kind:
        case CallKind.CHARGE:
            leave_by = None if call.leave_at is None else call.leave_at + LATE_MAX.total_seconds()
            return await gateway.create_charge(call.request, again=call.sends > 1, leave_by=leave_by)
        case CallKind.CHARGE_BATCH:
            leave_by = None if call.leave_at is None else call.leave_at + LATE_MAX.total_seconds()
            return await gateway.create_charges(call.request, leave_by=leave_by)
        case CallKind.STOP:
            return await gateway.stop(call.request)
        case CallKind.REFUND:
            return await gateway.refund(call.request)
        case CallKind.CANCEL:
            return await gateway.cancel(call.request)
        case CallKind.UPDATE:
            return await gateway.update(call.request)
        case CallKind.PAYMENT:
            return await payments.create_payment(call.request, again=call.sends > 1)
        case CallKind.PAYMENT_CAPTURE:
            return await payments.capture(call.request)
        case CallKind.PAYMENT_RELEASE:
            return await payments.release(call.request)
        case CallKind.PAYMENT_REFUND:
            return await payments.refund(call.request)
        case CallKind.DRAFT | CallKind.SUBSCRIPTION:
            raise RuntimeError("a draft is never sent again")


async def record(tx: Transaction, tenant: Tenant, gateway: RecurringGateway | None, sent: Sequence[Sent]) -> None:
    """Write down outcomes; recording the same again changes nothing. `gateway` is for what we charge ourselves."""
    apart = take_apart(gateway, sent)
    sent = apart.sent
    await calls.write_anew(tx, apart.alone)
    about_purchases = {c.subject_id for c, _ in sent if c.kind in (CallKind.PAYMENT, CallKind.PAYMENT_CAPTURE)}
    bought = await delivering.lock_purchases_of(tx, about_purchases)
    accepted = [(call, outcome) for call, outcome in sent if isinstance(outcome, Answered)]
    refused = [(call, outcome) for call, outcome in sent if isinstance(outcome, Refused)]
    waits = [(call, outcome) for call, outcome in sent if isinstance(outcome, Throttled)]
    unknown = [(call, outcome) for call, outcome in sent if isinstance(outcome, Unknown)]
    await _record_accepted(tx, tenant, gateway, accepted, bought)
    await _record_refused(tx, refused, bought)
    await calls.keep_calls(tx, [(c.request.id, o.retry_after_seconds) for c, o in waits], "written")
    patience = max((outcome.retry_after_seconds for call, outcome in waits if call.leave_at is not None), default=0.0)
    if patience:
        await budgets.close(tx, patience)
    unsure = [call.subject_id for call, _ in unknown if call.kind in ORDERS]
    await charges.mark_attempts(tx, [*unsure, *apart.unsure], AttemptStatus.UNKNOWN)
    await refunds.mark_refunds(
        tx, [call.request.id for call, _ in unknown if call.kind in REFUNDS], RefundStatus.UNKNOWN
    )
    await drafting.record_unknown(tx, [call for call, _ in unknown])
    for reason in sorted({outcome.reason for _, outcome in unknown}):
        again = [(c.request.id, resend_seconds(c.sends)) for c, o in unknown if o.reason == reason]
        await calls.keep_calls(tx, again, "unknown", reason)


async def _record_accepted(
    tx: Transaction,
    tenant: Tenant,
    gateway: RecurringGateway | None,
    accepted: Sequence[tuple[Call, Answered[object]]],
    bought: Mapping[UUID, Purchase],
) -> None:
    done = [call for call, _ in accepted]
    await calls.close_calls(tx, [call.request.id for call in done], "accepted")
    await charges.mark_attempts(tx, [c.subject_id for c in done if c.kind in ORDERS], AttemptStatus.ACCEPTED)
    created = [call.subject_id for call in done if call.kind is CallKind.CHARGE]
    orders = await charges.orders(tx, created)
    not_created = await inbox.told_not_created(tx, [one.attempt_id for one in orders if one.batch_id is not None])
    by_instant: dict[datetime, list[UUID]] = {}
    readings = {due: read_next(due, tenant.rules.retry_days, tx.now, tenant.zone) for due in {o.due for o in orders}}
    for order in orders:
        at = readings[order.due]
        # What Stripe was asked to take it has taken by now, or not; and an event may have been faster than the answer.
        at = tx.now if order.gateway is GatewayName.STRIPE or order.attempt_id in not_created else at
        by_instant.setdefault(at, []).append(order.attempt_id)
    for at, ids in by_instant.items():
        await checks.ask(tx, CheckKind.ATTEMPT, ids, at)
    if gateway is not None:
        await cancel_for_changes(tx, gateway, orders)
    for call, outcome in accepted:
        if isinstance(outcome.value, Confirmation):
            await drafting.record_made(tx, call, outcome.value)
        if call.kind is CallKind.PAYMENT:
            url = outcome.value if isinstance(outcome.value, str) else None
            await delivering.payment_created(tx, bought[call.subject_id], call.subject_id, url)
    await _read_again(tx, done)


async def _record_refused(
    tx: Transaction, refused: Sequence[tuple[Call, Refused]], bought: Mapping[UUID, Purchase]
) -> None:
    for call, outcome in refused:
        reason = f"{outcome.code}: {outcome.detail}"
        await calls.close_calls(tx, [call.request.id], "rejected", f"{outcome.status} {reason}")
        if call.kind in REFUNDS:
            await refunds.mark_refunds(tx, [call.request.id], RefundStatus.REJECTED)
        if call.kind is CallKind.SUBSCRIPTION:
            await drafting.record_refused(tx, call, reason)
        if call.kind is CallKind.UPDATE and call.request.gateway is GatewayName.STRIPE:
            await taking_billed.drop(tx, call.request.id)
        if call.kind is CallKind.CHARGE:
            await _attempt_again(tx, call.subject_id, outcome)
        if call.kind is CallKind.PAYMENT and await charges.mark_attempts(tx, [call.subject_id], AttemptStatus.REJECTED):
            await delivering.payment_refused(tx, bought[call.subject_id], call.subject_id, reason)
        if call.kind is CallKind.PAYMENT_CAPTURE:
            await delivering.capture_refused(tx, bought[call.subject_id], reason)
    await _read_again(tx, [call for call, _ in refused])


async def _attempt_again(tx: Transaction, attempt_id: UUID, refusal: Refused) -> None:
    if await charges.mark_attempts(tx, [attempt_id], AttemptStatus.REJECTED):
        await order_again(tx, attempt_id, refusal)


async def order_again(tx: Transaction, attempt_id: UUID, refusal: Refused) -> None:
    """A refused order is over: the charge gets a new one, unless it has had enough or the agreement is gone."""
    attempt = (await charges.get_attempts(tx, [attempt_id]))[attempt_id]
    charge = (await charges.get_charges(tx, [attempt.charge_id]))[attempt.charge_id]
    had = await charges.attempts_of(tx, [charge.id])
    waiting = (await changes.changes_with(tx, ChangeStatus.WAITING, [charge.owner_id])).get(charge.owner_id, ())
    # A change that waits for its end takes the place of a new order.
    is_awaited = any((change.from_period or 0) <= (charge.period or 0) for change in waiting)
    if len(had) >= ATTEMPTS_COUNT_MAX and not is_awaited:
        await charges.close_charge(tx, charge.id, ChargeStatus.OPEN, f"refused: {refusal.code}: {refusal.detail}")
    else:
        await charges.replan_charge(tx, charge.id, tx.now + REPLAN_AFTER)
    won = await drafts.won_drafts(tx, [charge.owner_id])
    await checks.ask(tx, CheckKind.DRAFT, [draft.id for draft in won.values()], tx.now)


async def _read_again(tx: Transaction, done: Sequence[Call]) -> None:
    """What a stop, a change, a refund, a cancellation, a capture or a release did is known when it has been read."""
    stopped = {
        call.subject_id
        for call in done
        if call.kind is CallKind.STOP or (call.kind is CallKind.UPDATE and call.request.gateway is GatewayName.STRIPE)
    }
    read = {CallKind.REFUND, CallKind.CANCEL, *_OF_PAYMENTS}
    moved = {call.subject_id for call in done if call.kind in read}
    await checks.ask(tx, CheckKind.ATTEMPT, moved, tx.now)
    await checks.ask(tx, CheckKind.DRAFT, stopped, tx.now)
