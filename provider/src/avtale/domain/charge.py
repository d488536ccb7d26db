"""A charge (what is owed for a period of an agreement, or for a purchase), its attempts and its refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money


class ChargeStatus(StrEnum):
    """Where a charge stands. `open`: an attempt is under way or will be."""

    OPEN = "open"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WAIVED = "waived"


class ChargeKind(StrEnum):
    """Why a charge exists. A `stray` was taken by a draft that lost to another one, and is given back; a `one_off` is
    for something besides the periods of an agreement."""

    INITIAL = "initial"
    RECURRING = "recurring"
    STRAY = "stray"
    PURCHASE = "purchase"
    ONE_OFF = "one_off"


class AttemptStatus(StrEnum):
    """Where one order at the gateway stands."""

    WRITTEN = "written"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CAPTURED = "captured"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: An attempt in one of these states may still move money; a charge has at most one such.
OPEN_ATTEMPTS = frozenset({AttemptStatus.WRITTEN, AttemptStatus.UNKNOWN, AttemptStatus.ACCEPTED})


class RefundStatus(StrEnum):
    """Where a wish to give money back stands. `written` and `unknown` hold their sum reserved; one that `failed` was
    accepted, and then the bank sent the money back."""

    WRITTEN = "written"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"


OPEN_REFUNDS = frozenset({RefundStatus.WRITTEN, RefundStatus.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Totals:
    """Cumulative sums in minor units, as a gateway states them; they only grow, but for `refunded`.

    That is what stays given back: less what was `returned`, as a refund failed after it was accepted.
    """

    captured: int = 0
    refunded: int = 0
    cancelled: int = 0
    returned: int = 0

    @property
    def given(self) -> int:
        """All that was ever given back, whether it stayed so or not."""
        return self.refunded + self.returned

    def grown_to(self, other: Totals) -> Totals:
        """The greater of each: an old answer that comes late takes nothing back."""
        returned = max(self.returned, other.returned)
        return Totals(
            max(self.captured, other.captured),
            max(self.given, other.given) - returned,
            max(self.cancelled, other.cancelled),
            returned,
        )


@dataclass(frozen=True, slots=True)
class Charge:
    """What is owed for one agreement and period, or for one purchase: exactly one of their ids is there.

    `period` is None for a stray and for a purchase, whose days are those that it was sold with. What it is for is
    said where its agreement may be about something else by now. At most `keep_max` of it is kept, where that is there:
    the rest is given back as soon as it is captured.
    """

    id: UUID
    agreement_id: UUID | None
    purchase_id: UUID | None
    kind: ChargeKind
    period: int | None
    period_start: date
    period_end: date
    due: date
    price: Money
    vat_basis_points: int
    status: ChargeStatus
    totals: Totals
    failure_reason: str | None
    version: int
    product_id: str | None = None
    product_name: str | None = None
    keep_max: int | None = None

    @property
    def owner_id(self) -> UUID:
        """The agreement or the purchase that it belongs to, by whose lock it changes."""
        owner = self.agreement_id or self.purchase_id
        if owner is None:
            raise RuntimeError(f"charge {self.id} belongs to nothing")
        return owner


@dataclass(frozen=True, slots=True)
class Attempt:
    """One order at the gateway for a charge; its id is the idempotency key and the order id that we give.

    `gateway_agreement_id` is None for an order that stands alone: a purchase's. Stripe names its own orders (an
    invoice, a payment intent: `gateway_order_id`), and what an invoice was paid by (`gateway_payment_id`).
    An order that is created together with others has the call for all of them as its `batch_id`.
    """

    id: UUID
    charge_id: UUID
    status: AttemptStatus
    totals: Totals
    gateway_agreement_id: str | None
    gateway: GatewayName = GatewayName.VIPPS
    gateway_order_id: str | None = None
    gateway_payment_id: str | None = None
    batch_id: UUID | None = None

    @property
    def order(self) -> str:
        """What the gateway calls this order."""
        return self.gateway_order_id or str(self.id)

    @property
    def payment(self) -> str:
        """What the gateway calls the money that it took for this order: what a refund names."""
        return self.gateway_payment_id or self.order


@dataclass(frozen=True, slots=True)
class Refund:
    """A wish to give back `amount` (minor units) of what an attempt captured; its id is the idempotency key."""

    id: UUID
    charge_id: UUID
    attempt_id: UUID
    amount: int
    reason: str
    status: RefundStatus
