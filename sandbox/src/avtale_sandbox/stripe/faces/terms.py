"""What can be said about a subscription when it begins and when it is changed."""

from __future__ import annotations

from typing import Any

from ..params import boolean, choice, instant, integer, items, metadata, shape, text
from .catalogue import NEW_PRICE

_PRICE_DATA = shape(
    ["currency", "product", "recurring"],
    product=text(),
    **NEW_PRICE,
)
_NEW_ONCE = {name: kind for name, kind in NEW_PRICE.items() if name != "recurring"}
ADDED = shape(
    price=text(),
    price_data=shape(["currency", "product"], product=text(), **_NEW_ONCE),
    quantity=integer(1, 999_999),
    metadata=metadata,
    period=shape(
        ["start", "end"],
        start=shape(["type"], type=choice("max_item_period_start", "now", "timestamp"), timestamp=instant()),
        end=shape(["type"], type=choice("min_item_period_end", "timestamp"), timestamp=instant()),
    ),
)
ITEM = shape(price=text(), price_data=_PRICE_DATA, quantity=integer(1, 999_999), metadata=metadata)
CHANGED_ITEM = shape(
    id=text(),
    price=text(),
    price_data=_PRICE_DATA,
    quantity=integer(1, 999_999),
    metadata=metadata,
    deleted=boolean,
)
_FEEDBACK = choice(
    "",
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
)
CANCELLATION = shape(comment=text(), feedback=_FEEDBACK)
BOTH: dict[str, Any] = {
    "default_payment_method": text(),
    "description": text(500),
    "metadata": metadata,
    "cancel_at": instant("min_period_end", "max_period_end"),
    "cancel_at_period_end": boolean,
    "collection_method": choice("charge_automatically", "send_invoice"),
    "off_session": boolean,
    "payment_behavior": choice(
        "allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"
    ),
    "proration_behavior": choice("always_invoice", "create_prorations", "none"),
    "payment_settings": shape(
        payment_method_types=items(text()), save_default_payment_method=choice("off", "on_subscription")
    ),
    "trial_end": instant("now"),
    "trial_settings": shape(
        end_behavior=shape(
            ["missing_payment_method"], missing_payment_method=choice("cancel", "create_invoice", "pause")
        )
    ),
}
PAUSE = shape(["behavior"], behavior=choice("keep_as_draft", "mark_uncollectible", "void"), resumes_at=instant())
STATUSES = choice(
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
)
