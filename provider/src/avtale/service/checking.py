"""Read again at the gateway what is due to be read, at our own pace, and settle what the readings say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from avtale.domain.agreement import Agreement
from avtale.domain.billing import read_next
from avtale.domain.charge import OPEN_ATTEMPTS, AttemptStatus
from avtale.domain.errors import Refusal
from avtale.domain.gateway import GatewayName, try_days
from avtale.domain.observations import GatewayAgreementState, ObservedAgreement
from avtale.domain.outcome import Answered, Outcome, Refused, Throttled, Unknown
from avtale.domain.ports import AgreementGateway, BillingGateway, Gateways
from avtale.domain.settlement import ObservedCharge
from avtale.service.absorbing import ASK_FOR_EVENTS_AFTER, fetch_undelivered, keep_undelivered
from avtale.service.activating import bury_draft, follow_agreements, goes_on, settle_draft
from avtale.service.delivering import next_reading
from avtale.service.desks import Desk, desks
from avtale.service.pricing_billed import price_calls
from avtale.service.sending import CALLS_AT_ONCE_MAX, lease_seconds
from avtale.service.settling import Reading, settle_charges
from avtale.service.uncreating import settle_uncreated
from avtale.storage import agreements, calls, charges, checks, drafts
from avtale.storage.calls import resend_seconds
from avtale.storage.checks import Check, CheckKind
from avtale.storage.database import Database, DatabaseFault, Job, Transaction
from avtale.storage.drafts import Draft
from avtale.storage.due import refresh_due
from avtale.storage.tenants import Tenant

#: An active agreement is read this often even if nobody says that it has changed: a lost webhook costs a week.
RECHECK_AGREEMENT_AFTER = timedelta(days=7)
#: What a gateway does by itself is looked at this long after it was due: Stripe makes an invoice final after an hour.
READ_AFTER_CHANGE = timedelta(minutes=90)
#: A refund that was accepted and does not show yet is looked for again after this.
RECHECK_REFUND_AFTER = timedelta(minutes=10)

log = structlog.get_logger()

#: A claimed check, its draft, the agreement that the draft became, and the reading.
_Followed = tuple[Check, Draft, Agreement, ObservedAgreement]


async def check(db: Database, gateways: Gateways, tenant: Tenant, batch_count_max: int = 200) -> bool:
    """Read and settle one batch of what is due; True when there may be more."""
    async with db.tenant(tenant.id) as tx:
        claimed = await checks.claim(tx, batch_count_max, lambda count: lease_seconds(gateways, count))
        found_drafts = {
            d.id: d for d in await drafts.get_drafts(tx, [c.id for c in claimed if c.kind is CheckKind.DRAFT])
        }
        owners = await agreements.get_agreements(tx, {draft.agreement_id for draft in found_drafts.values()})
        tried = await charges.get_attempts(tx, [c.id for c in claimed if c.kind is CheckKind.ATTEMPT])
    names = {draft.gateway for draft in found_drafts.values()} | {attempt.gateway for attempt in tried.values()}
    open_desks = await desks(gateways, tenant, names)
    slots = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    async def read_draft(one: Check) -> tuple[Check, Outcome[ObservedAgreement] | None]:
        draft = found_drafts.get(one.id)
        if draft is None or draft.gateway_agreement_id is None:
            return one, None
        if draft.gateway not in open_desks:
            return one, _closed(draft.gateway)
        async with slots:
            return one, await open_desks[draft.gateway].gateway.fetch_agreement(draft.gateway_agreement_id)

    async def read_attempt(one: Check) -> tuple[Check, Outcome[ObservedCharge]]:
        attempt = tried[one.id]
        if attempt.gateway not in open_desks:
            return one, _closed(attempt.gateway)
        async with slots:
            return one, await open_desks[attempt.gateway].read(attempt)

    of_drafts = await asyncio.gather(*(read_draft(c) for c in claimed if c.kind is CheckKind.DRAFT))
    of_attempts = await asyncio.gather(*(read_attempt(c) for c in claimed if c.id in tried))
    following: list[_Followed] = []
    for one, told in of_drafts:
        draft = found_drafts.get(one.id)
        owner = owners.get(draft.agreement_id) if draft else None
        if draft is not None and owner is not None and isinstance(told, Answered) and goes_on(owner, told.value):
            following.append((one, draft, owner, told.value))
        else:
            await _settle_draft(db, open_desks.get(draft.gateway) if draft else None, tenant, one, draft, told)
    billed_at = open_desks.get(GatewayName.STRIPE)
    await _follow(db, tenant, billed_at.billing if billed_at else None, following)
    for name in GatewayName:
        mine = [(one, told) for one, told in of_attempts if tried[one.id].gateway is name]
        if name in open_desks:
            mine = await settle_uncreated(db, open_desks[name].gateway, tenant, tried, mine)
        await _settle_attempts(db, name, open_desks.get(name), tenant, mine)
    for one in claimed:
        if one.kind is CheckKind.EVENTS:
            await _ask_for_events(db, gateways, tenant, one)
    async with db.tenant(tenant.id) as tx:
        await refresh_due(tx, Job.CHECK)
    return len(claimed) == batch_count_max


def _closed(name: GatewayName) -> Unknown:
    return Unknown(f"the tenant has no {name.value} account any more", sent=False)


async def read_attempts_now(db: Database, gateways: Gateways, tenant: Tenant, attempt_ids: Sequence[UUID]) -> None:
    """Read these attempts for somebody who waits for what becomes of them; without an answer all stays as it is."""
    async with db.tenant(tenant.id) as tx:
        tried = await charges.get_attempts(tx, attempt_ids)
    for name, at in (await desks(gateways, tenant, {attempt.gateway for attempt in tried.values()})).items():
        mine = [attempt for attempt in tried.values() if attempt.gateway is name]
        told = await asyncio.gather(*(at.read(attempt) for attempt in mine))
        read = zip(mine, told, strict=True)
        readings = [Reading(attempt.id, said.value) for attempt, said in read if isinstance(said, Answered)]
        async with db.tenant(tenant.id) as tx:
            await settle_charges(tx, tenant, at, readings)


async def _ask_for_events(db: Database, gateways: Gateways, tenant: Tenant, one: Check) -> None:
    """Take in what Stripe could not tell us of, and ask again later while the tenant has an account there."""
    told = await fetch_undelivered(gateways, tenant)
    async with db.tenant(tenant.id) as tx:
        if told is None:
            await checks.finish(tx, [(one, None)])
        elif isinstance(told, Answered):
            await keep_undelivered(tx, gateways, told.value)
            await checks.finish(tx, [(one, tx.now + ASK_FOR_EVENTS_AFTER)])
        else:
            await _missed(tx, one, told)


async def read_now(db: Database, gateway: AgreementGateway, tenant: Tenant, draft: Draft) -> bool:
    """Read one draft's agreement for somebody who waits for it; False without an answer, and all stays as it is."""
    if draft.gateway_agreement_id is None:
        return False
    told = await gateway.fetch_agreement(draft.gateway_agreement_id)
    if not isinstance(told, Answered):
        return False
    async with db.tenant(tenant.id) as tx:
        await settle_draft(tx, tenant, gateway, draft.id, told.value)
    return True


async def _follow(db: Database, tenant: Tenant, billing: BillingGateway | None, told: Sequence[_Followed]) -> None:
    """Settle readings of agreements that go on in bulk; where that fails, halve the batch as with attempts."""
    if not told:
        return
    try:
        async with db.tenant(tenant.id) as tx:
            await follow_agreements(tx, tenant, [(owner, observed) for _, _, owner, observed in told])
            if billing is not None:
                priced = await price_calls(tx, tenant, billing, [(owner, one.id, seen) for _, one, owner, seen in told])
                await calls.write_calls(tx, priced, lease_seconds_max=0)
            await checks.finish(tx, [(one, _next_of_draft(tx, draft, seen)) for one, draft, _, seen in told])
    except (DatabaseFault, Refusal, RuntimeError, ValueError):
        if len(told) == 1:
            log.exception("draft_not_settled", tenant=tenant.name, draft_id=str(told[0][0].id))
            return
        half = len(told) // 2
        await _follow(db, tenant, billing, told[:half])
        await _follow(db, tenant, billing, told[half:])


async def _settle_draft(
    db: Database,
    at: Desk | None,
    tenant: Tenant,
    one: Check,
    draft: Draft | None,
    told: Outcome[ObservedAgreement] | None,
) -> None:
    try:
        async with db.tenant(tenant.id) as tx:
            if draft is None:
                await checks.finish(tx, [(one, None)])
            elif told is None:
                await bury_draft(tx, draft.id)
                await checks.finish(tx, [(one, None)])
            elif isinstance(told, Answered) and at is not None:
                agreement = await settle_draft(tx, tenant, at.gateway, draft.id, told.value)
                if at.billing is not None and agreement is not None:
                    priced = await price_calls(tx, tenant, at.billing, [(agreement, draft.id, told.value)])
                    await calls.write_calls(tx, priced, lease_seconds_max=0)
                await checks.finish(tx, [(one, _next_of_draft(tx, draft, told.value))])
            elif not isinstance(told, Answered):
                await _missed(tx, one, told)
    except (DatabaseFault, Refusal, RuntimeError, ValueError):
        log.exception("draft_not_settled", tenant=tenant.name, draft_id=str(one.id))


def _next_of_draft(tx: Transaction, draft: Draft, observed: ObservedAgreement) -> datetime | None:
    match observed.state:
        case GatewayAgreementState.PENDING:
            return max(draft.expires_at, tx.now) + timedelta(minutes=1)
        case GatewayAgreementState.ACTIVE:
            weekly = tx.now + RECHECK_AGREEMENT_AFTER
            changed = observed.changes_at and observed.changes_at + READ_AFTER_CHANGE
            return min(weekly, changed) if changed and changed > tx.now else weekly
        case _:
            return None


async def _settle_attempts(
    db: Database,
    name: GatewayName,
    at: Desk | None,
    tenant: Tenant,
    told: Sequence[tuple[Check, Outcome[ObservedCharge]]],
) -> None:
    """Settle in bulk; where that fails, halve the batch until the culprit stands alone, and leave it for later."""
    if not told:
        return
    try:
        async with db.tenant(tenant.id) as tx:
            await _settle_batch(tx, name, at, tenant, told)
    except (DatabaseFault, Refusal, RuntimeError, ValueError):
        if len(told) == 1:
            log.exception("attempt_not_settled", tenant=tenant.name, attempt_id=str(told[0][0].id))
            return
        half = len(told) // 2
        await _settle_attempts(db, name, at, tenant, told[:half])
        await _settle_attempts(db, name, at, tenant, told[half:])


async def _settle_batch(
    tx: Transaction,
    name: GatewayName,
    at: Desk | None,
    tenant: Tenant,
    told: Sequence[tuple[Check, Outcome[ObservedCharge]]],
) -> None:
    read = {check.id: check for check, outcome in told if isinstance(outcome, Answered)}
    readings = [Reading(c.id, outcome.value) for c, outcome in told if isinstance(outcome, Answered)]
    # What is asked for next is written before the receipts are numbered: the counters come last.
    for one, outcome in told:
        if not isinstance(outcome, Answered):
            await _missed(tx, one, outcome)
    following: list[tuple[Check, datetime | None]] = []
    settled_now = await settle_charges(tx, tenant, at, readings) if at else []
    days = try_days(name, tenant.rules.retry_days)
    for settled in settled_now:
        one = read[settled.attempt.id]
        if not settled.waits:
            following.append((one, None))
        elif settled.purchase is not None:
            following.append((one, next_reading(settled.purchase, tx.now)))
        elif settled.attempt.status in OPEN_ATTEMPTS:
            again = read_next(settled.charge.due, days, tx.now, tenant.zone)
            following.append((one, again))
        else:
            following.append((one, tx.now + RECHECK_REFUND_AFTER))
    await checks.finish(tx, following)


async def _missed(tx: Transaction, one: Check, outcome: Outcome[object]) -> None:
    """No reading: wait, longer each time. An order that is not there (yet) is the sender's matter."""
    if isinstance(outcome, Refused) and outcome.status == 404 and one.kind is CheckKind.ATTEMPT:
        attempt = (await charges.get_attempts(tx, [one.id])).get(one.id)
        if attempt is None or attempt.status in (
            AttemptStatus.WRITTEN,
            AttemptStatus.UNKNOWN,
            AttemptStatus.REJECTED,
        ):
            await checks.finish(tx, [(one, None)])
            return
    if isinstance(outcome, Refused):
        log.error(
            "reading_refused",
            kind=one.kind.value,
            id=str(one.id),
            status=outcome.status,
            detail=outcome.detail,
        )
    seconds = outcome.retry_after_seconds if isinstance(outcome, Throttled) else resend_seconds(one.misses + 1)
    await checks.miss(tx, [(one, seconds)])
