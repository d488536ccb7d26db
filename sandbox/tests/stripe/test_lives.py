"""Random lives of customers: whatever they, their shop, their banks and time do, the books stay in order."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avtale_sandbox.stripe.browser import Browser
from avtale_sandbox.stripe.cards import CARDS
from avtale_sandbox.stripe.export import export
from avtale_sandbox.stripe.refusals import Refused

from .annotations import check
from .caller import Caller

pytestmark = pytest.mark.fuzz

DAY = 86_400
Pairs = list[tuple[str, str]]


class Life:
    """A shop with its customers, and every step that somebody may take."""

    def __init__(self) -> None:
        self.call = Caller()
        self.browser = Browser(self.call.world.stripe)
        self.done: list[str] = []
        form = {"currency": "nok", "unit_amount": "9900", "product_data[name]": "Film"}
        self.prices = [
            self.call.make("prices", **form | {"recurring[interval]": interval}) for interval in ("week", "month")
        ]

    def ids(self, path: str, *statuses: str) -> list[str]:
        found = self.call.everything(path)
        return [one["id"] for one in found if not statuses or one["status"] in statuses]

    def post(self, path: str, pairs: Pairs, method: str = "POST") -> dict[str, Any]:
        status, body = self.call(method, f"/stripe/v1/{path}", pairs)
        assert status in (200, 400, 402, 404), body
        self.done.append(f"{path} {pairs} -> {status} {body.get('error', {}).get('message', '')}")
        return dict(body) if status == 200 else {}

    # The steps.

    def new_customer(self, draw: Any) -> None:
        """Somebody comes, most often with a card."""
        customer = self.post("customers", [("email", "kari@film.example")])
        method = self.post(f"payment_methods/pm_card_{draw(CARD)}/attach", [("customer", customer["id"])])
        if method:
            pairs = [("invoice_settings[default_payment_method]", method["id"])]
            self.post(f"customers/{customer['id']}", pairs)

    def subscribe(self, draw: Any) -> None:
        """A subscription begins, one way or another."""
        customers = self.ids("customers")
        if not customers:
            return
        pairs = [
            ("customer", draw(st.sampled_from(customers))),
            ("items[0][price]", draw(st.sampled_from(self.prices))),
            ("payment_settings[save_default_payment_method]", draw(st.sampled_from(["off", "on_subscription"]))),
            ("payment_behavior", draw(st.sampled_from(["default_incomplete"] * 3 + ["allow_incomplete"]))),
        ]
        if draw(st.integers(0, 3)) == 0:
            pairs.append(("trial_period_days", draw(st.sampled_from(["1", "10"]))))
            end = draw(st.sampled_from(["cancel", "create_invoice", "pause"]))
            pairs.append(("trial_settings[end_behavior][missing_payment_method]", end))
        self.post("subscriptions", pairs)

    def sell(self, draw: Any) -> None:
        """A subscription is paid for at once."""
        customer = self.post("customers", [])["id"]
        pairs = [("customer", customer), ("items[0][price]", draw(st.sampled_from(self.prices)))]
        saved = ("payment_settings[save_default_payment_method]", "on_subscription")
        made = self.post("subscriptions", [*pairs, ("payment_behavior", "default_incomplete"), saved])
        books = self.call.world.stripe.books
        intent = books.intents.at(books.invoices.at(made["latest_invoice"]).payment_intent or "")
        self.browser.give_card(intent.client_secret, draw(RENEWING))

    def buy(self, draw: Any) -> None:
        """A single purchase is prepared."""
        pairs = [("amount", "14900"), ("currency", "nok")]
        pairs.append(("capture_method", draw(st.sampled_from(["automatic", "manual"]))))
        self.post("payment_intents", pairs)

    def give_card(self, draw: Any) -> None:
        """A payer gives a card to whatever waits for one."""
        self._with_secret(draw, lambda secret: self.browser.give_card(secret, draw(CARD)))

    def answer_bank(self, draw: Any) -> None:
        """A payer answers their bank."""
        self._with_secret(draw, lambda secret: self.browser.authenticate(secret, draw(st.booleans())))

    def change(self, draw: Any) -> None:
        """A subscription is changed or ended."""
        subscriptions = self.ids("subscriptions?status=all")
        if not subscriptions:
            return
        subscription = draw(st.sampled_from(subscriptions))
        deed = draw(st.sampled_from(["cancel", "at_end", "not_at_end", "quantity"]))
        if deed == "cancel":
            self.post(f"subscriptions/{subscription}", [], "DELETE")
        elif deed == "quantity":
            _, found = self.call("GET", f"/stripe/v1/subscriptions/{subscription}", [])
            pairs = [("items[0][id]", found["items"]["data"][0]["id"]), ("items[0][quantity]", "2")]
            self.post(f"subscriptions/{subscription}", [*pairs, ("proration_behavior", "none")])
        else:
            self.post(f"subscriptions/{subscription}", [("cancel_at_period_end", str(deed == "at_end").lower())])

    def on_invoice(self, draw: Any) -> None:
        """The shop does something about an invoice."""
        invoices = self.ids("invoices")
        if invoices:
            deeds = ["pay", "void", "finalize", "mark_uncollectible"]
            deed = draw(st.sampled_from(deeds))
            pairs: Pairs = [("paid_out_of_band", "true")] if deed == "pay" and draw(st.integers(0, 3)) == 0 else []
            self.post(f"invoices/{draw(st.sampled_from(invoices))}/{deed}", pairs)

    def on_money(self, draw: Any) -> None:
        """Money is captured, given back or disputed."""
        intents = self.ids("payment_intents")
        if not intents:
            return
        intent = draw(st.sampled_from(intents))
        deed = draw(st.sampled_from(["capture", "cancel", "refund", "part", "dispute"]))
        if deed in ("capture", "cancel"):
            self.post(f"payment_intents/{intent}/{deed}", [])
        elif deed in ("refund", "part"):
            self.post("refunds", [("payment_intent", intent), *([("amount", "700")] if deed == "part" else [])])
        else:
            charge = self.call.world.stripe.books.intents.at(intent).latest_charge
            try:
                self.call.world.stripe.money_back.dispute(self.call.world.stripe.books.charges.at(charge or ""))
            except (Refused, LookupError):
                return

    def leave(self, draw: Any) -> None:
        """A card or a customer goes."""
        kind = draw(st.sampled_from(["card", "card", "customer"]))
        customers = self.ids("customers")
        if not customers:
            return
        customer = draw(st.sampled_from(customers))
        if kind == "customer":
            self.post(f"customers/{customer}", [], "DELETE")
            return
        for method in self.ids(f"customers/{customer}/payment_methods"):
            self.post(f"payment_methods/{method}/detach", [])

    def wait(self, draw: Any) -> None:
        """Time passes."""
        self.call.advance(draw(st.sampled_from([1800, DAY, 5 * DAY, 31 * DAY])))

    def _with_secret(self, draw: Any, deed: Any) -> None:
        books = self.call.world.stripe.books
        secrets = [one.client_secret for one in (*books.intents.all(), *books.setups.all())]
        if secrets:
            try:
                deed(draw(st.sampled_from(secrets[-4:])))
            except Refused as refused:
                self.done.append(f"browser -> {refused.message}")

    # What must hold.

    def audit(self) -> None:
        """The books of everything."""
        books = self.call.world.stripe.books
        for intent in books.intents.all():
            charges = books.charges.of(intent.account, "payment_intent", intent.id)
            good = [one for one in charges if one.failure_code is None]
            assert len(good) <= 1
            assert sum(one.amount_captured for one in good) == intent.amount_received <= intent.amount
            assert (intent.status == "succeeded") == (intent.amount_received > 0)
            for charge in good:
                assert 0 <= charge.amount_refunded <= charge.amount
                refunds = books.refunds.of(charge.account, "charge", charge.id)
                given = sum(one.amount for one in refunds if one.status == "succeeded")
                assert charge.is_released or charge.amount_refunded == given <= charge.amount_captured
        for invoice in books.invoices.all():
            intent_status = None if invoice.payment_intent is None else books.intents.at(invoice.payment_intent).status
            is_paid = intent_status == "succeeded" or invoice.total == 0 or invoice.is_paid_elsewhere
            assert (invoice.status == "paid") == (is_paid and invoice.status != "draft")
            assert invoice.status not in ("paid", "void") or invoice.next_at is None
            assert intent_status != "canceled" or invoice.status in ("void", "paid")
        for subscription in books.subscriptions.all():
            latest = books.invoices.at(subscription.latest_invoice or "")
            over = subscription.status in ("canceled", "incomplete_expired")
            assert over == (subscription.ended_at is not None)
            assert over or subscription.status == "paused" or subscription.next_at is not None
            assert subscription.status != "incomplete_expired" or latest.status == "void"
            assert subscription.status != "incomplete" or latest.status != "paid"
            assert over or subscription.period_start < subscription.period_end
            invoices = books.invoices.of(subscription.account, "subscription", subscription.id)
            starts = [invoice.lines[0].start for invoice in invoices]
            # No period is billed twice.
            assert len(starts) == len(set(starts))
        export(books)


CARD = st.sampled_from([name for name in CARDS for _ in range(12 if name == "visa" else 1)])
RENEWING = st.sampled_from(["visa", "sandboxFailsOnRenewal", "sandboxLostOnRenewal", "createDispute"])
STEPS = [
    Life.new_customer,
    Life.sell,
    Life.sell,
    Life.subscribe,
    Life.subscribe,
    Life.buy,
    Life.give_card,
    Life.give_card,
    Life.give_card,
    Life.answer_bank,
    Life.change,
    Life.on_invoice,
    Life.on_money,
    Life.leave,
    Life.wait,
    Life.wait,
]


@settings(max_examples=25 * int(os.environ.get("FUZZ", "1")), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(STEPS), min_size=8, max_size=40), st.data())
def test_the_books_stay_in_order(steps: list[Any], data: st.DataObject) -> None:
    life = Life()
    life.new_customer(data.draw)
    for step in steps:
        step(life, data.draw)
        life.audit()
    wrong = [text for path in PATHS for one in life.call.everything(path) for text in check(one)]
    assert wrong == []


PATHS = [
    "customers",
    "subscriptions",
    "invoices",
    "invoice_payments",
    "payment_intents",
    "setup_intents",
    "charges",
    "refunds",
    "disputes",
    "events",
]
