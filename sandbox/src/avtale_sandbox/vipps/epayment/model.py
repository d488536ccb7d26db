"""What merchants, payers and time do to single payments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...clock import Agenda, Clock
from ...ids import Ids
from ...instants import DAY, SECOND, iso
from ...merchants import Merchant, Merchants
from ...people import Address, People, Person
from ...settings import Settings
from ...store import Store
from ..consents import Consents
from ..refusals import Refused, invalid
from . import courier, customers, landing
from .events import event_body, event_type
from .payers import REFUND_TO_NOBODY, REFUND_TOO_LATE, is_old_enough, why_not
from .resources import Event, EventName, Payment
from .rules import check_create, read_ask
from .shapes import guaranteed_until
from .shelf import Shelf
from .states import PAYMENT_STEPS, PaymentStep

# (MSN, event name, order lane, instant, body): what happens to one payment is told in order.
Publish = Callable[[str, str, str, int, bytes], None]


class Payments:
    """Payments of all merchants.

    Everything happens at the clock's now, except what the agenda fires, which happens at its due instant.
    Every method either takes full effect or raises Refused and changes nothing. What is given back is a
    copy.

    For the telephone (what a payer can do): `resolve`, `open`, `approve`, `reject`, `of_person`.
    """

    def __init__(
        self,
        store: Store,
        ids: Ids,
        clock: Clock,
        agenda: Agenda,
        people: People,
        consents: Consents,
        merchants: Merchants,
        publish: Publish,
        settings: Settings,
    ) -> None:
        self.shelf = Shelf(store, ids, agenda)
        self._ids = ids
        self._clock = clock
        self._people = people
        self._consents = consents
        self._merchants = merchants
        self._publish = publish
        self._life = settings.payment_life_seconds * SECOND
        self._link_life = settings.payment_link_life_seconds * SECOND
        self._refund_window = settings.refund_window_days * DAY
        agenda.declare("payment", 2, self.shelf.due_at, self._fire)

    # What a payer does on the telephone.

    def resolve(self, token: str) -> Payment:
        """The payment that the token of a `redirectUrl` is about, whatever its state; raises Refused (5090)."""
        try:
            found = self.shelf.find(landing.read(self._ids, token))
        except landing.NotAPayment:
            found = None
        if found is None:
            raise Refused("5090", "This link is not that of a payment")
        return found

    def link_is_dead(self, payment: Payment) -> bool:
        """Whether the link was not opened while it could be; one that was opened lives as long as its payment."""
        return (
            payment.opened is None
            and payment.ask.expires is None
            and payment.ask.flow != "PUSH_MESSAGE"
            and self._clock.now() >= payment.created + self._link_life
        )

    def open(self, key: str, phone_number: str) -> Payment:
        """Put a payment that waits into a person's app without deciding; the person is made if new.

        `key` is the payment's id. Raises Refused (5090; 10020 when the link was not opened in time;
        `validation-error` for what is no phone number). A payment that does not wait is given back as it is.
        """
        payment = self._payment(key)
        if payment.state == "CREATED" and (payment.person != phone_number or payment.opened is None):
            if self.link_is_dead(payment):
                raise Refused("10020", "The link was not opened in time")
            self._meet(phone_number)
            payment.person = phone_number
            payment.opened = payment.opened or self._clock.now()
            self.shelf.save(payment)
        return payment

    def approve(self, key: str, phone_number: str, option_id: str | None = None) -> Payment:
        """A person says yes, and the money is reserved: AUTHORIZED.

        When there is no money, or the person is too young, the payment is given back still CREATED with a
        `refusal`, and may be approved again until it expires; when the person will not share what is asked of
        them, it is ABORTED. `option_id` is the chosen way of delivery, with Express; its cost is added.
        Raises Refused (5090; 10020 when it does not wait; `validation-error`).
        """
        payment = self.open(key, phone_number)
        if payment.state != "CREATED":
            raise Refused("10020", f"The payment does not wait for an answer any more; it is {payment.state}")
        person, now = self._meet(phone_number), self._clock.now()
        if payment.ask.scope and not person.shares:
            self._step(payment, "abort", "ABORTED", payment.amount, now)
            return payment
        payment.refusal = why_not(payment, person, self._merchant(payment), now) or self._send_to(
            payment, person, option_id
        )
        if payment.refusal is not None:
            self.shelf.save(payment)
            return payment
        payment.authorized = payment.amount + (payment.shipping or {}).get("shippingCost", 0)
        payment.authorized_at = now
        payment.release_at = now + self._merchant(payment).capture_days * DAY
        if payment.ask.scope:
            payment.sub = self._consents.give(payment.msn, phone_number, payment.ask.scope, now)
        self._step(payment, "authorize", "AUTHORIZED", payment.authorized, now, payment.key)
        return payment

    def reject(self, key: str, phone_number: str | None = None) -> Payment:
        """A person says no: ABORTED. Raises Refused like `approve`."""
        payment = self._payment(key) if phone_number is None else self.open(key, phone_number)
        if payment.state != "CREATED":
            raise Refused("10020", f"The payment does not wait for an answer any more; it is {payment.state}")
        self._step(payment, "abort", "ABORTED", payment.amount, self._clock.now())
        return payment

    def wants_options(self, payment: Payment, person: Person | None) -> Address | None:
        """The address for which the shop must be asked how it delivers, before this person can pay."""
        shipping = payment.ask.shipping
        if payment.state != "CREATED" or person is None or shipping is None or shipping.get("fixedOptions") is not None:
            return None
        try:
            return courier.address_of(person, self._countries(payment))
        except courier.NoDelivery:
            return None

    def set_options(self, key: str, groups: list[dict[str, Any]] | None, refusal: str | None = None) -> Payment:
        """Note what the shop answered, or why there is no answer; raises Refused (5090)."""
        payment = self._payment(key)
        if payment.state == "CREATED":
            payment.groups, payment.refusal = groups, refusal
            self.shelf.save(payment)
        return payment

    def of_person(self, phone_number: str) -> list[Payment]:
        """What is in a person's app, in every state, oldest first."""
        return self.shelf.of_person(phone_number)

    def token(self, payment: Payment) -> str:
        """The token in the payment's `redirectUrl`."""
        return landing.token(self._ids, payment)

    def payer(self, payment: Payment) -> Person | None:
        """Who has the payment in their app."""
        return None if payment.person is None else self._people.get(payment.person)

    # What a merchant does.

    def create(self, merchant: Merchant, body: dict[str, Any], key: str) -> Payment:
        """Ask for a payment; raises Refused."""
        now = self._clock.now()
        check_create(body, merchant, now, self._life)
        msn, reference = merchant.merchant_serial_number, body["reference"]
        if self.shelf.has(msn, reference):
            raise Refused("4150", f"The reference `{reference}` was used before")
        customer = customers.number_of(body.get("customer") or {}, self._ids)
        ask = read_ask(body, customer)
        if ask.flow == "PUSH_MESSAGE":
            self._check_reachable(customer, ask.minimum_age, merchant, now)
        number = self._ids.next_number()
        expires = ask.expires or now + self._life
        payment = Payment(
            reference=reference,
            number=number,
            msn=msn,
            created=now,
            amount=body["amount"]["value"],
            currency=body["amount"]["currency"],
            key=key,
            ask=ask,
            expires=expires,
            next_at=expires,
        )
        if ask.flow == "PUSH_MESSAGE":
            # It arrives at this very instant, but after the answer to the merchant.
            payment.person = customer
            payment.next_at = now
        self._write(payment, "CREATED", payment.amount, now, key)
        return payment

    def fetch(self, merchant: Merchant, reference: str) -> Payment:
        """One payment of this merchant; raises Refused (5090)."""
        return self.shelf.get(merchant.merchant_serial_number, reference)

    def capture(self, merchant: Merchant, reference: str, amount: dict[str, Any], key: str) -> Payment:
        """Take part or all of what is reserved; raises Refused."""
        payment, now = self.fetch(merchant, reference), self._clock.now()
        if payment.state == "CREATED":
            raise Refused("6080", "The payment has not been authorized")
        if payment.state != "AUTHORIZED":
            raise Refused("6200", f"The payment is {payment.state}")
        if payment.release_at is not None and now >= payment.release_at:
            raise Refused("6100", f"The payment could be captured until {iso(payment.release_at)}")
        if payment.capturable == 0:
            if payment.cancelled:
                raise Refused("6070", "What was left of the payment has been cancelled")
            raise Refused("6170", "All of the payment has been captured")
        value = _value(payment, amount)
        if value > payment.capturable:
            raise Refused("6090", f"{value} is more than the {payment.capturable} that can be captured")
        if value < payment.authorized and not merchant.partial_capture_allowed:
            raise Refused("6140", "The sales unit must capture the full amount at once")
        if now > guaranteed_until(payment) and not self._has_funds(payment, merchant, now):
            raise Refused("6260", "The reservation is no longer guaranteed, and there is no money on the card")
        payment.captured += value
        self._step(payment, "capture", "CAPTURED", value, now, key)
        return payment

    def cancel(self, merchant: Merchant, reference: str, transaction_only: bool, key: str | None) -> Payment:
        """Call off a payment that waits, or release all that is not captured; raises Refused."""
        payment, now = self.fetch(merchant, reference), self._clock.now()
        if payment.state == "CREATED":
            payment.cancelled = payment.amount
            self._step(payment, "terminate", "TERMINATED", payment.amount, now, key)
            return payment
        if payment.state != "AUTHORIZED":
            raise Refused("6190", f"The payment is {payment.state}")
        if transaction_only:
            raise Refused("6060", "The payment is authorized, and cancelTransactionOnly was set")
        if payment.release_at is not None and now >= payment.release_at:
            raise Refused("6030", f"The payment could be cancelled until {iso(payment.release_at)}")
        if payment.captured == payment.authorized:
            raise Refused("6040", "All of the payment has been captured")
        if payment.capturable == 0:
            raise Refused("6050", "Nothing of the payment is reserved any more")
        self._release(payment, now)
        return payment

    def refund(self, merchant: Merchant, reference: str, amount: dict[str, Any], key: str) -> Payment:
        """Give back part or all of what was captured; raises Refused."""
        payment, now = self.fetch(merchant, reference), self._clock.now()
        if payment.state == "CREATED":
            raise Refused("6020", "The payment has not been authorized")
        if payment.state != "AUTHORIZED" or payment.captured == 0:
            raise Refused("6210", "Nothing of the payment has been captured")
        until = (payment.authorized_at or 0) + self._refund_window
        if now > until:
            raise Refused("6220", f"The payment could be refunded until {iso(until)}")
        if payment.refundable == 0:
            raise Refused("6180", "All that was captured has been refunded")
        value = _value(payment, amount)
        if value > payment.refundable:
            raise Refused("6150", f"{value} is more than the {payment.refundable} that can be refunded")
        if value == REFUND_TO_NOBODY:
            raise Refused("5100", "The payer has no account to give this test amount back to")
        if value == REFUND_TOO_LATE:
            raise Refused("6220", "The period for refunds of this test amount is over")
        payment.refunded += value
        self._step(payment, "refund", "REFUNDED", value, now, key)
        return payment

    def force_approve(self, merchant: Merchant, reference: str, customer: dict[str, Any], token: str | None) -> Payment:
        """Approve in the payer's name, as the test environment lets merchants do; raises Refused."""
        payment = self.fetch(merchant, reference)
        if payment.ask.shipping is not None:
            raise Refused("10060", "An Express payment cannot be force approved")
        if token is not None and token != self.token(payment):
            raise Refused("10010", "The token is not that of this payment")
        number = customers.number_of(customer, self._ids) or payment.ask.customer or payment.person
        if number is None:
            raise Refused("10030", "Nobody is named who could approve the payment")
        if payment.state == "CREATED" and self.link_is_dead(payment):
            raise Refused("10010", "The link was not opened in time")
        payment = self.approve(payment.id, number)
        if payment.state != "AUTHORIZED":
            raise Refused("10010", payment.refusal or "The payment could not be approved")
        return payment

    # What happens by itself, and what all of it is made of.

    def _fire(self, key: str) -> None:
        payment = self.shelf.find(key)
        if payment is None or payment.next_at is None:
            return
        at = payment.next_at
        if payment.state == "AUTHORIZED":
            self._release(payment, at)
        elif at >= payment.expires:
            self._step(payment, "expire", "EXPIRED", payment.amount, at)
        else:
            self._arrive(payment, at)

    def _arrive(self, payment: Payment, at: int) -> None:
        """A push reaches its telephone, whose owner may decide at once."""
        payment.opened, payment.next_at = at, payment.expires
        self.shelf.save(payment)
        person = self.payer(payment)
        if person is not None and person.temperament == "approves":
            self.approve(payment.id, person.phone_number)
        elif person is not None and person.temperament == "rejects":
            self.reject(payment.id, person.phone_number)

    def _release(self, payment: Payment, at: int) -> None:
        """Give back all that is reserved; nothing when there is nothing."""
        value = payment.capturable
        if value:
            payment.cancelled += value
            self._step(payment, "cancel", "CANCELLED", value, at)

    def _step(
        self, payment: Payment, step: PaymentStep, event: EventName, amount: int, at: int, key: str | None = None
    ) -> None:
        payment.state = PAYMENT_STEPS[payment.state, step]
        payment.next_at = payment.release_at if payment.capturable else None
        self._write(payment, event, amount, at, key)

    def _write(self, payment: Payment, name: EventName, amount: int, at: int, key: str | None) -> None:
        # Of the payment's own number, which is stored, and not of one that a restart would give again.
        psp = self._ids.uuid(f"psp {len(payment.log)}", payment.number)
        event = Event(at, name, amount, psp, key)
        payment.log.append(event)
        self.shelf.save(payment)
        body = event_body(payment, event, self.payer(payment))
        self._publish(payment.msn, event_type(event), f"payment:{payment.id}", at, body)

    def _send_to(self, payment: Payment, person: Person, option_id: str | None) -> str | None:
        """Choose the way of delivery, with Express; gives why there is none."""
        if payment.ask.shipping is None:
            return None
        try:
            address = courier.address_of(person, self._countries(payment))
        except courier.NoDelivery as problem:
            return str(problem)
        options = courier.options_of(payment)
        if options is None:
            return payment.refusal or "The shop has not said how it can be sent"
        chosen = next((one for one in options if option_id in (None, one["id"])), None)
        if chosen is None:
            return "There is no such way of delivery"
        payment.shipping = courier.details(address, chosen)
        return None

    def _countries(self, payment: Payment) -> list[str]:
        allowed: list[str] = (payment.ask.shipping or {}).get("allowedCountries") or []
        return allowed or [self._merchant(payment).market]

    def _has_funds(self, payment: Payment, merchant: Merchant, now: int) -> bool:
        person = self.payer(payment)
        return person is not None and person.has_funds(now, merchant.terms.zone)

    def _check_reachable(self, number: str | None, age: int | None, merchant: Merchant, now: int) -> None:
        person = None if number is None else self._people.get(number)
        if person is None:
            raise Refused("7010", "Nobody with this number has the app")
        if not is_old_enough(person, age, now, merchant):
            raise Refused("7010", "The customer is too young")

    def _payment(self, key: str) -> Payment:
        found = self.shelf.find(key)
        if found is None:
            raise Refused("5090", "There is no such payment")
        return found

    def _merchant(self, payment: Payment) -> Merchant:
        return self._merchants.of_msn(payment.msn) or _GONE

    def _meet(self, phone_number: str) -> Person:
        try:
            return self._people.meet(phone_number)
        except ValueError as problem:
            raise invalid("phoneNumber", str(problem)) from None


_GONE = Merchant(client_id="", client_secret="", subscription_key="", merchant_serial_number="")


def _value(payment: Payment, amount: dict[str, Any]) -> int:
    """The sum of a capture or refund; raises Refused (4040) when it is none."""
    value: int = amount["value"]
    if amount["currency"] != payment.currency:
        raise Refused("4040", f"The payment is in {payment.currency}, not {amount['currency']}")
    if value == 0:
        raise Refused("4040", "The amount must be more than 0")
    return value
