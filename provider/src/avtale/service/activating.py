"""Follow an agreement at the gateway: the first draft that its person approves is it, any other is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from avtale.domain.agreement import Agreement, AgreementStatus, AgreementVerb, step
from avtale.domain.billing import plan_at
from avtale.domain.change import ChangeKind, ChangeStatus
from avtale.domain.charge import Attempt, AttemptStatus, Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import GatewayAgreementState, ObservedAgreement
from avtale.domain.periods import Interval, Period, Unit, local_date, period
from avtale.domain.ports import AgreementGateway
from avtale.service import announcing, settling
from avtale.service.ids import new_id
from avtale.service.invoicing import learn_all_orders, learn_orders
from avtale.service.taking_billed import asked_elsewise, before_bridge, take_arrived
from avtale.storage import agreements, calls, changes, charges, checks, drafts, dunnings, locks, phases
from avtale.storage.calls import Call, CallKind
from avtale.storage.checks import CheckKind
from avtale.storage.database import Transaction
from avtale.storage.drafts import Draft
from avtale.storage.phases import Phase
from avtale.storage.tenants import Tenant

#: A draft in one of these states may still be approved by its person.
_LIVE = frozenset({"written", "drafted", "unknown"})


async def settle_draft(
    tx: Transaction, tenant: Tenant, gateway: AgreementGateway, draft_id: UUID, observed: ObservedAgreement
) -> Agreement | None:
    """Apply one reading of a draft's agreement; returns our agreement as it is now (None: no such draft)."""
    found = await drafts.get_drafts(tx, [draft_id])
    if not found:
        return None
    before = await agreements.get_agreement(tx, found[0].agreement_id)
    if before is None:
        return None
    # The same lock as checkout takes first: two agreements about one product activate one after the other.
    await locks.lock_person_and_product(tx, before.issuer, before.subject, before.terms.product_id)
    agreement = await agreements.get_agreement(tx, before.id, lock=True)
    its_drafts = {draft.id: draft for draft in await drafts.drafts_of(tx, [before.id])}
    draft = its_drafts[draft_id]
    if agreement is None:
        return None
    if draft.gateway_agreement_id is None:
        await drafts.update_draft(tx, draft_id, gateway_agreement_id=observed.gateway_agreement_id)
    approved = observed.state is GatewayAgreementState.ACTIVE or observed.started_at is not None

    if agreement.gateway_agreement_id == observed.gateway_agreement_id:
        if goes_on(agreement, observed):
            await follow_agreements(tx, tenant, [(agreement, observed)])
            return await agreements.get_agreement(tx, agreement.id)
        if observed.orders:
            stray = agreement.stop_reason == "duplicate"
            agreement = await _cross_bridge(tx, tenant, agreement, observed)
            agreement = await learn_orders(tx, tenant, agreement, observed, stray=stray)
        return await _stop(tx, tenant, agreement, observed.stopped_at or tx.now)
    if agreement.gateway_agreement_id is not None:
        if approved and draft.status != "lost":
            await _undo(tx, gateway, agreement, draft, observed)
        if approved and observed.orders:
            await learn_orders(tx, tenant, agreement, observed, stray=True)
        if not approved and draft.status in _LIVE and observed.state is not GatewayAgreementState.PENDING:
            return await _end_draft(tx, agreement, list(its_drafts.values()), draft_id, _end_of(tx, draft, observed))
        return agreement
    if approved:
        active = await _activate(tx, tenant, gateway, agreement, draft, observed)
        if observed.state is GatewayAgreementState.STOPPED:
            return await _stop(tx, tenant, active, observed.stopped_at or tx.now)
        return active
    if observed.state is not GatewayAgreementState.PENDING:
        return await _end_draft(tx, agreement, list(its_drafts.values()), draft_id, _end_of(tx, draft, observed))
    if observed.waits_for_card and draft.expires_at <= tx.now:
        await _abandon(tx, gateway, draft, observed)
    return agreement


def _end_of(tx: Transaction, draft: Draft, observed: ObservedAgreement) -> AgreementVerb:
    """What became of a draft that nobody approved, and nobody can any more."""
    abandoned = draft.gateway is GatewayName.STRIPE and draft.expires_at <= tx.now
    rejected = observed.state is GatewayAgreementState.STOPPED and not abandoned
    return AgreementVerb.REJECT if rejected else AgreementVerb.EXPIRE


async def _abandon(tx: Transaction, gateway: AgreementGateway, draft: Draft, observed: ObservedAgreement) -> None:
    """End what would wait for a card for as long as its free days last: its payer's page is over."""
    request_id = uuid5(draft.id, "abandoned")
    if request_id not in await calls.states(tx, [request_id]):
        request = gateway.write_stop(request_id, observed.gateway_agreement_id)
        await calls.write_calls(tx, [Call(request, CallKind.STOP, draft.id)], lease_seconds_max=0)


def goes_on(agreement: Agreement | None, observed: ObservedAgreement) -> bool:
    """Whether this is a reading of the subscription that an agreement has become, and says that it goes on."""
    return (
        agreement is not None
        and agreement.gateway_agreement_id == observed.gateway_agreement_id
        and observed.state is not GatewayAgreementState.STOPPED
    )


async def follow_agreements(
    tx: Transaction, tenant: Tenant, told: Sequence[tuple[Agreement, ObservedAgreement]]
) -> None:
    """Apply readings of agreements that go on (see `goes_on`), each once: new invoices, or another limit.

    What brings nothing new is not locked, and no draft is looked at: such a reading activates and ends nothing.
    """
    changed = {one.id for one, observed in told if observed.standing is not None and observed.standing.last_change}
    waiting = await changes.changes_with(tx, ChangeStatus.WAITING, changed)
    asked = await asked_elsewise(tx, [(one, observed) for one, observed in told if one.id not in waiting])
    news = {
        one.id: observed
        for one, observed in told
        if observed.orders or one.id in waiting or one.id in asked or _noted_limit(one, observed) is not one
    }
    if not news:
        return
    locked = await agreements.lock_agreements(tx, news)
    await agreements.save_asked(tx, asked)
    for agreement_id in sorted(waiting):
        locked[agreement_id] = await _cross_bridge(tx, tenant, locked[agreement_id], news[agreement_id])
    billed = [(agreement, news[agreement.id]) for agreement in locked.values() if news[agreement.id].orders]
    strays = {agreement.id for agreement, _ in billed if agreement.stop_reason == "duplicate"}
    locked |= await learn_all_orders(tx, tenant, billed, strays)
    noted = [(agreement, _noted_limit(agreement, news[agreement.id])) for agreement in locked.values()]
    await agreements.save_agreements(tx, [after for before, after in noted if after is not before])
    for agreement_id in sorted(waiting):
        await take_arrived(tx, tenant, locked[agreement_id], news[agreement_id])


async def _cross_bridge(
    tx: Transaction, tenant: Tenant, agreement: Agreement, observed: ObservedAgreement
) -> Agreement:
    """Take another charge day that has arrived before what was billed because of it is learnt: the period until it is
    counted as the change says."""
    waiting = (await changes.changes_with(tx, ChangeStatus.WAITING, [agreement.id])).get(agreement.id, ())
    for change in waiting:
        if change.kind is ChangeKind.CHARGE_DAY:
            earlier = replace(observed, orders=before_bridge(tenant, change, observed))
            agreement = await learn_orders(tx, tenant, agreement, earlier)
            agreement = await take_arrived(tx, tenant, agreement, observed)
    return agreement


def _noted_limit(agreement: Agreement, observed: ObservedAgreement) -> Agreement:
    """What the person lets a charge be at most: they change it when they like, and nobody tells us."""
    if agreement.terms.suggested_max is None or observed.limit in (None, agreement.limit):
        return agreement
    return replace(agreement, limit=observed.limit)


async def bury_draft(tx: Transaction, draft_id: UUID) -> None:
    """The life of a draft without a known address at the gateway is over: nobody can approve it any more."""
    for draft in await drafts.get_drafts(tx, [draft_id]):
        agreement = await agreements.get_agreement(tx, draft.agreement_id, lock=True)
        if agreement is not None and draft.gateway_agreement_id is None:
            its_drafts = await drafts.drafts_of(tx, [agreement.id])
            await _end_draft(tx, agreement, its_drafts, draft_id, AgreementVerb.EXPIRE)


async def _end_draft(
    tx: Transaction, agreement: Agreement, its_drafts: list[Draft], draft_id: UUID, verb: AgreementVerb
) -> Agreement:
    """This draft has come to nothing; with the last one the agreement has, rejected if any of them was."""
    await drafts.update_draft(tx, draft_id, status="rejected" if verb is AgreementVerb.REJECT else "dead")
    others = [draft.status for draft in its_drafts if draft.id != draft_id]
    if agreement.gateway_agreement_id is not None or _LIVE.intersection(others):
        return agreement
    if "rejected" in others:
        verb = AgreementVerb.REJECT
    ended = replace(agreement, status=step(agreement.status, verb))
    await agreements.save_agreements(tx, [ended])
    return replace(ended, version=ended.version + 1)


async def _activate(
    tx: Transaction,
    tenant: Tenant,
    gateway: AgreementGateway,
    agreement: Agreement,
    draft: Draft,
    observed: ObservedAgreement,
) -> Agreement:
    started = observed.started_at or tx.now
    anchor = local_date(started, tenant.zone)
    first = agreement.terms.first_period(anchor)
    made_by_campaign = first.end != period(anchor, agreement.terms.interval, 1).end
    if made_by_campaign and agreement.gateway is GatewayName.STRIPE and observed.orders:
        # Free days are counted by Stripe, from the second at which it heard of them.
        first = replace(first, end=local_date(observed.orders[0].ends_at, tenant.zone))
    we_bill = agreement.gateway is GatewayName.VIPPS
    siblings = await agreements.agreements_of(
        tx, agreement.issuer, agreement.subject, product_id=agreement.terms.product_id, lock=True
    )
    # One that was hidden while it was a draft must not come back as a subscription that nobody sees.
    doubled = agreement.hidden_at is not None or any(
        other.status is AgreementStatus.ACTIVE for other in siblings if other.id != agreement.id
    )
    active = replace(
        agreement,
        status=step(agreement.status, AgreementVerb.ACTIVATE),
        gateway_agreement_id=observed.gateway_agreement_id,
        anchor=anchor,
        last_period=1 if we_bill else 0,
        activated_at=started,
        next_charge_at=plan_at(first.end, tenant.rules, tenant.zone) if we_bill else None,
        phase_period=2 if made_by_campaign else 1,
        phase_start=first.end if made_by_campaign else None,
        limit=observed.limit if agreement.terms.suggested_max is not None else None,
    )
    await drafts.update_draft(tx, draft.id, status="won")
    if doubled:
        # Written as stopping in one step: the database holds one active agreement for a person and product.
        active, call = await settling.ask_to_stop(tx, gateway, active, draft.id, "duplicate")
        await calls.write_calls(tx, [call], lease_seconds_max=0)
    else:
        await agreements.save_agreements(tx, [active])
        await announcing.announce(tx, [announcing.activated(active)])
    active = replace(active, version=active.version + 1)
    if made_by_campaign:
        await phases.add_phases(tx, _campaign_phases(active, first))
    if not we_bill:
        return await learn_orders(tx, tenant, active, observed, stray=doubled)
    kind = ChargeKind.STRAY if doubled else ChargeKind.INITIAL
    await _initial_charge(tx, active, draft, observed.gateway_agreement_id, kind)
    if active.terms.first_price.amount == 0:
        await settling.grant(tx, tenant, [active.id])
    return active


def _campaign_phases(agreement: Agreement, first: Period) -> list[Phase]:
    """A first period of its own length, and the regular ones after it."""
    campaign = agreement.terms.campaign
    length = campaign.length if campaign else None
    if length is None or length.unit is Unit.DAY:
        length = Interval(Unit.DAY, (first.end - first.start).days)
    return [
        Phase(agreement.id, 1, first.start, length, "campaign"),
        Phase(agreement.id, 2, first.end, agreement.terms.interval, "after_campaign"),
    ]


async def _initial_charge(
    tx: Transaction,
    agreement: Agreement,
    draft: Draft,
    gateway_agreement_id: str,
    kind: ChargeKind,
) -> None:
    """The charge that the gateway took at approval; a price of nothing is a waived charge and no order."""
    if agreement.anchor is None:
        raise RuntimeError("an active agreement has an anchor")
    first = agreement.terms.first_period(agreement.anchor)
    price = agreement.terms.first_price
    free = price.amount == 0
    charge = Charge(
        id=new_id(),
        agreement_id=agreement.id,
        purchase_id=None,
        kind=kind,
        period=None if kind is ChargeKind.STRAY else 1,
        period_start=first.start,
        period_end=first.end,
        due=first.start,
        price=price,
        vat_basis_points=agreement.terms.vat_basis_points,
        status=ChargeStatus.WAIVED if free else ChargeStatus.OPEN,
        totals=Totals(),
        failure_reason=None,
        version=1,
        product_id=agreement.terms.product_id,
        product_name=agreement.terms.name,
    )
    await charges.insert_charges(tx, [charge])
    if not free:
        attempt = Attempt(draft.order_id, charge.id, AttemptStatus.ACCEPTED, Totals(), gateway_agreement_id)
        await charges.insert_attempts(tx, [attempt])
        await checks.ask(tx, CheckKind.ATTEMPT, [attempt.id], tx.now)


async def _undo(
    tx: Transaction,
    gateway: AgreementGateway,
    agreement: Agreement,
    draft: Draft,
    observed: ObservedAgreement,
) -> None:
    """A second draft of the same agreement was approved as well: stop it, and give its initial charge back."""
    await drafts.update_draft(tx, draft.id, status="lost")
    if observed.state is GatewayAgreementState.ACTIVE:
        request = gateway.write_stop(new_id(), observed.gateway_agreement_id)
        await calls.write_calls(tx, [Call(request, CallKind.STOP, draft.id)], lease_seconds_max=0)
    if agreement.terms.first_price.amount and agreement.gateway is GatewayName.VIPPS:
        await _initial_charge(tx, agreement, draft, observed.gateway_agreement_id, ChargeKind.STRAY)


async def _stop(tx: Transaction, tenant: Tenant, agreement: Agreement, at: datetime) -> Agreement:
    """The agreement has ended at the gateway: nothing more is charged, and what was open is read again.

    One that was to end at once is not stopped before all of it is known: until then it is `stopping`.
    """
    if agreement.status is AgreementStatus.STOPPED:
        return agreement
    open_ones = await charges.open_attempts(tx, [agreement.id])
    unsure = bool(open_ones) and agreement.access_ends_at is not None
    stopped = replace(
        agreement,
        status=step(agreement.status, AgreementVerb.ASK_TO_STOP if unsure else AgreementVerb.STOP),
        stopped_at=at,
        stop_reason=agreement.stop_reason or "stopped_at_gateway",
        next_charge_at=None,
        parked_reason=None,
    )
    await agreements.save_agreements(tx, [stopped])
    await changes.drop_open(tx, agreement.id)
    await dunnings.give_up(tx, agreement.id)
    await checks.ask(tx, CheckKind.ATTEMPT, [attempt.id for attempt in open_ones], tx.now)
    if not unsure:
        await announcing.announce(tx, [announcing.stopped(stopped)])
    await settling.grant(tx, tenant, [agreement.id])
    return replace(stopped, version=stopped.version + 1)
