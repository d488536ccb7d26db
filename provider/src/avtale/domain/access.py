"""How long somebody has access: to the end of what is paid, and a grace while a renewal is being tried."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import ChargeStatus
from avtale.domain.errors import Invalid
from avtale.domain.periods import start_of

#: A period counts as paid in these states of its charge; one that was given back in full does not.
PAID = frozenset({ChargeStatus.PAID, ChargeStatus.PARTIALLY_REFUNDED, ChargeStatus.WAIVED})


def access_until(status: AgreementStatus, paid_end: date, grace_days: int, zone: str) -> datetime:
    """The instant at which access ends: when the last paid period ends (`paid_end`, a local date), plus grace.

    Grace is for a renewal that may still be paid: only an active agreement has it.
    """
    grace = grace_days if status is AgreementStatus.ACTIVE else 0
    return start_of(paid_end + timedelta(days=grace), zone)


def check_grace(grace_days: int, dunning_days: int) -> None:
    """Refuse a grace that ends before the last try: a paying person would lose access meanwhile.

    `dunning_days` is how long the tries of a period, and of the orders that follow its first one, can take.
    """
    if grace_days < dunning_days:
        raise Invalid(
            f"grace_days is {grace_days}; with these retry_days and this dunning it must be at least {dunning_days}, "
            "or people lose access while their charge is still being tried",
            code="grace_too_short",
        )
