"""What becomes of subscriptions: begun, activated, renewed, past due, cancelled, expired."""

from __future__ import annotations

from collections.abc import Sequence

from ..clock import Agenda
from ..instants import add_units
from .billing import DAY, HOUR, Billing
from .books import Books
from .events import Events
from .payments import Payments
from .resources import Invoice, Line, PaymentIntent, PaymentMethod, Subscription
from .setups import Setups

# A first invoice that is not paid for so long takes its subscription with it.
INCOMPLETE_SECONDS = 23 * HOUR
TRIAL_NOTICE_SECONDS = 3 * DAY
ENDED = ("canceled", "incomplete_expired")
UNITS = {"day": "DAY", "week": "WEEK", "month": "MONTH", "year": "YEAR"}


class Lifecycle:
    """The engine of subscriptions."""

    def __init__(
        self, books: Books, events: Events, billing: Billing, payments: Payments, setups: Setups, agenda: Agenda
    ) -> None:
        self._books = books
        self._events = events
        self._billing = billing
        self._payments = payments
        self._setups = setups
        self._agenda = agenda
        billing.subscribed = self
        setups.on_done = self._set_up
        agenda.declare("stripe_subscription", 12, self._due_at, self._fire)

    def load(self) -> None:
        """Put what is due on the agenda."""
        for subscription in self._books.subscriptions.all():
            self._plan(subscription)

    def begin(self, subscription: Subscription, method: PaymentMethod | None, *, try_now: bool) -> Subscription:
        """Store a new subscription with its first invoice; with `try_now` the card is charged at once."""
        books = self._books
        is_trial = subscription.trial_end is not None
        key, number = books.new_id("in")
        subscription.latest_invoice = key
        subscription.status = "trialing" if is_trial else "incomplete"
        nothing_due = is_trial or self.amount_of(subscription) == 0
        if nothing_due and method is None and not try_now:
            subscription.pending_setup_intent = self._setups.for_subscription(subscription).id
        self._schedule(subscription)
        self._events.tell("customer.subscription.created", subscription)
        invoice = self._billing.draft(
            subscription,
            "subscription_create",
            key,
            number,
            before=(subscription.period_start, subscription.period_start),
            is_free=is_trial,
        )
        invoice = self._billing.finalize(invoice, method)
        if try_now and method is not None and invoice.payment_intent is not None:
            intent = books.intents.at(invoice.payment_intent)
            self._payments.attempt(intent, method, owner_is_there=True)
        return books.subscriptions.at(subscription.id)

    def amount_of(self, subscription: Subscription) -> int:
        """What a period costs."""
        return sum(self._books.prices.at(one.price).unit_amount * one.quantity for one in subscription.items)

    def save(self, subscription: Subscription, before: dict[str, object]) -> Subscription:
        """Store a changed subscription and tell what is different."""
        self._schedule(subscription)
        self._events.changed("customer.subscription.updated", subscription, before)
        return subscription

    def keep(self, subscription: Subscription) -> None:
        """Store one that an earlier system made, and let time have its way with it; nobody is told."""
        self._schedule(subscription)

    def begin_trial(
        self, subscription: Subscription, end: int, before: dict[str, object], added: Sequence[Line] = ()
    ) -> Subscription:
        """Charge nothing until `end`, from which the periods are counted anew; an invoice of nothing says so, or of
        what is `added` to it."""
        now = self._books.now
        subscription.status, subscription.is_trial_end_told = "trialing", False
        subscription.trial_start, subscription.trial_end, subscription.anchor = now, end, end
        return self._begin_period(subscription, now, end, before, is_free=True, added=added)

    def begin_anew(self, subscription: Subscription, before: dict[str, object]) -> Subscription:
        """Periods of another length are counted from now, and the first of them is charged at once."""
        now = self._books.now
        subscription.anchor = now
        return self._begin_period(subscription, now, self.period_after(subscription, now), before, is_free=False)

    def _begin_period(
        self,
        subscription: Subscription,
        start: int,
        end: int,
        before: dict[str, object],
        *,
        is_free: bool,
        added: Sequence[Line] = (),
    ) -> Subscription:
        used = subscription.period_start, start
        subscription.period_start, subscription.period_end = start, end
        key, number = self._books.new_id("in")
        subscription.latest_invoice = key
        self.save(subscription, before)
        invoice = self._billing.draft(
            subscription, "subscription_update", key, number, before=used, is_free=is_free, added=added
        )
        invoice = self._billing.finalize(invoice, self._billing.method_of(subscription))
        if invoice.status == "open":
            self._billing.collect(invoice)
        return self._books.subscriptions.at(subscription.id)

    def end(self, subscription: Subscription, reason: str | None) -> Subscription:
        """Cancel now."""
        now = self._books.now
        subscription.status, subscription.ended_at, subscription.next_at = "canceled", now, None
        subscription.canceled_at = subscription.canceled_at or now
        subscription.cancel_reason = reason or subscription.cancel_reason
        self._books.subscriptions.put(subscription)
        self._billing.stop_collecting(subscription)
        self._setups.give_up(subscription.pending_setup_intent)
        self._events.tell("customer.subscription.deleted", subscription)
        return subscription

    def period_after(self, subscription: Subscription, start: int) -> int:
        """The end of the period that begins at `start`: so many intervals after the anchor, clamped to months."""
        price = self._books.prices.at(subscription.items[0].price)
        unit, count = UNITS[price.interval or "month"], 1
        while (end := add_units(subscription.anchor * 1000, unit, count * price.interval_count) // 1000) <= start:
            count += 1
        return end

    # What becomes of invoices.

    def invoice_paid(self, invoice: Invoice, intent: PaymentIntent | None) -> None:
        """An invoice of a subscription is paid."""
        subscription = self._books.subscriptions.at(invoice.subscription)
        before = self._events.spell(subscription)
        if subscription.status in ENDED:
            return
        is_latest = subscription.latest_invoice == invoice.id
        if subscription.status == "incomplete" or (is_latest and subscription.status in ("past_due", "unpaid")):
            subscription.status = "active"
        if intent is not None and subscription.save_default == "on_subscription" and intent.payment_method:
            subscription.default_payment_method = intent.payment_method
        self.save(subscription, before)

    def invoice_failed(self, invoice: Invoice) -> None:
        """A renewal could not be paid, or waits for its payer."""
        subscription = self._books.subscriptions.at(invoice.subscription)
        if subscription.status == "active" and invoice.reason != "subscription_create":
            before = self._events.spell(subscription)
            subscription.status = "past_due"
            self.save(subscription, before)

    def invoice_given_up(self, invoice: Invoice) -> None:
        """All tries are used up: what follows is the account's choice."""
        subscription = self._books.subscriptions.at(invoice.subscription)
        choice = self._books.accounts.at(invoice.account).after_retries
        if subscription.status in ENDED or choice == "past_due":
            return
        if choice == "cancel":
            self.end(subscription, "payment_failed")
            return
        before = self._events.spell(subscription)
        subscription.status = "unpaid"
        self.save(subscription, before)

    def _set_up(self, subscription_id: str, method: PaymentMethod) -> None:
        """The card for a subscription that costs nothing yet is ready."""
        subscription = self._books.subscriptions.at(subscription_id)
        before = self._events.spell(subscription)
        subscription.pending_setup_intent = None
        if subscription.status not in ENDED:
            subscription.default_payment_method = method.id
        self.save(subscription, before)

    # What happens by itself.

    def _fire(self, key: str) -> None:
        subscription = self._books.subscriptions.at(key)
        at = subscription.next_at or 0
        ends = subscription.period_end if subscription.cancel_at_period_end else subscription.cancel_at
        if subscription.status == "incomplete":
            self._expire(subscription)
        elif ends is not None and ends <= at:
            self.end(subscription, None)
        elif subscription.status == "trialing" and not subscription.is_trial_end_told:
            subscription.is_trial_end_told = True
            self._schedule(subscription)
            self._events.tell("customer.subscription.trial_will_end", subscription)
        elif subscription.pause_resumes_at is not None and subscription.pause_resumes_at <= at:
            before = self._events.spell(subscription)
            subscription.pause_behavior, subscription.pause_resumes_at = None, None
            self.save(subscription, before)
        else:
            self._renew(subscription)

    def _expire(self, subscription: Subscription) -> None:
        before = self._events.spell(subscription)
        subscription.status, subscription.ended_at = "incomplete_expired", self._books.now
        self.save(subscription, before)
        self._billing.stop_collecting(subscription)

    def _renew(self, subscription: Subscription) -> None:
        """The next period begins: a draft of its invoice, which is charged an hour later."""
        before = self._events.spell(subscription)
        if subscription.status == "trialing":
            if (
                self._billing.method_of(subscription) is None
                and subscription.missing_payment_method != "create_invoice"
            ):
                self._stop_after_trial(subscription, before)
                return
            subscription.status = "active"
        used = subscription.period_start, subscription.period_end
        subscription.period_start, subscription.period_end = used[1], self.period_after(subscription, used[1])
        key, number = self._books.new_id("in")
        subscription.latest_invoice = key
        self.save(subscription, before)
        invoice = self._billing.draft(subscription, "subscription_cycle", key, number, before=used, is_free=False)
        if subscription.pause_behavior is not None:
            self._billing.set_aside(invoice, subscription.pause_behavior)
        else:
            self._billing.leave_as_draft(invoice, advances=subscription.status != "unpaid")

    def _stop_after_trial(self, subscription: Subscription, before: dict[str, object]) -> None:
        if subscription.missing_payment_method == "cancel":
            self.end(subscription, None)
            return
        subscription.status, subscription.paused_at = "paused", self._books.now
        self.save(subscription, before)

    def _schedule(self, subscription: Subscription) -> None:
        """Say when something happens to a subscription by itself, and store it."""
        subscription.next_at = self._next_at(subscription)
        self._books.subscriptions.put(subscription)
        self._plan(subscription)

    def _next_at(self, subscription: Subscription) -> int | None:
        if subscription.status in (*ENDED, "paused"):
            return None
        if subscription.status == "incomplete":
            return subscription.created + INCOMPLETE_SECONDS
        nexts = [subscription.period_end]
        nexts += [at for at in (subscription.cancel_at, subscription.pause_resumes_at) if at is not None]
        if subscription.status == "trialing" and not subscription.is_trial_end_told and subscription.trial_end:
            nexts.append(max(subscription.trial_end - TRIAL_NOTICE_SECONDS, subscription.created))
        return min(nexts)

    def _due_at(self, key: str) -> int | None:
        found = self._books.subscriptions.find(key)
        return None if found is None or found.next_at is None else found.next_at * 1000

    def _plan(self, subscription: Subscription) -> None:
        if subscription.next_at is not None:
            self._agenda.add(subscription.next_at * 1000, "stripe_subscription", subscription.number, subscription.id)
