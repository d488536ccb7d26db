"""A purchase: something bought once, its states, the table of steps between them, and how long it gives access."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from avtale.domain.charge import ChargeStatus
from avtale.domain.errors import IllegalStep
from avtale.domain.money import Money
from avtale.domain.settlement import GatewayChargeState


class PurchaseStatus(StrEnum):
    """Where a purchase stands with us. `releasing`: its reservation is being given up, and nothing will be taken."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    PAID = "paid"
    RELEASING = "releasing"
    CANCELLED = "cancelled"
    ABORTED = "aborted"
    EXPIRED = "expired"
    REFUSED = "refused"


class PurchaseVerb(StrEnum):
    """What can happen to a purchase."""

    AUTHORIZE = "authorize"
    PAY = "pay"
    RELEASE = "release"
    CANCEL = "cancel"
    ABORT = "abort"
    EXPIRE = "expire"
    REFUSE = "refuse"


_S, _V = PurchaseStatus, PurchaseVerb

#: Every (state, verb) pair is decided: the state after it, or None where the step is illegal. Money that was
#: taken is a fact (every state pays), and what was paid stays so whatever an older reading says.
PURCHASE_STEPS: dict[tuple[PurchaseStatus, PurchaseVerb], PurchaseStatus | None] = {
    (_S.PENDING, _V.AUTHORIZE): _S.AUTHORIZED,
    (_S.PENDING, _V.PAY): _S.PAID,
    (_S.PENDING, _V.RELEASE): None,
    (_S.PENDING, _V.CANCEL): _S.CANCELLED,
    (_S.PENDING, _V.ABORT): _S.ABORTED,
    (_S.PENDING, _V.EXPIRE): _S.EXPIRED,
    (_S.PENDING, _V.REFUSE): _S.REFUSED,
    (_S.AUTHORIZED, _V.AUTHORIZE): _S.AUTHORIZED,
    (_S.AUTHORIZED, _V.PAY): _S.PAID,
    (_S.AUTHORIZED, _V.RELEASE): _S.RELEASING,
    (_S.AUTHORIZED, _V.CANCEL): _S.CANCELLED,
    (_S.AUTHORIZED, _V.ABORT): None,
    (_S.AUTHORIZED, _V.EXPIRE): None,
    (_S.AUTHORIZED, _V.REFUSE): None,
    (_S.PAID, _V.AUTHORIZE): _S.PAID,
    (_S.PAID, _V.PAY): _S.PAID,
    (_S.PAID, _V.RELEASE): None,
    (_S.PAID, _V.CANCEL): _S.PAID,
    (_S.PAID, _V.ABORT): None,
    (_S.PAID, _V.EXPIRE): None,
    (_S.PAID, _V.REFUSE): None,
    (_S.RELEASING, _V.AUTHORIZE): _S.RELEASING,
    (_S.RELEASING, _V.PAY): _S.PAID,
    (_S.RELEASING, _V.RELEASE): _S.RELEASING,
    (_S.RELEASING, _V.CANCEL): _S.CANCELLED,
    (_S.RELEASING, _V.ABORT): None,
    (_S.RELEASING, _V.EXPIRE): None,
    (_S.RELEASING, _V.REFUSE): None,
    (_S.CANCELLED, _V.AUTHORIZE): _S.CANCELLED,
    (_S.CANCELLED, _V.PAY): _S.PAID,
    (_S.CANCELLED, _V.RELEASE): None,
    (_S.CANCELLED, _V.CANCEL): _S.CANCELLED,
    (_S.CANCELLED, _V.ABORT): None,
    (_S.CANCELLED, _V.EXPIRE): None,
    (_S.CANCELLED, _V.REFUSE): None,
    # What had come to nothing here may have been approved all the same: the truth at the gateway wins.
    (_S.ABORTED, _V.AUTHORIZE): _S.AUTHORIZED,
    (_S.ABORTED, _V.PAY): _S.PAID,
    (_S.ABORTED, _V.RELEASE): None,
    (_S.ABORTED, _V.CANCEL): _S.CANCELLED,
    (_S.ABORTED, _V.ABORT): _S.ABORTED,
    (_S.ABORTED, _V.EXPIRE): _S.ABORTED,
    (_S.ABORTED, _V.REFUSE): None,
    (_S.EXPIRED, _V.AUTHORIZE): _S.AUTHORIZED,
    (_S.EXPIRED, _V.PAY): _S.PAID,
    (_S.EXPIRED, _V.RELEASE): None,
    (_S.EXPIRED, _V.CANCEL): _S.CANCELLED,
    (_S.EXPIRED, _V.ABORT): _S.ABORTED,
    (_S.EXPIRED, _V.EXPIRE): _S.EXPIRED,
    (_S.EXPIRED, _V.REFUSE): None,
    (_S.REFUSED, _V.AUTHORIZE): _S.AUTHORIZED,
    (_S.REFUSED, _V.PAY): _S.PAID,
    (_S.REFUSED, _V.RELEASE): None,
    (_S.REFUSED, _V.CANCEL): _S.CANCELLED,
    (_S.REFUSED, _V.ABORT): _S.ABORTED,
    (_S.REFUSED, _V.EXPIRE): _S.EXPIRED,
    (_S.REFUSED, _V.REFUSE): _S.REFUSED,
}

#: A purchase in one of these states may still move by itself: it is read again until it does.
OPEN_PURCHASES = frozenset({_S.PENDING, _S.AUTHORIZED, _S.RELEASING})

#: Why a purchase gives no access although it was paid: its person had the same product already.
DUPLICATE = "duplicate"

#: What a reading of a purchase's order does to it. An order that waits does nothing.
_SAID: dict[GatewayChargeState, PurchaseVerb] = {
    GatewayChargeState.RESERVED: _V.AUTHORIZE,
    GatewayChargeState.CAPTURED: _V.PAY,
    GatewayChargeState.CANCELLED: _V.CANCEL,
    GatewayChargeState.FAILED: _V.CANCEL,
    GatewayChargeState.ABORTED: _V.ABORT,
    GatewayChargeState.EXPIRED: _V.EXPIRE,
}


def step(status: PurchaseStatus, verb: PurchaseVerb) -> PurchaseStatus:
    """The state after a verb. Raises IllegalStep with code `illegal_step` where the table has none."""
    after = PURCHASE_STEPS[(status, verb)]
    if after is None:
        raise IllegalStep(f"a purchase that is {status.value} cannot {verb.value}")
    return after


def read(status: PurchaseStatus, observed: GatewayChargeState) -> PurchaseStatus:
    """The state after a reading of the purchase's order; raises IllegalStep for a reading that cannot be."""
    verb = _SAID.get(observed)
    return status if verb is None else step(status, verb)


@dataclass(frozen=True, slots=True)
class PurchaseTerms:
    """What a person buys once: product, price, and how many days of access it gives."""

    product_id: str
    name: str
    description: str | None
    price: Money
    access_days: int
    vat_basis_points: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """One person's purchase of one product, through one gateway; instants are UTC.

    The person approves it at `confirmation_url` until `expires_at`; access is counted from `granted_at`, when the
    money was seen to be reserved. `end_reason` says why it came to nothing.
    """

    id: UUID
    issuer: str
    subject: str
    gateway: str
    terms: PurchaseTerms
    status: PurchaseStatus
    confirmation_url: str | None
    created_at: datetime
    expires_at: datetime
    granted_at: datetime | None
    end_reason: str | None
    version: int


def access_end(granted_at: datetime, access_days: int, zone: str) -> datetime:
    """The instant at which access ends: the same time of day in `zone`, that many days later."""
    local = granted_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return (local + timedelta(days=access_days)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def purchase_access(purchase: Purchase, charge: ChargeStatus, zone: str) -> datetime | None:
    """Until when a purchase gives access: while its money is reserved or taken, and not given back in full."""
    holds = purchase.status in (_S.AUTHORIZED, _S.PAID) and charge is not ChargeStatus.REFUNDED
    if not holds or purchase.end_reason == DUPLICATE or purchase.granted_at is None:
        return None
    return access_end(purchase.granted_at, purchase.terms.access_days, zone)
