"""Shapes of what is bought once, and of money given back."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from avtale.api.payments.kinds import (
    AMOUNT_MAX,
    Instant,
    MinorUnits,
    Money,
    OneLine,
    Shape,
    shown,
)
from avtale.api.payments.shapes import Charge
from avtale.domain.gateway import GatewayName
from avtale.domain.purchase import PurchaseStatus
from avtale.service.following import PurchaseView


class Purchase(Shape):
    """A person's purchase of one product, bought once.

    `authorized`: the money is reserved and access is given; `paid`: it was taken; `releasing` and `cancelled`: the
    reservation was given up. What was given back is on its charge.
    """

    purchase_id: UUID
    provider: Literal["vipps", "stripe"]
    product_id: str
    status: PurchaseStatus
    price: Money
    created_at: Instant
    expires_at: Instant = Field(description="until when it can be approved")
    confirmation_url: str | None = Field(description="where to approve it, while that is possible")
    access_until: Instant | None
    end_reason: str | None = Field(description="why it came to nothing, where that is known")
    charge: Charge

    @staticmethod
    def of(view: PurchaseView) -> Purchase:
        purchase = view.purchase
        waiting = purchase.status is PurchaseStatus.PENDING
        return Purchase(
            purchase_id=purchase.id,
            provider="stripe" if purchase.gateway == GatewayName.STRIPE else "vipps",
            product_id=purchase.terms.product_id,
            status=purchase.status,
            price=Money.of(purchase.terms.price),
            created_at=purchase.created_at,
            expires_at=purchase.expires_at,
            confirmation_url=purchase.confirmation_url if waiting else None,
            access_until=view.access_until,
            end_reason=purchase.end_reason,
            charge=Charge.of(view.charge),
        )


class Purchases(Shape):
    """A person's purchases, newest first."""

    purchases: list[Purchase]


class RefundRequest(Shape):
    """How much to give back, and why: the person reads the reason."""

    model_config = shown(amount=4900, reason="The film stopped half-way")

    amount: int = Field(ge=1, le=AMOUNT_MAX, description="minor units (øre, cent)")
    reason: OneLine


class RefundAnswer(Shape):
    """A refund that was passed on; `unknown` while the gateway has not answered, and it is made to."""

    refund_id: UUID
    status: Literal["accepted", "unknown"]
    amount: MinorUnits
