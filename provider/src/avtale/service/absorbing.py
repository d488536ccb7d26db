"""Take in what gateways tell us: a webhook is a rumour that is verified, kept once, and read up on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from avtale.domain.errors import Conflict, Invalid
from avtale.domain.gateway import GatewayName
from avtale.domain.outcome import Outcome
from avtale.domain.ports import Gateways
from avtale.service.ids import new_id
from avtale.service.intake import Intake
from avtale.service.registering import webhook_url
from avtale.service.signers import Signer
from avtale.storage import charges, checks, drafts, inbox
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Job, Transaction
from avtale.storage.drafts import Draft
from avtale.storage.due import refresh_due
from avtale.storage.inbox import Arrival, InboxEvent
from avtale.storage.sealing import Sealer
from avtale.storage.stripe_accounts import routed_tenant
from avtale.storage.tenants import Tenant, tenant_by_id

#: How often Stripe is asked for events that it could not tell us of: it tries for three days itself, and lists those of
#: thirty.
ASK_FOR_EVENTS_AFTER = timedelta(days=3)


log = structlog.get_logger()


class Forged(Invalid):
    """The signature of a webhook does not hold, or nothing is registered that could have sent it."""

    code = "webhook_not_authentic"


async def absorb_webhook(
    intake: Intake,
    gateways: Gateways,
    sealer: Sealer,
    tenant: Tenant,
    headers: Mapping[str, str],
    body: bytes,
    wall: datetime,
) -> bool:
    """Keep an authentic webhook; False when it was here already. Raises Forged, or Invalid (`webhook_unreadable`).

    The signature is verified against the address that we registered, not the one that the request came to.
    """

    def signed(signer: Signer) -> bool:
        return gateways.webhooks.verify(webhook_url(tenant), headers, body, signer.secrets, wall)

    _, is_authentic = await intake.signers.find(sealer, tenant.id, GatewayName.VIPPS, signed)
    if not is_authentic:
        raise Forged("the signature does not match this webhook")
    try:
        event = gateways.webhooks.read(body)
    except ValueError as error:
        raise Invalid(f"this is not a webhook that we know: {error}", code="webhook_unreadable") from error
    return await intake.keep(tenant.id, GatewayName.VIPPS, event, body)


async def absorb_stripe_webhook(
    db: Database,
    intake: Intake,
    gateways: Gateways,
    sealer: Sealer,
    candidates: Sequence[Tenant],
    headers: Mapping[str, str],
    body: bytes,
    wall: datetime,
    *,
    only_test: bool = False,
) -> bool:
    """Keep an authentic webhook of Stripe for the tenant whose it is; False when it was here, or is none of ours.

    An event of a connected account names it. Any other is of that tenant among the candidates whose secret has signed
    it. Test events at a live tenant, and the other way round, are not kept; with `only_test` no live one is.
    Raises Forged, or Invalid (`webhook_unreadable`).
    """
    reader = gateways.stripe_webhooks
    try:
        account, is_live, event = reader.account(body), reader.is_live(body), reader.read(body)
    except (ValueError, KeyError) as error:
        raise Invalid(f"this is not a webhook that we know: {error}", code="webhook_unreadable") from error
    for tenant in await _possible(db, account, candidates):
        url = webhook_url(tenant, GatewayName.STRIPE)

        def signed(signer: Signer, url: str = url) -> bool:
            return reader.verify(url, headers, body, signer.secrets, wall)

        def is_ours(signer: Signer) -> bool:
            stored = signer.account
            return stored is not None and account in (None, stored.account_id) and stored.livemode == is_live

        signer, is_authentic = await intake.signers.find(
            sealer, tenant.id, GatewayName.STRIPE, lambda known: is_ours(known) and signed(known)
        )
        if not is_authentic and not signed(signer):
            continue
        if not is_authentic or (only_test and is_live):
            return False
        return await intake.keep(tenant.id, GatewayName.STRIPE, event, body)
    raise Forged("the signature does not match this webhook")


async def _possible(db: Database, account: str | None, candidates: Sequence[Tenant]) -> Sequence[Tenant]:
    """Whose a webhook may be: of the account that it names, else of those that its address is for."""
    if account is None:
        return candidates
    async with db.routing() as tx:
        routed = await routed_tenant(tx, account)
        found = None if routed is None else await tenant_by_id(tx, routed)
    return [found] if found is not None else candidates


async def fetch_undelivered(gateways: Gateways, tenant: Tenant) -> Outcome[tuple[bytes, ...]] | None:
    """What Stripe could not tell us of; None for a tenant without an account there."""
    try:
        stripe = await gateways.stripe(tenant.id)
    except Conflict:
        return None
    return await stripe.undelivered_events()


async def keep_undelivered(tx: Transaction, gateways: Gateways, told: Sequence[bytes]) -> None:
    """Keep events that were fetched as if they had been told; those that are here already stay as they are, and one
    that cannot be read keeps back no other."""
    reader = gateways.stripe_webhooks
    arrivals = []
    for body in told:
        try:
            event = reader.read(body)
        except (ValueError, KeyError):
            log.warning("event_unreadable", gateway=GatewayName.STRIPE.value)
            continue
        if event.event_type in reader.events:
            arrivals.append(Arrival(new_id(), GatewayName.STRIPE, event, body))
    await inbox.keep(tx, arrivals)


async def absorb_inbox(db: Database, tenant: Tenant, batch_count_max: int = 500) -> bool:
    """Ask for readings of what new webhooks are about, and put those about nothing of ours aside; True when more."""
    async with db.tenant(tenant.id) as tx:
        events = await inbox.claim_new(tx, batch_count_max)
        known = await drafts.find_drafts(
            tx,
            {event.gateway_agreement_id for event in events if event.gateway_agreement_id},
            _uuids(event.external_id for event in events),
        )
        by_address = {draft.gateway_agreement_id: draft for draft in known if draft.gateway_agreement_id}
        by_id: dict[UUID | None, Draft] = {draft.id: draft for draft in known}
        orders = _uuids(event.order_id if event.gateway is GatewayName.VIPPS else event.external_id for event in events)
        attempts = await charges.get_attempts(tx, orders)
        by_order = {draft.order_id: draft for draft in await drafts.drafts_of_orders(tx, orders)}
        by_name = await _attempts_by_name(tx, events)
        ours: set[UUID] = set()
        asked_drafts: set[UUID] = set()
        asked_attempts: set[UUID] = set()
        for event in events:
            order = _uuid(event.order_id)
            about = (by_address.get(event.gateway_agreement_id or ""), by_id.get(_uuid(event.external_id)))
            mine = list({draft.id: draft for draft in about if draft is not None}.values())
            named = by_name.get(event.order_id or "")
            if named is None and event.gateway is GatewayName.STRIPE and _uuid(event.external_id) in attempts:
                named = _uuid(event.external_id)
                if named is not None and event.order_id and attempts[named].gateway_order_id is None:
                    await charges.name_order(tx, named, event.order_id)
            if named is not None:
                asked_attempts.add(named)
            elif order in attempts:
                asked_attempts.add(order)
            else:
                mine += [by_order[order]] if order in by_order else []
                asked_drafts.update(draft.id for draft in mine)
            if mine or order in attempts or named is not None:
                ours.add(event.id)
            for draft in mine:
                await _learn_address(tx, draft.id, draft.gateway_agreement_id, event.gateway_agreement_id)
        await checks.ask(tx, CheckKind.ATTEMPT, asked_attempts, tx.now)
        await checks.ask(tx, CheckKind.DRAFT, asked_drafts, tx.now)
        await inbox.mark(tx, [e.id for e in events if e.id in ours], "done")
        others = [event for event in events if event.id not in ours]
        for status in ("parked", "foreign", "done"):
            await inbox.mark(tx, [e.id for e in others if _aside(e) == status], status)
    async with db.tenant(tenant.id) as tx:
        await refresh_due(tx, Job.ABSORB)
    return len(events) == batch_count_max


async def _attempts_by_name(tx: Transaction, events: Sequence[InboxEvent]) -> dict[str, UUID]:
    """Attempts at Stripe by what it calls their orders, and the money that was taken for them."""
    names = {e.order_id for e in events if e.gateway is GatewayName.STRIPE and e.order_id}
    found: dict[str, UUID] = {}
    for attempt in await charges.attempts_of_orders(tx, GatewayName.STRIPE, names):
        for name in (attempt.gateway_order_id, attempt.gateway_payment_id):
            if name is not None:
                found[name] = attempt.id
    return found


def _aside(event: InboxEvent) -> str:
    """What becomes of a webhook about nothing of ours. An account at Stripe may do other business as well: its
    subscriptions are kept apart, and the rest is no matter of ours."""
    if event.gateway is GatewayName.VIPPS:
        return "parked"
    return "foreign" if event.gateway_agreement_id else "done"


async def _learn_address(tx: Transaction, draft_id: UUID, known: str | None, told: str | None) -> None:
    """A draft whose answer was lost learns the gateway's id for it from the first event about it."""
    if known is None and told is not None:
        await drafts.update_draft(tx, draft_id, gateway_agreement_id=told)


def _uuids(texts: Iterable[str | None]) -> set[UUID]:
    return {found for text in texts if (found := _uuid(text)) is not None}


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
