"""What is stored of a payment; amounts are minor units, instants milliseconds since 1970."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from .states import PaymentState

UserFlow = Literal["WEB_REDIRECT", "NATIVE_REDIRECT", "PUSH_MESSAGE", "QR"]
EventName = Literal["CREATED", "ABORTED", "EXPIRED", "CANCELLED", "CAPTURED", "REFUNDED", "AUTHORIZED", "TERMINATED"]
QrFormat = Literal["TEXT/TARGETURL", "IMAGE/SVG+XML", "IMAGE/PNG"]

QR_SIZE_DEFAULT = 1024


class Event(Struct, array_like=True, frozen=True):
    """One line of a payment's log; `psp` is its own reference, `key` the idempotency key of the call."""

    at: int
    name: EventName
    amount: int
    psp: str
    key: str | None = None


class Ask(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the merchant asked for and cannot change: everything of a create call but reference and amount.

    `receipt`, `industry`, `shipping` and `legal_links` are kept as they came.
    """

    flow: UserFlow
    return_url: str | None = None
    description: str | None = None
    customer: str | None = None
    interaction: str = "CUSTOMER_NOT_PRESENT"
    minimum_age: int | None = None
    scope: str | None = None
    expires: int | None = None
    qr_format: QrFormat | None = None
    qr_size: int = QR_SIZE_DEFAULT
    blocked_sources: list[str] = []
    metadata: dict[str, str] | None = None
    receipt: dict[str, Any] | None = None
    receipt_url: str | None = None
    industry: dict[str, Any] | None = None
    shipping: dict[str, Any] | None = None
    legal_links: dict[str, Any] | None = None


class Payment(Struct, omit_defaults=True, kw_only=True):
    """One payment of one sales unit.

    `ask.customer` is the number that the merchant named, `person` who has it in their app. `next_at` is when
    something happens by itself: a push arrives, the time to pay is over, or what is reserved is given back.
    `groups` are the ways of delivery that the shop has named when it was asked, `shipping` the one chosen.
    `refusal` is why the last try to pay it failed, for the payer's eyes. `number` orders things that happen
    at one instant.
    """

    reference: str
    number: int
    msn: str
    created: int
    amount: int
    currency: str
    key: str
    ask: Ask
    expires: int
    state: PaymentState = "CREATED"
    person: str | None = None
    opened: int | None = None
    refusal: str | None = None
    sub: str | None = None
    authorized_at: int | None = None
    release_at: int | None = None
    authorized: int = 0
    cancelled: int = 0
    captured: int = 0
    refunded: int = 0
    groups: list[dict[str, Any]] | None = None
    shipping: dict[str, Any] | None = None
    next_at: int | None = None
    log: list[Event] = []

    @property
    def id(self) -> str:
        """Where it is stored: references are unique within a sales unit only."""
        return payment_id(self.msn, self.reference)

    @property
    def psp(self) -> str:
        """The reference of the whole payment, which is that of its first event."""
        return self.log[0].psp

    @property
    def capturable(self) -> int:
        """What is reserved and neither captured nor released."""
        return self.authorized - self.cancelled - self.captured if self.state == "AUTHORIZED" else 0

    @property
    def refundable(self) -> int:
        """What was captured and not given back."""
        return self.captured - self.refunded


def payment_id(msn: str, reference: str) -> str:
    """The key under which a payment is stored."""
    return f"{msn}/{reference}"
