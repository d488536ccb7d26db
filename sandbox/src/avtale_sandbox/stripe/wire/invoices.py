"""Invoices, their lines, and the payments that are to pay them, on the wire."""

from __future__ import annotations

from typing import Any

from ..books import Books
from ..resources import Invoice, InvoicePayment, Line
from .shapes import address, listed, shaped


def invoice(books: Books, row: Invoice) -> dict[str, Any]:
    """A bill; links and number are missing while it is a draft."""
    account = books.accounts.at(row.account)
    total, is_draft = row.total, row.status == "draft"
    page = f"{books.base_url}/stripe/invoices/{row.id}"
    return shaped(
        "invoice",
        id=row.id,
        created=row.created,
        account_country=account.country,
        account_name=account.name,
        amount_due=total,
        amount_paid=row.amount_paid,
        amount_paid_off_stripe=total if row.is_paid_elsewhere else 0,
        amount_remaining=0 if row.is_paid_elsewhere else total - row.amount_paid,
        attempt_count=row.attempts,
        attempted=row.is_attempted,
        auto_advance=row.auto_advance,
        automatically_finalizes_at=row.next_at if is_draft else None,
        billing_reason=row.reason,
        collection_method="charge_automatically",
        currency=row.currency,
        customer=row.customer,
        customer_address=address(row.customer_address),
        customer_email=row.customer_email,
        customer_name=row.customer_name,
        customer_phone=row.customer_phone,
        customer_tax_exempt="none",
        customer_tax_ids=[],
        effective_at=row.finalized_at,
        ending_balance=None if is_draft else 0,
        hosted_invoice_url=None if is_draft else page,
        invoice_pdf=None if is_draft else f"{page}/pdf",
        issuer={"type": "self"},
        lines=listed(f"/v1/invoices/{row.id}/lines", [line(row, one) for one in row.lines]),
        metadata=row.metadata,
        next_payment_attempt=None if is_draft or row.status != "open" else row.next_at,
        number=None if row.sequence is None else f"{row.prefix}-{row.sequence:04d}",
        parent={
            "quote_details": None,
            "subscription_details": {
                "metadata": row.subscription_metadata,
                "subscription": row.subscription,
                "subscription_proration_date": None,
            },
            "type": "subscription_details",
        },
        period_start=row.period_start,
        period_end=row.period_end,
        status=row.status,
        status_transitions={
            "finalized_at": row.finalized_at,
            "marked_uncollectible_at": row.uncollectible_at,
            "paid_at": row.paid_at,
            "voided_at": row.voided_at,
        },
        subtotal=total,
        subtotal_excluding_tax=total,
        total=total,
        total_discount_amounts=[],
        total_excluding_tax=total,
        total_taxes=[],
        webhooks_delivered_at=row.delivered_at,
    )


def line(parent: Invoice, row: Line) -> dict[str, Any]:
    """One line, with the period that it is for."""
    kind = "invoice_item_details" if row.is_added else "subscription_item_details"
    of_item = {"invoice_item" if row.is_added else "subscription_item": row.item}
    details = shaped(f"line_item.{kind}", subscription=parent.subscription, **of_item)
    return shaped(
        "line_item",
        id=row.id,
        amount=row.amount,
        currency=parent.currency,
        description=row.description,
        discount_amounts=[],
        discountable=True,
        invoice=parent.id,
        metadata=row.metadata,
        parent={"invoice_item_details": None, "subscription_item_details": None, kind: details, "type": kind},
        period={"end": row.end, "start": row.start},
        pretax_credit_amounts=[],
        pricing={
            "price_details": {"price": row.price, "product": row.product},
            "type": "price_details",
            "unit_amount_decimal": str(row.unit_amount),
        },
        quantity=row.quantity,
        quantity_decimal=str(row.quantity),
        subscription=parent.subscription,
        subtotal=row.amount,
        taxes=[],
    )


def invoice_payment(books: Books, row: InvoicePayment) -> dict[str, Any]:
    """The tie between an invoice and a payment intent."""
    return shaped(
        "invoice_payment",
        id=row.id,
        created=row.created,
        amount_paid=row.amount_paid,
        amount_requested=row.amount,
        currency=row.currency,
        invoice=row.invoice,
        is_default=True,
        payment={"payment_intent": row.payment_intent, "type": "payment_intent"},
        status=row.status,
        status_transitions={"canceled_at": row.canceled_at, "paid_at": row.paid_at},
    )
