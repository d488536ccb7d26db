"""Agreements that move in: each row is looked up at its payment company before it is believed, then written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.billing import plan_at
from avtale.domain.charge import Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.errors import Conflict, Refusal
from avtale.domain.gateway import GatewayName
from avtale.domain.imports import ImportKind, RowState
from avtale.domain.money import Money
from avtale.domain.moving import KNOWN, Moved, Place, check_dates, place, read_moved
from avtale.domain.observations import FoundAgreement
from avtale.domain.outcome import CREDENTIALS_REFUSED, Answered, Outcome, Refused, Throttled
from avtale.domain.periods import Interval, Unit, local_date
from avtale.domain.ports import AgreementSource, Gateways
from avtale.service.announcing import activated, announce
from avtale.service.checking import RECHECK_AGREEMENT_AFTER
from avtale.service.ids import new_id
from avtale.service.imports.kinds import Catalogue, Checked, catalogue_of, refused, rejected
from avtale.service.imports.known import known
from avtale.service.imports.people import remember
from avtale.service.imports.undoing import undo_agreements
from avtale.service.settling import grant
from avtale.storage import agreements, charges, checks, drafts, locks, stripe_accounts
from avtale.storage.checks import CheckKind
from avtale.storage.database import Database, Transaction
from avtale.storage.drafts import Draft
from avtale.storage.imports import Import, ImportRow
from avtale.storage.stripe_accounts import KnownCustomer
from avtale.storage.tenants import Tenant

#: Calls of a look-up that are under way at a time: the rest of a sales unit's share is for people who wait.
CALLS_AT_ONCE_MAX = 16
#: A batch is about this many seconds of the pace, so that nobody's limit sees a burst.
BATCH_SECONDS = 5.0
BATCH_COUNT_MAX = 500
#: How often a row without an answer is asked about, and how long to wait when nothing answers at all.
MISSES_MAX = 6
SILENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class _Placed:
    """What is known of a row: its terms, where its periods stand, and since when it has been active."""

    terms: Terms
    place: Place
    started_at: datetime | None


class MovingAgreements:
    """Files of versions 1 and 2."""

    kind = ImportKind.AGREEMENTS

    def read(self, line: int, said: Mapping[str, str], product_id: str | None, catalogue: Catalogue) -> ImportRow:
        """See domain.moving.read_moved; what the product or the issuer decide is decided here."""
        moved = read_moved(said, product_id)
        catalogue.terms(moved.product_id)
        return ImportRow(
            line=line,
            state=RowState.READ,
            row_id=moved.row_id,
            provider=moved.provider,
            gateway_agreement_id=moved.agreement_id,
            issuer=catalogue.issuer(moved.issuer),
            subject=moved.subject,
            product_id=moved.product_id,
            amount=moved.price.amount,
            currency=moved.price.currency,
            said={name: value for name, value in said.items() if value},
        )

    def batch_count(self, calls_per_minute_max: int) -> int:
        """Rows of two readings each."""
        return max(1, min(BATCH_COUNT_MAX, int(calls_per_minute_max * BATCH_SECONDS / 60 / 2)))

    async def check(
        self, db: Database, gateways: Gateways, tenant: Tenant, this: Import, rows: Sequence[ImportRow], pace: int
    ) -> Checked:
        """First what we know ourselves, then what the payment company says."""
        async with db.tenant(tenant.id) as tx:
            rows = await self.known(tx, rows)
            catalogue = await catalogue_of(tx)
            now = tx.now
        asked = [row for row in rows if row.state is RowState.READ]
        sources = {name: await gateways.source(tenant.id, name) for name in {row.provider or "" for row in asked}}
        told = await _look_up(sources, asked)
        done = [row for row in rows if row.state is not RowState.READ]
        answers = [
            _judge(row, outcome, catalogue, gateways, now, tenant.zone)
            for row, outcome in zip(asked, told, strict=True)
        ]
        problem, seconds = _trouble(told)
        if problem is not None:
            return Checked([*done, *(a for a in answers if a.state is not RowState.READ)], seconds, problem)
        calls = sum(source.calls_per_agreement for row in asked if (source := sources[row.provider or ""]))
        missed = 2.0 if any(row.state is RowState.READ for row in answers) else 0.0
        return Checked([*done, *answers], max(missed, calls * 60 / pace))

    async def known(self, tx: Transaction, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """See service.imports.known."""
        return await known(tx, self.kind, rows)

    async def apply(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """Write agreements, each as if its last period elsewhere had been waived here; whatever changed meanwhile
        is refused."""
        await locks.lock_people_and_products(tx, [row.whose for row in rows])
        catalogue = await catalogue_of(tx)
        done: list[ImportRow] = []
        new: list[tuple[ImportRow, Agreement]] = []
        for row in await self.known(tx, rows):
            if row.state is not RowState.READY:
                done.append(row)
                continue
            try:
                new.append((row, agreement_of(tx, tenant, row, catalogue)))
            except Refusal as refusal:
                done.append(refused(row, refusal))
        await announce(tx, [activated(agreement) for _, agreement in new])
        await write_agreements(tx, tenant, this, new)
        applied = [replace(row, state=RowState.APPLIED, agreement_id=agreement.id) for row, agreement in new]
        await remember(tx, this, applied)
        await _know_customers(tx, applied)
        return [*done, *applied]

    async def undo(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """See service.imports.undoing."""
        return await undo_agreements(tx, this, rows)


async def _look_up(
    sources: Mapping[str, AgreementSource | None], rows: Sequence[ImportRow]
) -> list[Outcome[FoundAgreement] | None]:
    slots = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    async def find(row: ImportRow) -> Outcome[FoundAgreement] | None:
        source = sources[row.provider or ""]
        if source is None:
            return None
        async with slots:
            return await source.find(row.gateway_agreement_id or "")

    return list(await asyncio.gather(*(find(row) for row in rows)))


def _judge(
    row: ImportRow,
    outcome: Outcome[FoundAgreement] | None,
    catalogue: Catalogue,
    gateways: Gateways,
    now: datetime,
    zone: str,
) -> ImportRow:
    """A row after its look-up; without an answer it stays as it is, and counts as missed."""
    match outcome:
        case None:
            said = f"agreements of {row.provider} cannot move in: this tenant has no account there"
            return rejected(row, "provider_unavailable", said)
        case Refused(code=code) if code == CREDENTIALS_REFUSED:
            return row
        case Refused():
            said = f"{row.provider} has no such agreement of this merchant ({outcome.status}: {outcome.detail[:200]})"
            return rejected(row, "agreement_not_found", said)
        case Answered(value=found):
            try:
                return replace(row, state=RowState.READY, found=_found(row, found, catalogue, gateways, now, zone))
            except Refusal as refusal:
                return refused(row, refusal)
        case _ if row.misses + 1 >= MISSES_MAX:
            return rejected(
                row, "gateway_unknown", f"{row.provider} did not answer {MISSES_MAX} times; try again later"
            )
        case _:
            return replace(row, misses=row.misses + 1)


def _trouble(told: Sequence[Outcome[FoundAgreement] | None]) -> tuple[str | None, float]:
    """Why the gateway is no help at all just now, and how long to leave it alone."""
    waits = [one.retry_after_seconds for one in told if isinstance(one, Throttled)]
    if waits:
        return "the payment company asks us to wait", max(waits)
    denied = [one for one in told if isinstance(one, Refused) and one.code == CREDENTIALS_REFUSED]
    if denied:
        return f"the payment company refuses our keys: {denied[0].detail[:200]}", SILENCE_SECONDS
    if told and all(one is not None and not isinstance(one, Answered | Refused) for one in told):
        return "the payment company does not answer", SILENCE_SECONDS
    return None, 0.0


def _found(
    row: ImportRow, found: FoundAgreement, catalogue: Catalogue, gateways: Gateways, now: datetime, zone: str
) -> dict[str, Any]:
    """What is kept of a look-up. Raises Refusal."""
    moved = _moved(row)
    terms = _terms(moved, moved.interval or catalogue.terms(moved.product_id).interval, catalogue)
    try:
        gateways.check_terms(terms)
    except ValueError as error:
        raise Refusal(f"no such terms can be charged: {error}", code="terms_invalid") from error
    at = place(moved, terms.interval, found, now, zone)
    return {
        "anchor": at.anchor.isoformat(),
        "lastPeriod": at.last_period,
        "interval": [terms.interval.unit.value, terms.interval.count],
        "startedAt": found.started_at.isoformat() if found.started_at else None,
        "lastDue": found.last_due.isoformat() if found.last_due else None,
        "customerId": found.customer_id,
    }


def _moved(row: ImportRow) -> Moved:
    return read_moved({name: (row.said or {}).get(name, "") for name in KNOWN}, row.product_id)


def _terms(moved: Moved, interval: Interval, catalogue: Catalogue) -> Terms:
    product = catalogue.terms(moved.product_id)
    vat = product.vat_basis_points if moved.vat_basis_points is None else moved.vat_basis_points
    fixed = replace(product, campaign=None, suggested_max=None)
    return replace(fixed, price=moved.price, interval=interval, vat_basis_points=vat)


def placed(row: ImportRow, catalogue: Catalogue) -> _Placed:
    """A row that was checked, read back. Raises Refusal (`product_unknown`, `not_checked`)."""
    if row.found is None:
        raise Conflict("this row was not checked", code="not_checked")
    moved, found = _moved(row), row.found
    interval = Interval(Unit(found["interval"][0]), found["interval"][1])
    started = datetime.fromisoformat(found["startedAt"]) if found["startedAt"] else None
    at = Place(date.fromisoformat(found["anchor"]), found["lastPeriod"])
    return _Placed(_terms(moved, interval, catalogue), at, started)


async def _know_customers(tx: Transaction, applied: Sequence[ImportRow]) -> None:
    """Who these people are at Stripe; whoever is known there already stays who they are."""
    theirs = [(row, customer) for row in applied if (customer := (row.found or {}).get("customerId"))]
    account = await stripe_accounts.get_account(tx) if theirs else None
    if account is not None:
        people = [KnownCustomer(new_id(), row.issuer or "", row.subject or "", customer) for row, customer in theirs]
        await stripe_accounts.know_customers(tx, account.account_id, people)


async def write_agreements(
    tx: Transaction, tenant: Tenant, this: Import, new: Sequence[tuple[ImportRow, Agreement]]
) -> None:
    """Write agreements with what they were paid for elsewhere, and the access that this gives."""
    made = [agreement for _, agreement in new]
    won = [_draft(tx, agreement) for agreement in made]
    await agreements.insert_agreements(tx, made)
    await drafts.insert_drafts(tx, won)
    await charges.insert_charges(tx, [_paid_elsewhere(row, agreement) for row, agreement in new])
    # Each is read again within a week, as every active agreement is; a file's readings are spread over it.
    share = new[0][0].line / max(this.row_count, 1) if new else 0.0
    at = tx.now + RECHECK_AGREEMENT_AFTER * min(share, 1.0)
    await checks.ask(tx, CheckKind.DRAFT, [draft.id for draft in won], max(at, tx.now + timedelta(hours=1)))
    await grant(tx, tenant, [agreement.id for agreement in made])


def agreement_of(tx: Transaction, tenant: Tenant, row: ImportRow, catalogue: Catalogue) -> Agreement:
    """Raises Refusal where time has passed it by."""
    known = placed(row, catalogue)
    check_dates(_moved(row), known.terms.interval, local_date(tx.now, tenant.zone))
    agreement = Agreement(
        id=new_id(),
        issuer=row.issuer or "",
        subject=row.subject or "",
        terms=known.terms,
        status=AgreementStatus.ACTIVE,
        gateway_agreement_id=row.gateway_agreement_id,
        anchor=known.place.anchor,
        last_period=known.place.last_period,
        next_charge_at=None,
        created_at=tx.now,
        expires_at=None,
        activated_at=known.started_at or tx.now,
        stopped_at=None,
        stop_reason=None,
        parked_reason=None,
        version=1,
        gateway=GatewayName(row.provider or ""),
    )
    if agreement.gateway is GatewayName.STRIPE:
        return agreement  # Stripe makes the next invoice by itself.
    return replace(agreement, next_charge_at=plan_at(agreement.next_period.start, tenant.rules, tenant.zone))


def _draft(tx: Transaction, agreement: Agreement) -> Draft:
    """By which events and readings about it are found."""
    there = agreement.gateway_agreement_id
    return Draft(new_id(), agreement.id, new_id(), "won", there, None, tx.now, agreement.gateway)


def _paid_elsewhere(row: ImportRow, agreement: Agreement) -> Charge:
    """The period that the other system was paid for: nothing is owed for it here, and it gives access."""
    moved = _moved(row)
    return Charge(
        id=new_id(),
        agreement_id=agreement.id,
        purchase_id=None,
        kind=ChargeKind.INITIAL,
        period=agreement.last_period,
        period_start=moved.period_start,
        period_end=moved.period_end,
        due=moved.period_start,
        price=Money(0, agreement.terms.price.currency),
        vat_basis_points=agreement.terms.vat_basis_points,
        status=ChargeStatus.WAIVED,
        totals=Totals(),
        failure_reason=None,
        version=1,
    )
