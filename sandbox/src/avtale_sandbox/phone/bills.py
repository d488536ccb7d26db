"""Single payments on people's telephones: what a payer sees of one, and can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from ..clock import Clock
from ..merchants import Merchants
from ..people import People, Person
from ..vipps.epayment import landing
from ..vipps.epayment.courier import Courier, options_of
from ..vipps.epayment.express import fetch_options
from ..vipps.epayment.model import Payments
from ..vipps.epayment.resources import Payment
from ..vipps.refusals import Refused
from . import phrases
from .screens import Line
from .telephones import NotPossible, Waiting

SHOWN_MAX = 12


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a receipt: `sum` is what it costs, `count` how many when there are several."""

    name: str
    count: str | None
    sum: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One way of delivery, with what it costs."""

    id: str
    name: str
    cost: str


@dataclass(frozen=True, slots=True)
class Bill:
    """A payment that waits for its payer, as the app words it."""

    merchant: str
    what: str
    amount: str
    items: list[Item]
    shares: str
    age: int | None
    failed: str | None
    until: str
    delivery: list[Delivery] | None

    @property
    def approve(self) -> str:
        """The words on the button that pays."""
        return f"Pay {self.amount}" if self.delivery is None else f"Pay {self.amount} and delivery"


class Bills:
    """What is to be paid once. Instants are business time."""

    def __init__(
        self, payments: Payments, people: People, merchants: Merchants, clock: Clock, courier: Courier
    ) -> None:
        """Take the model and the look-ups it stands on."""
        self._payments = payments
        self._people = people
        self._merchants = merchants
        self._clock = clock
        self._courier = courier

    def payment_of(self, token: str) -> Payment | None:
        """Give the payment that an address is about, whatever its state."""
        try:
            return self._payments.resolve(token)
        except Refused:
            return None

    def link_is_dead(self, payment: Payment) -> bool:
        """Whether nobody opened the link while it could be opened."""
        return self._payments.link_is_dead(payment)

    def merchant_name(self, payment: Payment) -> str:
        """Give the name of the sales unit; one that is gone keeps its number as its name."""
        merchant = self._merchants.of_msn(payment.msn)
        return f"Merchant {payment.msn}" if merchant is None else merchant.name

    def bill(self, payment: Payment, zone: ZoneInfo) -> Bill:
        """Word what is to be paid, and for what."""
        asked_for = (payment.ask.scope or "").split()
        shared = [words for scope, words in phrases.SCOPE_WORDS.items() if scope in asked_for]
        lines = (payment.ask.receipt or {}).get("orderLines", [])
        return Bill(
            merchant=self.merchant_name(payment),
            what=payment.ask.description or f"Order {payment.reference}",
            amount=phrases.money(payment.amount, payment.currency),
            items=[_item(line, payment.currency) for line in lines],
            shares=", ".join(shared).capitalize(),
            age=payment.ask.minimum_age or None,
            failed=payment.refusal,
            until=self._until(payment, zone),
            delivery=_deliveries(payment),
        )

    async def fetch_options(self, payment: Payment, person: Person) -> Payment:
        """Let the shop be asked how it delivers to this person, if it wants to be."""
        return await fetch_options(self._payments, self._courier, payment, person)

    def open(self, payment: Payment, person: Person) -> Payment:
        """Put it into the person's app without an answer; raises NotPossible."""
        try:
            return self._payments.open(payment.id, person.phone_number)
        except Refused as refused:
            raise NotPossible(refused.detail) from refused

    def approve(self, payment: Payment, person: Person, option_id: str | None) -> bool:
        """Say yes; false when it did not go through and still waits; raises NotPossible."""
        try:
            return self._payments.approve(payment.id, person.phone_number, option_id).state != "CREATED"
        except Refused as refused:
            raise NotPossible(refused.detail) from refused

    def reject(self, payment: Payment, person: Person) -> None:
        """Say no; raises NotPossible."""
        try:
            self._payments.reject(payment.id, person.phone_number)
        except Refused as refused:
            raise NotPossible(refused.detail) from refused

    def waiting(self, person: Person) -> list[Waiting]:
        """Give the payments that wait for this person's answer, oldest first."""
        zone = phrases.zone_of(person.phone_number)
        return [
            Waiting(
                token=self._payments.token(payment),
                merchant=self.merchant_name(payment),
                product=self.bill(payment, zone).what,
                until=self._until(payment, zone),
            )
            for payment in self._payments.of_person(person.phone_number)
            if payment.state == "CREATED"
        ]

    def paid(self, person: Person) -> list[Line]:
        """Word what the person has paid, or not, newest first."""
        zone = phrases.zone_of(person.phone_number)
        found = [one for one in self._payments.of_person(person.phone_number) if one.state != "CREATED"]
        return [self._line(payment, zone) for payment in found[: -SHOWN_MAX - 1 : -1]]

    def _line(self, payment: Payment, zone: ZoneInfo) -> Line:
        bill, money = self.bill(payment, zone), phrases.money
        state, tone, why = _STATES[payment.state]
        if payment.refunded:
            state, tone = ("Refunded", "") if payment.refunded == payment.captured else ("Partly refunded", "")
            why = f"{money(payment.refunded, payment.currency)} came back"
        elif payment.captured:
            state, tone = "Paid", "good"
            if payment.captured < payment.authorized:
                why = f"{money(payment.captured, payment.currency)} was taken"
        elif payment.authorized and payment.cancelled == payment.authorized:
            state, tone, why = "Released", "", "Nothing was taken"
        return Line(
            title=bill.what,
            about=bill.merchant,
            amount=bill.amount,
            day=phrases.local_day(payment.created, zone),
            state=state,
            tone=tone,
            why=why,
        )

    def _until(self, payment: Payment, zone: ZoneInfo) -> str:
        time = phrases.local_time(payment.expires, zone)
        day = phrases.local_day(payment.expires, zone)
        return time if day == phrases.local_day(self._clock.now(), zone) else f"{day}, {time}"


_STATES: dict[str, tuple[str, str, str | None]] = {
    "AUTHORIZED": ("Reserved", "wait", None),
    "ABORTED": ("Rejected", "bad", None),
    "EXPIRED": ("Expired", "", "Nobody answered in time"),
    "TERMINATED": ("Called off", "", "The merchant called it off"),
}


def _deliveries(payment: Payment) -> list[Delivery] | None:
    if payment.ask.shipping is None:
        return None
    return [
        Delivery(one["id"], one["name"], phrases.money(one["amount"]["value"], payment.currency))
        for one in options_of(payment) or []
    ]


def _item(line: dict[str, Any], currency: str) -> Item:
    unit = line.get("unitInfo") or {}
    quantity = unit.get("quantity")
    kind = (unit.get("quantityUnit") or "PCS").lower()
    count = None
    if quantity is not None and quantity != "1":
        count = f"× {quantity}" if kind == "pcs" else f"{quantity} {kind}"
    total = line["totalAmount"]
    return Item(line["name"], count, phrases.money(-total if line.get("isReturn") else total, currency))


def link(waiting: Waiting) -> str:
    """The address on this server of the page for a waiting payment."""
    return landing.page("", waiting.token)
