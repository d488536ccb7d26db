"""The shapes of requests and answers about a subscription's life."""

from __future__ import annotations

from datetime import date
from typing import Self
from uuid import UUID

from pydantic import Field

from avtale.api.payments.kinds import AMOUNT_MAX, Day, Instant, Money, OneLine, ProductId, Shape, shown
from avtale.api.payments.shapes import Agreement, Charge
from avtale.domain.change import Change as DomainChange
from avtale.domain.change import ChangeKind, ChangeStatus
from avtale.domain.dunning import Advice, DunningStatus
from avtale.service.dunning import DunningView
from avtale.service.pricing import PriceOfAll as DomainPriceOfAll
from avtale.service.reading import AgreementView


class PauseRequest(Shape):
    """Until when to charge nothing."""

    model_config = shown(until="2027-09-01")

    until: Day | None = Field(None, description="the first day of what comes after; without it, until it is resumed")


class ResumeRequest(Shape):
    """When to go on."""

    model_config = shown(on="2027-09-01")

    on: Day | None = Field(None, description="the first day of the next period; today without it")


class ChargeDayRequest(Shape):
    """On which day of the month to charge."""

    model_config = shown(day=15)

    day: int = Field(ge=1, le=28, description="a day that every month has")


class PlanRequest(Shape):
    """For which product to go on."""

    model_config = shown(productId="film-year")

    product_id: ProductId


class PriceRequest(Shape):
    """What a period is to cost from a day on."""

    model_config = shown(amount=10900, effectiveDate="2030-03-01")

    amount: int = Field(ge=1, le=AMOUNT_MAX, description="minor units (øre, cent)")
    effective_date: Day = Field(description="the price of periods that begin on this day or later")
    notice_date: Day | None = Field(None, description="when the owner was told; today without it")


class PriceOfAll(Shape):
    """A price that was planned for the agreements about a product."""

    product_id: str
    price: Money
    effective_date: date
    notice_date: date
    planned: int = Field(description="agreements for which this call planned it")
    planned_before: int = Field(description="agreements that had it planned or done already")
    remaining: int = Field(description="agreements that the same call, made again, plans it for")

    @classmethod
    def of(cls, product_id: str, said: DomainPriceOfAll) -> Self:
        return cls(
            product_id=product_id,
            price=Money(amount=said.price.amount, currency=said.price.currency),
            effective_date=said.day,
            notice_date=said.noticed_on,
            planned=said.planned,
            planned_before=said.planned_before,
            remaining=said.remaining,
        )


class AmountRequest(Shape):
    """What the next period is to cost."""

    model_config = shown(amount=12345)

    amount: int = Field(ge=0, le=AMOUNT_MAX, description="minor units (øre, cent)")


class OneOffRequest(Shape):
    """What to charge besides the periods, and what for: the person reads it."""

    model_config = shown(amount=4900, description="Delivery of the box")

    amount: int = Field(ge=1, le=AMOUNT_MAX, description="minor units (øre, cent), VAT included at the product's rate")
    description: OneLine
    due_date: Day | None = Field(
        None, description="tomorrow or later (not at Stripe); as early as it can be without it"
    )


class Change(Shape):
    """A change of an agreement, and what became of it.

    `waiting`: for the fate of a charge that was created already, and is being cancelled, or for Stripe's answer.
    `planned`: for its day. `dropped`: the agreement ended first, the change was not possible any more, or Stripe
    refused it.
    """

    change_id: UUID
    kind: ChangeKind
    status: ChangeStatus
    version: int = Field(description="counts the changes of the agreement")
    created_at: Instant
    takes_effect: date | None = Field(description="the first day that it is about, as soon as that is certain")
    deferred: bool = Field(description="a charge was captured before it could be cancelled: it is about the time after")
    until: date | None = Field(description="of a pause: its end")
    on: date | None = Field(description="of a resumption: the day that was asked for")
    charge_day: int | None
    product_id: str | None
    price: Money | None = Field(
        description="of a price; of another charge day that Stripe bills: what the days until it cost, taken at once"
    )
    effective_date: date | None = Field(description="of a price: from when it holds")
    notice_date: date | None = Field(description="of a price: when the owner was told")

    @classmethod
    def of(cls, said: DomainChange, currency: str) -> Self:
        days = {ChangeKind.PAUSE: "until", ChangeKind.RESUME: "on", ChangeKind.PRICE: "effective_date"}
        asked = {name: said.day if kind is said.kind else None for kind, name in days.items()}
        return cls(
            change_id=said.id,
            kind=said.kind,
            status=said.status,
            version=said.version,
            created_at=said.created_at,
            takes_effect=said.takes_effect,
            deferred=said.deferred,
            charge_day=said.charge_day,
            product_id=said.product_id,
            price=None if said.amount is None else Money(amount=said.amount, currency=currency),
            notice_date=said.noticed_on,
            **asked,
        )


class ChangeAnswer(Shape):
    """The change, and the agreement as it stands with it."""

    change: Change
    agreement: Agreement

    @classmethod
    def of(cls, said: DomainChange, view: AgreementView) -> Self:
        currency = view.agreement.terms.price.currency
        return cls(change=Change.of(said, currency), agreement=Agreement.of(view))


class Changes(Shape):
    """The changes of an agreement, oldest first."""

    changes: list[Change]


class Dunning(Shape):
    """A charge whose first try has failed.

    `advice`: `ask_to_pay` (the person sees to card or money), `raise_limit` (and allows more in the app),
    `new_agreement` (the profile cannot be charged any more), `wait` (nobody but the gateway can do anything).
    """

    agreement_id: UUID
    charge: Charge
    issuer: str
    subject: str
    product_id: str
    status: DunningStatus
    reason: str | None = Field(description="the gateway's, of the latest try that is known")
    advice: Advice
    since: Instant
    failed_orders: int = Field(description="orders whose every try has failed")
    last_try_until: Instant | None = Field(
        description="when it is certain that the order's last try was made; null where the gateway makes the orders"
    )
    next_order_on: date | None = Field(description="when another order is due, after one that failed for good")
    access_until: Instant | None
    closed_at: Instant | None

    @classmethod
    def of(cls, view: DunningView) -> Self:
        dunning, agreement = view.dunning, view.agreement
        return cls(
            agreement_id=agreement.id,
            charge=Charge.of(view.charge),
            issuer=agreement.issuer,
            subject=agreement.subject,
            product_id=agreement.terms.product_id,
            status=dunning.status,
            reason=dunning.reason,
            advice=dunning.advice,
            since=dunning.opened_at,
            failed_orders=dunning.orders,
            last_try_until=view.last_try_until,
            next_order_on=dunning.next_order_on,
            access_until=view.access_until,
            closed_at=dunning.closed_at,
        )


class Dunnings(Shape):
    """A page of dunnings, oldest charge first; the last `chargeId` is where the next page goes on after."""

    dunnings: list[Dunning]
