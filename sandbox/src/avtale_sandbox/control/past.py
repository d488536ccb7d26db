"""Planting what a business had before: many agreements at a time, as an earlier system left them."""

from __future__ import annotations

from typing import Literal, TypedDict

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..instants import parse_day, utc_day_instant
from ..stripe.cards import CARDS
from ..stripe.past import PastSubscription, anchor_of, period_of
from ..stripe.past import plant as plant_subscription
from ..stripe.resources import Price
from ..vipps.recurring.past import PastAgreement, check, days_of, plant
from ..vipps.recurring.resources import Campaign, Interval
from ..world import World
from .wire import Door, Problem, answer, read

COUNT_MAX = 5000
AMOUNT_MAX = 30_000_000


class IntervalOrder(Struct, forbid_unknown_fields=True, frozen=True):
    """How often."""

    unit: Literal["YEAR", "MONTH", "WEEK", "DAY"] = "MONTH"
    count: int = 1


class CampaignOrder(Struct, forbid_unknown_fields=True, frozen=True):
    """A lower price until the day `end`."""

    price: int
    end: str


class PastOrder(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One agreement: approved on `start`, charged on the days of `charged`, and to be charged on those of `waiting`."""

    phone_number: str
    amount: int
    start: str
    interval: IntervalOrder = IntervalOrder()
    product_name: str = "Subscription"
    status: Literal["ACTIVE", "STOPPED", "EXPIRED"] = "ACTIVE"
    pricing: Literal["LEGACY", "VARIABLE"] = "LEGACY"
    external_id: str | None = None
    campaign: CampaignOrder | None = None
    charged: list[str] = []
    waiting: list[str] = []


class PastOrders(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Agreements of one sales unit; the only one there is, or the one that is named."""

    agreements: list[PastOrder]
    merchant_serial_number: str | None = None


class PastSubscriptionOrder(Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One subscription of Stripe's, begun on `start` and paid ever since with a card (a name without `pm_card_`).

    `price` is an id or a lookup key.
    """

    price: str
    start: str
    card: str = "visa"
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    status: Literal["active", "canceled"] = "active"
    cancel_at_period_end: bool = False
    metadata: dict[str, str] = {}


class PastSubscriptionOrders(Struct, forbid_unknown_fields=True, kw_only=True):
    """Subscriptions of one account; the first one there is, or the one that is named."""

    subscriptions: list[PastSubscriptionOrder]
    account: str | None = None


class Planted(TypedDict):
    """The agreements' ids, in the order in which they were asked for."""

    agreementIds: list[str]


class PlantedSubscriptions(TypedDict):
    """The subscriptions' ids, in the order in which they were asked for."""

    subscriptionIds: list[str]


class PastControl:
    """The handlers of `/_sandbox/past-agreements` and `/_sandbox/stripe/past-subscriptions`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        return [
            Door(
                "POST", "/past-agreements", self.plant, body=PastOrders, gives=Planted, status=201, also={404: "Nobody"}
            ),
            Door(
                "POST",
                "/stripe/past-subscriptions",
                self.plant_subscriptions,
                body=PastSubscriptionOrders,
                gives=PlantedSubscriptions,
                status=201,
                also={404: "There is no such account or price"},
            ),
        ]

    async def plant(self, request: Request) -> Response:
        """Plant agreements that an earlier system made, at most 5 000 at a time. Nobody is told of them."""
        order = await read(request, PastOrders)
        if len(order.agreements) > COUNT_MAX:
            raise Problem(400, f"At most {COUNT_MAX} agreements at a time")
        merchants = self._world.merchants
        named = order.merchant_serial_number or merchants.all()[0].merchant_serial_number
        merchant = merchants.of_msn(named)
        if merchant is None:
            raise Problem(404, "No merchant has this serial number")
        try:
            past = [_past(one) for one in order.agreements]
            world = self._world
            shelf = world.recurring.shelf
            for one in past:
                check(one, world.clock, merchant)
            made = [
                plant(shelf, world.ids, world.clock, world.people, world.settings, merchant, one).id for one in past
            ]
        except ValueError as problem:
            raise Problem(400, str(problem)) from None
        return answer({"agreementIds": made}, 201)

    async def plant_subscriptions(self, request: Request) -> Response:
        """Plant subscriptions of Stripe's that an earlier system made, at most 5 000 at a time. Nobody is told."""
        order = await read(request, PastSubscriptionOrders)
        if len(order.subscriptions) > COUNT_MAX:
            raise Problem(400, f"At most {COUNT_MAX} subscriptions at a time")
        stripe = self._world.stripe
        accounts = stripe.books.accounts
        account = accounts.all()[0] if order.account is None else accounts.find(order.account)
        if account is None:
            raise Problem(404, "No account has this id")
        prices = {row.id: row for row in stripe.books.prices.of(account.id) if row.active}
        prices |= {row.lookup_key: row for row in prices.values() if row.lookup_key}
        if unknown := {one.price for one in order.subscriptions} - set(prices):
            raise Problem(404, f"No active price of this account is called {min(unknown)[:80]}")
        try:
            past = [_past_subscription(one, prices[one.price]) for one in order.subscriptions]
            for start, price in {(one.start, one.price.id): one.price for one in past}.items():
                period_of(anchor_of(start[0]), price, self._world.clock.now())
            made = [plant_subscription(stripe, account.id, one).id for one in past]
        except ValueError as problem:
            raise Problem(400, str(problem)) from None
        return answer({"subscriptionIds": made}, 201)


def _past(order: PastOrder) -> PastAgreement:
    """Raises ValueError."""
    if not (order.phone_number.isascii() and order.phone_number.isdigit() and 8 <= len(order.phone_number) <= 15):
        raise ValueError("a phone number is 8 to 15 digits, country code first")
    if not 1 <= order.amount <= AMOUNT_MAX or not 1 <= order.interval.count <= 31:
        raise ValueError("an amount is positive, and an interval counts 1 to 31")
    return PastAgreement(
        phone_number=order.phone_number,
        amount=order.amount,
        interval=Interval(order.interval.unit, order.interval.count),
        start=parse_day(order.start),
        product_name=order.product_name,
        status=order.status,
        pricing=order.pricing,
        external_id=order.external_id,
        campaign=None if order.campaign is None else _campaign(order.campaign),
        charged=days_of(order.charged),
        waiting=days_of(order.waiting),
    )


def _campaign(order: CampaignOrder) -> Campaign:
    """Raises ValueError."""
    if not 0 <= order.price <= AMOUNT_MAX:
        raise ValueError("a campaign's price is 0 or more")
    return Campaign(type="PRICE_CAMPAIGN", price=order.price, end=utc_day_instant(parse_day(order.end)))


def _past_subscription(order: PastSubscriptionOrder, price: Price) -> PastSubscription:
    """Raises ValueError."""
    if order.card not in CARDS:
        raise ValueError(f"there is no test card {order.card[:40]!r}")
    return PastSubscription(
        price=price,
        start=parse_day(order.start),
        card=order.card,
        email=order.email,
        name=order.name,
        phone=order.phone,
        status=order.status,
        cancel_at_period_end=order.cancel_at_period_end,
        metadata=order.metadata,
    )
