"""Subscriptions that an account had before the story begins, paid up to now: planted, with nobody told of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

from msgspec import Struct

from ..instants import DAY as DAY_MILLIS
from ..instants import add_units, local_instant
from ..merchants import MARKETS
from .books import Books
from .drafting import drafted, intent_for
from .house import Stripe
from .lifecycle import UNITS
from .resources import Charge, Customer, Invoice, Item, PaymentIntent, PaymentMethod, Price, Subscription

_ZONE = MARKETS["NO"].zone
_AGE_MAX = 50 * 366 * DAY_MILLIS


class PastSubscription(Struct, kw_only=True, frozen=True):
    """What is planted: begun on the day `start`, paid with a card ever since, and last for the period of today.

    Of all its invoices the last one is there. A status other than active is what it ended as, today.
    """

    price: Price
    start: date
    card: str = "visa"
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    status: Literal["active", "canceled"] = "active"
    cancel_at_period_end: bool = False
    metadata: dict[str, str] = {}


def plant(stripe: Stripe, account: str, past: PastSubscription) -> Subscription:
    """Put it among what happened. Raises ValueError for a start that cannot be, and a price that is paid once."""
    books = stripe.books
    anchor = anchor_of(past.start)
    begins, ends, is_first = period_of(anchor, past.price, books.clock.now())
    customer, method = _payer(books, account, past, anchor // 1000)
    key, number = books.new_id("sub")
    item = Item(id=books.part_id("si"), created=anchor // 1000, price=past.price.id)
    ended = books.now if past.status == "canceled" else None
    subscription = Subscription(
        id=key,
        number=number,
        account=account,
        created=anchor // 1000,
        metadata=past.metadata,
        customer=customer.id,
        currency=past.price.currency,
        items=[item],
        status=past.status,
        anchor=anchor // 1000,
        period_start=begins,
        period_end=ends,
        default_payment_method=method.id,
        cancel_at_period_end=past.cancel_at_period_end and ended is None,
        canceled_at=ended or (books.now if past.cancel_at_period_end else None),
        ended_at=ended,
        cancel_reason="cancellation_requested" if ended or past.cancel_at_period_end else None,
    )
    subscription.latest_invoice = _paid_invoice(books, subscription, method, is_first=is_first).id
    stripe.lifecycle.keep(subscription)
    return subscription


def anchor_of(start: date) -> int:
    """The instant, in milliseconds, from which the periods are counted."""
    return local_instant(start, 9, _ZONE)


def period_of(anchor: int, price: Price, now: int) -> tuple[int, int, bool]:
    """The period that now lies in, in seconds, and whether it is the first; see `plant` for what is raised."""
    if price.interval is None:
        raise ValueError("this price is paid once, not again and again")
    if not now - _AGE_MAX < anchor <= now:
        raise ValueError("a subscription of the past begins today at the latest, and fifty years ago at most")
    unit, step = UNITS[price.interval], price.interval_count
    # Days and weeks are equally long, so that the first of them need not be counted.
    each = {"DAY": DAY_MILLIS, "WEEK": 7 * DAY_MILLIS}.get(unit)
    count = 1 if each is None else (now - anchor) // (each * step) + 1
    while add_units(anchor, unit, count * step) <= now:
        count += 1
    begins = add_units(anchor, unit, (count - 1) * step)
    return begins // 1000, add_units(anchor, unit, count * step) // 1000, count == 1


def _payer(books: Books, account: str, past: PastSubscription, at: int) -> tuple[Customer, PaymentMethod]:
    key, number = books.new_id("cus")
    customer = Customer(
        id=key,
        number=number,
        account=account,
        created=at,
        email=past.email,
        name=past.name,
        phone=past.phone,
        currency=past.price.currency,
        next_invoice_sequence=2,
    )
    books.customers.put(customer)
    key, number = books.new_id("pm")
    method = PaymentMethod(
        id=key,
        number=number,
        account=account,
        created=at,
        card=past.card,
        exp_month=12,
        exp_year=datetime.fromtimestamp(books.now, UTC).year + 4,
        customer=customer.id,
        was_attached=True,
        is_set_up=True,
    )
    books.methods.put(method)
    return customer, method


def _paid_invoice(books: Books, subscription: Subscription, method: PaymentMethod, *, is_first: bool) -> Invoice:
    """The invoice of the period that now lies in, paid as it began."""
    at = subscription.period_start
    key, number = books.new_id("in")
    reason: Literal["subscription_create", "subscription_cycle"] = (
        "subscription_create" if is_first else "subscription_cycle"
    )
    invoice = drafted(books, subscription, reason, key, number, before=(at, at), is_free=False)
    invoice.created = invoice.finalized_at = invoice.delivered_at = invoice.paid_at = at
    invoice.status, invoice.amount_paid, invoice.sequence = "paid", invoice.total, 1
    invoice.attempts, invoice.is_attempted = 1, True
    if invoice.total > 0:
        intent = intent_for(books, invoice, method)
        _take(books, intent, method, at)
        invoice.payment_intent = intent.id
        for payment in books.invoice_payments.of(invoice.account, "invoice", invoice.id):
            payment.created, payment.status, payment.paid_at, payment.amount_paid = at, "paid", at, invoice.total
            books.invoice_payments.put(payment)
    books.invoices.put(invoice)
    return invoice


def _take(books: Books, intent: PaymentIntent, method: PaymentMethod, at: int) -> None:
    key, number = books.new_id("ch")
    books.charges.put(
        Charge(
            id=key,
            number=number,
            account=intent.account,
            created=at,
            payment_intent=intent.id,
            amount=intent.amount,
            currency=intent.currency,
            payment_method=method.id,
            card=method.card,
            exp_month=method.exp_month,
            exp_year=method.exp_year,
            customer=intent.customer,
            description=intent.description,
            captured=True,
            amount_captured=intent.amount,
            captured_at=at,
        )
    )
    intent.created, intent.status, intent.latest_charge = at, "succeeded", key
    intent.amount_received = intent.amount
    books.intents.put(intent)
