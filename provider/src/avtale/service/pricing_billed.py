"""The prices that Stripe is told to ask: each before the invoice of the first period for which it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID, uuid5

from avtale.domain.agreement import Agreement, AgreementStatus
from avtale.domain.campaign import Campaign
from avtale.domain.change import Change, ChangeKind, ChangeStatus
from avtale.domain.money import Money
from avtale.domain.observations import ObservedAgreement, Standing
from avtale.domain.periods import local_date
from avtale.domain.ports import BillingGateway
from avtale.domain.wishes import RepeatedPrice
from avtale.domain.wishes import SubscriptionChange as ChangeAtStripe
from avtale.storage import agreements, calls, changes
from avtale.storage.calls import Call, CallKind
from avtale.storage.database import Transaction
from avtale.storage.tenants import Tenant

#: What lets the next period begin on another day, at the price of that day.
_MOVING = (ChangeKind.PAUSE, ChangeKind.RESUME)


async def price_calls(
    tx: Transaction,
    tenant: Tenant,
    billing: BillingGateway,
    told: Sequence[tuple[Agreement, UUID, ObservedAgreement]],
) -> list[Call]:
    """The calls that have next invoices made at the prices which hold when their periods begin, as far as they were not
    written yet: for agreements, each with its draft, as Stripe says that they are.

    They are for prices that were changed, and for the ordinary one when a voucher's ends. While Stripe has not answered
    to one nothing more is said: it could arrive last.
    """
    found = {one.id: (draft_id, seen.standing) for one, draft_id, seen in told if seen.standing is not None}
    open_ones = await calls.unanswered(tx, CallKind.UPDATE, [draft_id for draft_id, _ in found.values()])
    found = {key: one for key, one in found.items() if one[0] not in open_ones}
    wanted = await _prices(tx, tenant, [one for one, _, _ in told if one.id in found], found)
    if not wanted:
        return []
    locked = await agreements.lock_agreements(tx, wanted)
    written = []
    # What another wrote while this one waited for the locks is seen now.
    for agreement_id, (key, amount) in (await _prices(tx, tenant, list(locked.values()), found)).items():
        agreement, (draft_id, standing) = locked[agreement_id], found[agreement_id]
        if agreement.gateway_agreement_id is None or standing.product_id is None:
            continue
        price = RepeatedPrice(standing.product_id, amount, agreement.terms.interval)
        change = ChangeAtStripe(key, agreement.gateway_agreement_id, item_id=standing.item_id, price=price)
        written.append(Call(billing.write_change(change), CallKind.UPDATE, draft_id))
    return written


async def _prices(
    tx: Transaction, tenant: Tenant, among: Sequence[Agreement], found: Mapping[UUID, tuple[UUID, Standing]]
) -> dict[UUID, tuple[UUID, Money]]:
    """By agreement the key of a call that was not written yet, and the price that it is to bring about.

    While a change waits for its answer nothing else is said to Stripe: its id stands in the subscription for so long.
    """
    ids = [agreement.id for agreement in among]
    planned = await changes.changes_with(tx, ChangeStatus.PLANNED, ids)
    waiting = await changes.changes_with(tx, ChangeStatus.WAITING, ids)
    wanted: dict[UUID, tuple[UUID, Money]] = {}
    for agreement in among:
        begins = local_date(found[agreement.id][1].renews_at, tenant.zone)
        due = holding(planned.get(agreement.id, ()), begins)
        campaign, price = _priced_by(agreement), agreement.terms.price
        lasts = campaign is not None and (campaign.until is None or begins < campaign.until)
        billed = agreement.status is AgreementStatus.ACTIVE and found[agreement.id][1].item_id is not None
        if lasts or not billed or agreement.id in waiting:
            continue
        if due:
            wanted[agreement.id] = due[-1].id, replace(price, amount=due[-1].amount or 0)
        elif campaign is not None:
            wanted[agreement.id] = uuid5(agreement.id, f"the end of {campaign.id}"), price
    known = await calls.states(tx, [key for key, _ in wanted.values()])
    said = {agreement_id: one for agreement_id, one in wanted.items() if one[0] in known}
    taken_back = {key: one for key, one in said.items() if _asks_other(found[key][1], one[1])}
    again = await _said_again(tx, [one for one in among if one.id in taken_back], taken_back, found, planned)
    return {key: one for key, one in wanted.items() if key not in said} | again


def _asks_other(standing: Standing, price: Money) -> bool:
    return standing.asks is not None and standing.asks.price != price


async def _said_again(
    tx: Transaction,
    among: Sequence[Agreement],
    said: Mapping[UUID, tuple[UUID, Money]],
    found: Mapping[UUID, tuple[UUID, Standing]],
    planned: Mapping[UUID, Sequence[Change]],
) -> dict[UUID, tuple[UUID, Money]]:
    """Prices that Stripe was told, and was told not to ask yet when a pause ended earlier than it was to: once more for
    each such change. What somebody changed there stays as it is."""
    done = await changes.changes_with(tx, ChangeStatus.DONE, [agreement.id for agreement in among])
    again: dict[UUID, tuple[UUID, Money]] = {}
    for agreement in among:
        key, price = said[agreement.id]
        mine, asks = planned.get(agreement.id, ()), found[agreement.id][1].asks
        since = max((one.version for one in mine if one.id == key), default=0)
        moved = [one for one in done.get(agreement.id, ()) if one.kind in _MOVING and one.version > since]
        if moved and asks is not None and asks.price in _prices_of(agreement, mine):
            again[agreement.id] = uuid5(key, str(max(moved, key=lambda one: one.version).id)), price
    known = await calls.states(tx, [key for key, _ in again.values()])
    return {agreement_id: one for agreement_id, one in again.items() if one[0] not in known}


def _prices_of(agreement: Agreement, planned: Iterable[Change]) -> set[Money]:
    """Every price that an agreement has, had at first, or will have."""
    price, first = agreement.terms.price, agreement.terms.first_price
    return {price, first} | {replace(price, amount=change.amount or 0) for change in planned}


def _priced_by(agreement: Agreement) -> Campaign | None:
    """The campaign whose price is asked for a while; free days are over by themselves, and no price."""
    campaign = agreement.terms.campaign
    return campaign if campaign is not None and campaign.length is None else None


def price_on(agreement: Agreement, planned: Iterable[Change], start: date) -> Money:
    """What a period costs that begins on this day."""
    campaign, price = _priced_by(agreement), agreement.terms.price
    if campaign is not None and campaign.until is not None and start < campaign.until:
        return replace(price, amount=campaign.price)
    due = holding(planned, start)
    return replace(price, amount=due[-1].amount or 0) if due else price


def price_to_ask(
    agreement: Agreement, planned: Sequence[Change], standing: Standing, start: date
) -> RepeatedPrice | None:
    """The price that Stripe has to be told where the next period begins on another day than it was to; None where it
    asks that one, or what somebody changed there."""
    price = price_on(agreement, planned, start)
    if standing.asks is None or standing.product_id is None or standing.asks.interval != agreement.terms.interval:
        return None
    if standing.asks.price == price or standing.asks.price not in _prices_of(agreement, planned):
        return None
    return RepeatedPrice(standing.product_id, price, agreement.terms.interval)


def holding(planned: Iterable[Change], start: date) -> list[Change]:
    """The prices that hold for a period which begins then; the last one counts."""
    due = [change for change in planned if change.day is not None and change.day <= start]
    return sorted(due, key=lambda one: (one.day or start, one.version))
