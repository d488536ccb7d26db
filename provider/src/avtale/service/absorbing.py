"""Take in what gateways tell us: a webhook is a rumour that is verified, kept once, and read up on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from avtale.domain.errors import Invalid
from avtale.domain.ports import Gateways
from avtale.service.ids import new_id
from avtale.service.registering import VIPPS, live_secrets, webhook_url
from avtale.storage import agreements, charges, checks, inbox
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Job, Transaction
from avtale.storage.due import refresh_due
from avtale.storage.inbox import InboxEvent
from avtale.storage.sealing import Sealer
from avtale.storage.tenants import Tenant


class Forged(Invalid):
    """The signature of a webhook does not hold, or nothing is registered that could have sent it."""

    code = "webhook_not_authentic"


async def absorb_webhook(
    db: Database,
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
    async with db.tenant(tenant.id) as tx:
        secrets = await live_secrets(tx, sealer)
        if not gateways.webhooks.verify(webhook_url(tenant), headers, body, secrets, wall):
            raise Forged("the signature does not match this webhook")
        try:
            event = gateways.webhooks.read(body)
        except ValueError as error:
            raise Invalid(f"this is not a webhook that we know: {error}", code="webhook_unreadable") from error
        return await inbox.keep(tx, new_id(), VIPPS, event, body)


async def absorb_inbox(db: Database, tenant: Tenant, batch_count_max: int = 500) -> bool:
    """Ask for readings of what new webhooks are about, and park those about nothing of ours; True when more."""
    async with db.tenant(tenant.id) as tx:
        events = await inbox.claim_new(tx, batch_count_max)
        drafts = await agreements.find_drafts(
            tx,
            {event.gateway_agreement_id for event in events if event.gateway_agreement_id},
            _uuids(event.external_id for event in events),
        )
        orders = _uuids(event.order_id for event in events)
        attempts = await charges.get_attempts(tx, orders)
        by_order = {draft.order_id: draft for draft in await agreements.drafts_of_orders(tx, orders)}
        ours: set[UUID] = set()
        asked_drafts: set[UUID] = set()
        asked_attempts: set[UUID] = set()
        for event in events:
            order = _uuid(event.order_id)
            mine = [draft for draft in drafts if _about(event, draft)]
            if order in attempts:
                asked_attempts.add(order)
            else:
                mine += [by_order[order]] if order in by_order else []
                asked_drafts.update(draft.id for draft in mine)
            if mine or order in attempts:
                ours.add(event.id)
            for draft in mine:
                await _learn_address(tx, draft.id, draft.gateway_agreement_id, event.gateway_agreement_id)
        await checks.ask(tx, CheckKind.DRAFT, asked_drafts, tx.now)
        await checks.ask(tx, CheckKind.ATTEMPT, asked_attempts, tx.now)
        await inbox.mark(tx, [e.id for e in events if e.id in ours], "done")
        await inbox.mark(tx, [e.id for e in events if e.id not in ours], "parked")
    async with db.tenant(tenant.id) as tx:
        await refresh_due(tx, Job.ABSORB)
    return len(events) == batch_count_max


def _about(event: InboxEvent, draft: agreements.Draft) -> bool:
    if event.gateway_agreement_id and event.gateway_agreement_id == draft.gateway_agreement_id:
        return True
    return _uuid(event.external_id) == draft.id


async def _learn_address(tx: Transaction, draft_id: UUID, known: str | None, told: str | None) -> None:
    """A draft whose answer was lost learns the gateway's id for it from the first event about it."""
    if known is None and told is not None:
        await agreements.update_draft(tx, draft_id, gateway_agreement_id=told)


def _uuids(texts: Iterable[str | None]) -> set[UUID]:
    return {found for text in texts if (found := _uuid(text)) is not None}


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
