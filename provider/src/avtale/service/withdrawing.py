"""Withdraw from an agreement within fourteen days: it ends now, and what is not used of it is given back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus
from avtale.domain.charge import OPEN_REFUNDS, Attempt, Charge, Refund, RefundStatus
from avtale.domain.errors import Conflict, IllegalStep, NotFound
from avtale.domain.periods import local_date
from avtale.domain.ports import Gateways
from avtale.domain.withdrawal import may_be_kept, withdrawal_until
from avtale.service.checking import read_attempts_now, read_now
from avtale.service.checkout import Person
from avtale.service.desks import Desk, desk_of_agreement
from avtale.service.ending import ask_to_stop
from avtale.service.granting import grant
from avtale.service.ids import new_id
from avtale.service.noting import note
from avtale.service.sending import lease_seconds, send_written
from avtale.service.settling import write_refund
from avtale.service.stopping import may_see
from avtale.storage import agreements, calls, charges, drafts, refunds
from avtale.storage.calls import Call
from avtale.storage.database import Database, Transaction
from avtale.storage.tenants import Tenant

#: What the agreement says of why it ended, and the payer reads of why money comes back.
WITHDRAWN = "withdrawn"
REASON = "Withdrawal from the agreement"

_MAY_WITHDRAW = (AgreementStatus.ACTIVE, AgreementStatus.STOPPING, AgreementStatus.STOPPED)


async def withdraw(
    db: Database, gateways: Gateways, tenant: Tenant, owner: Person | None, by: Person, agreement_id: UUID
) -> None:
    """End a person's own agreement, or anybody's for the merchant (None), and give back what may not be kept.

    Withdrawing again changes nothing. Money that is captured only later is given back as soon as it is seen.

    Raises NotFound, IllegalStep (`agreement_not_active`) and Conflict (`agreement_given`, `withdrawal_over`).
    """
    at = await desk_of_agreement(db, gateways, tenant, agreement_id)
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id, lock=True)
        if agreement is None or not may_see(owner, agreement):
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        if agreement.withdrawn_at is not None:
            return
        _check(tx.now, tenant, agreement)
        if owner is None:
            await note(tx, by, "withdraw", f"agreement {agreement_id}", "", agreement_id=agreement_id)
        won = (await drafts.won_drafts(tx, [agreement_id]))[agreement_id]
        written = await _give_back(tx, tenant, at, agreement, by)
        ended = replace(agreement, withdrawn_at=tx.now, access_ends_at=min(agreement.access_ends_at or tx.now, tx.now))
        if agreement.status is AgreementStatus.ACTIVE:
            _, call = await ask_to_stop(tx, at.gateway, ended, won.id, WITHDRAWN)
            written.append(call)
        else:
            await agreements.save_agreements(tx, [ended])
        await grant(tx, tenant, [agreement_id])
        await calls.write_calls(tx, written, lease_seconds(gateways, len(written)))
    await send_written(db, gateways, tenant, written)
    await read_now(db, at.gateway, tenant, won)
    async with db.tenant(tenant.id) as tx:
        owed = await charges.charges_of(tx, [agreement_id])
        attempts = await charges.attempts_of(tx, [charge.id for charge in owed])
    await read_attempts_now(db, gateways, tenant, [attempt.id for attempt in attempts])


def _check(now: datetime, tenant: Tenant, agreement: Agreement) -> None:
    if agreement.gift_reason is not None:
        raise Conflict("what was given costs nothing: it can be stopped", code="agreement_given")
    if agreement.status not in _MAY_WITHDRAW or agreement.activated_at is None:
        raise IllegalStep(f"the agreement is {agreement.status.value}", code="agreement_not_active")
    until = withdrawal_until(agreement.activated_at, tenant.zone)
    if now >= until:
        raise Conflict("the fourteen days are over: stop the agreement", code="withdrawal_over")


async def _give_back(tx: Transaction, tenant: Tenant, at: Desk, agreement: Agreement, by: Person) -> list[Call]:
    """Say of each charge what may be kept, and write the refunds of what is captured beyond it."""
    # What was ended at once was of no use afterwards.
    used_until = local_date(min(agreement.access_ends_at or tx.now, tx.now), tenant.zone)
    owed = [charge for charge in await charges.charges_of(tx, [agreement.id]) if charge.period is not None]
    keep = {charge.id: may_be_kept(charge, agreement.consented_at is not None, used_until) for charge in owed}
    await charges.keep_at_most(tx, keep)
    wishes = await refunds.refunds_of(tx, keep)
    attempts = await charges.attempts_of(tx, keep)
    written = []
    for charge in owed:
        mine = [attempt for attempt in attempts if attempt.charge_id == charge.id and attempt.totals.captured]
        open_ones = [one for one in wishes if one.charge_id == charge.id and one.status in OPEN_REFUNDS]
        for attempt, amount in _parts(charge, keep[charge.id], mine, open_ones):
            wish = Refund(new_id(), charge.id, attempt.id, amount, REASON, RefundStatus.WRITTEN)
            written.append(await write_refund(tx, at.gateway, at.payments, charge, attempt, wish, by.subject))
    return written


def _parts(charge: Charge, keep: int, attempts: list[Attempt], open_refunds: list[Refund]) -> list[tuple[Attempt, int]]:
    """Which attempts give back how much, beyond what was given back or is about to be."""
    reserved = {attempt.id: sum(r.amount for r in open_refunds if r.attempt_id == attempt.id) for attempt in attempts}
    left = charge.totals.captured - charge.totals.refunded - sum(reserved.values()) - keep
    parts = []
    for attempt in attempts:
        amount = min(left, attempt.totals.captured - attempt.totals.refunded - reserved[attempt.id])
        if amount > 0:
            parts.append((attempt, amount))
            left -= amount
    return parts
