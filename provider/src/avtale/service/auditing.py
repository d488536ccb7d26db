"""Check the invariants of one tenant's books, and lay the books open for somebody else's audit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from avtale.domain.billing import settled_by
from avtale.domain.charge import OPEN_ATTEMPTS, Charge
from avtale.domain.settlement import BookingKind
from avtale.storage import agreements, charges, entitlements, receipts
from avtale.storage.database import Database
from avtale.storage.receipts import LedgerEntry, Receipt
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
    """The tenant's books as JSON-able data: agreements with charges and attempts, ledger, receipts, access."""
    async with db.tenant(tenant.id) as tx:
        everyone = await agreements.all_agreements(tx)
        ids = [agreement.id for agreement in everyone]
        drafts = await agreements.drafts_of(tx, ids)
        owed = await charges.charges_of(tx, ids)
        tried = await charges.attempts_of(tx, [charge.id for charge in owed])
        entries = await receipts.all_entries(tx)
        documents = await receipts.all_receipts(tx)
        access = await entitlements.entitlements_of(tx, ids)
    addresses: dict[UUID, list[str]] = defaultdict(list)
    for draft in drafts:
        if draft.gateway_agreement_id is not None:
            addresses[draft.agreement_id].append(draft.gateway_agreement_id)
    attempts_of: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for attempt in tried:
        attempts_of[attempt.charge_id].append({"attemptId": str(attempt.id), "status": attempt.status.value})
    charges_of: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for charge in owed:
        charges_of[charge.agreement_id].append(_charge(charge) | {"attempts": attempts_of[charge.id]})
    periods = {charge.id: charge.period for charge in owed}
    return {
        "version": 1,
        "tenant": f"{tenant.organization}/{tenant.name}",
        "agreements": [
            {
                "agreementId": str(a.id),
                "gatewayAgreementIds": addresses[a.id],
                "issuer": a.issuer,
                "subject": a.subject,
                "status": a.status.value,
                "anchorDate": a.anchor.isoformat() if a.anchor else None,
                "interval": {"unit": a.terms.interval.unit.value, "count": a.terms.interval.count},
                "zone": tenant.zone,
                "graceDays": tenant.grace_days,
                "accessUntil": iso(access[a.id].access_until) if a.id in access else None,
                "charges": charges_of[a.id],
            }
            for a in everyone
        ],
        "ledger": [_entry(entry, periods) for entry in entries],
        "receipts": [_receipt(document) for document in documents],
        "entitlements": [
            {
                "agreementId": str(e.agreement_id),
                "subject": e.subject,
                "productId": e.product_id,
                "accessUntil": iso(e.access_until),
            }
            for e in access.values()
        ],
    }


async def audit(db: Database, tenant: Tenant) -> list[Finding]:
    """Everything that is wrong in the tenant's own books; an empty list is the promise kept."""
    async with db.tenant(tenant.id) as tx:
        everyone = {a.id: a for a in await agreements.all_agreements(tx)}
        owed = {c.id: c for c in await charges.charges_of(tx, list(everyone))}
        tried = await charges.attempts_of(tx, list(owed))
        entries = await receipts.all_entries(tx)
        documents = await receipts.all_receipts(tx)
        now = tx.now
    found: list[Finding] = []
    booked: dict[tuple[UUID, BookingKind], int] = defaultdict(int)
    documented: dict[UUID, int] = defaultdict(int)
    for entry in entries:
        booked[entry.charge_id, entry.kind] += entry.amount
    for document in documents:
        documented[document.ledger_id] += document.sums.gross
    for charge in owed.values():
        for kind, total in (
            (BookingKind.CAPTURE, charge.totals.captured),
            (BookingKind.REFUND, charge.totals.refunded),
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
        end = settled_by(charge.due, tenant.rules.retry_days, tenant.zone)
        if attempt.status in OPEN_ATTEMPTS and now - end > OVERDUE_AFTER:
            found.append(Finding("attempt_overdue", str(attempt.id), f"no end since {iso(end)}"))
    for agreement in everyone.values():
        if agreement.parked_reason:
            found.append(Finding("agreement_parked", str(agreement.id), agreement.parked_reason))
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
        "agreementId": str(entry.agreement_id),
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
        "agreementId": str(document.agreement_id),
        "chargeId": str(document.charge_id),
        "amount": document.sums.gross,
        "vat": document.sums.vat,
        "currency": document.currency,
        "issuedAt": iso(document.issued_at),
        "corrects": str(document.corrects_id) if document.corrects_id else None,
    }


def iso(instant: datetime) -> str:
    """An instant as ISO 8601 in UTC, with Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
