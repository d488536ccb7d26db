"""What a gateway is asked for, before it is written as that gateway's request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from avtale.domain.agreement import Terms
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.periods import Interval


@dataclass(frozen=True, slots=True)
class WrittenRequest:
    """The exact bytes of a call, committed before it is made; `id` is its idempotency key.

    To Stripe it is the parameters, as canonical JSON: its SDK always spells the same ones in the same way.
    """

    id: UUID
    method: str
    path: str
    body: bytes
    gateway: GatewayName = GatewayName.VIPPS


@dataclass(frozen=True, slots=True)
class DraftWish:
    """What a draft of an agreement says. `order_id` is the initial charge's; `reference` names our agreement.

    `campaign_ends_at` is the instant of the campaign's last date, where it has one.
    """

    draft_id: UUID
    order_id: UUID
    reference: UUID
    terms: Terms
    redirect_url: str
    phone_number: str | None
    is_app: bool
    campaign_ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChargeWish:
    """One order to create: `reference` is `<agreement id>.<period>`, amounts in minor units."""

    order_id: UUID
    gateway_agreement_id: str
    amount: int
    due: date
    retry_days: int
    description: str
    reference: str


@dataclass(frozen=True, slots=True)
class PaymentWish:
    """One payment that stands alone, to be approved by its person: `return_url` is where they come back to."""

    order_id: UUID
    amount: Money
    description: str
    return_url: str
    phone_number: str | None


@dataclass(frozen=True, slots=True)
class RepeatedPrice:
    """What a subscription costs from its next invoice on: a sum for each interval, of a product at the gateway."""

    product_id: str
    amount: Money
    interval: Interval


@dataclass(frozen=True, slots=True)
class SubscriptionWish:
    """What a subscription at Stripe says. `draft_id` is our attempt id, by which it is found again.

    Its first invoices ask `first_price` where that is there, until it is changed; all others what `price_id` says.
    Nothing is due for its first `free_days`: its payer only leaves a card, and without one it ends with them.
    """

    draft_id: UUID
    reference: UUID
    customer_id: str
    price_id: str
    description: str
    payment_method_id: str | None = None
    first_price: RepeatedPrice | None = None
    free_days: int | None = None


@dataclass(frozen=True, slots=True)
class IntentWish:
    """A payment at Stripe that stands alone; `order_id` is our attempt id, by which it is found again.

    With a `payment_method_id` it is taken from that at once, its payer not being there.
    """

    order_id: UUID
    reference: UUID
    customer_id: str
    amount: Money
    description: str
    payment_method_id: str | None = None


@dataclass(frozen=True, slots=True)
class AskedOnce:
    """What a subscription asks besides its price, at once, for the time between two instants."""

    product_id: str
    amount: Money
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """What becomes different in a subscription from its next period on; None leaves a thing as it is.

    `collects`: whether its invoices are owed at all. Until `free_until` nothing is charged, and its periods are counted
    from there. Its `item_id` gets another price: one that is there (`price_id`), or a new one. What is `asked_once` is
    paid at once, or nothing is changed.
    """

    change_id: UUID
    gateway_agreement_id: str
    collects: bool | None = None
    free_until: datetime | None = None
    item_id: str | None = None
    price_id: str | None = None
    price: RepeatedPrice | None = None
    asked_once: AskedOnce | None = None
