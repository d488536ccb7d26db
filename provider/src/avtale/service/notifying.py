"""Deliver events: number what has committed, then send each endpoint the next event of each agreement."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from typing import Any

import structlog

from avtale.domain.errors import Invalid
from avtale.domain.event import Delivery, Event, deliver_again_at
from avtale.domain.ports import Courier
from avtale.service.announcing import instant
from avtale.service.checkout import Person
from avtale.storage import event_keeping, event_lanes, events
from avtale.storage.database import Database, Job, Transaction
from avtale.storage.due import refresh_due
from avtale.storage.event_lanes import Lane
from avtale.storage.sealing import Sealer
from avtale.storage.tenants import Tenant

#: How many deliveries of one batch are under way at a time.
DELIVERIES_AT_ONCE_MAX = 16
LEASE_SECONDS_BESIDES = 3.0
NUMBERED_COUNT_MAX = 1_000
PRUNED_COUNT_MAX = 1_000

log = structlog.get_logger()


async def notify(db: Database, sealer: Sealer, courier: Courier, tenant: Tenant, batch_count_max: int = 100) -> bool:
    """Number and deliver one batch; True when there may be more.

    A lane has one delivery under way at most, and goes on only when its event was taken, so that each endpoint hears
    of an agreement in order. What fails waits by itself; what has failed too often disables its endpoint. An event
    of a type that an endpoint does not want counts as taken there.
    """
    async with db.tenant(tenant.id) as tx:
        numbered = await events.number(tx, NUMBERED_COUNT_MAX)
        await event_lanes.open_lanes(tx, numbered)
        pruned = await event_keeping.prune(tx, PRUNED_COUNT_MAX)
    rounds = 1 + math.ceil(batch_count_max / DELIVERIES_AT_ONCE_MAX)
    async with db.tenant(tenant.id) as tx:
        claimed = await event_lanes.claim(
            tx, batch_count_max, courier.call_seconds_max * rounds + LEASE_SECONDS_BESIDES
        )
        private = bool(claimed) and await event_lanes.private_networks(tx)
    slots = asyncio.Semaphore(DELIVERIES_AT_ONCE_MAX)

    async def deliver(lane: Lane) -> tuple[Lane, Delivery]:
        if not lane.wanted:
            return lane, Delivery()
        async with slots:
            secrets, body = [sealer.open(one) for one in lane.secrets_sealed], body_of(lane.event)
            return lane, await courier.deliver(lane.url, secrets, str(lane.event.id), body, private_networks=private)

    await _record(db, tenant, await asyncio.gather(*(deliver(lane) for lane in claimed)))
    async with db.tenant(tenant.id) as tx:
        await refresh_due(tx, Job.NOTIFY)
    return bool(claimed) or pruned or len(numbered) == NUMBERED_COUNT_MAX


async def read_events(
    db: Database, tenant: Tenant, after: int, count_max: int, reader: Person | None = None
) -> list[Event]:
    """Events behind a position, in order, with those that the fleet has not come to number yet.

    What is behind the position is kept for the reader, even where events are kept for some days alone. From 0 on it
    is whatever is kept. Raises Invalid (`cursor_expired`) for a position of which something behind it is gone.
    """
    async with db.tenant(tenant.id) as tx:
        await event_lanes.open_lanes(tx, await events.number(tx, NUMBERED_COUNT_MAX))
        await check_cursor(tx, after)
        if reader is not None:
            await event_keeping.came_with(tx, reader.issuer, reader.subject, after)
        return await events.after(tx, after, count_max)


async def check_cursor(tx: Transaction, after: int) -> None:
    """Hold the stream as it is. Raises Invalid (`cursor_expired`) where events behind this position are gone."""
    gone = await event_keeping.hold_stream(tx)
    if 0 < after < gone:
        detail = f"events behind this cursor are no longer kept: the oldest that are begin behind {gone}"
        raise Invalid(detail, code="cursor_expired", oldest=str(gone))


def said(event: Event) -> dict[str, Any]:
    """An event as others read it, in deliveries and in the stream alike."""
    return {
        "id": str(event.id),
        "type": event.kind,
        "timestamp": instant(event.occurred_at),
        "cursor": str(event.position),
        "agreementId": None if event.agreement_id is None else str(event.agreement_id),
        "purchaseId": None if event.purchase_id is None else str(event.purchase_id),
        "agreementSeq": event.agreement_seq,
        "issuer": event.issuer,
        "subject": event.subject,
        "productId": event.product_id,
        "data": dict(event.data),
    }


def body_of(event: Event) -> bytes:
    """The bytes that are delivered and signed."""
    return json.dumps(said(event), ensure_ascii=False, separators=(",", ":")).encode()


async def _record(db: Database, tenant: Tenant, done: Sequence[tuple[Lane, Delivery]]) -> None:
    if not done:
        return
    done = sorted(done, key=lambda one: (one[0].endpoint_id, one[0].owner_id))
    async with db.tenant(tenant.id) as tx:
        # Endpoints before their lanes, as everybody locks them.
        for lane, delivery in done:
            if delivery.error is not None and (delivery.gone or deliver_again_at(lane.tries + 1, tx.now) is None):
                reason = f"event {lane.event.id} was not taken in {lane.tries + 1} tries: {delivery.error}"
                if await event_lanes.disable(tx, lane.endpoint_id, reason):
                    log.error("event_endpoint_disabled", tenant=tenant.name, endpoint_id=str(lane.endpoint_id))
        for lane, delivery in done:
            if delivery.error is None:
                await event_lanes.delivered(tx, lane)
            else:
                again = deliver_again_at(lane.tries + 1, tx.now) or tx.now
                await event_lanes.missed(tx, lane, delivery.error, again)
