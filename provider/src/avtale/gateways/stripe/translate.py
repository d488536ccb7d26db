"""Stripe's shapes and ours, one into the other; nothing here calls anybody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from avtale.domain.agreement import Asked
from avtale.domain.charge import Totals
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.observations import (
    Confirmation,
    GatewayAgreementState,
    ObservedAgreement,
    ObservedCustomer,
    ObservedOrder,
    ObservedPrice,
    PaymentMethod,
    RegisteredWebhook,
    Standing,
)
from avtale.domain.periods import Interval, Unit
from avtale.domain.settlement import GatewayChargeState, ObservedCharge
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

_STATES = {
    "incomplete": GatewayAgreementState.PENDING,
    "incomplete_expired": GatewayAgreementState.EXPIRED,
    "trialing": GatewayAgreementState.ACTIVE,
    "active": GatewayAgreementState.ACTIVE,
    "past_due": GatewayAgreementState.ACTIVE,
    "unpaid": GatewayAgreementState.ACTIVE,
    "paused": GatewayAgreementState.ACTIVE,
    "canceled": GatewayAgreementState.STOPPED,
}
#: A refund in one of these states was taken back: its sum is the merchant's again.
_CAME_BACK = ("failed", "canceled")
_UNITS = {"day": Unit.DAY, "week": Unit.WEEK, "month": Unit.MONTH, "year": Unit.YEAR}
_WORDS = {unit: word for word, unit in _UNITS.items()}
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
        "recurring": {"interval": _WORDS[price.interval.unit], "interval_count": price.interval.count},
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


def read_confirmation(said: Json) -> Confirmation:
    """What a payer's browser needs of a subscription, expanded by TO_CONFIRM."""
    invoice, setup = said.get("latest_invoice"), said.get("pending_setup_intent")
    if isinstance(invoice, dict) and invoice["status"] == "open" and invoice.get("confirmation_secret"):
        return Confirmation(said["id"], "payment", invoice["confirmation_secret"]["client_secret"])
    if isinstance(setup, dict) and setup["status"] not in ("succeeded", "canceled"):
        return Confirmation(said["id"], "setup", setup["client_secret"])
    return Confirmation(said["id"], None, None)


def read_intent_confirmation(said: Json) -> Confirmation:
    """What a payer's browser needs of a payment that stands alone."""
    if said["status"] in ("succeeded", "canceled", "processing"):
        return Confirmation(said["id"], None, None)
    return Confirmation(said["id"], "payment", said["client_secret"])


def read_agreement(said: Json, invoices: Sequence[Json]) -> ObservedAgreement:
    """A subscription with its invoices. One that ended before its first invoice was paid was never active, nor was one
    of which nothing was due as long as no card was left for it."""
    state, cardless = _STATES[said["status"]], not said.get("default_payment_method")
    waits_for_card = said["status"] == "trialing" and cardless and bool(said.get("pending_setup_intent"))
    state = GatewayAgreementState.PENDING if waits_for_card else state
    never = any(one["billing_reason"] == "subscription_create" and one["status"] != "paid" for one in invoices)
    never |= cardless and not any(one["total"] for one in invoices)
    began = state is GatewayAgreementState.ACTIVE or (state is GatewayAgreementState.STOPPED and not never)
    changes = [item["current_period_end"] for item in said["items"]["data"]]
    standing = _standing(said, invoices)
    changes += [one["automatically_finalizes_at"] or one["created"] for one in invoices if one["status"] == "draft"]
    return ObservedAgreement(
        gateway_agreement_id=said["id"],
        external_id=said["metadata"].get(ATTEMPT),
        state=state,
        started_at=instant(said["start_date"]) if began else None,
        stopped_at=instant(said["ended_at"] or said["canceled_at"]) if said["ended_at"] else None,
        orders=tuple(sorted(map(_order, filter(_is_owed, invoices)), key=lambda one: (one.starts_at, one.order_id))),
        changes_at=instant(min(changes)) if changes and state is GatewayAgreementState.ACTIVE else None,
        standing=standing if state is GatewayAgreementState.ACTIVE else None,
        waits_for_card=waits_for_card,
    )


def _standing(said: Json, invoices: Sequence[Json]) -> Standing:
    items = said["items"]["data"]
    only = items[0] if len(items) == 1 else None
    return Standing(
        customer_id=said["customer"],
        payment_method_id=said.get("default_payment_method"),
        item_id=only and only["id"],
        product_id=only and only["price"]["product"],
        renews_at=instant(min(item["current_period_end"] for item in items)),
        free_until=instant(said["trial_end"]) if said.get("trial_end") else None,
        is_billing=any(one["status"] == "draft" and one["automatically_finalizes_at"] for one in invoices),
        collects=said.get("pause_collection") is None,
        last_change=said["metadata"].get(CHANGE),
        asks=_asks(only) if only is not None else None,
    )


def _asks(item: Json) -> Asked | None:
    """What an item costs; nothing for a price without a single sum."""
    price = read_price(item["price"])
    if price.amount is None or price.interval is None:
        return None
    return Asked(replace(price.amount, amount=price.amount.amount * item.get("quantity", 1)), price.interval)


def _is_owed(invoice: Json) -> bool:
    """Whether an invoice asks for anything: a draft does not yet, and one of nothing that says that a subscription was
    changed never will."""
    notes_change = invoice["billing_reason"] == "subscription_update" and invoice["total"] == 0
    return invoice["status"] != "draft" and bool(invoice["lines"]["data"]) and not notes_change


def _order(invoice: Json) -> ObservedOrder:
    """An invoice as what is owed for the period that its lines are for: those that ask for money, where any does."""
    lines = invoice["lines"]["data"]
    periods = [line["period"] for line in [line for line in lines if line["amount"]] or lines]
    snapshot = (invoice["parent"].get("subscription_details") or {}).get("metadata") or {}
    is_change = invoice["billing_reason"] == "subscription_update"
    return ObservedOrder(
        order_id=invoice["id"],
        starts_at=instant(min(one["start"] for one in periods)),
        ends_at=instant(max(one["end"] for one in periods)),
        amount=_money(invoice["total"], invoice["currency"]),
        is_first=invoice["billing_reason"] == "subscription_create",
        is_paid=invoice["status"] == "paid",
        is_void=invoice["status"] == "void",
        change=snapshot.get(CHANGE) if is_change else None,
    )


def payments_of(invoice: Json) -> list[str]:
    """The payment intents that are to pay an invoice, or have paid it, the usual one first."""
    ties = sorted(invoice["payments"]["data"], key=lambda one: not one["is_default"])
    return [one["payment"]["payment_intent"] for one in ties if one["payment"].get("payment_intent")]


def read_charge(
    invoice: Json, intents: Sequence[Json], disputes: Sequence[Json], refunds: Sequence[Json] = ()
) -> ObservedCharge:
    """An invoice as an order: what its payment intents took and gave back, and whether anybody still tries.

    Money that a payer's bank took back is given back when the dispute is lost, not while it is argued about.
    """
    elsewhere = invoice.get("amount_paid_off_stripe") or 0
    captured = sum(one["amount_received"] for one in intents) + (elsewhere if invoice["status"] == "paid" else 0)
    refunded = _given_back(intents, disputes, refunds)
    return ObservedCharge(
        order_id=invoice["id"],
        state=_invoice_state(invoice),
        totals=Totals(captured=captured, refunded=min(refunded, captured), returned=_returned(refunds)),
        failure_reason=_why(intents) if invoice["status"] in ("open", "uncollectible") else None,
        payment_id=intents[0]["id"] if intents else None,
        failed_refunds=_ours(refunds),
    )


def _invoice_state(invoice: Json) -> GatewayChargeState:
    match invoice["status"]:
        case "paid":
            return GatewayChargeState.CAPTURED
        case "void":
            return GatewayChargeState.CANCELLED
        case "uncollectible":
            return GatewayChargeState.FAILED
        case _:
            given_up = invoice["next_payment_attempt"] is None and (invoice["attempted"] or not invoice["auto_advance"])
            is_first = invoice["billing_reason"] == "subscription_create"
            return GatewayChargeState.FAILED if given_up and not is_first else GatewayChargeState.WAITING


def read_payment(intent: Json, disputes: Sequence[Json], refunds: Sequence[Json] = ()) -> ObservedCharge:
    """A payment intent that stands alone, as an order."""
    states = {"succeeded": GatewayChargeState.CAPTURED, "canceled": GatewayChargeState.CANCELLED}
    captured = intent["amount_received"]
    # Nobody is there to try another card, or to answer the bank.
    alone = intent["status"].startswith("requires_") and OFF_SESSION in intent["metadata"]
    waiting = GatewayChargeState.FAILED if alone else GatewayChargeState.WAITING
    return ObservedCharge(
        order_id=intent["id"],
        state=states.get(intent["status"], waiting),
        totals=Totals(
            captured=captured,
            refunded=min(_given_back([intent], disputes, refunds), captured),
            returned=_returned(refunds),
        ),
        failure_reason=_why([intent]) if not captured else None,
        payment_id=intent["id"],
        failed_refunds=_ours(refunds),
    )


def _given_back(intents: Sequence[Json], disputes: Sequence[Json], refunds: Sequence[Json]) -> int:
    """What stays given back. The refunds themselves count, where there are any: whether a charge's own sum shrinks when
    one of them fails is not published."""
    charges = [one["latest_charge"] for one in intents if isinstance(one.get("latest_charge"), dict)]
    refunded = sum(int(one["amount_refunded"]) for one in charges if one["captured"])
    if refunds:
        refunded = sum(int(one["amount"]) for one in refunds if one["status"] not in _CAME_BACK)
    return refunded + sum(int(one["amount"]) for one in disputes if one["status"] == "lost")


def _returned(refunds: Sequence[Json]) -> int:
    """What came back of what was given back: the bank could not bring it to its owner."""
    return sum(int(one["amount"]) for one in refunds if one["status"] in _CAME_BACK)


def _ours(refunds: Sequence[Json]) -> tuple[UUID, ...]:
    """Which of our own refunds came back."""
    said = [one["metadata"].get(REFUND) for one in refunds if one["status"] in _CAME_BACK]
    return tuple(UUID(one) for one in said if one)


def was_refunded(intent: Json) -> bool:
    """Whether anything of this was ever given back, with `latest_charge.refunds` expanded."""
    charge = intent.get("latest_charge")
    return isinstance(charge, dict) and bool((charge.get("refunds") or {}).get("data"))


def is_disputed(intents: Sequence[Json]) -> bool:
    """Whether a payer's bank has asked for money of these back, whatever became of it."""
    return any(one["latest_charge"]["disputed"] for one in intents if isinstance(one.get("latest_charge"), dict))


def _why(intents: Sequence[Json]) -> str | None:
    """Why the last try failed: the bank's word where there is one."""
    for intent in intents:
        error = intent.get("last_payment_error")
        if error:
            return str(error.get("decline_code") or error.get("code") or error.get("type"))
    return None


def read_price(said: Json) -> ObservedPrice:
    """A price; one without a single sum (tiers, customers' choice) has no amount."""
    recurring = said.get("recurring")
    interval = Interval(_UNITS[recurring["interval"]], recurring["interval_count"]) if recurring else None
    whole = said["unit_amount"]
    return ObservedPrice(
        price_id=said["id"],
        amount=None if whole is None else _money(whole, said["currency"]),
        interval=interval,
        active=said["active"],
        product_id=said["product"],
    )


def read_customer(said: Json) -> ObservedCustomer:
    """A customer."""
    settings = said.get("invoice_settings") or {}
    return ObservedCustomer(said["id"], said.get("email"), said.get("name"), settings.get("default_payment_method"))


def read_method(said: Json) -> PaymentMethod:
    """A payment method; what is no card has neither digits nor a month."""
    card = said.get("card") or {}
    return PaymentMethod(
        said["id"], said["type"], card.get("brand"), card.get("last4"), card.get("exp_month"), card.get("exp_year")
    )


def read_webhook(said: Json) -> RegisteredWebhook:
    """A webhook endpoint; one that is disabled hears of nothing."""
    events = tuple(said["enabled_events"]) if said["status"] == "enabled" else ()
    return RegisteredWebhook(said["id"], said["url"], events, said.get("secret"))


def instant(seconds: int) -> datetime:
    """Seconds since 1970 as an instant."""
    return datetime.fromtimestamp(seconds, UTC)


def _money(amount: int, currency: str) -> Money:
    return Money(amount, currency.upper())
