"""What is stored of Stripe's objects; amounts are minor units, instants seconds since 1970 as on the wire."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

IntentStatus = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "requires_capture",
    "canceled",
    "succeeded",
]
SubscriptionStatus = Literal[
    "incomplete", "incomplete_expired", "trialing", "active", "past_due", "unpaid", "canceled", "paused"
]
InvoiceStatus = Literal["draft", "open", "paid", "uncollectible", "void"]


class Row(Struct, kw_only=True, omit_defaults=True):
    """What every object has; `number` puts them in order, `account` is whose it is."""

    id: str
    number: int
    account: str
    created: int
    metadata: dict[str, str] = {}


class Account(Struct, kw_only=True, rename="camel"):
    """A Stripe account with its keys; `platform` is the account whose keys may speak for it, if any.

    Failed renewals are tried again `retry_days` after the invoice was finalised, and then the subscription
    is treated as `after_retries` says.
    """

    id: str
    secret_key: str
    publishable_key: str
    name: str = "Film"
    email: str = "owner@film.example"
    country: str = "NO"
    currency: str = "nok"
    platform: str | None = None
    retry_days: list[int] = field(default_factory=lambda: [1, 2, 4, 6, 8, 10, 12, 14])
    after_retries: Literal["cancel", "unpaid", "past_due"] = "cancel"
    created: int = 1_767_225_600


class Customer(Row, kw_only=True):
    """Somebody who pays."""

    email: str | None = None
    name: str | None = None
    phone: str | None = None
    description: str | None = None
    address: dict[str, Any] | None = None
    shipping: dict[str, Any] | None = None
    preferred_locales: list[str] = []
    currency: str | None = None
    default_payment_method: str | None = None
    footer: str | None = None
    next_invoice_sequence: int = 1


class PaymentMethod(Row, kw_only=True):
    """A test card; `card` names it (see cards.py). `is_set_up` once its owner has authenticated it."""

    card: str
    exp_month: int
    exp_year: int
    customer: str | None = None
    was_attached: bool = False
    is_set_up: bool = False
    billing_details: dict[str, Any] = {}
    allow_redisplay: str = "unspecified"


class Product(Row, kw_only=True):
    """What is sold."""

    name: str
    active: bool = True
    updated: int = 0
    description: str | None = None
    default_price: str | None = None
    images: list[str] = []
    unit_label: str | None = None
    statement_descriptor: str | None = None
    tax_code: str | None = None
    url: str | None = None


class Price(Row, kw_only=True):
    """What it costs, once or again and again."""

    product: str
    currency: str
    unit_amount: int
    active: bool = True
    interval: str | None = None
    interval_count: int = 1
    trial_period_days: int | None = None
    nickname: str | None = None
    lookup_key: str | None = None
    tax_behavior: str = "unspecified"


class Item(Struct, kw_only=True, omit_defaults=True):
    """One price of a subscription."""

    id: str
    created: int
    price: str
    quantity: int = 1
    metadata: dict[str, str] = {}


class Subscription(Row, kw_only=True):
    """A customer's standing order. `next_at` is when something happens to it by itself.

    With a `pause_behavior` its new invoices are set aside, until `pause_resumes_at` where that is there.
    """

    customer: str
    currency: str
    items: list[Item]
    status: SubscriptionStatus
    anchor: int
    period_start: int
    period_end: int
    description: str | None = None
    default_payment_method: str | None = None
    save_default: str = "off"
    payment_method_types: list[str] | None = None
    latest_invoice: str | None = None
    pending_setup_intent: str | None = None
    trial_start: int | None = None
    trial_end: int | None = None
    is_trial_end_told: bool = False
    missing_payment_method: str = "create_invoice"
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    cancel_comment: str | None = None
    cancel_feedback: str | None = None
    cancel_reason: str | None = None
    paused_at: int | None = None
    pause_behavior: Literal["keep_as_draft", "mark_uncollectible", "void"] | None = None
    pause_resumes_at: int | None = None
    next_at: int | None = None


class Line(Struct, kw_only=True, omit_defaults=True):
    """One line of an invoice: of a subscription's item, or `is_added`, of an invoice item that was asked once."""

    id: str
    item: str
    price: str
    product: str
    amount: int
    unit_amount: int
    quantity: int
    description: str
    start: int
    end: int
    metadata: dict[str, str] = {}
    is_added: bool = False


class Invoice(Row, kw_only=True):
    """What is owed for a period. `next_at` is when it is finalised, or tried again."""

    customer: str
    subscription: str
    currency: str
    reason: Literal["subscription_create", "subscription_cycle", "subscription_update"]
    lines: list[Line]
    period_start: int
    period_end: int
    status: InvoiceStatus = "draft"
    amount_paid: int = 0
    is_paid_elsewhere: bool = False
    attempts: int = 0
    is_attempted: bool = False
    auto_advance: bool = True
    sequence: int | None = None
    prefix: str = ""
    payment_intent: str | None = None
    created_event: str | None = None
    customer_email: str | None = None
    customer_name: str | None = None
    customer_phone: str | None = None
    customer_address: dict[str, Any] | None = None
    subscription_metadata: dict[str, str] = {}
    finalized_at: int | None = None
    paid_at: int | None = None
    voided_at: int | None = None
    uncollectible_at: int | None = None
    delivered_at: int | None = None
    refused_card: str | None = None
    next_at: int | None = None

    @property
    def total(self) -> int:
        """The sum of the lines."""
        return sum(line.amount for line in self.lines)


class InvoicePayment(Row, kw_only=True):
    """The money that is to pay an invoice, by way of a payment intent."""

    invoice: str
    payment_intent: str
    currency: str
    amount: int
    amount_paid: int | None = None
    status: Literal["open", "paid", "canceled"] = "open"
    paid_at: int | None = None
    canceled_at: int | None = None


class Intent(Row, kw_only=True):
    """What payment intents and setup intents share."""

    client_secret: str
    customer: str | None = None
    payment_method: str | None = None
    allowed_methods: list[str] | None = None
    automatic_methods: bool = False
    allow_redirects: str = "always"
    description: str | None = None
    return_url: str | None = None
    error: dict[str, Any] | None = None
    status: IntentStatus = "requires_payment_method"
    cancellation_reason: str | None = None


class PaymentIntent(Intent, kw_only=True):
    """Money that is to be taken."""

    amount: int
    currency: str
    invoice: str | None = None
    amount_received: int = 0
    amount_capturable: int = 0
    capture_method: str = "automatic_async"
    confirmation_method: str = "automatic"
    setup_future_usage: str | None = None
    receipt_email: str | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    shipping: dict[str, Any] | None = None
    transfer_group: str | None = None
    latest_charge: str | None = None
    canceled_at: int | None = None


class SetupIntent(Intent, kw_only=True):
    """A card that is to be made ready for later payments."""

    usage: str = "off_session"
    subscription: str | None = None


class Charge(Row, kw_only=True):
    """One try to take money, good or bad."""

    payment_intent: str
    amount: int
    currency: str
    payment_method: str
    card: str
    exp_month: int
    exp_year: int
    customer: str | None = None
    description: str | None = None
    receipt_email: str | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    shipping: dict[str, Any] | None = None
    transfer_group: str | None = None
    billing_details: dict[str, Any] = {}
    is_authenticated: bool = False
    failure_code: str | None = None
    failure_message: str | None = None
    decline_code: str | None = None
    captured: bool = False
    amount_captured: int = 0
    captured_at: int | None = None
    amount_refunded: int = 0
    is_released: bool = False
    is_disputed: bool = False
    receipt_number: str | None = None


class Refund(Row, kw_only=True):
    """Money given back."""

    charge: str
    payment_intent: str
    amount: int
    currency: str
    customer: str | None = None
    payment_method: str | None = None
    reason: str | None = None
    status: Literal["pending", "succeeded", "failed", "canceled"] = "succeeded"
    failure_reason: str | None = None


class Dispute(Row, kw_only=True):
    """A payment that its payer's bank has taken back for the time being."""

    charge: str
    payment_intent: str
    amount: int
    currency: str
    card: str
    reason: str = "fraudulent"
    status: str = "needs_response"
    due_by: int = 0
    evidence: dict[str, Any] = {}
    submissions: int = 0
    closed_at: int | None = None


class Event(Row, kw_only=True):
    """Something that happened, with the object as it was then; `pending` are endpoints that have not heard."""

    type: str
    object: str
    previous: str | None = None
    request: str | None = None
    idempotency_key: str | None = None
    pending: list[str] = []


class WebhookEndpoint(Row, kw_only=True):
    """Where to tell of events; `connect` is for those of connected accounts."""

    url: str
    secret: str
    enabled_events: list[str]
    description: str | None = None
    is_enabled: bool = True
    connect: bool = False
