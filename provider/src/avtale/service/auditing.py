"""Check the invariants of one tenant's books, and lay the books open for somebody else's audit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from avtale.domain.billing import settled_by
from avtale.domain.charge import OPEN_ATTEMPTS, Charge
from avtale.domain.gateway import try_days
from avtale.domain.purchase import Purchase, PurchaseStatus, purchase_access
from avtale.domain.settlement import BookingKind
from avtale.storage import agreements, charges, drafts, entitlements, imports, phases, purchases, receipts
from avtale.storage.database import Database
from avtale.storage.due import unwoken
from avtale.storage.entitlements import Entitlement
from avtale.storage.receipts import LedgerEntry, Receipt
from avtale.storage.stranded import stranded_rows
from avtale.storage.tenants import Tenant

#: An attempt without an end this long after its last try is a fault, not a delay.
OVERDUE_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the books that must not be: a stable code, what it is about, and a sentence."""

    code: str
    subject: str
    sentence: str


async def export(db: Database, tenant: Tenant) -> dict[str, Any]:
    """The tenant's books as JSON-able data: agreements and purchases with charges and attempts, ledger, receipts,
    access."""
    async with db.snapshot(tenant.id) as tx:
        everyone = await agreements.all_agreements(tx)
        ids = [agreement.id for agreement in everyone]
        found_drafts = await drafts.drafts_of(tx, ids)
        bought = await purchases.all_purchases(tx)
        bought_ids = [purchase.id for purchase in bought]
        owed_once = await charges.charges_of_purchases(tx, bought_ids)
        owed = [*await charges.charges_of(tx, ids), *owed_once.values()]
        tried = await charges.attempts_of(tx, [charge.id for charge in owed])
        entries = await receipts.all_entries(tx)
        documents = await receipts.all_receipts(tx)
        access = await entitlements.entitlements_of(tx, [*ids, *bought_ids])
        counted = await phases.phases_of(tx, ids)
        moved = await imports.moved_in(tx)
    addresses: dict[UUID, list[str]] = defaultdict(list)
    for draft in found_drafts:
        if draft.gateway_agreement_id is not None:
            addresses[draft.agreement_id].append(draft.gateway_agreement_id)
    attempts_of: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for attempt in tried:
        attempts_of[attempt.charge_id].append(
            {
                "attemptId": str(attempt.id),
                "status": attempt.status.value,
                "gateway": attempt.gateway.value,
                "orderId": attempt.order,
            }
        )
    charges_of: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for charge in owed:
        charges_of[charge.owner_id].append(_charge(charge) | {"attempts": attempts_of[charge.id]})
    periods = {charge.id: charge.period for charge in owed}
    return {
        "version": 2,
        "tenant": f"{tenant.organization}/{tenant.name}",
        "agreements": [
            {
                "agreementId": str(a.id),
                "gateway": a.gateway.value,
                "gatewayAgreementIds": addresses[a.id],
                "issuer": a.issuer,
                "subject": a.subject,
                "status": a.status.value,
                "anchorDate": a.anchor.isoformat() if a.anchor else None,
                "interval": {"unit": a.terms.interval.unit.value, "count": a.terms.interval.count},
                "phases": [
                    {
                        "fromPeriod": phase.from_period,
                        "start": phase.start.isoformat(),
                        "unit": phase.interval.unit.value,
                        "count": phase.interval.count,
                    }
                    for phase in counted.get(a.id, [])
                ],
                "zone": tenant.zone,
                "graceDays": tenant.grace_days,
                "paused": a.paused_at is not None,
                "accessEndsAt": iso(a.access_ends_at) if a.access_ends_at else None,
                "accessUntil": iso(access[a.id].access_until) if a.id in access else None,
                "movedInAt": iso(a.created_at) if a.id in moved else None,
                "charges": charges_of[a.id],
            }
            for a in everyone
        ],
        "purchases": [
            {
                "purchaseId": str(p.id),
                "gateway": p.gateway,
                "issuer": p.issuer,
                "subject": p.subject,
                "productId": p.terms.product_id,
                "status": p.status.value,
                "zone": tenant.zone,
                "accessDays": p.terms.access_days,
                "grantedAt": iso(p.granted_at) if p.granted_at else None,
                "accessUntil": iso(access[p.id].access_until) if p.id in access else None,
                "endReason": p.end_reason,
                "charges": charges_of[p.id],
            }
            for p in bought
        ],
        "ledger": [_entry(entry, periods) for entry in entries],
        "receipts": [_receipt(document) for document in documents],
        "entitlements": [
            {
                "agreementId": _id(e.agreement_id),
                "purchaseId": _id(e.purchase_id),
                "subject": e.subject,
                "productId": e.product_id,
                "accessUntil": iso(e.access_until),
            }
            for e in access.values()
        ],
    }


async def audit(db: Database, tenant: Tenant) -> list[Finding]:
    """Everything that is wrong in the tenant's own books; an empty list is the promise kept."""
    async with db.snapshot(tenant.id) as tx:
        everyone = {a.id: a for a in await agreements.all_agreements(tx)}
        bought = {p.id: p for p in await purchases.all_purchases(tx)}
        owed_once = await charges.charges_of_purchases(tx, list(bought))
        owed = {c.id: c for c in [*await charges.charges_of(tx, list(everyone)), *owed_once.values()]}
        access = await entitlements.entitlements_of(tx, list(bought))
        tried = await charges.attempts_of(tx, list(owed))
        entries = await receipts.all_entries(tx)
        documents = await receipts.all_receipts(tx)
    async with db.tenant(tenant.id) as tx:
        now = tx.now
        found = [Finding("row_stranded", str(row.id), row.sentence) for row in await stranded_rows(tx)]
        found += [Finding("work_unwoken", job.value, "there is work, and nobody is woken") for job in await unwoken(tx)]
    booked: dict[tuple[UUID, BookingKind], int] = defaultdict(int)
    documented: dict[UUID, int] = defaultdict(int)
    for entry in entries:
        booked[entry.charge_id, entry.kind] += entry.amount
    for document in documents:
        documented[document.ledger_id] += document.sums.gross
    for charge in owed.values():
        for kind, total in (
            (BookingKind.CAPTURE, charge.totals.captured),
            (BookingKind.REFUND, charge.totals.given),
            (BookingKind.RETURN, charge.totals.returned),
        ):
            if booked[charge.id, kind] != total:
                sentence = f"the ledger has {kind.value}s of {booked[charge.id, kind]}, the charge {total}"
                found.append(Finding("ledger_differs", str(charge.id), sentence))
    for entry in entries:
        if documented[entry.id] != entry.amount:
            sentence = f"a {entry.kind.value} of {entry.amount} is documented with {documented[entry.id]}"
            found.append(Finding("receipt_differs", str(entry.id), sentence))
    found.extend(_gaps(documents))
    for attempt in tried:
        charge = owed[attempt.charge_id]
        purchase = bought.get(charge.owner_id)
        days = try_days(attempt.gateway, tenant.rules.retry_days)
        end = purchase.expires_at if purchase else settled_by(charge.due, days, tenant.zone)
        if attempt.status in OPEN_ATTEMPTS and now - end > OVERDUE_AFTER:
            found.append(Finding("attempt_overdue", str(attempt.id), f"no end since {iso(end)}"))
    for purchase in bought.values():
        found.extend(_of_purchase(purchase, owed_once[purchase.id], access.get(purchase.id), tenant.zone))
    for agreement in everyone.values():
        if agreement.parked_reason:
            found.append(Finding("agreement_parked", str(agreement.id), agreement.parked_reason))
    return found


def _of_purchase(purchase: Purchase, charge: Charge, access: Entitlement | None, zone: str) -> list[Finding]:
    found = []
    paid = charge.totals.captured > 0
    if paid != (purchase.status is PurchaseStatus.PAID):
        sentence = f"it is {purchase.status.value}, and {charge.totals.captured} was captured"
        found.append(Finding("purchase_differs", str(purchase.id), sentence))
    until = access.access_until if access else None
    if until != (expected := purchase_access(purchase, charge.status, zone)):
        sentence = f"access until {until}, and what was paid gives {expected}"
        found.append(Finding("access_differs", str(purchase.id), sentence))
    return found


def _gaps(documents: list[Receipt]) -> list[Finding]:
    series: dict[tuple[str, str], list[int]] = defaultdict(list)
    for document in documents:
        series[document.seller, document.kind.value].append(document.number)
    found = []
    for (seller, kind), numbers in sorted(series.items()):
        missing = sorted(set(range(min(numbers), max(numbers) + 1)) - set(numbers))
        if missing:
            sentence = f"numbers {missing[:5]} are missing"
            found.append(Finding("receipt_gap", f"{seller} {kind}", sentence))
    return found


def _charge(charge: Charge) -> dict[str, Any]:
    return {
        "chargeId": str(charge.id),
        "kind": charge.kind.value,
        "period": charge.period,
        "periodStart": charge.period_start.isoformat(),
        "periodEnd": charge.period_end.isoformat(),
        "dueDate": charge.due.isoformat(),
        "amount": charge.price.amount,
        "currency": charge.price.currency,
        "status": charge.status.value,
        "captured": charge.totals.captured,
        "refunded": charge.totals.refunded,
        "failureReason": charge.failure_reason,
    }


def _entry(entry: LedgerEntry, periods: dict[UUID, int | None]) -> dict[str, Any]:
    return {
        "agreementId": _id(entry.agreement_id),
        "purchaseId": _id(entry.purchase_id),
        "chargeId": str(entry.charge_id),
        "attemptId": str(entry.attempt_id),
        "period": periods[entry.charge_id],
        "kind": entry.kind.value,
        "amount": entry.amount,
        "currency": entry.currency,
        "bookedAt": iso(entry.booked_at),
    }


def _receipt(document: Receipt) -> dict[str, Any]:
    return {
        "receiptId": str(document.id),
        "series": document.kind.value,
        "seller": document.seller,
        "number": document.number,
        "agreementId": _id(document.agreement_id),
        "purchaseId": _id(document.purchase_id),
        "chargeId": str(document.charge_id),
        "amount": document.sums.gross,
        "vat": document.sums.vat,
        "currency": document.currency,
        "issuedAt": iso(document.issued_at),
        "corrects": _id(document.corrects_id),
    }


def _id(reference: UUID | None) -> str | None:
    return None if reference is None else str(reference)


def iso(instant: datetime) -> str:
    """An instant as ISO 8601 in UTC, with Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
