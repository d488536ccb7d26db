"""Give access: until when each agreement's person has it, from its charges and its state as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from uuid import UUID

from avtale.domain.access import access_until
from avtale.domain.agreement import Agreement
from avtale.domain.charge import Charge, ChargeStatus
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
    tried = await _tried(tx, current, ends)
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
                access_until=_access_until(
                    tenant, current[agreement_id], ends[agreement_id].period_end, agreement_id in tried
                ),
            )
            for agreement_id in sorted(ends)
        ],
    )


async def _tried(tx: Transaction, current: Mapping[UUID, Agreement], ends: Mapping[UUID, Charge]) -> set[UUID]:
    """Of these agreements whose periods are counted from a later day: those that have a charge for the days before it,
    which is not paid yet."""
    later = [one for one in ends if _goes_on_later(current[one], ends[one].period_end)]
    owed = await charges.charges_of(tx, later) if later else []
    unpaid = [c for c in owed if c.period is not None and c.status is ChargeStatus.OPEN]
    return {c.owner_id for c in unpaid if c.period_start <= ends[c.owner_id].period_end < c.period_end}


def _goes_on_later(agreement: Agreement, paid_end: date) -> bool:
    return agreement.phase_start is not None and (agreement.bridge_start or agreement.phase_start) > paid_end


def _access_until(tenant: Tenant, agreement: Agreement, paid_end: date, is_tried: bool) -> datetime:
    """A gift has no grace: no renewal of it is being tried, and none of one that is paused or goes on later.

    What was ended at once has ended.
    """
    later = _goes_on_later(agreement, paid_end) and not is_tried
    grace_days = 0 if agreement.gift_reason or agreement.paused_at or later else tenant.grace_days
    paid = access_until(agreement.status, paid_end, grace_days, tenant.zone)
    return min(paid, agreement.access_ends_at or paid)
