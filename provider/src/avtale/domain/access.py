"""How long somebody has access: to the end of what is paid, and a grace while a renewal is being tried."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import Charge, ChargeStatus
from avtale.domain.errors import Invalid
from avtale.domain.periods import start_of

_PAID = frozenset({ChargeStatus.PAID, ChargeStatus.PARTIALLY_REFUNDED, ChargeStatus.WAIVED})


def paid_until(charges: Iterable[Charge]) -> date | None:
    """The local date on which the last paid period ends; a period that was given back in full is not paid."""
    return max((c.period_end for c in charges if c.period is not None and c.status in _PAID), default=None)


def access_until(
    status: AgreementStatus, charges: Iterable[Charge], grace_days: int, zone: str
) -> datetime | None:
    """The instant at which access ends, or None when nothing was ever paid.

    Grace is for a renewal that may still be paid: only an active agreement has it.
    """
    end = paid_until(charges)
    if end is None:
        return None
    if status is AgreementStatus.ACTIVE:
        end += timedelta(days=grace_days)
    return start_of(end, zone)


def check_grace(grace_days: int, retry_days: int) -> None:
    """Refuse a grace that ends before the gateway's last try: a paying person would lose access meanwhile."""
    if grace_days < retry_days + 1:
        raise Invalid(
            f"grace_days is {grace_days}; with retry_days {retry_days} it must be at least {retry_days + 1}, "
            "or people lose access while Vipps is still trying",
            code="grace_too_short",
        )
