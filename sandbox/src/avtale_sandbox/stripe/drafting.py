"""What an invoice of a subscription is made of: its lines, and the payment intent that is to pay it."""

from __future__ import annotations

from typing import Any, Literal

from .books import Books
from .params import merged
from .payments import client_secret
from .refusals import invalid, required
from .resources import Invoice, InvoicePayment, Item, Line, PaymentIntent, PaymentMethod, Price, Subscription
from .wire.customers import invoice_prefix

Reason = Literal["subscription_create", "subscription_cycle", "subscription_update"]


def drafted(
    books: Books,
    subscription: Subscription,
    reason: Reason,
    key: str,
    number: int,
    *,
    before: tuple[int, int],
    is_free: bool,
) -> Invoice:
    """A draft for a subscription's period, at its prices or for nothing, not stored yet.

    `before` is the period that has just been used: what an invoice says its own period is.
    """
    customer = books.customers.at(subscription.customer)
    start, end = subscription.period_start, subscription.period_end
    return Invoice(
        id=key,
        number=number,
        account=subscription.account,
        created=books.now,
        customer=customer.id,
        subscription=subscription.id,
        currency=subscription.currency,
        reason=reason,
        lines=[_line(books, one, start, end, is_free) for one in subscription.items],
        period_start=before[0],
        period_end=before[1],
        prefix=invoice_prefix(customer),
        customer_email=customer.email,
        customer_name=customer.name,
        customer_phone=customer.phone,
        customer_address=customer.address,
        subscription_metadata=subscription.metadata,
    )


def intent_for(books: Books, invoice: Invoice, method: PaymentMethod | None) -> PaymentIntent:
    """Store the intent that is to pay an invoice, and what ties the two together."""
    key, number = books.new_id("pi")
    intent = PaymentIntent(
        id=key,
        number=number,
        account=invoice.account,
        created=books.now,
        client_secret=client_secret(books, key, number),
        customer=invoice.customer,
        payment_method=None if method is None else method.id,
        description="Subscription creation" if invoice.reason == "subscription_create" else "Subscription update",
        status="requires_payment_method" if method is None else "requires_confirmation",
        amount=invoice.total,
        currency=invoice.currency,
        invoice=invoice.id,
        setup_future_usage="off_session",
    )
    books.intents.put(intent)
    key, number = books.new_id("inpay")
    payment = InvoicePayment(
        id=key,
        number=number,
        account=invoice.account,
        created=books.now,
        invoice=invoice.id,
        payment_intent=intent.id,
        currency=invoice.currency,
        amount=invoice.total,
    )
    books.invoice_payments.put(payment)
    return intent


def added_line(books: Books, price: Price, given: dict[str, Any], days: tuple[int, int]) -> Line:
    """A line for an item that is asked once, besides the prices of a subscription."""
    product, quantity = books.products.at(price.product), given.get("quantity", 1)
    return Line(
        id=books.part_id("il"),
        item=books.part_id("ii"),
        price=price.id,
        product=product.id,
        amount=price.unit_amount * quantity,
        unit_amount=price.unit_amount,
        quantity=quantity,
        description=product.name,
        start=days[0],
        end=days[1],
        metadata=merged({}, given.get("metadata")),
        is_added=True,
    )


def added_days(period: dict[str, Any] | None, trial: tuple[int, int], param: str) -> tuple[int, int]:
    """The period that an added item says it is for, without a word the trial that begins; raises Refused."""
    if period is None:
        return trial
    for side in ("start", "end"):
        if period[side]["type"] == "timestamp" and not isinstance(period[side].get("timestamp"), int):
            raise required(f"{param}[period][{side}][timestamp]")
    start, end = period["start"].get("timestamp") or trial[0], period["end"].get("timestamp") or trial[1]
    if end < start:
        raise invalid("The period's end must not be before its start.", param=f"{param}[period][end][timestamp]")
    return start, end


def _line(books: Books, item: Item, start: int, end: int, is_free: bool) -> Line:
    price = books.prices.at(item.price)
    product = books.products.at(price.product)
    amount = 0 if is_free else price.unit_amount * item.quantity
    each = f"{price.unit_amount // 100}.{price.unit_amount % 100:02d} {price.currency.upper()}"
    description = f"{item.quantity} × {product.name} (at {each} / {price.interval})"
    return Line(
        id=books.part_id("il"),
        item=item.id,
        price=price.id,
        product=product.id,
        amount=amount,
        unit_amount=0 if is_free else price.unit_amount,
        quantity=item.quantity,
        description=f"Trial period for {product.name}" if is_free else description,
        start=start,
        end=end,
        metadata=item.metadata,
    )
