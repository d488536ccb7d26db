"""What a gateway said: of an agreement, a price, a customer or an event, in the words of every gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID

from avtale.domain.agreement import Asked
from avtale.domain.money import Money
from avtale.domain.outcome import Refused
from avtale.domain.periods import Interval


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft that the person can now approve at `confirmation_url`."""

    gateway_agreement_id: str
    confirmation_url: str


@dataclass(frozen=True, slots=True)
class ManyCreated:
    """What became of orders that were to be created in one call, of those that the answer tells of.

    An accepted one may turn out not to be possible afterwards, which the gateway tells of later.
    """

    accepted: frozenset[UUID]
    refused: Mapping[UUID, Refused]


class GatewayAgreementState(StrEnum):
    """What a gateway says of an agreement, in our words."""

    PENDING = "pending"
    ACTIVE = "active"
    STOPPED = "stopped"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ObservedOrder:
    """An order that the gateway made by itself, an invoice: the period that it is for, and what it asks.

    `change` is the change of ours that it was made for.
    """

    order_id: str
    starts_at: datetime
    ends_at: datetime
    amount: Money
    is_first: bool
    is_paid: bool
    is_void: bool = False
    change: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a change of a subscription must know of it: its one item (None where there are several) with the product at
    the gateway, what pays it, when the period that is used ends, until when nothing is charged, whether a period's
    invoice is being made at this moment, whether invoices are owed at all, which change of ours was the last to
    arrive, and what is asked for a period, where that is one sum."""

    customer_id: str
    payment_method_id: str | None
    item_id: str | None
    product_id: str | None
    renews_at: datetime
    free_until: datetime | None
    is_billing: bool
    collects: bool
    last_change: str | None
    asks: Asked | None = None


@dataclass(frozen=True, slots=True)
class ObservedAgreement:
    """One reading of an agreement; `started_at` is None unless it was ever active.

    `limit` is what its person lets a charge be at most, in minor units, where the price may vary.
    Where the gateway bills by itself, `orders` are those that are owed, oldest first, and `changes_at` is when it
    next makes one, or makes one final. One that `waits_for_card` is pending for as long as nobody ends it.
    """

    gateway_agreement_id: str
    external_id: str | None
    state: GatewayAgreementState
    started_at: datetime | None
    stopped_at: datetime | None
    limit: int | None = None
    orders: tuple[ObservedOrder, ...] = ()
    changes_at: datetime | None = None
    standing: Standing | None = None
    waits_for_card: bool = False


#: The end of a reduction of which nobody says when it ends.
NEVER_OVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FoundAgreement:
    """What a gateway says of an agreement that another system made, and that is to move in.

    `price` is None where it varies. `last_due` is the latest local date on which anything was or is to be charged
    there, whoever asked for it: what failed for good or was called off does not count. A gateway that bills by itself
    says until when it has (`paid_until`), and whom (`customer_id`). Up to `reduced_until` another price holds than
    `price`: that of a campaign or a discount.
    """

    gateway_agreement_id: str
    state: GatewayAgreementState
    price: Money | None
    interval: Interval | None
    started_at: datetime | None
    last_due: date | None
    paid_until: datetime | None = None
    customer_id: str | None = None
    reduced_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventSubject:
    """What a webhook is about: enough to find the row to read again, and a key under which it is kept once."""

    key: str
    event_type: str
    gateway_agreement_id: str | None
    external_id: str | None
    order_id: str | None


@dataclass(frozen=True, slots=True)
class RegisteredWebhook:
    """A registration at the gateway; `secret` only in the answer that created it."""

    id: str
    url: str
    events: tuple[str, ...]
    secret: str | None


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What is there at Stripe, and the secret with which its payer's browser goes on.

    `kind` says what is to be confirmed: a `payment`, or a `setup` where nothing is due yet; None: nothing any more.
    """

    gateway_id: str
    kind: str | None
    client_secret: str | None


@dataclass(frozen=True, slots=True)
class ObservedPrice:
    """A price at Stripe; `interval` is None for one that is paid once."""

    price_id: str
    amount: Money | None
    interval: Interval | None
    active: bool
    product_id: str


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A card that somebody pays with at Stripe: its brand, its last digits, and when it expires."""

    id: str
    type: str
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None


@dataclass(frozen=True, slots=True)
class ObservedCustomer:
    """Who somebody is at Stripe, and what they pay with where nothing else is said."""

    customer_id: str
    email: str | None
    name: str | None
    default_payment_method_id: str | None
