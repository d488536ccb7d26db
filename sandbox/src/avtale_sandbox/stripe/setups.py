"""Makes cards ready for later payments: confirms setup intents, asks the payer's bank, keeps the card."""

from __future__ import annotations

from collections.abc import Callable

from .books import Books
from .cards import CARDS, Verdict, verdict
from .events import Events
from .methods import Methods
from .payments import client_secret, error_of
from .refusals import Refused, invalid
from .resources import PaymentMethod, SetupIntent, Subscription


class Setups:
    """The engine of setup intents; `on_done` hears when the card of a subscription is ready."""

    def __init__(self, books: Books, events: Events, methods: Methods) -> None:
        self._books = books
        self._events = events
        self._methods = methods
        self.on_done: Callable[[str, PaymentMethod], None] = lambda subscription, method: None

    def make(self, account: str, *, metadata: dict[str, str]) -> SetupIntent:
        """A new intent."""
        key, number = self._books.new_id("seti")
        return SetupIntent(
            id=key,
            number=number,
            account=account,
            created=self._books.now,
            client_secret=client_secret(self._books, key, number),
            metadata=metadata,
        )

    def begin(self, setup: SetupIntent) -> SetupIntent:
        """Store a new intent and tell of it."""
        setup.status = "requires_payment_method" if setup.payment_method is None else "requires_confirmation"
        self._books.setups.put(setup)
        self._events.tell("setup_intent.created", setup)
        return setup

    def for_subscription(self, subscription: Subscription) -> SetupIntent:
        """The intent by which a payer leaves a card with a subscription that costs nothing yet."""
        setup = self.make(subscription.account, metadata={})
        setup.customer, setup.subscription = subscription.customer, subscription.id
        return self.begin(setup)

    def confirm(self, setup: SetupIntent, method: PaymentMethod | None) -> SetupIntent:
        """Make the card ready; raises Refused when that cannot be, or when the bank declines."""
        if setup.status not in ("requires_payment_method", "requires_confirmation", "requires_action"):
            raise self.unexpected(setup, "confirm")
        if method is None:
            message = "You cannot confirm this SetupIntent because it's missing a payment method."
            raise self._refused(setup, message)
        return self._attempt(setup, method, is_authenticated=False)

    def authenticate(self, setup: SetupIntent, well: bool) -> SetupIntent:
        """The payer has said yes or no to their bank."""
        if setup.status != "requires_action" or setup.payment_method is None:
            raise self.unexpected(setup, "authenticate")
        method = self._books.methods.at(setup.payment_method)
        if well:
            return self._attempt(setup, method, is_authenticated=True)
        self._failed(setup, Verdict("setup_intent_authentication_failure"), method)
        return setup

    def cancel(self, setup: SetupIntent, reason: str | None) -> SetupIntent:
        """Give an intent up; raises Refused."""
        if setup.status in ("succeeded", "canceled"):
            raise self.unexpected(setup, "cancel")
        setup.status, setup.cancellation_reason = "canceled", reason
        self._books.setups.put(setup)
        self._events.tell("setup_intent.canceled", setup)
        return setup

    def give_up(self, setup_id: str | None) -> None:
        """Cancel the intent of a subscription that has ended, if it waits."""
        setup = self._books.setups.find(setup_id or "")
        if setup is not None and setup.status not in ("succeeded", "canceled"):
            self.cancel(setup, "abandoned")

    def unexpected(self, setup: SetupIntent, verb: str) -> Refused:
        """The intent is not in a state for this."""
        return self._refused(setup, f"This SetupIntent's status is {setup.status}: you cannot {verb} it.")

    def _refused(self, setup: SetupIntent, message: str) -> Refused:
        refused = invalid(message, code="setup_intent_unexpected_state")
        refused.more["setup_intent"] = self._events.spell(setup)
        return refused

    def _attempt(self, setup: SetupIntent, method: PaymentMethod, is_authenticated: bool) -> SetupIntent:
        found = verdict(
            CARDS[method.card],
            owner_is_there=True,
            is_set_up=method.is_set_up,
            is_authenticated=is_authenticated,
            to_save=True,
        )
        if found.needs_action:
            setup.payment_method, setup.status, setup.error = method.id, "requires_action", None
            self._books.setups.put(setup)
            self._events.tell("setup_intent.requires_action", setup)
            return setup
        if found.code:
            self._failed(setup, found, method)
            more = {"setup_intent": self._events.spell(setup), "payment_method": self._events.spell(method)}
            raise Refused(402, "card_error", found.message, code=found.code, decline_code=found.decline_code, more=more)
        setup.payment_method, setup.status, setup.error = method.id, "succeeded", None
        self._books.setups.put(setup)
        if setup.customer is not None:
            self._methods.keep(method, setup.customer, is_set_up=True)
        self._events.tell("setup_intent.succeeded", setup)
        if setup.subscription is not None:
            self.on_done(setup.subscription, method)
        return setup

    def _failed(self, setup: SetupIntent, found: Verdict, method: PaymentMethod) -> None:
        setup.error = error_of(found, self._events.spell(method), None)
        setup.status, setup.payment_method = "requires_payment_method", None
        self._books.setups.put(setup)
        self._events.tell("setup_intent.setup_failed", setup)
