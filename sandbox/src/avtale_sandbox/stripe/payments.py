"""Takes money: confirms payment intents, talks to the payer's bank, makes charges, captures and cancels."""

from __future__ import annotations

from typing import Any, Protocol

from ..merchants import MARKETS
from .books import Books
from .cards import CARDS, GOOD, NO_MONEY, NOT_AUTHENTICATED, Verdict, verdict
from .events import Events
from .methods import Methods
from .refusals import Refused, invalid
from .resources import Charge, Intent, PaymentIntent, PaymentMethod
from .wire.shapes import shaped

_ZONE = MARKETS["NO"].zone
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


class Listener(Protocol):
    """Whoever waits for the money of an intent: its invoice."""

    def intent_paid(self, intent: PaymentIntent) -> None:
        """The money has come."""

    def intent_failed(self, intent: PaymentIntent, charge: Charge | None, found: Verdict) -> None:
        """A try has failed."""

    def intent_waits(self, intent: PaymentIntent) -> None:
        """The payer must say yes at their bank."""


class Disputing(Protocol):
    """Whoever opens a dispute for a card that asks for one."""

    def __call__(self, charge: Charge) -> None: ...


class Payments:
    """The engine of payment intents; every step is told of."""

    def __init__(self, books: Books, events: Events, methods: Methods) -> None:
        self._books = books
        self._events = events
        self._methods = methods
        self.listener: Listener | None = None
        self.on_disputed: Disputing | None = None

    def confirm(
        self, intent: PaymentIntent, method: PaymentMethod | None, *, owner_is_there: bool, may_ask: bool = True
    ) -> PaymentIntent:
        """Try to take the money; raises Refused when that cannot be, or when the bank declines."""
        if intent.status not in _CONFIRMABLE:
            raise self.unexpected(intent, "confirm")
        if method is None:
            message = (
                "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update "
                "the PaymentIntent with a payment method and then confirm it again, or confirm it again directly "
                "with a payment method."
            )
            raise self._refused(intent, message)
        found, charge = self.attempt(intent, method, owner_is_there=owner_is_there, may_ask=may_ask)
        if found.code:
            raise self.declined(intent, charge, found, method)
        return self._books.intents.at(intent.id)

    def attempt(
        self,
        intent: PaymentIntent,
        method: PaymentMethod,
        *,
        owner_is_there: bool,
        is_authenticated: bool = False,
        may_ask: bool = True,
    ) -> tuple[Verdict, Charge | None]:
        """One try with a card, all its consequences included; a refusal by the bank is given back, not raised.

        Without `may_ask` nobody can be asked at the bank, so that a card which needs it declines.
        """
        found = self._verdict(intent.customer, method, owner_is_there, is_authenticated)
        if found.needs_action and may_ask:
            intent.payment_method, intent.status, intent.error = method.id, "requires_action", None
            self._books.intents.put(intent)
            self._events.tell("payment_intent.requires_action", intent)
            if self.listener is not None and intent.invoice is not None:
                self.listener.intent_waits(intent)
            return found, None
        if found.needs_action:
            found = NOT_AUTHENTICATED
        charge = self._charge(intent, method, found, is_authenticated)
        if found.code:
            self._failed(intent, charge, found, method)
        else:
            self._succeeded(intent, charge, method, is_authenticated)
        return found, charge

    def authenticate(self, intent: PaymentIntent, well: bool) -> PaymentIntent:
        """The payer has said yes or no to their bank."""
        if intent.status != "requires_action" or intent.payment_method is None:
            raise self.unexpected(intent, "authenticate")
        method = self._books.methods.at(intent.payment_method)
        if well:
            self.attempt(intent, method, owner_is_there=True, is_authenticated=True)
        else:
            self._failed(intent, None, _AUTHENTICATION_FAILED, method)
        return self._books.intents.at(intent.id)

    def foretell(self, customer: str, method: PaymentMethod, *, owner_is_there: bool = True) -> Verdict:
        """What the bank would say to a try now, its owner being there or not."""
        return self._verdict(customer, method, owner_is_there=owner_is_there, is_authenticated=False)

    def fail_without_method(self, intent: PaymentIntent) -> None:
        """A try for which there is no card at all."""
        if self.listener is not None and intent.invoice is not None:
            self.listener.intent_failed(intent, None, Verdict("card_declined", "generic_decline"))

    def capture(self, intent: PaymentIntent, amount: int | None) -> PaymentIntent:
        """Take what is reserved, or less, and let the rest go; raises Refused."""
        if intent.status != "requires_capture" or intent.latest_charge is None:
            raise self.unexpected(intent, "capture")
        amount = intent.amount_capturable if amount is None else amount
        if amount > intent.amount_capturable or amount < 1:
            message = f"The amount to capture must lie between 1 and {intent.amount_capturable}."
            raise invalid(message, param="amount_to_capture", code="amount_too_large")
        charge = self._books.charges.at(intent.latest_charge)
        charge.captured, charge.amount_captured, charge.captured_at = True, amount, self._books.now
        self._books.charges.put(charge)
        intent.status, intent.amount_received, intent.amount_capturable = "succeeded", amount, 0
        self._books.intents.put(intent)
        self._events.tell("charge.captured", charge)
        self._events.tell("payment_intent.succeeded", intent)
        return intent

    def cancel(self, intent: PaymentIntent, reason: str | None) -> PaymentIntent:
        """Give up an intent, and what is reserved for it; raises Refused."""
        if intent.status in ("succeeded", "canceled"):
            raise self.unexpected(intent, "cancel")
        if intent.status == "requires_capture" and intent.latest_charge is not None:
            charge = self._books.charges.at(intent.latest_charge)
            charge.is_released, charge.amount_refunded = True, charge.amount
            self._books.charges.put(charge)
            self._events.tell("charge.refunded", charge)
        intent.status, intent.amount_capturable = "canceled", 0
        intent.canceled_at, intent.cancellation_reason = self._books.now, reason
        self._books.intents.put(intent)
        self._events.tell("payment_intent.canceled", intent)
        return intent

    def unexpected(self, intent: PaymentIntent, verb: str) -> Refused:
        """The intent is not in a state for this."""
        message = f"This PaymentIntent's status is {intent.status}: you cannot {verb} it."
        return self._refused(intent, message)

    def declined(self, intent: PaymentIntent, charge: Charge | None, found: Verdict, method: PaymentMethod) -> Refused:
        """What the caller is told of a decline."""
        more: dict[str, Any] = {
            "payment_intent": self._events.spell(self._books.intents.at(intent.id)),
            "payment_method": self._events.spell(method),
        }
        if charge is not None:
            more["charge"] = charge.id
        return Refused(402, "card_error", found.message, code=found.code, decline_code=found.decline_code, more=more)

    def _refused(self, intent: PaymentIntent, message: str) -> Refused:
        refused = invalid(message, code="payment_intent_unexpected_state")
        refused.more["payment_intent"] = self._events.spell(intent)
        return refused

    def _verdict(
        self, customer: str | None, method: PaymentMethod, owner_is_there: bool, is_authenticated: bool
    ) -> Verdict:
        found = verdict(
            CARDS[method.card],
            owner_is_there=owner_is_there,
            is_set_up=method.is_set_up,
            is_authenticated=is_authenticated,
            to_save=False,
        )
        if found != GOOD:
            return found
        person = self._books.person_of(self._books.customers.find(customer or ""))
        if person is not None and not person.has_funds(self._books.clock.now(), _ZONE):
            return NO_MONEY
        return GOOD

    def _charge(self, intent: PaymentIntent, method: PaymentMethod, found: Verdict, is_authenticated: bool) -> Charge:
        key, number = self._books.new_id("ch")
        taken = not found.code and intent.capture_method != "manual"
        charge = Charge(
            id=key,
            number=number,
            account=intent.account,
            created=self._books.now,
            metadata=intent.metadata,
            payment_intent=intent.id,
            amount=intent.amount,
            currency=intent.currency,
            payment_method=method.id,
            card=method.card,
            exp_month=method.exp_month,
            exp_year=method.exp_year,
            customer=intent.customer,
            description=intent.description,
            receipt_email=intent.receipt_email,
            statement_descriptor=intent.statement_descriptor,
            statement_descriptor_suffix=intent.statement_descriptor_suffix,
            shipping=intent.shipping,
            transfer_group=intent.transfer_group,
            billing_details=method.billing_details,
            is_authenticated=is_authenticated,
            failure_code=found.code or None,
            failure_message=found.message if found.code else None,
            decline_code=found.decline_code,
            captured=taken,
            amount_captured=intent.amount if taken else 0,
            captured_at=self._books.now if taken else None,
        )
        self._books.charges.put(charge)
        return charge

    def _succeeded(self, intent: PaymentIntent, charge: Charge, method: PaymentMethod, is_authenticated: bool) -> None:
        intent.payment_method, intent.error, intent.latest_charge = method.id, None, charge.id
        if charge.captured:
            intent.status, intent.amount_received = "succeeded", charge.amount
        else:
            intent.status, intent.amount_capturable = "requires_capture", charge.amount
        self._books.intents.put(intent)
        self._events.tell("charge.succeeded", charge)
        if intent.setup_future_usage and intent.customer:
            self._methods.keep(
                method, intent.customer, is_set_up=is_authenticated or not CARDS[method.card].authentication
            )
        if intent.status == "succeeded":
            self._events.tell("payment_intent.succeeded", intent)
        else:
            self._events.tell("payment_intent.amount_capturable_updated", intent)
        if self.listener is not None and intent.invoice is not None:
            self.listener.intent_paid(intent)
        if CARDS[charge.card].disputed and self.on_disputed is not None:
            self.on_disputed(charge)

    def _failed(self, intent: PaymentIntent, charge: Charge | None, found: Verdict, method: PaymentMethod) -> None:
        intent.error = error_of(found, self._events.spell(method), charge)
        intent.status, intent.payment_method = "requires_payment_method", None
        if charge is not None:
            intent.latest_charge = charge.id
        self._books.intents.put(intent)
        if charge is not None:
            self._events.tell("charge.failed", charge)
        self._events.tell("payment_intent.payment_failed", intent)
        if self.listener is not None and intent.invoice is not None:
            self.listener.intent_failed(intent, charge, found)


_AUTHENTICATION_FAILED = Verdict("payment_intent_authentication_failure")


def error_of(found: Verdict, method: dict[str, Any], charge: Charge | None) -> dict[str, Any]:
    """What stands in an intent about its last try."""
    failed_asking = found.decline_code is None and found.code.endswith("_authentication_failure")
    message = (
        "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
        "PaymentMethod to attempt to fulfill this PaymentIntent again."
        if failed_asking
        else found.message
    )
    return shaped(
        "payment_intent.last_payment_error",
        charge=None if charge is None else charge.id,
        code=found.code,
        decline_code=found.decline_code,
        doc_url=f"https://docs.stripe.com/error-codes/{found.code.replace('_', '-')}",
        message=message,
        payment_method=method,
        payment_method_type="card",
        type="invalid_request_error" if failed_asking else "card_error",
    )


def client_secret(books: Books, key: str, number: int) -> str:
    """What lets a browser act on one intent."""
    return f"{key}_secret_{books.ids.letters('client secret', number, 25)}"


def intent_of_secret(books: Books, secret: str) -> Intent | None:
    """The intent that a client secret belongs to, or None."""
    key = secret.partition("_secret_")[0]
    found: Intent | None = books.setups.find(key) if key.startswith("seti_") else books.intents.find(key)
    return found if found is not None and found.client_secret == secret else None
