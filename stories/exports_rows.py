"""What a gateway keeps of agreements, charges and payments, whichever company it is: plain rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True)
class GatewayCharge:
    """One charge as the gateway keeps it; sums in minor units, `captures` the instants of its captures. One that is
    `ahead` was asked by a change, at once, for days that may be yet to come."""

    charge_id: str
    external_id: str | None
    due: date
    amount: int
    currency: str
    status: str
    captured: int
    refunded: int
    history_captured: int
    history_refunded: int
    captures: tuple[datetime, ...]
    ahead: bool = False


@dataclass(frozen=True)
class GatewayAgreement:
    """One agreement as the gateway keeps it, with its charges."""

    merchant: str
    agreement_id: str
    external_id: str | None
    status: str
    start: datetime | None
    stop: datetime | None
    charges: tuple[GatewayCharge, ...]
    company: str = "vipps"


@dataclass(frozen=True)
class GatewayPayment:
    """One payment that stands alone as the gateway keeps it; its reference is an attempt of the provider's."""

    merchant: str
    reference: str
    state: str
    currency: str
    authorized: int
    cancelled: int
    captured: int
    refunded: int
    history_cancelled: int
    history_captured: int
    history_refunded: int
    authorizations: tuple[datetime, ...]
    captures: tuple[datetime, ...]
    company: str = "vipps"

    @property
    def kept(self) -> int:
        """What the merchant still has of it, in minor units."""
        return self.captured - self.refunded
