"""The shapes of requests and answers about agreements, as the contract publishes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from avtale.api.payments.kinds import (
    Day,
    Instant,
    Interval,
    MinorUnits,
    Money,
    ProductId,
    ReturnUrl,
    Shape,
    Subject,
    VoucherCode,
    shown,
)
from avtale.domain.agreement import Agreement as DomainAgreement
from avtale.domain.agreement import AgreementStatus, Terms
from avtale.domain.campaign import CampaignKind
from avtale.domain.charge import Charge as DomainCharge
from avtale.domain.charge import ChargeStatus
from avtale.service.reading import AgreementView


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


class Campaign(Shape):
    """The campaign that an agreement was made under.

    `price`: what each period costs that begins before `until`. `period` and `event`: what the first period costs.
    """

    campaign_id: str
    kind: CampaignKind
    price: Money
    until: date | None

    @staticmethod
    def of(terms: Terms) -> Campaign | None:
        campaign = terms.campaign
        if campaign is None:
            return None
        price = Money(amount=campaign.price, currency=terms.price.currency)
        return Campaign(campaign_id=campaign.id, kind=campaign.kind, price=price, until=campaign.until)


class VariablePrice(Shape):
    """A price that may vary: a period costs at most what the person allows in the gateway's app."""

    suggested_max: Money
    limit: Money | None = Field(description="what the person allows, as far as we know; it can change at any time")
    next_amount: Money | None = Field(description="what the next period is to cost, where that was said")

    @staticmethod
    def of(agreement: DomainAgreement) -> VariablePrice | None:
        terms = agreement.terms
        if terms.suggested_max is None:
            return None
        limit, following = agreement.limit, agreement.next_amount
        currency = terms.price.currency
        return VariablePrice(
            suggested_max=Money(amount=terms.suggested_max, currency=currency),
            limit=None if limit is None else Money(amount=limit, currency=currency),
            next_amount=None if following is None else Money(amount=following, currency=currency),
        )


class Withdrawal(Shape):
    """The right to withdraw within fourteen days: until when, what was asked for at checkout, and if it was used."""

    until: Instant | None = Field(description="null where there is none: for drafts, and for what was given")
    consented_at: Instant | None = Field(description="when its person asked for it to begin at once")
    withdrawn_at: Instant | None

    @staticmethod
    def of(agreement: DomainAgreement, until: datetime | None) -> Withdrawal:
        return Withdrawal(until=until, consented_at=agreement.consented_at, withdrawn_at=agreement.withdrawn_at)


class Pause(Shape):
    """A paused agreement: nothing is charged, and access ends with what is paid."""

    since: Instant
    begins_on: date | None = Field(description="the first day that is not charged")
    resumes_on: date | None = Field(description="when it goes on by itself; null until somebody resumes it")
    reason: Literal["asked", "payment_failed"]

    @staticmethod
    def of(agreement: DomainAgreement) -> Pause | None:
        if agreement.paused_at is None:
            return None
        return Pause(
            since=agreement.paused_at,
            begins_on=agreement.paused_from,
            resumes_on=agreement.resumes_on,
            reason="asked" if agreement.pause_reason is None else "payment_failed",
        )


class AskedAtStripe(Shape):
    """What Stripe asks for each period of its own."""

    price: Money
    interval: Interval

    @staticmethod
    def of(agreement: DomainAgreement) -> AskedAtStripe | None:
        asked = agreement.asked
        if asked is None:
            return None
        interval = Interval(unit=asked.interval.unit, count=asked.interval.count)
        return AskedAtStripe(price=Money.of(asked.price), interval=interval)


class Agreement(Shape):
    """A person's agreement about one product; one that an administrator has given has the provider `none`."""

    agreement_id: UUID
    provider: Literal["vipps", "stripe", "none"]
    product_id: str
    status: AgreementStatus
    price: Money = Field(description="of a period, without a campaign")
    interval: Interval
    asked_at_stripe: AskedAtStripe | None = Field(
        description="what Stripe asks, if that is not what was agreed: somebody changed it in its dashboard"
    )
    campaign: Campaign | None = Field(description="or what a voucher gives: its code is the id then")
    voucher: str | None = Field(description="the code of the voucher that was taken at checkout")
    variable_price: VariablePrice | None
    pause: Pause | None
    created_at: Instant
    begins_on: date | None = Field(description="the first day of a gift that is still to begin")
    activated_at: Instant | None
    stopped_at: Instant | None
    stop_comment: str | None = Field(description="why its owner stopped it, if they said")
    withdrawal: Withdrawal
    access_until: Instant | None = Field(description="the end of what is paid, with its grace")
    next_charge_date: date | None = Field(description="when the next period that is not charged yet begins")
    charges: list[Charge]

    @staticmethod
    def of(view: AgreementView) -> Agreement:
        agreement: DomainAgreement = view.agreement
        following = view.next_period_start
        return Agreement(
            agreement_id=agreement.id,
            provider="none" if agreement.gift_reason else agreement.gateway.value,
            product_id=agreement.terms.product_id,
            status=agreement.status,
            price=Money.of(agreement.terms.price),
            interval=Interval(unit=agreement.terms.interval.unit, count=agreement.terms.interval.count),
            asked_at_stripe=AskedAtStripe.of(agreement),
            campaign=Campaign.of(agreement.terms),
            voucher=agreement.voucher,
            variable_price=VariablePrice.of(agreement),
            pause=Pause.of(agreement),
            created_at=agreement.created_at,
            begins_on=agreement.anchor if agreement.activated_at is None else None,
            activated_at=agreement.activated_at,
            stopped_at=agreement.stopped_at,
            stop_comment=agreement.stop_comment,
            withdrawal=Withdrawal.of(agreement, view.withdrawal_until),
            access_until=view.access_until,
            next_charge_date=date.fromisoformat(following) if following else None,
            charges=[Charge.of(charge) for charge in view.charges],
        )


class Agreements(Shape):
    """A person's agreements, newest first."""

    agreements: list[Agreement]


class GiftRequest(Shape):
    """To whom to give which subscription, why, and for how long; nobody is charged for it."""

    model_config = shown(subject="auth0|6f2c", productId="film-month", reason="complimentary", end="2027-12-31")

    subject: Subject = Field(description="who: the subject of their tokens", examples=["auth0|6f2c"])
    issuer: str | None = Field(None, max_length=1024, description="whose subject, where the tenant has several issuers")
    product_id: ProductId
    reason: Literal["complimentary", "repair"]
    start: Day | None = Field(None, description="the first day, local to the tenant, past or to come; today without it")
    end: Day = Field(description="the day after the last", examples=["2027-12-31"])


class ForceAcceptRequest(Shape):
    """In whose name to approve: the telephone of a test person."""

    model_config = shown(phoneNumber="4791234567")

    phone_number: str = Field(pattern=r"^[0-9]{8,15}$", description="country code first", examples=["4791234567"])


class Deleted(Shape):
    """The agreement is stopped, and shown to nobody any more; the books keep what was booked."""

    agreement_id: UUID
    deleted: Literal[True] = True


class CheckoutRequest(Shape):
    """What to subscribe to or to buy, and where to return from Vipps."""

    model_config = shown(productId="film-month", returnUrl="https://film.example/thanks")

    product_id: ProductId
    return_url: ReturnUrl
    phone_number: str | None = Field(
        None, pattern=r"^[0-9]{10,15}$", description="country code first, digits only", examples=["4791234567"]
    )
    is_app: bool = Field(False, description="the checkout began in an app, not in a browser")
    consents: bool = Field(
        False,
        description="the person asks that it begins within the fourteen days in which they may withdraw; it is kept "
        "with the agreement, and a withdrawal then costs the days that were used",
    )
    campaign: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="the id of one of the product's campaigns",
        examples=["summer"],
    )
    voucher: VoucherCode | None = None


class CheckoutAnswer(Shape):
    """A drafted agreement, or a purchase: send the person to `confirmationUrl` before it expires."""

    agreement_id: UUID | None = Field(None, description="of a subscription; null for a purchase")
    purchase_id: UUID | None = Field(None, description="of a product that is bought once; null for a subscription")
    status: Literal["pending"] = "pending"
    confirmation_url: str
    expires_at: Instant


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
