"""What the use cases need of the world outside: the payment companies, as protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from avtale.domain.agreement import Terms
from avtale.domain.event import Delivery
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.outcome import Outcome
from avtale.domain.periods import Interval
from avtale.domain.purchase import PurchaseTerms
from avtale.domain.settlement import ObservedCharge


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
class Drafted:
    """A draft that the person can now approve at `confirmation_url`."""

    gateway_agreement_id: str
    confirmation_url: str


class GatewayAgreementState(StrEnum):
    """What a gateway says of an agreement, in our words."""

    PENDING = "pending"
    ACTIVE = "active"
    STOPPED = "stopped"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ObservedOrder:
    """An order that the gateway made by itself, an invoice: the period that it is for, and what it asks."""

    order_id: str
    starts_at: datetime
    ends_at: datetime
    amount: Money
    is_first: bool
    is_paid: bool
    is_void: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What a change of a subscription must know of it: its one item (None where there are several) with the product at
    the gateway, what pays it, when the period that is used ends, until when nothing is charged, whether a period's
    invoice is being made at this moment, whether invoices are owed at all, and which change of ours was the last to
    arrive."""

    customer_id: str
    payment_method_id: str | None
    item_id: str | None
    product_id: str | None
    renews_at: datetime
    free_until: datetime | None
    is_billing: bool
    collects: bool
    last_change: str | None


@dataclass(frozen=True, slots=True)
class ObservedAgreement:
    """One reading of an agreement; `started_at` is None unless it was ever active.

    `limit` is what its person lets a charge be at most, in minor units, where the price may vary.
    Where the gateway bills by itself, `orders` are those that are owed, oldest first, and `changes_at` is when it
    next makes one, or makes one final.
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


class AgreementGateway(Protocol):
    """What every gateway can do with the agreements of one tenant. The `write_…` functions are pure; the others
    call, and never raise for an answer of the other side: they return an Outcome."""

    def write_stop(self, request_id: UUID, gateway_agreement_id: str) -> WrittenRequest: ...
    def write_refund(
        self, request_id: UUID, gateway_agreement_id: str, order_id: str, amount: int, reason: str
    ) -> WrittenRequest: ...

    async def stop(self, request: WrittenRequest) -> Outcome[None]: ...
    async def refund(self, request: WrittenRequest) -> Outcome[None]: ...
    async def fetch_agreement(self, gateway_agreement_id: str) -> Outcome[ObservedAgreement]: ...
    async def fetch_charge(self, gateway_agreement_id: str, order_id: str) -> Outcome[ObservedCharge]: ...

    async def register_webhook(self, url: str, events: Sequence[str]) -> Outcome[RegisteredWebhook]: ...
    async def list_webhooks(self) -> Outcome[tuple[RegisteredWebhook, ...]]: ...
    async def delete_webhook(self, webhook_id: str) -> Outcome[None]: ...


class RecurringGateway(AgreementGateway, Protocol):
    """Vipps Recurring for one tenant: we draft agreements, and make every charge."""

    def write_draft(self, wish: DraftWish) -> WrittenRequest: ...
    def write_charge(self, wish: ChargeWish) -> WrittenRequest: ...
    def write_acceptance(self, request_id: UUID, gateway_agreement_id: str, phone_number: str) -> WrittenRequest: ...
    def write_cancel(self, request_id: UUID, gateway_agreement_id: str, order_id: str) -> WrittenRequest: ...
    def write_update(self, request_id: UUID, gateway_agreement_id: str, terms: Terms) -> WrittenRequest:
        """Show the person these terms from now on."""

    def amount_min(self, currency: str) -> int:
        """The least that can be charged, in minor units."""

    async def draft(self, request: WrittenRequest) -> Outcome[Drafted]: ...
    async def create_charge(self, request: WrittenRequest, *, again: bool = False) -> Outcome[str]: ...
    async def accept(self, request: WrittenRequest) -> Outcome[None]: ...
    async def cancel(self, request: WrittenRequest) -> Outcome[None]: ...
    async def update(self, request: WrittenRequest) -> Outcome[None]: ...


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
    """

    draft_id: UUID
    reference: UUID
    customer_id: str
    price_id: str
    description: str
    payment_method_id: str | None = None
    first_price: RepeatedPrice | None = None


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
class SubscriptionChange:
    """What becomes different in a subscription from its next period on; None leaves a thing as it is.

    `collects`: whether its invoices are owed at all. Until `free_until` nothing is charged, and its periods are counted
    from there. Its `item_id` gets another price: one that is there (`price_id`), or a new one.
    """

    change_id: UUID
    gateway_agreement_id: str
    collects: bool | None = None
    free_until: datetime | None = None
    item_id: str | None = None
    price_id: str | None = None
    price: RepeatedPrice | None = None


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


class BillingGateway(AgreementGateway, Protocol):
    """Stripe for one tenant: it makes its own invoices, and the payer confirms in their browser."""

    #: The account that the calls are for, and the key that its payers' browsers use.
    account_id: str
    publishable_key: str
    livemode: bool

    def write_subscription(self, wish: SubscriptionWish) -> WrittenRequest: ...
    def write_intent(self, wish: IntentWish) -> WrittenRequest: ...
    def write_release(self, request_id: UUID, order_id: str) -> WrittenRequest: ...
    def write_change(self, change: SubscriptionChange) -> WrittenRequest: ...
    def amount_min(self, currency: str) -> int:
        """The least that can be charged, in minor units."""

    async def create_subscription(self, request: WrittenRequest, *, again: bool = False) -> Outcome[Confirmation]:
        """Make it, or find the one that an earlier sending made: never a second one for one attempt."""

    async def create_intent(self, request: WrittenRequest, *, again: bool = False) -> Outcome[Confirmation]:
        """As create_subscription, for a payment that stands alone."""

    async def release(self, request: WrittenRequest) -> Outcome[None]: ...
    async def change(self, request: WrittenRequest, *, again: bool = False) -> Outcome[None]:
        """Change a subscription: once for one key, however often it is sent."""

    async def fetch_confirmation(self, gateway_id: str) -> Outcome[Confirmation]:
        """What is left to confirm of a subscription or of a payment."""

    async def find_price(self, name: str) -> Outcome[ObservedPrice | None]:
        """A price by its id or its look-up key."""

    async def create_customer(
        self, key: UUID, person: tuple[str, str], email: str | None, name: str | None
    ) -> Outcome[ObservedCustomer]: ...
    async def fetch_customer(self, customer_id: str) -> Outcome[ObservedCustomer | None]: ...
    async def update_customer(
        self, customer_id: str, *, email: str | None = None, name: str | None = None, default: str | None = None
    ) -> Outcome[ObservedCustomer]: ...
    async def list_payment_methods(self, customer_id: str) -> Outcome[tuple[PaymentMethod, ...]]: ...
    async def attach_payment_method(self, customer_id: str, payment_method_id: str) -> Outcome[PaymentMethod]: ...
    async def detach_payment_method(self, payment_method_id: str) -> Outcome[None]: ...
    async def pay_with(
        self, gateway_agreement_id: str, payment_method_id: str, *, instead_of: str | None = None
    ) -> Outcome[None]:
        """Let a subscription be paid with this method from now on; with `instead_of` only if that pays it."""

    async def fetch_account(self) -> Outcome[str]:
        """The id of the account whose keys these are."""

    async def undelivered_events(self) -> Outcome[tuple[bytes, ...]]:
        """What nobody has told us although it was to be told, oldest first, as a webhook would have said it."""


class PaymentGateway(Protocol):
    """Payments that stand alone, for one tenant: reserved when the person approves, captured when we say so.

    An order is known by its attempt's id. Outcomes as in RecurringGateway; a `write_…` that cannot be meant
    (an amount, an address) raises ValueError.
    """

    def write_payment(self, wish: PaymentWish) -> WrittenRequest: ...
    def write_capture(self, request_id: UUID, order_id: UUID, amount: Money) -> WrittenRequest: ...
    def write_release(self, request_id: UUID, order_id: UUID) -> WrittenRequest: ...
    def write_refund(self, request_id: UUID, order_id: UUID, amount: Money) -> WrittenRequest: ...

    async def create_payment(self, request: WrittenRequest, *, again: bool = False) -> Outcome[str | None]:
        """The address at which the person approves; None where the payment is there and no address is told."""

    async def capture(self, request: WrittenRequest) -> Outcome[None]: ...
    async def release(self, request: WrittenRequest) -> Outcome[None]: ...
    async def refund(self, request: WrittenRequest) -> Outcome[None]: ...
    async def fetch_payment(self, order_id: UUID) -> Outcome[ObservedCharge]: ...


class AgreementSource(Protocol):
    """Where agreements that move in are looked up, for one tenant: at its own sales unit or account and no other."""

    #: How many calls one look-up takes.
    calls_per_agreement: int

    async def find(self, gateway_agreement_id: str) -> Outcome[FoundAgreement]:
        """What the gateway says of it; Refused where this tenant has none such there."""


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """What a gateway's token endpoint said: its status (2xx or 4xx) and its JSON object, to be passed on."""

    status: int
    said: Mapping[str, object]


class LoginGateway(Protocol):
    """Sign-in with Vipps for one tenant."""

    client_id: str
    authorization_endpoint: str

    async def exchange(self, code: str, redirect_uri: str, code_verifier: str | None) -> LoginAnswer | None:
        """The tokens for a code, or the refusal; None without an answer that can be passed on."""


class WebhookReader(Protocol):
    """Is this webhook authentic, and what is it about? Pure."""

    #: The event types to register for.
    events: tuple[str, ...]

    def verify(
        self, url: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], wall: datetime
    ) -> bool: ...
    def read(self, body: bytes) -> EventSubject: ...


class Courier(Protocol):
    """Brings events to the endpoints of others."""

    @property
    def call_seconds_max(self) -> float:
        """How long one delivery may take, in seconds of wall time."""

    async def deliver(
        self, url: str, secrets: Sequence[str], event_id: str, body: bytes, *, private_networks: bool
    ) -> Delivery: ...


class BillingWebhookReader(WebhookReader, Protocol):
    """A reader of Stripe's webhooks, which come for many tenants to one address."""

    def account(self, body: bytes) -> str | None: ...
    def is_live(self, body: bytes) -> bool: ...


class Gateways(Protocol):
    """Where use cases get the gateway of a tenant."""

    webhooks: WebhookReader
    stripe_webhooks: BillingWebhookReader
    #: How long one call may take, in seconds of wall time.
    call_seconds_max: float

    def check_terms(self, terms: Terms | PurchaseTerms) -> None:
        """Raise ValueError for terms that the gateway could never draft or be paid for."""

    async def agreements(self, tenant_id: UUID, gateway: GatewayName) -> AgreementGateway: ...
    async def recurring(self, tenant_id: UUID) -> RecurringGateway: ...
    async def stripe(self, tenant_id: UUID) -> BillingGateway: ...
    async def payments(self, tenant_id: UUID) -> PaymentGateway: ...
    async def login(self, tenant_id: UUID) -> LoginGateway: ...

    async def source(self, tenant_id: UUID, provider: str) -> AgreementSource | None:
        """Where agreements of a provider (`vipps`, `stripe`) are looked up; None where nothing moves in from there."""
