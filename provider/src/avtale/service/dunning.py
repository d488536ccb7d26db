"""Dunning: tell of the first failure of a charge, try it anew by the tenant's policy, and end it by the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from avtale.domain import change as rules
from avtale.domain.access import PAID
from avtale.domain.agreement import Agreement, AgreementStatus
from avtale.domain.billing import DUE_DAYS_MIN, plan_at, settled_by
from avtale.domain.charge import Attempt, AttemptStatus, Charge, ChargeKind, ChargeStatus
from avtale.domain.dunning import Dunning, DunningEnd, DunningStatus
from avtale.domain.gateway import GatewayName
from avtale.domain.periods import local_date, start_of
from avtale.domain.ports import AgreementGateway
from avtale.domain.settlement import ObservedCharge, Settlement
from avtale.service import announcing
from avtale.service.ending import ask_to_stop
from avtale.storage import agreements, calls, charges, drafts, dunnings, entitlements, phases
from avtale.storage.database import Database, Transaction
from avtale.storage.phases import Phase
from avtale.storage.tenants import Tenant

Seen = tuple[Charge, Attempt, Settlement]

#: What an agreement that is held says of why.
PAYMENT_FAILED = "payment_failed"


@dataclass(frozen=True, slots=True)
class DunningView:
    """A dunning with whose it is, the charge, when its tries end, and until when there is access meanwhile."""

    dunning: Dunning
    agreement: Agreement
    charge: Charge
    last_try_until: datetime | None
    access_until: datetime | None


async def list_dunning(
    db: Database, tenant: Tenant, status: DunningStatus, after: UUID | None, count_max: int
) -> list[DunningView]:
    """Each agreement in dunning and why, or those that were."""
    async with db.tenant(tenant.id) as tx:
        found = await dunnings.list_dunnings(tx, status, after, count_max)
        owed = await charges.get_charges(tx, [one.charge_id for one in found])
        owners = await agreements.get_agreements(tx, {one.agreement_id for one in found})
        access = await entitlements.entitlements_of(tx, list(owners))
    return [
        DunningView(
            dunning=one,
            agreement=owners[one.agreement_id],
            charge=owed[one.charge_id],
            last_try_until=_last_try_until(tenant, owners[one.agreement_id], owed[one.charge_id]),
            access_until=access[one.agreement_id].access_until if one.agreement_id in access else None,
        )
        for one in found
    ]


async def follow(
    tx: Transaction,
    tenant: Tenant,
    gateway: AgreementGateway,
    owners: Mapping[UUID, Agreement],
    settled: Sequence[Seen],
    observed: Mapping[UUID, ObservedCharge],
) -> None:
    """Open, go on with, or close the dunning of these charges, whose agreements (`owners`) are locked."""
    mine = [seen for seen in settled if seen[0].agreement_id in owners and seen[0].kind is not ChargeKind.STRAY]
    known = await dunnings.dunnings_of(tx, {charge.id for charge, _, _ in mine})
    for charge, attempt, s in mine:
        before = known.get(charge.id)
        reason = observed[attempt.id].failure_reason
        failed = s.attempt_status is AttemptStatus.FAILED and attempt.status is not AttemptStatus.FAILED
        if s.charge_totals.captured or s.charge_status is ChargeStatus.CANCELLED:
            if before is not None and before.status is DunningStatus.OPEN:
                recovered = s.charge_totals.captured > 0
                status = DunningStatus.RECOVERED if recovered else DunningStatus.LOST
                known[charge.id] = await _close(tx, tenant, charge, before, status)
        elif failed or (reason is not None and s.charge_status is ChargeStatus.OPEN):
            owner = await _owner(tx, charge)
            known[charge.id] = await _failed(tx, tenant, gateway, owner, charge, before, reason, failed)
    await dunnings.save_dunnings(tx, list(known.values()))


async def give_up(tx: Transaction, tenant: Tenant, charge: Charge) -> None:
    """Nothing more is tried for this charge, whose agreement is locked: its dunning is over."""
    before = (await dunnings.dunnings_of(tx, [charge.id])).get(charge.id)
    if before is not None and before.status is DunningStatus.OPEN:
        await _close(tx, tenant, charge, before, DunningStatus.LOST)


async def _close(tx: Transaction, tenant: Tenant, charge: Charge, before: Dunning, status: DunningStatus) -> Dunning:
    closed = replace(before, status=status, next_order_on=None, closed_at=tx.now)
    await dunnings.save_dunnings(tx, [closed])
    await _go_on(tx, tenant, await _owner(tx, charge))
    return closed


async def _owner(tx: Transaction, charge: Charge) -> Agreement:
    """The agreement as it is now: another of its charges may have changed it in this transaction."""
    return (await agreements.lock_agreements(tx, [charge.owner_id]))[charge.owner_id]


async def _failed(
    tx: Transaction,
    tenant: Tenant,
    gateway: AgreementGateway,
    owner: Agreement,
    charge: Charge,
    before: Dunning | None,
    reason: str | None,
    final: bool,
) -> Dunning:
    """A try has failed, or (`final`) a whole order; the first one is told."""
    new = Dunning(charge.id, owner.id, DunningStatus.OPEN, reason, 0, None, tx.now)
    dunning = replace(before or new, reason=reason or (before.reason if before else None), next_order_on=None)
    if before is None:
        until = _last_try_until(tenant, owner, charge)
        await announcing.announce(tx, [announcing.failing(owner, charge, dunning, until)])
    if not final:
        return dunning
    dunning = replace(dunning, orders=dunning.orders + 1)
    if owner.gateway is not GatewayName.VIPPS:
        # What follows is decided there, by the account's settings: cancelled, unpaid, or left past due.
        return replace(dunning, status=DunningStatus.LOST, closed_at=tx.now)
    again = tenant.policy.dunning.next_order_on(dunning.orders, local_date(tx.now, tenant.zone))
    if again is not None and owner.status is AgreementStatus.ACTIVE and charge.period is not None:
        await charges.retry_charge(tx, charge.id, start_of(again - timedelta(days=DUE_DAYS_MIN), tenant.zone))
        # A period that was not paid holds the next one.
        await agreements.save_agreements(tx, [replace(owner, next_charge_at=None)])
        return replace(dunning, next_order_on=again)
    if charge.period is not None:
        await _end(tx, tenant, gateway, owner)
    return replace(dunning, status=DunningStatus.LOST, closed_at=tx.now)


def _last_try_until(tenant: Tenant, owner: Agreement, charge: Charge) -> datetime | None:
    """When the last try of the present order was made for certain; only we know, where we make the orders."""
    if owner.gateway is not GatewayName.VIPPS:
        return None
    return settled_by(charge.due, tenant.rules.retry_days, tenant.zone)


async def _go_on(tx: Transaction, tenant: Tenant, owner: Agreement) -> None:
    """The next period is held no more, unless by another charge."""
    paused = owner.paused_at is not None and owner.resumes_on is None
    billed = owner.status is AgreementStatus.ACTIVE and owner.gateway is GatewayName.VIPPS
    if billed and owner.next_charge_at is None and not paused and not await dunnings.holds(tx, owner.id):
        at = plan_at(owner.next_period.start, tenant.rules, tenant.zone)
        await agreements.save_agreements(tx, [replace(owner, next_charge_at=at)])


async def _end(tx: Transaction, tenant: Tenant, gateway: AgreementGateway, owner: Agreement) -> None:
    """Every try has failed: nobody is charged for what comes after it, for good or until it is resumed."""
    if owner.status is not AgreementStatus.ACTIVE:
        return
    if tenant.policy.dunning.end is DunningEnd.HOLD:
        # A later period that is charged already, or will be, is nobody's to be charged again.
        owed = await charges.charges_of(tx, [owner.id])
        charged = [c for c in owed if c.period is not None and (c.status is ChargeStatus.OPEN or c.status in PAID)]
        start: date = max([local_date(tx.now, tenant.zone), *(c.period_end for c in charged)])
        held = rules.pause(owner, start, None, tx.now, tenant.rules, tenant.zone)
        await agreements.save_agreements(tx, [replace(held.agreement, pause_reason=PAYMENT_FAILED)])
        counted = [Phase(owner.id, s.from_period, s.start, s.interval, "hold") for s in held.stretches]
        await phases.begin_phases(tx, owner, counted)
        return
    won = (await drafts.won_drafts(tx, [owner.id]))[owner.id]
    _, call = await ask_to_stop(tx, gateway, owner, won.id, PAYMENT_FAILED)
    await calls.write_calls(tx, [call], lease_seconds_max=0)
