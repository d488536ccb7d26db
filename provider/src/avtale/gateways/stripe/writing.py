"""What we ask of Stripe, in its shapes; nothing here calls anybody."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from avtale.domain.gateway import GatewayName
from avtale.domain.wishes import (
    AskedOnce,
    IntentWish,
    RepeatedPrice,
    SubscriptionChange,
    SubscriptionWish,
    WrittenRequest,
)

Json = dict[str, Any]

#: The metadata by which what is ours is known among everything on an account: our attempt id, and what it is for.
ATTEMPT = "avtale_attempt"
REFERENCE = "avtale_reference"
REFUND = "avtale_refund"
#: The last change of ours that a subscription has seen, and what marks a payment whose payer is not there.
CHANGE = "avtale_change"
OFF_SESSION = "avtale_off_session"

SUBSCRIPTIONS = "/v1/subscriptions"
INTENTS = "/v1/payment_intents"
REFUNDS = "/v1/refunds"
#: What an answer about a subscription must contain for its payer to go on.
TO_CONFIRM = ["latest_invoice.confirmation_secret", "pending_setup_intent"]

_DESCRIPTION_CHARACTERS_MAX = 500
#: The least that Stripe takes, in minor units.
AMOUNT_MIN = {"NOK": 300, "DKK": 250, "EUR": 50}


def write_subscription(wish: SubscriptionWish) -> WrittenRequest:
    """A subscription that waits for its payer, and keeps the card that they confirm with."""
    params: Json = {
        "customer": wish.customer_id,
        "items": [{"price_data": _new_price(wish.first_price)} if wish.first_price else {"price": wish.price_id}],
        "payment_behavior": "default_incomplete",
        "payment_settings": {"save_default_payment_method": "on_subscription"},
        "description": wish.description[:_DESCRIPTION_CHARACTERS_MAX],
        "metadata": {ATTEMPT: str(wish.draft_id), REFERENCE: str(wish.reference)},
        "expand": TO_CONFIRM,
    }
    if wish.free_days is not None:
        params["trial_period_days"] = wish.free_days
        params["trial_settings"] = {"end_behavior": {"missing_payment_method": "cancel"}}
    if wish.payment_method_id is not None:
        params["default_payment_method"] = wish.payment_method_id
    return _written(wish.draft_id, SUBSCRIPTIONS, params)


def write_intent(wish: IntentWish) -> WrittenRequest:
    """A payment that is taken as soon as its payer confirms it, or at once from what they have left with Stripe."""
    params: Json = {
        "amount": wish.amount.amount,
        "currency": wish.amount.currency.lower(),
        "customer": wish.customer_id,
        "automatic_payment_methods": {"enabled": True},
        "description": wish.description[:_DESCRIPTION_CHARACTERS_MAX],
        "metadata": {ATTEMPT: str(wish.order_id), REFERENCE: str(wish.reference)},
    }
    if wish.payment_method_id is not None:
        params["automatic_payment_methods"]["allow_redirects"] = "never"
        params |= {"confirm": True, "off_session": True, "payment_method": wish.payment_method_id}
        params["metadata"][OFF_SESSION] = "true"
    return _written(wish.order_id, INTENTS, params)


def write_change(change: SubscriptionChange) -> WrittenRequest:
    """What is different in a subscription from its next period on: nothing is taken or given back for the present one.

    The id of the change goes into its metadata, so that the subscription itself says whether it has arrived.
    """
    params: Json = {"metadata": {CHANGE: str(change.change_id)}, "proration_behavior": "none"}
    if change.collects is not None:
        params["pause_collection"] = "" if change.collects else {"behavior": "void"}
    if change.free_until is not None:
        params["trial_end"] = int(change.free_until.timestamp())
    if change.price_id is not None:
        params["items"] = [{"id": change.item_id, "price": change.price_id}]
    elif change.price is not None:
        params["items"] = [{"id": change.item_id, "price_data": _new_price(change.price)}]
    if change.asked_once is not None:
        params["add_invoice_items"] = [_asked_once(change.asked_once)]
        params["payment_behavior"] = "error_if_incomplete"
    return _written(change.change_id, f"{SUBSCRIPTIONS}/{change.gateway_agreement_id}", params)


def _new_price(price: RepeatedPrice) -> Json:
    """A price of its own for one subscription."""
    return {
        "product": price.product_id,
        "currency": price.amount.currency.lower(),
        "unit_amount": price.amount.amount,
        "recurring": {"interval": price.interval.unit.value, "interval_count": price.interval.count},
    }


def is_overtaken(params: Json, said: Json) -> bool:
    """Whether a change would have a period charged that begins before the one which is paid by now ends: the
    subscription has been renewed since the change was written."""
    free_until, items = params.get("trial_end"), said["items"]["data"]
    is_charged = said["status"] in ("active", "past_due") and said.get("pause_collection") is None
    ends = min((item["current_period_end"] for item in items), default=0)
    return is_charged and free_until is not None and free_until < ends


def _asked_once(asked: AskedOnce) -> Json:
    """An item of the invoice that a change makes: other than the trial that begins with it, it has its own time."""
    days = (("start", asked.starts_at), ("end", asked.ends_at))
    return {
        "price_data": {
            "product": asked.product_id,
            "currency": asked.amount.currency.lower(),
            "unit_amount": asked.amount.amount,
        },
        "period": {side: {"type": "timestamp", "timestamp": int(at.timestamp())} for side, at in days},
    }


def write_stop(request_id: UUID, subscription_id: str) -> WrittenRequest:
    """The end of a subscription, at once: what is paid stays paid, and no last invoice is made."""
    return WrittenRequest(
        request_id, "DELETE", f"{SUBSCRIPTIONS}/{subscription_id}", _json({}), gateway=GatewayName.STRIPE
    )


def write_release(request_id: UUID, intent_id: str) -> WrittenRequest:
    """The end of a payment intent that nobody has confirmed."""
    return _written(request_id, f"{INTENTS}/{intent_id}/cancel", {"cancellation_reason": "abandoned"})


def write_refund(request_id: UUID, payment_id: str, amount: int, reason: str) -> WrittenRequest:
    """Money back of what a payment intent took. Stripe's own reasons are three; ours is kept beside."""
    if not payment_id.startswith("pi_"):
        raise ValueError("what was paid elsewhere cannot be given back through Stripe")
    metadata = {REFUND: str(request_id), "reason": reason[:500]}
    return _written(request_id, REFUNDS, {"payment_intent": payment_id, "amount": amount, "metadata": metadata})


def _written(request_id: UUID, path: str, params: Json) -> WrittenRequest:
    return WrittenRequest(request_id, "POST", path, _json(params), gateway=GatewayName.STRIPE)


def _json(params: Json) -> bytes:
    return json.dumps(params, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def read_params(body: bytes) -> Json:
    """The parameters of a call that was written down."""
    params: Json = json.loads(body)
    return params
