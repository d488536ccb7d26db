"""The cards of customers: made from test tokens, attached, kept after a payment, detached."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .books import Books
from .cards import CARDS, name_of_number, name_of_token, verdict
from .events import Events
from .params import merged
from .refusals import Refused, invalid, no_such
from .resources import PaymentMethod


class Methods:
    """Payment methods; all of them are cards."""

    def __init__(self, books: Books, events: Events) -> None:
        self._books = books
        self._events = events

    def make(self, account: str, card: str, **traits: Any) -> PaymentMethod:
        """A new card that nobody has yet."""
        key, number = self._books.new_id("pm")
        year = datetime.fromtimestamp(self._books.now, UTC).year
        defaults: dict[str, Any] = {"exp_month": 12, "exp_year": year + 4}
        method = PaymentMethod(
            id=key, number=number, account=account, created=self._books.now, card=card, **(defaults | traits)
        )
        self._books.methods.put(method)
        return method

    def named(self, account: str, name: str, param: str | None = None) -> PaymentMethod:
        """The payment method with this id, or a new one for a test token; raises Refused."""
        card = name_of_token(name)
        if card is not None:
            return self.make(account, card)
        return self._books.methods.get(account, name, param)

    def usable(self, account: str, name: str, customer: str | None, param: str) -> PaymentMethod:
        """A payment method for this customer's payments: their own, or nobody's; raises Refused."""
        method = self.named(account, name, param)
        if method.customer is not None and method.customer != customer:
            message = (
                f"The PaymentMethod {method.id} belongs to a Customer and can only be used with that Customer: "
                "please include the Customer in the `customer` parameter."
            )
            raise invalid(message, param=param)
        if method.customer is None and method.was_attached:
            message = (
                "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, or "
                "was detached from a Customer, and may not be used again."
            )
            raise invalid(message, param=param)
        return method

    def of_customer(self, account: str, name: str, customer: str, param: str) -> PaymentMethod:
        """One of the customer's own payment methods; raises Refused."""
        method = self._books.methods.get(account, name, param)
        if method.customer != customer:
            message = (
                f"The customer does not have a payment method with the ID {name}. The payment method must be attached "
                "to the customer."
            )
            raise invalid(message, param=param, code="resource_missing")
        return method

    def from_form(self, account: str, params: dict[str, Any]) -> PaymentMethod:
        """A card as a form describes it: a test number or a test token; raises Refused."""
        given = params.get("card", {})
        name = None
        if given.get("token"):
            name = name_of_token(given["token"])
            if name is None:
                raise no_such("token", given["token"], "card[token]")
        elif given.get("number"):
            name = name_of_number(given["number"])
            if name is None:
                message = "Your card number is incorrect. (The sandbox knows Stripe's test numbers only.)"
                raise Refused(402, "card_error", message, code="incorrect_number", param="number")
        if name is None:
            raise invalid("Missing required param: card[number].", param="card[number]", code="parameter_missing")
        traits: dict[str, Any] = {
            "billing_details": params.get("billing_details") or {},
            "metadata": merged({}, params.get("metadata")),
            "allow_redisplay": params.get("allow_redisplay") or "unspecified",
        }
        if given.get("exp_month") and given.get("exp_year"):
            now = datetime.fromtimestamp(self._books.now, UTC)
            if (given["exp_year"], given["exp_month"]) < (now.year, now.month):
                message = "Your card's expiration year is invalid."
                raise Refused(402, "card_error", message, code="invalid_expiry_year", param="exp_year")
            traits |= {"exp_month": given["exp_month"], "exp_year": given["exp_year"]}
        return self.make(account, name, **traits)

    def attach(self, method: PaymentMethod, customer: str) -> PaymentMethod:
        """Give a card to a customer; raises Refused for one that is another's, used up, or declined."""
        if method.customer is not None:
            message = "The payment method you provided has already been attached to a customer."
            raise invalid(message, code="payment_method_already_attached" if method.customer == customer else None)
        if method.was_attached:
            raise invalid("This PaymentMethod was previously detached from a Customer and may not be used again.")
        self.check_saving(method)
        self.keep(method, customer, is_set_up=False)
        return method

    def check_saving(self, method: PaymentMethod) -> None:
        """Ask the bank whether a card can be kept; raises Refused when it cannot."""
        found = verdict(CARDS[method.card], owner_is_there=True, is_set_up=True, is_authenticated=True, to_save=True)
        if found.code:
            raise Refused(402, "card_error", found.message, code=found.code, decline_code=found.decline_code)

    def keep(self, method: PaymentMethod, customer: str, *, is_set_up: bool) -> None:
        """Let a card be the customer's from now on, if it is not yet."""
        method.is_set_up = method.is_set_up or is_set_up
        was = method.customer
        method.customer, method.was_attached = customer, True
        self._books.methods.put(method)
        if was is None:
            self._events.tell("payment_method.attached", method)

    def detach(self, method: PaymentMethod) -> PaymentMethod:
        """Take a card from its customer, for good; raises Refused when it has none."""
        if method.customer is None:
            message = "The payment method you provided is not attached to a customer so detachment is impossible."
            raise invalid(message)
        books, before = self._books, self._events.spell(method)
        owner = method.customer
        method.customer = None
        books.methods.put(method)
        customer = books.customers.find(owner)
        if customer is not None and customer.default_payment_method == method.id:
            was = self._events.spell(customer)
            customer.default_payment_method = None
            books.customers.put(customer)
            self._events.changed("customer.updated", customer, was)
        for subscription in books.subscriptions.of(method.account, "customer", owner):
            if subscription.default_payment_method == method.id:
                old = self._events.spell(subscription)
                subscription.default_payment_method = None
                books.subscriptions.put(subscription)
                if subscription.status not in ("canceled", "incomplete_expired"):
                    self._events.changed("customer.subscription.updated", subscription, old)
        self._events.changed("payment_method.detached", method, before)
        return method
