"""Give access: until when each agreement's person has it, from its charges and its state as they are now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from avtale.domain.access import access_until
from avtale.domain.agreement import Agreement
from avtale.service import announcing
from avtale.storage import agreements, charges
from avtale.storage.database import Transaction
from avtale.storage.entitlements import Entitlement
from avtale.storage.tenants import Tenant


async def grant(tx: Transaction, tenant: Tenant, touched: Iterable[UUID]) -> None:
    """Write until when these agreements give access, from their charges and states as they are now, and announce it."""
    touched = list(touched)
    if not touched:
        return
    ends = await charges.last_paid(tx, touched)
    current = await agreements.lock_agreements(tx, touched)
    await announcing.give_access(
        tx,
        current,
        [
            Entitlement(
                agreement_id=agreement_id,
                purchase_id=None,
                issuer=current[agreement_id].issuer,
                subject=current[agreement_id].subject,
                product_id=ends[agreement_id].product_id or current[agreement_id].terms.product_id,
                access_until=_access_until(tenant, current[agreement_id], ends[agreement_id].period_end),
            )
            for agreement_id in sorted(ends)
        ],
    )


def _access_until(tenant: Tenant, agreement: Agreement, paid_end: date) -> datetime:
    """A gift has no grace: no renewal of it is being tried, and none of one that is paused or goes on later.

    What was ended at once has ended.
    """
    later = agreement.phase_start is not None and (agreement.bridge_start or agreement.phase_start) > paid_end
    grace_days = 0 if agreement.gift_reason or agreement.paused_at or later else tenant.grace_days
    paid = access_until(agreement.status, paid_end, grace_days, tenant.zone)
    return min(paid, agreement.access_ends_at or paid)
