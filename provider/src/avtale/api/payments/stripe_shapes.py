"""The shapes of requests and answers about paying with Stripe, as the contract publishes them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from avtale.api.payments.kinds import Instant, ProductId, Shape, VoucherCode, shown, visible
from avtale.domain.observations import ObservedCustomer
from avtale.service.wallets import Wallet

#: As Stripe's ids are: what it would refuse anyway is refused before it is asked.
MethodId = Annotated[str, Field(pattern=r"^pm_[A-Za-z0-9_]{1,250}$", examples=["pm_card_visa"])]
Email = Annotated[
    str, Field(pattern=r"^[\x21-\x3f\x41-\x7e]{1,64}@[A-Za-z0-9.-]{1,255}$", examples=["anna@film.example"])
]
PayerName = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(visible)]


class CustomerRequest(Shape):
    """Who somebody is, for what Stripe sends to them; what is left out stays as it is."""

    model_config = shown(email="anna@film.example", name="Anna Olsen")

    email: Email | None = None
    name: PayerName | None = None


class CustomerChange(CustomerRequest):
    """What is to be different; the default payment method pays every agreement of theirs from now on."""

    model_config = shown(email="anna@film.example")

    default_payment_method_id: MethodId | None = None


class Customer(Shape):
    """Who a person is at Stripe."""

    customer_id: str
    email: str | None
    name: str | None
    default_payment_method_id: str | None

    @staticmethod
    def of(found: ObservedCustomer) -> Customer:
        return Customer(
            customer_id=found.customer_id,
            email=found.email,
            name=found.name,
            default_payment_method_id=found.default_payment_method_id,
        )


class PaymentMethod(Shape):
    """Something that a person can pay with; what is no card has no digits."""

    payment_method_id: str
    type: str
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool


class PaymentMethods(Shape):
    """What a person can pay with, the newest first."""

    payment_methods: list[PaymentMethod]

    @staticmethod
    def of(wallet: Wallet | None) -> PaymentMethods:
        if wallet is None:
            return PaymentMethods(payment_methods=[])
        default = wallet.customer.default_payment_method_id
        return PaymentMethods(
            payment_methods=[
                PaymentMethod(
                    payment_method_id=one.id,
                    type=one.type,
                    brand=one.brand,
                    last4=one.last4,
                    exp_month=one.exp_month,
                    exp_year=one.exp_year,
                    is_default=one.id == default,
                )
                for one in wallet.methods
            ]
        )


class RemovedMethod(Shape):
    """The payment method is gone for good; another may have taken its place."""

    payment_method_id: str
    removed: Literal[True] = True
    default_payment_method_id: str | None


class StripeCheckoutRequest(Shape):
    """What to subscribe to. Address and name are for what Stripe sends to the payer."""

    model_config = shown(productId="film-month", email="anna@film.example")

    product_id: ProductId
    payment_method_id: MethodId | None = Field(
        None, description="what to pay with from now on, made in the browser; without it the payer gives one there"
    )
    email: Email | None = None
    name: PayerName | None = None
    consents: bool = Field(
        False, description="the person has asked that it begins within the fourteen days in which they may withdraw"
    )
    voucher: VoucherCode | None = None


class StripeTvodRequest(CustomerRequest):
    """What to buy once. Address and name are for what Stripe sends to the payer."""

    model_config = shown(productId="movie", email="anna@film.example")

    product_id: ProductId


class StripeTvodAnswer(Shape):
    """A purchase that waits for its payer's browser to confirm the payment (stripe.confirmPayment)."""

    purchase_id: UUID
    status: Literal["pending"] = "pending"
    client_secret: str = Field(description="for the payer's browser alone")
    publishable_key: str
    expires_at: Instant


class StripeCheckoutAnswer(Shape):
    """A subscription that waits: its payer's browser confirms a payment, or a set-up where nothing is due yet."""

    agreement_id: UUID
    status: Literal["pending"] = "pending"
    client_secret: str = Field(description="for the payer's browser alone")
    confirms: Literal["payment", "setup"] = Field(description="stripe.confirmPayment, or stripe.confirmSetup")
    publishable_key: str
    expires_at: Instant
