"""Invoices of subscriptions: drafted, finalised, paid, tried again, given up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..clock import Agenda
from .books import Books
from .cards import HARD_DECLINES, Verdict
from .drafting import Reason, drafted, intent_for
from .events import Events
from .methods import Methods
from .payments import Payments
from .refusals import invalid, no_such
from .resources import Charge, Customer, Invoice, Line, PaymentIntent, PaymentMethod, Subscription

HOUR, DAY = 3_600, 86_400
# A renewal's draft waits an hour for the merchant, and up to three days while its webhook is not answered.
DRAFT_SECONDS = HOUR
DRAFT_SECONDS_MAX = 3 * DAY


class Subscribed(Protocol):
    """Whoever an invoice is for."""

    def invoice_paid(self, invoice: Invoice, intent: PaymentIntent | None) -> None:
        """The invoice is paid."""

    def invoice_failed(self, invoice: Invoice) -> None:
        """A try to pay it has failed, or waits for the payer."""

    def invoice_given_up(self, invoice: Invoice) -> None:
        """There will be no further try."""


class Billing:
    """The engine of invoices."""

    def __init__(self, books: Books, events: Events, payments: Payments, methods: Methods, agenda: Agenda) -> None:
        self._books = books
        self._events = events
        self._payments = payments
        self._methods = methods
        self._agenda = agenda
        self.subscribed: Subscribed | None = None
        payments.listener = self
        agenda.declare("stripe_invoice", 11, self._due_at, self._fire)

    def load(self) -> None:
        """Put what is due on the agenda."""
        for invoice in self._books.invoices.all():
            self._plan(invoice)

    # From draft to paid.

    def draft(
        self,
        subscription: Subscription,
        reason: Reason,
        key: str,
        number: int,
        *,
        before: tuple[int, int],
        is_free: bool,
        added: Sequence[Line] = (),
    ) -> Invoice:
        """Make a draft for a subscription's period, and tell of it; see `drafted`."""
        invoice = drafted(self._books, subscription, reason, key, number, before=before, is_free=is_free)
        invoice.lines += added
        self._books.invoices.put(invoice)
        invoice.created_event = self._events.tell("invoice.created", invoice)
        self._books.invoices.put(invoice)
        return invoice

    def leave_as_draft(self, invoice: Invoice, advances: bool) -> None:
        """Let a draft wait for its hour; one that does not advance waits for ever."""
        invoice.auto_advance = advances
        invoice.next_at = invoice.created + DRAFT_SECONDS if advances else None
        self._save(invoice)

    def set_aside(self, invoice: Invoice, behavior: str) -> None:
        """A new draft of a subscription whose money is not collected: it is never owed, or not yet."""
        if behavior == "keep_as_draft":
            self.leave_as_draft(invoice, advances=False)
            return
        invoice = self.finalize(invoice, None)
        if invoice.status == "open" and behavior == "void":
            self.void(invoice)
        elif invoice.status == "open":
            self.mark_uncollectible(invoice)

    def let_advance(self, invoice: Invoice, advances: bool) -> None:
        """Let an invoice go on by itself, or not; raises Refused for a draft that nobody can be asked to pay."""
        if invoice.status == "draft":
            if advances:
                self._payer(invoice)
            self.leave_as_draft(invoice, advances)
            return
        invoice.auto_advance = advances
        invoice.next_at = self._next_try(invoice) if advances and invoice.is_attempted else None
        self._save(invoice)

    def finalize(self, invoice: Invoice, method: PaymentMethod | None) -> Invoice:
        """Fix a draft, give it a number and a payment intent, and tell of it; one of nothing is paid at once.

        Raises Refused.
        """
        if invoice.status != "draft":
            raise invalid("This invoice is already finalized, you can't re-finalize it.")
        books = self._books
        customer = self._payer(invoice)
        invoice.sequence = customer.next_invoice_sequence
        customer.next_invoice_sequence += 1
        books.customers.put(customer)
        invoice.status, invoice.finalized_at, invoice.next_at = "open", books.now, None
        invoice.delivered_at = books.now
        if invoice.total > 0:
            intent = intent_for(self._books, invoice, method)
            invoice.payment_intent = intent.id
            self._save(invoice)
            self._events.tell("invoice.finalized", invoice)
            self._events.tell("payment_intent.created", intent)
        else:
            self._save(invoice)
            self._events.tell("invoice.finalized", invoice)
            invoice = self._paid(invoice, None)
        return invoice

    def collect(self, invoice: Invoice) -> Invoice:
        """Try to take an open invoice's money from its payer's card, the payer not being there."""
        books = self._books
        subscription = books.subscriptions.at(invoice.subscription)
        method = self.method_of(subscription)
        if invoice.payment_intent is None:
            return invoice
        intent = books.intents.at(invoice.payment_intent)
        if method is None:
            self._payments.fail_without_method(intent)
        elif invoice.refused_card == method.id:
            # The bank has said a final no to this card; only another one is tried.
            invoice.next_at = self._next_try(invoice)
            self._save(invoice)
        else:
            found, _ = self._payments.attempt(intent, method, owner_is_there=False)
            if found.needs_action:
                self._ask_person(intent.id)
        return books.invoices.at(invoice.id)

    def pay(self, invoice: Invoice, method: PaymentMethod | None, *, elsewhere: bool, off_session: bool) -> Invoice:
        """Pay an invoice because its merchant says so; raises Refused."""
        books = self._books
        if invoice.status == "draft":
            self.finalize(invoice, method)
            invoice = books.invoices.at(invoice.id)
        elif invoice.status == "paid":
            raise invalid("Invoice is already paid", code="invoice_already_paid")
        elif invoice.status not in ("open", "uncollectible"):
            raise invalid(f"Invoices with status {invoice.status} cannot be paid.", code="invoice_not_editable")
        if invoice.status == "paid":
            return invoice
        if elsewhere:
            invoice.is_paid_elsewhere = True
            if invoice.payment_intent is not None:
                self._payments.cancel(books.intents.at(invoice.payment_intent), "automatic")
            return self._paid(invoice, None)
        subscription = books.subscriptions.at(invoice.subscription)
        method = method or self.method_of(subscription)
        if method is None or invoice.payment_intent is None:
            message = (
                "There is no `default_payment_method` set on this Customer or Invoice. Please set a "
                "`default_payment_method` before attempting to pay this Invoice."
            )
            raise invalid(message, code="resource_missing")
        intent = books.intents.at(invoice.payment_intent)
        found, charge = self._payments.attempt(intent, method, owner_is_there=not off_session, may_ask=not off_session)
        if found.needs_action and not off_session:
            raise self._payments.declined(intent, charge, _REQUIRES_ACTION, method)
        if found.code or found.needs_action:
            raise self._payments.declined(intent, charge, found, method)
        return books.invoices.at(invoice.id)

    def void(self, invoice: Invoice) -> Invoice:
        """Declare that an open invoice was never owed; raises Refused."""
        if invoice.status not in ("open", "uncollectible"):
            message = f"You can only void open or uncollectible invoices; this one is {invoice.status}."
            raise invalid(message, code="invoice_not_editable")
        invoice.status, invoice.voided_at, invoice.next_at = "void", self._books.now, None
        self._save(invoice)
        self._close_payment(invoice)
        self._events.tell("invoice.voided", invoice)
        return invoice

    def mark_uncollectible(self, invoice: Invoice) -> Invoice:
        """Give an open invoice up; raises Refused."""
        if invoice.status != "open":
            raise invalid(f"You can only mark open invoices as uncollectible; this one is {invoice.status}.")
        invoice.status, invoice.uncollectible_at, invoice.next_at = "uncollectible", self._books.now, None
        self._save(invoice)
        self._events.tell("invoice.marked_uncollectible", invoice)
        return invoice

    def stop_collecting(self, subscription: Subscription) -> None:
        """Nothing more is tried by itself for a subscription that has ended; an unanswered first invoice is void."""
        for invoice in self._books.invoices.of(subscription.account, "subscription", subscription.id):
            if invoice.status == "open" and invoice.reason == "subscription_create":
                self.void(invoice)
            elif invoice.status in ("draft", "open"):
                before = self._events.spell(invoice)
                invoice.auto_advance, invoice.next_at = False, None
                self._save(invoice)
                self._events.changed("invoice.updated", invoice, before)

    def method_of(self, subscription: Subscription) -> PaymentMethod | None:
        """The card that pays for a subscription: its own, else its customer's."""
        customer = self._books.customers.find(subscription.customer)
        names = (subscription.default_payment_method, customer and customer.default_payment_method)
        for name in names:
            method = self._books.methods.find(name or "")
            if method is not None and method.customer == subscription.customer:
                return method
        return None

    # What becomes of an intent.

    def intent_paid(self, intent: PaymentIntent) -> None:
        """The money of an invoice has come."""
        invoice = self._books.invoices.at(intent.invoice or "")
        invoice.attempts += 1
        invoice.is_attempted = True
        if intent.status == "succeeded":
            self._paid(invoice, intent)

    def intent_failed(self, intent: PaymentIntent, charge: Charge | None, found: Verdict) -> None:
        """A try to pay an invoice has failed."""
        invoice = self._books.invoices.at(intent.invoice or "")
        if charge is not None and found.decline_code in HARD_DECLINES:
            invoice.refused_card = charge.payment_method
        self._unpaid(invoice, "invoice.payment_failed")

    def intent_waits(self, intent: PaymentIntent) -> None:
        """The payer must say yes at their bank before an invoice is paid."""
        self._unpaid(self._books.invoices.at(intent.invoice or ""), "invoice.payment_action_required")

    def _unpaid(self, invoice: Invoice, event: str) -> None:
        invoice.attempts += 1
        invoice.is_attempted = True
        if invoice.reason != "subscription_create" and invoice.auto_advance:
            invoice.next_at = self._next_try(invoice)
        self._save(invoice)
        self._events.tell(event, invoice)
        if self.subscribed is not None:
            self.subscribed.invoice_failed(invoice)

    def _paid(self, invoice: Invoice, intent: PaymentIntent | None) -> Invoice:
        books = self._books
        invoice.status, invoice.paid_at, invoice.next_at = "paid", books.now, None
        invoice.is_attempted = True
        invoice.amount_paid = 0 if intent is None else intent.amount_received
        self._save(invoice)
        self._close_payment(invoice)
        self._events.tell("invoice.paid", invoice)
        self._events.tell("invoice.payment_succeeded", invoice)
        if self.subscribed is not None:
            self.subscribed.invoice_paid(invoice, intent)
        return invoice

    def _close_payment(self, invoice: Invoice) -> None:
        """Settle the tie between an invoice that is over and its intent."""
        books = self._books
        for payment in books.invoice_payments.of(invoice.account, "invoice", invoice.id):
            if payment.status != "open":
                continue
            if invoice.amount_paid:
                payment.status, payment.paid_at, payment.amount_paid = "paid", books.now, invoice.amount_paid
            else:
                payment.status, payment.canceled_at = "canceled", books.now
            books.invoice_payments.put(payment)
            if payment.status == "paid":
                self._events.tell("invoice_payment.paid", payment)
            intent = books.intents.at(payment.payment_intent)
            if intent.status not in ("succeeded", "canceled"):
                self._payments.cancel(intent, "void_invoice")

    def _payer(self, invoice: Invoice) -> Customer:
        """Whose invoice it is; raises Refused when they have been deleted."""
        customer = self._books.customers.find(invoice.customer)
        if customer is None:
            raise no_such("customer", invoice.customer, "customer")
        return customer

    # What happens by itself.

    def _next_try(self, invoice: Invoice) -> int | None:
        """When an open invoice is tried again, or None when all tries are used up."""
        days = self._books.accounts.at(invoice.account).retry_days
        tries = ((invoice.finalized_at or 0) + day * DAY for day in days)
        return next((at for at in tries if at > self._books.now), None)

    def _ask_person(self, intent_id: str) -> None:
        """A renewal that needs its payer: somebody who approves or rejects everything does so at once."""
        intent = self._books.intents.at(intent_id)
        person = self._books.person_of(self._books.customers.find(intent.customer or ""))
        if person is not None and person.temperament in ("approves", "rejects"):
            self._payments.authenticate(intent, person.temperament == "approves")

    def _fire(self, key: str) -> None:
        invoice = self._books.invoices.at(key)
        if invoice.status == "draft":
            event = self._books.events.find(invoice.created_event or "")
            waited = self._books.now - invoice.created
            if event is not None and event.pending and waited < DRAFT_SECONDS_MAX:
                invoice.next_at = self._books.now + HOUR
                self._save(invoice)
                return
            invoice = self.finalize(invoice, self.method_of(self._books.subscriptions.at(invoice.subscription)))
            if invoice.status == "paid":
                return
        invoice = self.collect(invoice)
        if invoice.status == "open" and invoice.next_at is None and self.subscribed is not None:
            self.subscribed.invoice_given_up(invoice)

    def _due_at(self, key: str) -> int | None:
        invoice = self._books.invoices.find(key)
        return None if invoice is None or invoice.next_at is None else invoice.next_at * 1000

    def _save(self, invoice: Invoice) -> None:
        self._books.invoices.put(invoice)
        self._plan(invoice)

    def _plan(self, invoice: Invoice) -> None:
        if invoice.next_at is not None:
            self._agenda.add(invoice.next_at * 1000, "stripe_invoice", invoice.number, invoice.id)


_REQUIRES_ACTION = Verdict("invoice_payment_intent_requires_action")
