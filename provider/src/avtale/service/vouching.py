"""Take a voucher at a checkout: it is on sale, valid today, and there is a use of it left."""

from __future__ import annotations

from dataclasses import replace

from avtale.domain.agreement import Agreement, Terms
from avtale.domain.errors import Conflict, Invalid
from avtale.domain.periods import local_date
from avtale.domain.voucher import spelled
from avtale.storage.database import Transaction
from avtale.storage.tenants import Tenant
from avtale.storage.vouchers import count_uses, find_voucher, lock_voucher


async def voucher_terms(
    tx: Transaction, tenant: Tenant, terms: Terms, voucher: str | None, campaign: str | None = None
) -> Terms:
    """The terms as they are with a voucher. Raises Invalid (`voucher_unknown`, `voucher_over`, `voucher_unsuited`)."""
    if voucher is None:
        return terms
    if campaign is not None or terms.suggested_max is not None:
        detail = "a voucher goes neither with a campaign nor with a price that varies"
        raise Invalid(detail, code="voucher_unsuited")
    found = await find_voucher(tx, terms.product_id, spelled(voucher))
    if found is None:
        raise Invalid(f"there is no voucher {voucher!r} for this product", code="voucher_unknown")
    today = local_date(tx.now, tenant.zone)
    if not found.valid(today):
        raise Invalid(f"the voucher {voucher!r} cannot be taken today", code="voucher_over")
    return replace(terms, campaign=found.campaign(terms.interval, today))


async def take_voucher(tx: Transaction, new: Agreement, voucher: str | None) -> Agreement:
    """A new agreement (not written yet) that takes a use of a voucher, under its lock until the transaction ends.

    Raises Conflict (`voucher_used`) when none is left, for anybody or for this person.
    """
    if voucher is None:
        return new
    code = spelled(voucher)
    await lock_voucher(tx, code)
    found = await find_voucher(tx, new.terms.product_id, code)
    if found is None:
        raise Invalid(f"there is no voucher {voucher!r} for this product", code="voucher_unknown")
    in_all, by_person = await count_uses(tx, code, (new.issuer, new.subject), new.id)
    if (found.uses_max is not None and in_all >= found.uses_max) or by_person >= found.uses_per_person_max:
        raise Conflict(f"the voucher {voucher!r} has been used as often as it can be", code="voucher_used")
    return replace(new, voucher=code)
