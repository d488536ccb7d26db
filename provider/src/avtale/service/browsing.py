"""What an operator looks for and at: lists with a search, an agreement's whole history, what waits, and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus
from avtale.domain.charge import Attempt, Charge, Refund
from avtale.domain.errors import NotFound
from avtale.domain.event import Event
from avtale.domain.periods import local_date, start_of
from avtale.domain.purchase import Purchase
from avtale.domain.settlement import BookingKind
from avtale.service.overseeing import MONTHS_SHOWN, months_before
from avtale.service.reading import AgreementView
from avtale.storage import (
    acts,
    agreements,
    browsing,
    charges,
    drafts,
    entitlements,
    events,
    figures,
    overview,
    purchases,
    receipts,
    refunds,
)
from avtale.storage.acts import Act
from avtale.storage.browsing import AgreementRow, CallRow, ChargeRow, EventRow, ReceiptRow
from avtale.storage.database import Database
from avtale.storage.drafts import Draft
from avtale.storage.figures import Outcome
from avtale.storage.receipts import Receipt
from avtale.storage.tenants import Tenant

ROWS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of an agreement's history: when, what kind of thing, in words' keys, and what it is about."""

    at: datetime
    kind: str
    what: str
    detail: str = ""
    amount: int | None = None
    currency: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class AgreementFile:
    """Everything about one agreement."""

    view: AgreementView
    drafts: tuple[Draft, ...]
    attempts: tuple[Attempt, ...]
    refunds: tuple[Refund, ...]
    history: tuple[Moment, ...]
    others: int


@dataclass(frozen=True, slots=True)
class FailedRefund:
    """A refund that came to nothing, and the charge that it was of."""

    refund: Refund
    charge: ChargeRow


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for an operator, or is not known yet; each list is cut at ROWS_SHOWN."""

    agreements: tuple[AgreementRow, ...]
    asked: tuple[Agreement, ...]
    charges: tuple[ChargeRow, ...]
    refunds: tuple[FailedRefund, ...]
    calls: tuple[CallRow, ...]
    events: tuple[EventRow, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """The business in one month: at its end, how many agreements and what they are worth a month (minor units)."""

    month: date
    active: int
    revenue: int
    began: int
    ended: int
    refunded: int
    failed: int
    recovered: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Twelve months, in the currency with the most agreements, and why charges failed in them."""

    currency: str
    months: tuple[Month, ...]
    outcomes: tuple[Outcome, ...]


async def search_agreements(
    db: Database, tenant: Tenant, said: str, status: AgreementStatus | None, before: UUID | None
) -> list[AgreementRow]:
    """A page of agreements, newest first."""
    async with db.tenant(tenant.id) as tx:
        return await browsing.find_agreements(tx, said, status, before, ROWS_SHOWN)


async def search_charges(
    db: Database, tenant: Tenant, said: str, status: str | None, before: UUID | None
) -> list[ChargeRow]:
    """A page of charges, the latest due first."""
    async with db.tenant(tenant.id) as tx:
        return await browsing.find_charges(tx, said, status, before, ROWS_SHOWN)


async def search_receipts(db: Database, tenant: Tenant, said: str, before: UUID | None) -> list[ReceiptRow]:
    """A page of receipts and credit notes, newest first."""
    async with db.tenant(tenant.id) as tx:
        return await browsing.find_receipts(tx, said, before, ROWS_SHOWN)


async def what_waits(db: Database, tenant: Tenant) -> Waiting:
    """What does not go on by itself, and what has no answer yet."""
    async with db.tenant(tenant.id) as tx:
        failed = await refunds.failed_refunds(tx, ROWS_SHOWN)
        ids = {str(one.charge_id) for one in failed}
        charged = {row.id: row for one in ids for row in await browsing.find_charges(tx, one, None, None, 1)}
        return Waiting(
            agreements=tuple(await browsing.parked_agreements(tx, ROWS_SHOWN)),
            asked=tuple(
                (await agreements.get_agreements(tx, await browsing.asked_agreements(tx, ROWS_SHOWN))).values()
            ),
            charges=tuple(await browsing.find_charges(tx, "", "parked", None, ROWS_SHOWN)),
            refunds=tuple(FailedRefund(one, charged[one.charge_id]) for one in failed),
            calls=tuple(await browsing.unanswered_calls(tx, ROWS_SHOWN)),
            events=tuple(await browsing.parked_events(tx, ROWS_SHOWN)),
        )


async def open_file(db: Database, tenant: Tenant, agreement_id: UUID) -> AgreementFile:
    """One agreement with its whole history. Raises NotFound (`agreement_not_found`)."""
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id)
        if agreement is None:
            raise NotFound(f"there is no agreement {agreement_id}", code="agreement_not_found")
        owed = await charges.charges_of(tx, [agreement_id])
        ids = [charge.id for charge in owed]
        tried = await charges.attempts_of(tx, ids)
        made = await charges.attempt_times(tx, ids)
        wishes = await refunds.refunds_of(tx, ids)
        its_drafts = await drafts.drafts_of(tx, [agreement_id])
        access = (await entitlements.entitlements_of(tx, [agreement_id])).get(agreement_id)
        told = await events.events_of(tx, agreement_id)
        documents = await receipts.receipts_of_charges(tx, ids)
        done = await acts.of_agreement(tx, agreement_id)
        others = await agreements.agreements_of(tx, agreement.issuer, agreement.subject)
    history = _history(agreement, owed, made, told, documents, done)
    until = access.access_until if access is not None else None
    view = AgreementView(agreement, tuple(owed), until)
    count = sum(other.id != agreement_id for other in others)
    return AgreementFile(view, tuple(its_drafts), tuple(tried), tuple(wishes), history, count)


async def purchase_history(db: Database, tenant: Tenant, charge_id: UUID) -> tuple[Moment, ...]:
    """The whole history of the purchase that a charge is of; nothing for one of an agreement."""
    async with db.tenant(tenant.id) as tx:
        charge = (await charges.get_charges(tx, [charge_id])).get(charge_id)
        purchase = await purchases.get_purchase(tx, charge.owner_id) if charge and charge.purchase_id else None
        if charge is None or purchase is None:
            return ()
        made = await charges.attempt_times(tx, [charge_id])
        told = await events.events_of(tx, purchase.id)
        documents = await receipts.receipts_of_charges(tx, [charge_id])
        done = await acts.about(tx, f"charge {charge_id}")
    return _history(purchase, [charge], made, told, documents, done)


def _history(
    owner: Agreement | Purchase,
    owed: Sequence[Charge],
    made: Sequence[tuple[UUID, datetime]],
    told: Sequence[Event],
    documents: Sequence[Receipt],
    done: Sequence[Act],
) -> tuple[Moment, ...]:
    by_id, currency = {charge.id: charge for charge in owed}, owner.terms.price.currency
    history = [Moment(owner.created_at, "checkout", "checkout", owner.terms.name)]
    history += [Moment(at, "order", "order", _period(by_id[i]), by_id[i].price.amount, currency) for i, at in made]
    for event in told:
        amount = event.data.get("amount")
        details = (event.data.get(name) for name in ("reason", "change", "accessUntil", "periodStart"))
        detail = str(next((said for said in details if said), ""))
        sum_ = amount if isinstance(amount, int) else None
        history.append(Moment(event.occurred_at, "event", event.kind, detail, sum_, currency))
    history += [
        Moment(d.issued_at, "document", d.kind.value, str(d.number), d.sums.gross, d.currency) for d in documents
    ]
    history += [Moment(a.done_at, "act", a.act, a.why, by=a.actor_subject) for a in done]
    return tuple(sorted(history, key=lambda moment: moment.at))


async def show_figures(db: Database, tenant: Tenant) -> Figures:
    """Twelve months up to now; agreements that are given count in none of it."""
    async with db.tenant(tenant.id) as tx:
        first = months_before(local_date(tx.now, tenant.zone), MONTHS_SHOWN - 1)
        changed = await figures.changes(tx, tenant.zone)
        flows = await overview.flows_by_month(tx, start_of(first, tenant.zone), tenant.zone)
        outcomes = await figures.outcomes(tx, first)
    weights: dict[str, int] = {}
    for one in changed:
        weights[one.currency] = weights.get(one.currency, 0) + one.began
    currency = max(sorted(weights), key=lambda name: weights[name], default="NOK")
    mine = [one for one in changed if one.currency == currency]
    refunded = {
        f.month: f.flow.amount for f in flows if f.flow.kind is BookingKind.REFUND and f.flow.currency == currency
    }
    active = sum(one.began - one.ended for one in mine if one.month < first)
    revenue = sum(one.revenue for one in mine if one.month < first)
    months = []
    for month in _months(first):
        here = [one for one in mine if one.month == month]
        active += sum(one.began - one.ended for one in here)
        revenue += sum(one.revenue for one in here)
        ended = [one for one in outcomes if one.month == month and one.currency == currency]
        months.append(
            Month(
                month=month,
                active=active,
                revenue=round(revenue),
                began=sum(one.began for one in here),
                ended=sum(one.ended for one in here),
                refunded=refunded.get(month, 0),
                failed=sum(one.count for one in ended if not one.recovered),
                recovered=sum(one.count for one in ended if one.recovered),
            )
        )
    return Figures(currency, tuple(months), tuple(one for one in outcomes if one.currency == currency))


def next_page(rows: Sequence[AgreementRow | ChargeRow | ReceiptRow | Act]) -> UUID | None:
    """Where the next page begins, if there is one."""
    return rows[-1].id if len(rows) == ROWS_SHOWN else None


def _months(first: date) -> Iterator[date]:
    for count in range(MONTHS_SHOWN):
        year, month0 = divmod(first.year * 12 + first.month - 1 + count, 12)
        yield date(year, month0 + 1, 1)


def _period(charge: Charge) -> str:
    return charge.period_start.isoformat() if charge.period else charge.kind.value
