"""Everything that happened to everybody's money at Stripe, for audits."""

from __future__ import annotations

from typing import Any

from ..instants import iso
from .books import Books
from .resources import Charge, Invoice, PaymentIntent, Subscription


def export(books: Books) -> dict[str, Any]:
    """Subscriptions with their invoices, and payments of their own; amounts are minor units.

    Captured, refunded and disputed money is told with its instants, under the payment intent it belongs to.
    """
    return {
        "subscriptions": [_subscription(books, one) for one in books.subscriptions.all()],
        "payments": [_payment(books, one) for one in books.intents.all() if one.invoice is None],
    }


def _subscription(books: Books, row: Subscription) -> dict[str, Any]:
    return {
        "account": row.account,
        "subscription": row.id,
        "customer": row.customer,
        "status": row.status,
        "metadata": row.metadata,
        "paymentMethod": row.default_payment_method,
        "created": _at(row.created),
        "periodStart": _at(row.period_start),
        "periodEnd": _at(row.period_end),
        "endedAt": _at(row.ended_at),
        "invoices": [_invoice(books, one) for one in books.invoices.of(row.account, "subscription", row.id)],
    }


def _invoice(books: Books, row: Invoice) -> dict[str, Any]:
    intent = None if row.payment_intent is None else books.intents.at(row.payment_intent)
    line = next((one for one in row.lines if one.amount), row.lines[0])
    return {
        "invoice": row.id,
        "status": row.status,
        "reason": row.reason,
        "currency": row.currency.upper(),
        "amount": row.total,
        "amountPaid": row.amount_paid,
        "periodStart": _at(line.start),
        "periodEnd": _at(line.end),
        "created": _at(row.created),
        "paidAt": _at(row.paid_at),
        "metadata": row.metadata,
        "payment": None if intent is None else _payment(books, intent),
    }


def _payment(books: Books, row: PaymentIntent) -> dict[str, Any]:
    charges = books.charges.of(row.account, "payment_intent", row.id)
    good = [one for one in charges if one.failure_code is None]
    return {
        "account": row.account,
        "paymentIntent": row.id,
        "customer": row.customer,
        "status": row.status,
        "currency": row.currency.upper(),
        "amount": row.amount,
        "metadata": row.metadata,
        "captured": sum(one.amount_captured for one in good),
        "refunded": sum(one.amount_refunded for one in good if not one.is_released),
        "disputed": sum(
            one.amount
            for charge in good
            for one in books.disputes.of(row.account, "charge", charge.id)
            if one.status != "won"
        ),
        "tries": [
            {"at": _at(one.created), "charge": one.id, "ok": not one.failure_code} | _why(one) for one in charges
        ],
        "captures": [
            {"charge": one.id, "amount": one.amount_captured, "at": _at(one.captured_at)}
            for one in good
            if one.captured
        ],
        "refunds": [
            {"refund": one.id, "amount": one.amount, "status": one.status, "at": _at(one.created)}
            | {"metadata": one.metadata}
            for one in books.refunds.of(row.account, "payment_intent", row.id)
        ],
        "disputes": [
            {"dispute": one.id, "amount": one.amount, "status": one.status, "at": _at(one.created)}
            | {"closedAt": _at(one.closed_at)}
            for charge in good
            for one in books.disputes.of(row.account, "charge", charge.id)
        ],
    }


def _why(row: Charge) -> dict[str, Any]:
    return {"reason": row.decline_code or row.failure_code}


def _at(seconds: int | None) -> str | None:
    return None if seconds is None else iso(seconds * 1000)
