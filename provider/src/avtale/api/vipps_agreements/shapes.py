"""The shapes of the customer API, as the outside system has them; members that nobody knows are passed over."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


ProductCode = Annotated[str, Field(min_length=1, max_length=64, examples=["CO27409"]), AfterValidator(_printable)]
AgreementRef = Annotated[str, Field(min_length=1, max_length=128, examples=["abcd-efgh"])]
PaymentProviderId = Annotated[int, Field(ge=-(2**63), lt=2**63, examples=[25])]


class Shape(BaseModel):
    """The base of these shapes: camelCase outside, exact types."""

    model_config = ConfigDict(strict=True, frozen=True, alias_generator=to_camel, populate_by_name=True)


class RecurringAgreement(Shape):
    """An agreement that is in force."""

    agreement_ref: AgreementRef
    payment_provider_id: PaymentProviderId
    product_code: ProductCode


class RecurringAgreements(Shape):
    """What somebody has."""

    recurring_agreements: list[RecurringAgreement]


class AddRequest(Shape):
    """Which product an agreement is to be about."""

    product_code: ProductCode


class AddAnswer(Shape):
    """Whether an agreement can be added, and the transaction with which a browser goes on."""

    success: bool
    transaction_id: int | None = Field(None, examples=[12378954], description="only where `success` is true")


class RemoveRequest(Shape):
    """Which agreement is to be marked as deleted."""

    agreement_ref: AgreementRef
    payment_provider_id: PaymentProviderId


class RemoveAnswer(Shape):
    """Whether it is."""

    success: bool


class Fault(Shape):
    """Why a request was not served."""

    exception_type: str = Field(examples=["ProductUnknownException"])
    error_message: str


class OAuthFault(BaseModel):
    """Why a token does not hold (RFC 6750)."""

    error: str = Field(examples=["invalid_token"])
    error_description: str
