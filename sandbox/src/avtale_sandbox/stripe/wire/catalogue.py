"""Products, prices and subscriptions on the wire."""

from __future__ import annotations

from typing import Any

from ..books import Books
from ..resources import Item, Price, Product, Subscription
from .shapes import listed, shaped


def product(books: Books, row: Product) -> dict[str, Any]:
    """What is sold."""
    return shaped(
        "product",
        id=row.id,
        created=row.created,
        active=row.active,
        default_price=row.default_price,
        description=row.description,
        images=row.images,
        metadata=row.metadata,
        name=row.name,
        statement_descriptor=row.statement_descriptor,
        tax_code=row.tax_code,
        type="service",
        unit_label=row.unit_label,
        updated=row.updated,
        url=row.url,
    )


def price(books: Books, row: Price) -> dict[str, Any]:
    """What it costs."""
    recurring = None
    if row.interval is not None:
        recurring = shaped(
            "price.recurring",
            interval=row.interval,
            interval_count=row.interval_count,
            trial_period_days=row.trial_period_days,
            usage_type="licensed",
        )
    return shaped(
        "price",
        id=row.id,
        created=row.created,
        active=row.active,
        billing_scheme="per_unit",
        currency=row.currency,
        lookup_key=row.lookup_key,
        metadata=row.metadata,
        nickname=row.nickname,
        product=row.product,
        recurring=recurring,
        tax_behavior=row.tax_behavior,
        type="one_time" if recurring is None else "recurring",
        unit_amount=row.unit_amount,
        unit_amount_decimal=str(row.unit_amount),
    )


def plan(row: Price) -> dict[str, Any]:
    """The price as it was called before prices."""
    return shaped(
        "plan",
        id=row.id,
        created=row.created,
        active=row.active,
        amount=row.unit_amount,
        amount_decimal=str(row.unit_amount),
        billing_scheme="per_unit",
        currency=row.currency,
        interval=row.interval,
        interval_count=row.interval_count,
        metadata=row.metadata,
        nickname=row.nickname,
        product=row.product,
        trial_period_days=row.trial_period_days,
        usage_type="licensed",
    )


def item(books: Books, subscription: Subscription, row: Item) -> dict[str, Any]:
    """One price of a subscription, with the period that is being used."""
    its_price = books.prices.at(row.price)
    return shaped(
        "subscription_item",
        id=row.id,
        created=row.created,
        billed_until=subscription.period_end,
        current_period_start=subscription.period_start,
        current_period_end=subscription.period_end,
        metadata=row.metadata,
        plan=plan(its_price),
        price=price(books, its_price),
        quantity=row.quantity,
        subscription=subscription.id,
        tax_rates=[],
    )


def subscription(books: Books, row: Subscription) -> dict[str, Any]:
    """A standing order."""
    status_details = None
    if row.status == "paused" and row.paused_at is not None:
        why = {"type": "trial_end_without_payment_method"}
        status_details = {"paused": {"subscription": why, "transitioned_at": row.paused_at, "type": "subscription"}}
    url = f"/v1/subscription_items?subscription={row.id}"
    return shaped(
        "subscription",
        id=row.id,
        created=row.created,
        billing_cycle_anchor=row.anchor,
        billing_mode={"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": None},
        cancel_at=row.period_end if row.cancel_at_period_end else row.cancel_at,
        cancel_at_period_end=row.cancel_at_period_end,
        canceled_at=row.canceled_at,
        cancellation_details=shaped(
            "subscription.cancellation_details",
            comment=row.cancel_comment,
            feedback=row.cancel_feedback,
            reason=row.cancel_reason,
        ),
        collection_method="charge_automatically",
        currency=row.currency,
        customer=row.customer,
        default_payment_method=row.default_payment_method,
        default_tax_rates=[],
        description=row.description,
        ended_at=row.ended_at,
        invoice_settings={
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        items=listed(url, [item(books, row, one) for one in row.items]),
        latest_invoice=row.latest_invoice,
        metadata=row.metadata,
        pause_collection=pause_collection(row),
        payment_settings=shaped(
            "subscription.payment_settings",
            payment_method_types=row.payment_method_types,
            save_default_payment_method=row.save_default,
        ),
        pending_setup_intent=row.pending_setup_intent,
        start_date=row.created,
        status=row.status,
        status_details=status_details,
        trial_end=row.trial_end,
        trial_settings={
            "end_behavior": {"billing_cycle_anchor": None, "missing_payment_method": row.missing_payment_method}
        },
        trial_start=row.trial_start,
    )


def pause_collection(row: Subscription) -> dict[str, Any] | None:
    """What becomes of invoices while their money is not collected, and until when."""
    if row.pause_behavior is None:
        return None
    return {"behavior": row.pause_behavior, "resumes_at": row.pause_resumes_at}
