"""Settle charges: what the gateway says of attempts becomes ledger, receipts, access and, where due, an end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import (
    OPEN_ATTEMPTS,
    OPEN_REFUNDS,
    Attempt,
    Charge,
    ChargeKind,
    Refund,
    RefundStatus,
)
from avtale.domain.money import Money
from avtale.domain.ports import AgreementGateway, PaymentGateway
from avtale.domain.purchase import DUPLICATE, Purchase
from avtale.domain.settlement import ObservedCharge, Settlement, apply
from avtale.service import announcing, delivering, dunning
from avtale.service.bookkeeping import book
from avtale.service.desks import Desk
from avtale.service.ending import ask_to_stop as ask_to_stop
from avtale.service.ending import finish_stops
from avtale.service.granting import grant as grant
from avtale.service.ids import new_id
from avtale.service.taking import take_waiting
from avtale.storage import agreements, calls, charges, receipts, refunds
from avtale.storage.calls import Call, CallKind
from avtale.storage.database import Transaction
from avtale.storage.tenants import Tenant

#: How often the same sum is offered back to somebody although the gateway refuses it.
REFUSALS_COUNT_MAX = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """What the gateway said of one attempt."""

    attempt_id: UUID
    observed: ObservedCharge


@dataclass(frozen=True, slots=True)
class Settled:
    """An attempt after its reading: whether anything about it may still change by itself, and whose it is."""

    charge: Charge
    attempt: Attempt
    waits: bool
    purchase: Purchase | None


async def settle_charges(
    tx: Transaction,
    tenant: Tenant,
    at: Desk,
    readings: Sequence[Reading],
) -> list[Settled]:
    """Apply readings of one gateway in bulk; a reading that brings nothing new writes nothing new.

    Locks the owners (agreements and purchases) in key order, so that readings, plans and stops of the same one
    take turns.
    """
    gateway, payments = at.gateway, at.payments
    by_attempt = {reading.attempt_id: reading.observed for reading in readings}
    tried = await charges.get_attempts(tx, by_attempt)
    charge_ids = {attempt.charge_id for attempt in tried.values()}
    owed = (await charges.get_charges(tx, charge_ids)).values()
    bought = await delivering.lock_purchases(tx, {charge.purchase_id for charge in owed if charge.purchase_id})
    locked = await agreements.lock_agreements(tx, {charge.agreement_id for charge in owed if charge.agreement_id})
    now_attempts = await charges.get_attempts(tx, by_attempt)
    now_charges = await charges.get_charges(tx, charge_ids)
    wishes = await refunds.refunds_of(tx, charge_ids)

    settled: list[tuple[Charge, Attempt, Settlement]] = []
    for attempt_id in sorted(now_attempts):
        stored = now_attempts[attempt_id]
        attempt = replace(stored, gateway_payment_id=by_attempt[attempt_id].payment_id or stored.gateway_payment_id)
        charge = now_charges[attempt.charge_id]
        mine = [refund for refund in wishes if refund.attempt_id == attempt_id and refund.status in OPEN_REFUNDS]
        settlement = apply(charge, attempt, by_attempt[attempt_id], mine)
        settled.append((charge, attempt, settlement))
        now_charges[charge.id] = _after(charge, settlement)
    await charges.save_settlements(tx, settled)
    await charges.name_payments(tx, _new_payments(settled, now_attempts))
    documents = await book(tx, tenant, {**locked, **bought}, settled)
    await announcing.announce(tx, announcing.of_settlements({**locked, **bought}, settled))
    await dunning.follow(tx, tenant, gateway, locked, settled, by_attempt)
    if at.recurring is not None:
        await take_waiting(tx, tenant, at.recurring, locked)
    await finish_stops(tx, [one.id for one in locked.values() if one.status is AgreementStatus.STOPPING])
    await grant(tx, tenant, locked)
    seen = [(now_charges[c.id], one.id, one.order, by_attempt[one.id].state) for c, one, _ in settled]
    bought = await delivering.follow(tx, tenant, payments, at.billing, bought, seen)
    await _give_strays_back(tx, gateway, payments, now_charges.values(), settled, wishes, bought)
    await receipts.issue(tx, documents)
    return [_settled(charge, attempt, s, wishes, bought) for charge, attempt, s in settled]


async def _give_strays_back(
    tx: Transaction,
    gateway: AgreementGateway,
    payments: PaymentGateway | None,
    touched: Iterable[Charge],
    settled: Sequence[tuple[Charge, Attempt, Settlement]],
    wishes: Sequence[Refund],
    bought: Mapping[UUID, Purchase],
) -> None:
    """Money that a losing draft or a second purchase took is given back at once and in full, and what a withdrawal
    leaves no right to."""
    written = []
    lost = {purchase.id for purchase in bought.values() if purchase.end_reason == DUPLICATE}
    twice = {charge.id for charge in touched if charge.kind is ChargeKind.STRAY or charge.purchase_id in lost}
    for charge, attempt, settlement in settled:
        if charge.id not in twice and charge.keep_max is None:
            continue
        accepted = set(settlement.accepted_refunds)
        reserved = sum(
            refund.amount
            for refund in wishes
            if refund.attempt_id == attempt.id and refund.status in OPEN_REFUNDS and refund.id not in accepted
        )
        keep = 0 if charge.id in twice else charge.keep_max or 0
        left = settlement.attempt_totals.captured - settlement.attempt_totals.refunded - reserved - keep
        # Where a refund came back, or was refused again and again, an operator finds another way.
        refused = sum(
            refund.attempt_id == attempt.id and refund.status is RefundStatus.REJECTED and refund.amount == left
            for refund in wishes
        )
        if left > 0 and not settlement.attempt_totals.returned and refused < REFUSALS_COUNT_MAX:
            why = "Charged twice" if charge.id in twice else "Withdrawal from the agreement"
            wish = Refund(new_id(), charge.id, attempt.id, left, why, RefundStatus.WRITTEN)
            written.append(await write_refund(tx, gateway, payments, charge, attempt, wish, "avtale"))
    await calls.write_calls(tx, written, lease_seconds_max=0)


async def write_refund(
    tx: Transaction,
    gateway: AgreementGateway,
    payments: PaymentGateway | None,
    charge: Charge,
    attempt: Attempt,
    wish: Refund,
    requested_by: str,
) -> Call:
    """Write a wish to give money back, and return the call that does it."""
    await refunds.insert_refund(tx, wish, requested_by)
    if attempt.gateway_agreement_id is None and payments is not None:
        amount = Money(wish.amount, charge.price.currency)
        return Call(payments.write_refund(wish.id, attempt.id, amount), CallKind.PAYMENT_REFUND, attempt.id)
    drawn_on = attempt.gateway_agreement_id or ""
    request = gateway.write_refund(wish.id, drawn_on, attempt.payment, wish.amount, wish.reason)
    return Call(request, CallKind.REFUND, attempt.id)


def _new_payments(
    settled: Sequence[tuple[Charge, Attempt, Settlement]], stored: Mapping[UUID, Attempt]
) -> dict[UUID, str]:
    """What took the money of these attempts, where that has a name which was not stored."""
    named = {attempt.id: attempt.gateway_payment_id for _, attempt, _ in settled}
    return {key: name for key, name in named.items() if name is not None and name != stored[key].gateway_payment_id}


def _after(charge: Charge, settlement: Settlement) -> Charge:
    return replace(
        charge,
        status=settlement.charge_status,
        totals=settlement.charge_totals,
        failure_reason=settlement.failure_reason,
    )


def _settled(
    charge: Charge, attempt: Attempt, s: Settlement, wishes: Sequence[Refund], bought: Mapping[UUID, Purchase]
) -> Settled:
    accepted = set(s.accepted_refunds)
    unproven = any(
        refund.attempt_id == attempt.id and refund.status in OPEN_REFUNDS and refund.id not in accepted
        for refund in wishes
    )
    after = replace(attempt, status=s.attempt_status, totals=s.attempt_totals)
    purchase = bought.get(charge.owner_id)
    return Settled(_after(charge, s), after, unproven or s.attempt_status in OPEN_ATTEMPTS, purchase)
