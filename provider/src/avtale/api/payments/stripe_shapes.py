"""The shapes of requests and answers about paying with Stripe, as the contract publishes them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from avtale.api.payments.kinds import Instant, ProductId, Shape, shown, visible

#: As Stripe's ids are: what it would refuse anyway is refused before it is asked.
MethodId = Annotated[str, Field(pattern=r"^pm_[A-Za-z0-9_]{1,250}$", examples=["pm_card_visa"])]
Email = Annotated[
    str, Field(pattern=r"^[\x21-\x3f\x41-\x7e]{1,64}@[A-Za-z0-9.-]{1,255}$", examples=["anna@film.example"])
]
PayerName = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(visible)]


class StripeCheckoutRequest(Shape):
    """What to subscribe to. Address and name are for what Stripe sends to the payer."""

    model_config = shown(productId="film-month", email="anna@film.example")

    product_id: ProductId
    payment_method_id: MethodId | None = Field(
        None, description="what to pay with from now on, made in the browser; without it the payer gives one there"
    )
    email: Email | None = None
    name: PayerName | None = None


class StripeCheckoutAnswer(Shape):
    """A subscription that waits: its payer's browser confirms a payment, or a set-up where nothing is due yet."""

    agreement_id: UUID
    status: Literal["pending"] = "pending"
    client_secret: str = Field(description="for the payer's browser alone")
    confirms: Literal["payment", "setup"] = Field(description="stripe.confirmPayment, or stripe.confirmSetup")
    publishable_key: str
    expires_at: Instant
