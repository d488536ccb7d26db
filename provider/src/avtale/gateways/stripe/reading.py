"""What Stripe says, in our words; nothing here calls anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from avtale.domain.agreement import Asked
from avtale.domain.charge import Totals
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
from avtale.gateways.stripe.writing import ATTEMPT, CHANGE, OFF_SESSION, REFUND

Json = dict[str, Any]

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
#: Stripe's own word (decline codes) for a payment that its payer has to approve at the bank.
_AUTHENTICATION_REQUIRED = "authentication_required"


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
    """An invoice as what is owed for the period that its lines are for: those that ask for money, where any does, and
    of these the subscription's own. What the dashboard has put on it besides is about days of the period before; what
    a credit of the customer's pays is not asked of anybody."""
    lines = invoice["lines"]["data"]
    priced = [line for line in lines if line["amount"]] or lines
    periods = [line["period"] for line in list(filter(_is_regular, priced)) or priced]
    snapshot = (invoice["parent"].get("subscription_details") or {}).get("metadata") or {}
    is_change = invoice["billing_reason"] == "subscription_update"
    return ObservedOrder(
        order_id=invoice["id"],
        starts_at=instant(min(one["start"] for one in periods)),
        ends_at=instant(max(one["end"] for one in periods)),
        amount=_money(invoice["amount_due"], invoice["currency"]),
        is_first=invoice["billing_reason"] == "subscription_create",
        is_paid=invoice["status"] == "paid",
        is_void=invoice["status"] == "void",
        change=snapshot.get(CHANGE) if is_change else None,
    )


def _is_regular(line: Json) -> bool:
    """Whether a line is for a period of the subscription, and neither a share of one nor something else."""
    of: Json = (line.get("parent") or {}).get("subscription_item_details") or {}
    return bool(of) and not of.get("proration")


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
        failure_reason=_why_unpaid(invoice, intents) if invoice["status"] in ("open", "uncollectible") else None,
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


def _why_unpaid(invoice: Json, intents: Sequence[Json]) -> str | None:
    """Why an invoice was tried in vain. A renewal whose payer must first say yes at the bank has no error that says so;
    of a first invoice that is no failure, as its payer is there."""
    is_renewal = invoice["attempted"] and invoice["billing_reason"] != "subscription_create"
    if is_renewal and any(one["status"] == "requires_action" for one in intents):
        return _AUTHENTICATION_REQUIRED
    return _why(intents)


def read_price(said: Json) -> ObservedPrice:
    """A price; one without a single sum (tiers, customers' choice) has no amount."""
    recurring = said.get("recurring")
    interval = Interval(Unit(recurring["interval"]), recurring["interval_count"]) if recurring else None
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
