"""Change an agreement that Stripe bills: written down, asked of Stripe, and taken when its subscription says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from avtale.domain import change as rules
from avtale.domain.agreement import Agreement, Terms
from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.errors import Conflict, Invalid
from avtale.domain.money import Money
from avtale.domain.observations import ObservedAgreement, Standing
from avtale.domain.periods import local_date, start_of
from avtale.domain.ports import BillingGateway, Gateways
from avtale.domain.wishes import AskedOnce, RepeatedPrice, SubscriptionChange
from avtale.service import announcing
from avtale.service.activating import settle_draft
from avtale.service.change_wishes import ChangeWish, admit
from avtale.service.checking import read_now
from avtale.service.checkout import Person
from avtale.service.customers import answered
from avtale.service.pricing_billed import price_calls, price_on, price_to_ask
from avtale.service.sending import lease_seconds, send_written
from avtale.service.stopping import may_see
from avtale.service.subscribing import price_at_stripe
from avtale.storage import agreements, calls, changes, drafts, tenants
from avtale.storage.calls import Call, CallKind
from avtale.storage.database import Database, Transaction
from avtale.storage.drafts import Draft
from avtale.storage.tenants import Tenant

#: A period that is to begin today begins so much later, for Stripe has to hear of it first.
SOON = timedelta(minutes=1)
#: Periods begin at this time of day, local to the tenant: everywhere in the Nordics the same date as in UTC.
NOON = timedelta(hours=12)
#: What these change is the price of the one thing that a subscription is about, or counted from it.
_ABOUT_PRICE = (ChangeKind.PLAN, ChangeKind.PRICE, ChangeKind.CHARGE_DAY)


async def change_billed(
    db: Database,
    gateways: Gateways,
    billing: BillingGateway,
    tenant: Tenant,
    owner: Person | None,
    by: Person,
    agreement_id: UUID,
    wish: ChangeWish,
    key: str | None,
) -> Change:
    """As changing.change_agreement. Its id is the key of the call, and stands in the subscription afterwards."""
    won, observed = await read_standing(db, billing, tenant, owner, agreement_id)
    plan = await _other_plan(db, billing, tenant, wish)
    async with db.tenant(tenant.id) as tx:
        admitted = await admit(tx, gateways, tenant, owner, by, agreement_id, wish, key)
        if isinstance(admitted, Change):
            return admitted
        new, agreement = admitted
        standing = check_standing(observed, wish.kind)
        if wish.amount is not None and wish.amount < billing.amount_min(agreement.terms.price.currency):
            raise Invalid("Stripe does not take so little", code="price_unsuited")
        if won is None or observed is None:
            raise RuntimeError("an active agreement has a subscription")
        if wish.kind is not ChangeKind.PRICE and await calls.unanswered(tx, CallKind.UPDATE, [won.id]):
            detail = "Stripe has not answered to another price yet: try again in a minute"
            raise Conflict(detail, code="change_under_way")
        planned = (await changes.changes_with(tx, ChangeStatus.PLANNED, [agreement.id])).get(agreement.id, [])
        bridge = _bridge(tenant, billing, agreement, wish, planned)
        change = await _insert(tx, tenant, agreement, wish, new, by, bridge)
        if wish.kind is ChangeKind.PRICE:
            written = await price_calls(tx, tenant, billing, [(agreement, won.id, observed)])
        else:
            wanted = _wanted(tx, tenant, agreement, change, standing, plan, planned)
            if bridge is not None:
                wanted = _bridged(wanted, tx.now, tenant.zone, standing, bridge)
            written = [Call(billing.write_change(wanted), CallKind.UPDATE, won.id)]
        await calls.write_calls(tx, written, lease_seconds(gateways, len(written)))
    if written:
        await send_written(db, gateways, tenant, written)
        await read_now(db, billing, tenant, won)
    async with db.tenant(tenant.id) as tx:
        return await changes.get_change(tx, change.id) or change


@dataclass(frozen=True, slots=True)
class _Bridge:
    """The days between what is paid and another charge day, and what they cost: nothing, if that is less than Stripe
    takes."""

    start: date
    first: date
    price: Money


def _bridge(
    tenant: Tenant, billing: BillingGateway, agreement: Agreement, wish: ChangeWish, planned: Sequence[Change]
) -> _Bridge | None:
    """What is between an agreement's periods and another charge day, at the price that holds by then; None where the
    day stays the same."""
    if wish.charge_day is None:
        return None
    start, price = agreement.next_period.start, agreement.terms.price
    least = billing.amount_min(price.currency)
    priced = rules.at_price(agreement, price_on(agreement, planned, start).amount, least)
    moved = rules.move_charge_day(priced, start, wish.charge_day, least, tenant.rules, tenant.zone).agreement
    first, share = moved.phase_start, moved.next_amount
    if moved.bridge_start is None or first is None or share is None:
        return None
    return _Bridge(start, first, replace(price, amount=share))


def _bridged(
    wanted: SubscriptionChange, now: datetime, zone: str, standing: Standing, bridge: _Bridge
) -> SubscriptionChange:
    """Nothing more is charged until the new day but the bridge, which is paid at once."""
    until = _begins_on(bridge.first, now, zone)
    asked = None
    if bridge.price.amount and standing.product_id is not None:
        asked = AskedOnce(standing.product_id, bridge.price, min(_begins_on(bridge.start, now, zone), until), until)
    return replace(wanted, free_until=until, asked_once=asked)


async def read_standing(
    db: Database, billing: BillingGateway, tenant: Tenant, owner: Person | None, agreement_id: UUID
) -> tuple[Draft | None, ObservedAgreement | None]:
    """Read an agreement's subscription and settle what it says; None for one that is none (yet), or is not theirs.
    Raises GatewayRefused, GatewayBusy and GatewayUnknown."""
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id)
        won = (await drafts.won_drafts(tx, [agreement_id])).get(agreement_id)
    if agreement is None or not may_see(owner, agreement) or won is None or won.gateway_agreement_id is None:
        return None, None
    observed = answered(await billing.fetch_agreement(won.gateway_agreement_id), "read the subscription")
    async with db.tenant(tenant.id) as tx:
        await settle_draft(tx, tenant, billing, won.id, observed)
    return won, observed


def check_standing(observed: ObservedAgreement | None, kind: ChangeKind) -> Standing:
    """What a change must know. Raises Conflict (`change_not_offered`, `change_under_way`)."""
    standing = observed.standing if observed is not None else None
    if standing is None:
        raise Conflict("Stripe says that this subscription has ended", code="change_not_offered")
    if standing.item_id is None and kind in _ABOUT_PRICE:
        detail = "this subscription is about several things at Stripe: change it there"
        raise Conflict(detail, code="change_not_offered")
    if standing.is_billing and kind is not ChangeKind.PRICE:
        detail = "Stripe is making the invoice of a period that has just begun: try again in an hour"
        raise Conflict(detail, code="change_under_way")
    return standing


async def _other_plan(
    db: Database, billing: BillingGateway, tenant: Tenant, wish: ChangeWish
) -> tuple[Terms, str] | None:
    """Another plan with its price at Stripe; a product that is not on sale is refused later, with the other checks."""
    if wish.product_id is None:
        return None
    async with db.tenant(tenant.id) as tx:
        terms = await tenants.get_product(tx, wish.product_id)
        name = (await tenants.stripe_prices(tx)).get(wish.product_id)
    return (terms, await price_at_stripe(billing, terms, name)) if isinstance(terms, Terms) else None


async def _insert(
    tx: Transaction,
    tenant: Tenant,
    agreement: Agreement,
    wish: ChangeWish,
    change_id: UUID,
    by: Person,
    bridge: _Bridge | None,
) -> Change:
    is_price = wish.kind is ChangeKind.PRICE
    change = Change(
        id=change_id,
        agreement_id=agreement.id,
        kind=wish.kind,
        status=ChangeStatus.PLANNED if is_price else ChangeStatus.WAITING,
        version=await changes.next_version(tx, agreement.id),
        requested_by=by.subject,
        created_at=tx.now,
        day=wish.day,
        amount=bridge.price.amount if bridge is not None else wish.amount,
        charge_day=wish.charge_day,
        product_id=wish.product_id,
        noticed_on=(wish.noticed_on or local_date(tx.now, tenant.zone)) if is_price else None,
        # A period that begins before Stripe hears of it is charged: the change is deferred to the one after it.
        from_period=agreement.last_period + 1 if wish.kind in rules.CANCELLING else None,
    )
    await changes.insert_change(tx, change)
    if is_price:
        await announcing.announce(tx, [announcing.changed(agreement, change)])
    return change


def _wanted(
    tx: Transaction,
    tenant: Tenant,
    agreement: Agreement,
    change: Change,
    standing: Standing,
    plan: tuple[Terms, str] | None,
    planned: Sequence[Change],
) -> SubscriptionChange:
    """What Stripe is to do for a change.

    A pause with an end, and a resumption, are days on which nothing is charged, at whose end the periods begin anew;
    one without an end lets the invoices be void. What begins on another day is asked at the price of that day. Another
    interval would begin at once: it is made to wait likewise.
    """
    start = agreement.paused_from or agreement.next_period.start
    today = local_date(tx.now, tenant.zone)
    # An earlier pause has Stripe wait longer.
    waits = agreement.paused_at is not None and local_date(standing.renews_at, tenant.zone) > start
    collects: bool | None = None
    price: RepeatedPrice | None = None
    free_until: datetime | None = None
    if change.kind is ChangeKind.PAUSE:
        collects = change.day is not None
        if change.day is not None and (change.day > start or waits):
            free_until = _begins_on(max(start, change.day), tx.now, tenant.zone)
    elif change.kind is ChangeKind.RESUME:
        collects, first = True, max(start, change.day or today)
        if first > start or start <= today or waits:
            free_until = _begins_on(first, tx.now, tenant.zone)
    elif plan is not None and plan[0].interval != agreement.terms.interval:
        free_until = standing.renews_at
    if free_until is not None and plan is None and change.kind is not ChangeKind.CHARGE_DAY:
        price = price_to_ask(agreement, planned, standing, local_date(free_until, tenant.zone))
    return SubscriptionChange(
        change_id=change.id,
        gateway_agreement_id=agreement.gateway_agreement_id or "",
        collects=collects,
        free_until=free_until,
        item_id=standing.item_id if plan is not None or price is not None else None,
        price=price,
        price_id=plan[1] if plan is not None else None,
    )


def _begins_on(day: date, now: datetime, zone: str) -> datetime:
    """The instant at which a period of this local day begins at Stripe; tomorrow where the day is over."""
    at = max(start_of(day, zone) + NOON, now + SOON)
    return at if local_date(at, zone) == day else start_of(day + timedelta(days=1), zone) + NOON
