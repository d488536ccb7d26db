"""The shapes of requests and answers, as the contract publishes them."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from avtale.domain import money
from avtale.domain.agreement import Agreement as DomainAgreement
from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import Charge as DomainCharge
from avtale.domain.charge import ChargeStatus
from avtale.domain.periods import Unit
from avtale.domain.purchase import PurchaseStatus
from avtale.domain.receipt import ReceiptKind
from avtale.service import entitling, inspecting
from avtale.service.following import PurchaseView
from avtale.service.inspecting import Severity
from avtale.service.reading import AgreementView
from avtale.storage.receipts import Receipt as StoredReceipt

#: Vipps takes 1024 characters (Recurring v3, merchantRedirectUrl), of which our reference needs 49.
RETURN_URL_LENGTH_MAX = 975
#: More than any charge, and within what every JSON reader counts exactly.
AMOUNT_MAX = 2**31 - 1

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
_NOT_FOR_APPS = frozenset({"javascript", "data", "vbscript", "file", "blob", "about", "ftp", "ws", "wss"})


def iso(instant: datetime) -> str:
    """An instant as ISO 8601 in UTC, with Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _return_url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("must be an absolute address (https://… or an app's own scheme), percent-encoded")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("must be an absolute address") from error
    scheme = parts.scheme.lower()
    if scheme in _NOT_FOR_APPS:
        raise ValueError(f"cannot be a {scheme} address")
    if scheme in ("http", "https") and (not host or "@" in parts.netloc):
        raise ValueError("must name a host, and no user")
    return text


def _flag(said: object) -> object:
    """A switch in a query: there without a value it is on, as `true` and `1` are."""
    if isinstance(said, str):
        return {"": True, "true": True, "1": True, "false": False, "0": False}.get(said.lower(), said)
    return said


def _visible(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("must be a text on one line, not blank")
    return text


Flag = Annotated[bool, BeforeValidator(_flag)]
Instant = Annotated[
    datetime, PlainSerializer(iso, return_type=str), WithJsonSchema({"type": "string", "format": "date-time"})
]
MinorUnits = Annotated[int, Field(description="minor units (øre, cent)")]
ReturnUrl = Annotated[
    str,
    Field(min_length=1, max_length=RETURN_URL_LENGTH_MAX, examples=["https://film.example/thanks"]),
    AfterValidator(_return_url),
]
ProductId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", examples=["film-month"])]
Day = Annotated[date, Strict(False)]
OneLine = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_visible)]


class Shape(BaseModel):
    """The base of all shapes: camelCase outside, exact types, and no members that nobody knows."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


def _shown(**example: str | int) -> ConfigDict:
    """The settings of a shape that the contract shows with an example, which a test sends."""
    return ConfigDict(json_schema_extra={"examples": [{**example}]})


class Money(Shape):
    """A sum in minor units of one currency (ISO 4217)."""

    amount: MinorUnits
    currency: str = Field(examples=["NOK"])

    @staticmethod
    def of(sum_: money.Money) -> Money:
        return Money(amount=sum_.amount, currency=sum_.currency)


class Interval(Shape):
    """How long a period lasts."""

    unit: Unit
    count: int


class Charge(Shape):
    """What is owed for one period; without a period, what a purchase costs, or what was taken besides and is given
    back."""

    charge_id: UUID
    period: int | None
    period_start: date
    period_end: date = Field(description="the day after the period's last")
    due_date: date
    amount: Money
    status: ChargeStatus
    captured: MinorUnits
    refunded: MinorUnits
    failure_reason: str | None

    @staticmethod
    def of(charge: DomainCharge) -> Charge:
        return Charge(
            charge_id=charge.id,
            period=charge.period,
            period_start=charge.period_start,
            period_end=charge.period_end,
            due_date=charge.due,
            amount=Money.of(charge.price),
            status=charge.status,
            captured=charge.totals.captured,
            refunded=charge.totals.refunded,
            failure_reason=charge.failure_reason,
        )


class Agreement(Shape):
    """A person's agreement about one product; one that an administrator has given has the provider `none`."""

    agreement_id: UUID
    provider: Literal["vipps", "none"]
    product_id: str
    status: AgreementStatus
    price: Money
    interval: Interval
    created_at: Instant
    activated_at: Instant | None
    stopped_at: Instant | None
    access_until: Instant | None = Field(description="the end of what is paid, with its grace")
    next_charge_date: date | None = Field(description="when the next period that is not charged yet begins")
    charges: list[Charge]

    @staticmethod
    def of(view: AgreementView) -> Agreement:
        agreement: DomainAgreement = view.agreement
        following = view.next_period_start
        return Agreement(
            agreement_id=agreement.id,
            provider="none" if agreement.gift_reason else "vipps",
            product_id=agreement.terms.product_id,
            status=agreement.status,
            price=Money.of(agreement.terms.price),
            interval=Interval(unit=agreement.terms.interval.unit, count=agreement.terms.interval.count),
            created_at=agreement.created_at,
            activated_at=agreement.activated_at,
            stopped_at=agreement.stopped_at,
            access_until=view.access_until,
            next_charge_date=date.fromisoformat(following) if following else None,
            charges=[Charge.of(charge) for charge in view.charges],
        )


class Agreements(Shape):
    """A person's agreements, newest first."""

    agreements: list[Agreement]


class GiftRequest(Shape):
    """To whom to give which subscription, why, and for how long; nobody is charged for it."""

    model_config = _shown(subject="auth0|6f2c", productId="film-month", reason="complimentary", end="2027-12-31")

    subject: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_visible)] = Field(
        description="who: the subject of their tokens", examples=["auth0|6f2c"]
    )
    issuer: str | None = Field(None, max_length=1024, description="whose subject, where the tenant has several issuers")
    product_id: ProductId
    reason: Literal["complimentary", "repair"]
    start: Day | None = Field(None, description="the first day, local to the tenant; today if it is not said")
    end: Day = Field(description="the day after the last", examples=["2027-12-31"])


class ForceAcceptRequest(Shape):
    """In whose name to approve: the telephone of a test person."""

    model_config = _shown(phoneNumber="4791234567")

    phone_number: str = Field(pattern=r"^[0-9]{8,15}$", description="country code first", examples=["4791234567"])


class Deleted(Shape):
    """The agreement is stopped, and shown to nobody any more; the books keep what was booked."""

    agreement_id: UUID
    deleted: Literal[True] = True


class CheckoutRequest(Shape):
    """What to subscribe to or to buy, and where to return from Vipps."""

    model_config = _shown(productId="film-month", returnUrl="https://film.example/thanks")

    product_id: ProductId
    return_url: ReturnUrl
    phone_number: str | None = Field(
        None, pattern=r"^[0-9]{10,15}$", description="country code first, digits only", examples=["4791234567"]
    )
    is_app: bool = Field(False, description="the checkout began in an app, not in a browser")


class CheckoutAnswer(Shape):
    """A drafted agreement, or a purchase: send the person to `confirmationUrl` before it expires."""

    agreement_id: UUID | None = Field(None, description="of a subscription; null for a purchase")
    purchase_id: UUID | None = Field(None, description="of a product that is bought once; null for a subscription")
    status: Literal["pending"] = "pending"
    confirmation_url: str
    expires_at: Instant


class Purchase(Shape):
    """A person's purchase of one product, bought once.

    `authorized`: the money is reserved and access is given; `paid`: it was taken; `releasing` and `cancelled`: the
    reservation was given up. What was given back is on its charge.
    """

    purchase_id: UUID
    provider: Literal["vipps"]
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
            provider="vipps",
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

    model_config = _shown(amount=4900, reason="The film stopped half-way")

    amount: int = Field(ge=1, le=AMOUNT_MAX, description="minor units (øre, cent)")
    reason: OneLine


class RefundAnswer(Shape):
    """A refund that was passed on; `unknown` while Vipps has not answered, and it is made to."""

    refund_id: UUID
    status: Literal["accepted", "unknown"]
    amount: MinorUnits


class Vat(Shape):
    """The VAT inside a gross amount."""

    amount: MinorUnits
    currency: str
    rate_basis_points: int = Field(description="2500 is 25 %")


class Receipt(Shape):
    """A receipt, or a credit note that corrects one; both amounts are positive."""

    receipt_id: UUID
    number: int = Field(description="without gaps in the seller's series of this kind")
    kind: ReceiptKind
    agreement_id: UUID | None = Field(description="whose period it is for; null for a purchase")
    purchase_id: UUID | None = Field(description="the purchase that it is for; null for a period")
    charge_id: UUID
    period: int | None
    issued_at: Instant
    amount: Money
    vat: Vat
    corrects_receipt_id: UUID | None
    seller: dict[str, Any]
    product: str
    period_start: date
    period_end: date
    due_date: date | None = Field(description="when it was due; null for what was issued before that was kept")

    @staticmethod
    def of(stored: StoredReceipt) -> Receipt:
        sums, content = stored.sums, stored.content
        return Receipt(
            receipt_id=stored.id,
            number=stored.number,
            kind=stored.kind,
            agreement_id=stored.agreement_id,
            purchase_id=stored.purchase_id,
            charge_id=stored.charge_id,
            period=content["period"],
            issued_at=stored.issued_at,
            amount=Money(amount=sums.gross, currency=stored.currency),
            vat=Vat(amount=sums.vat, currency=stored.currency, rate_basis_points=sums.vat_basis_points),
            corrects_receipt_id=stored.corrects_id,
            seller=content["seller"],
            product=content["product"],
            period_start=date.fromisoformat(content["periodStart"]),
            period_end=date.fromisoformat(content["periodEnd"]),
            due_date=date.fromisoformat(content["dueDate"]) if "dueDate" in content else None,
        )


class Receipts(Shape):
    """A person's receipts and credit notes, newest first."""

    receipts: list[Receipt]


class WebhookAnswer(Shape):
    """The webhook is kept, now or since an earlier delivery."""

    received: Literal[True] = True


class Health(Shape):
    """How this process is."""

    status: Literal["live", "ready"]
    version: str


class ClockTurn(Shape):
    """The sandbox's conductor asks for a time, and for an answer when all that is due then is done."""

    now: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")
    running: bool
    wait_seconds_max: float = Field(2.0, ge=0, le=60)


class ConfigError(Shape):
    """One thing that is wrong with the tenant's set-up."""

    code: str = Field(examples=["webhook_missing"], description="stable")
    severity: Severity
    provider: str = Field(examples=["vipps"], description="whose part it is: avtale, identity, vipps")
    subject: str = Field(description="what it concerns: a product, an issuer, an address, the tenant")
    message: str = Field(description="what it means")
    action: str = Field(description="what to do")


class ConfigErrors(Shape):
    """What is wrong now, the worst first."""

    errors: list[ConfigError]

    @staticmethod
    def of(found: list[inspecting.ConfigError]) -> ConfigErrors:
        return ConfigErrors(errors=[ConfigError(**asdict(one)) for one in found])


class Entitlement(Shape):
    """Access to a product, through an agreement or a purchase."""

    product_id: str
    access_until: Instant
    agreement_id: UUID | None
    purchase_id: UUID | None


class EntitlementObject(Shape):
    """What a person may use now; an identity provider makes the claim `entitlements` from it."""

    issuer: str
    subject: str
    created_at: Instant
    entitlements: list[Entitlement]

    @staticmethod
    def of(found: entitling.EntitlementObject) -> EntitlementObject:
        return EntitlementObject(
            issuer=found.person.issuer,
            subject=found.person.subject,
            created_at=found.created_at,
            entitlements=[
                Entitlement(
                    product_id=one.product_id,
                    access_until=one.access_until,
                    agreement_id=one.agreement_id,
                    purchase_id=one.purchase_id,
                )
                for one in found.entitlements
            ],
        )


class LoginParameters(Shape):
    """What a front end needs to send a person to Vipps to sign in; nothing of it is secret."""

    client_id: str
    authorization_endpoint: str
    response_type: Literal["code"] = "code"
    scope: str
    redirect_uris: list[str] = Field(description="the addresses that people may be sent back to")
    token_endpoint: str = Field(description="where the code is exchanged: here, for it needs the tenant's secret")


class LoginTokens(BaseModel):
    """Vipps' answer, passed on as it is (RFC 6749, 5.1)."""

    model_config = ConfigDict(extra="allow")

    access_token: str
    token_type: str
    id_token: str | None = None
    expires_in: int | None = None
    scope: str | None = None


class LoginRefusal(BaseModel):
    """Why no tokens are given (RFC 6749, 5.2)."""

    model_config = ConfigDict(extra="allow")

    error: str = Field(examples=["invalid_grant"])
    error_description: str | None = None
