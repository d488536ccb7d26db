"""What the use cases need of the world outside: the payment companies, as protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from avtale.domain.agreement import Terms
from avtale.domain.event import Delivery
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.observations import (
    Confirmation,
    Drafted,
    EventSubject,
    FoundAgreement,
    ManyCreated,
    ObservedAgreement,
    ObservedCustomer,
    ObservedPrice,
    PaymentMethod,
    RegisteredWebhook,
)
from avtale.domain.outcome import Outcome
from avtale.domain.pace import Pace
from avtale.domain.purchase import PurchaseTerms
from avtale.domain.settlement import ObservedCharge
from avtale.domain.wishes import (
    ChargeWish,
    DraftWish,
    IntentWish,
    PaymentWish,
    SubscriptionChange,
    SubscriptionWish,
    WrittenRequest,
)


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

    #: How many charges a minute may be created, by all processes together; None: as many as come.
    charge_pace: Pace | None
    #: How many charges are created in one call; 1: each in a call of its own.
    charges_per_call_max: int

    def write_draft(self, wish: DraftWish) -> WrittenRequest: ...
    def write_charge(self, wish: ChargeWish) -> WrittenRequest: ...
    def write_charges(self, request_id: UUID, wishes: Sequence[ChargeWish]) -> WrittenRequest:
        """Many orders in one call."""

    def orders_in(self, request: WrittenRequest) -> Sequence[WrittenRequest]:
        """Each order of such a call as a call of its own, under the order's id."""

    def write_acceptance(self, request_id: UUID, gateway_agreement_id: str, phone_number: str) -> WrittenRequest: ...
    def write_cancel(self, request_id: UUID, gateway_agreement_id: str, order_id: str) -> WrittenRequest: ...
    def write_update(self, request_id: UUID, gateway_agreement_id: str, terms: Terms) -> WrittenRequest:
        """Show the person these terms from now on."""

    def amount_min(self, currency: str) -> int:
        """The least that can be charged, in minor units."""

    async def draft(self, request: WrittenRequest) -> Outcome[Drafted]: ...
    async def create_charge(
        self, request: WrittenRequest, *, again: bool = False, leave_by: float | None = None
    ) -> Outcome[str]:
        """Create a charge; one that cannot leave by that instant of the monotonic clock does not: Throttled."""

    async def create_charges(
        self, request: WrittenRequest, *, leave_by: float | None = None
    ) -> Outcome[ManyCreated]: ...
    async def accept(self, request: WrittenRequest) -> Outcome[None]: ...
    async def cancel(self, request: WrittenRequest) -> Outcome[None]: ...
    async def update(self, request: WrittenRequest) -> Outcome[None]: ...


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
