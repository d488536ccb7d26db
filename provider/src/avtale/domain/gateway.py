"""The payment companies that we know: which of them an agreement, a purchase or a call is with."""

from __future__ import annotations

from enum import StrEnum


class GatewayName(StrEnum):
    """A payment company. On Vipps we make every charge; Stripe makes its own invoices."""

    VIPPS = "vipps"
    STRIPE = "stripe"


#: Stripe tries an invoice again for at most this long, in days: two months are the longest of its settings.
STRIPE_TRY_DAYS = 60


def try_days(gateway: GatewayName, retry_days: int) -> int:
    """For how many days after its due date a gateway may still try a charge; `retry_days` is the tenant's for Vipps."""
    return STRIPE_TRY_DAYS if gateway is GatewayName.STRIPE else retry_days
