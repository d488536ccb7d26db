"""Customers and their cards."""

from __future__ import annotations

from typing import Any

from ..books import Books
from ..calls import Action, Actions, Call
from ..events import Events
from ..lifecycle import ENDED, Lifecycle
from ..methods import Methods
from ..params import ADDRESS, Params, choice, integer, items, listing, merged, metadata, shape, text
from ..refusals import invalid, no_such
from ..resources import Customer, PaymentMethod
from ..wire.speller import Speller

_SHIPPING = shape(address=ADDRESS, name=text(), phone=text())
_CUSTOMER: dict[str, Any] = {
    "email": text(512),
    "name": text(256),
    "phone": text(20),
    "description": text(),
    "address": ADDRESS,
    "shipping": _SHIPPING,
    "preferred_locales": items(text(10)),
    "metadata": metadata,
    "invoice_settings": shape(default_payment_method=text(), footer=text()),
}
_BILLING = shape(address=ADDRESS, email=text(512), name=text(), phone=text())
_REDISPLAY = choice("always", "limited", "unspecified")
_CARD = shape(number=text(40), exp_month=integer(1, 12), exp_year=integer(1970, 9999), cvc=text(4), token=text())
METHOD_FORM: dict[str, Any] = {
    "type": choice("card"),
    "card": _CARD,
    "billing_details": _BILLING,
    "metadata": metadata,
    "allow_redisplay": _REDISPLAY,
}


class Customers:
    """The operations on customers and payment methods."""

    def __init__(self, books: Books, events: Events, methods: Methods, lifecycle: Lifecycle, speller: Speller) -> None:
        self._books = books
        self._events = events
        self._methods = methods
        self._lifecycle = lifecycle
        self._speller = speller

    def actions(self) -> Actions:
        """By name."""
        of_customer = listing(type=choice("card"), allow_redisplay=_REDISPLAY)
        changes = Params(
            card=shape(exp_month=integer(1, 12), exp_year=integer(1970, 9999)),
            billing_details=_BILLING,
            metadata=metadata,
            allow_redisplay=_REDISPLAY,
        )
        return {
            "PostCustomers": Action(Params(payment_method=text(), **_CUSTOMER), self.create),
            "GetCustomers": Action(listing(email=text(512)), self.list_all),
            "GetCustomersCustomer": Action(Params(), self.retrieve),
            "PostCustomersCustomer": Action(Params(**_CUSTOMER), self.update),
            "DeleteCustomersCustomer": Action(Params(), self.delete),
            "GetCustomersCustomerPaymentMethods": Action(of_customer, self.list_methods),
            "GetCustomersCustomerPaymentMethodsPaymentMethod": Action(Params(), self.retrieve_method_of),
            "PostPaymentMethods": Action(
                Params(["type"], customer=text(), payment_method=text(), **METHOD_FORM),
                self.create_method,
                in_browser=True,
            ),
            "GetPaymentMethods": Action(
                listing(customer=text(), type=choice("card"), allow_redisplay=_REDISPLAY), self.list_methods
            ),
            "GetPaymentMethodsPaymentMethod": Action(Params(), self.retrieve_method),
            "PostPaymentMethodsPaymentMethod": Action(changes, self.update_method),
            "PostPaymentMethodsPaymentMethodAttach": Action(Params(["customer"], customer=text()), self.attach),
            "PostPaymentMethodsPaymentMethodDetach": Action(Params(), self.detach),
        }

    def create(self, call: Call) -> Customer:
        """Make a customer, with a card if one is given."""
        key, number = self._books.new_id("cus")
        customer = Customer(id=key, number=number, account=call.account_id, created=self._books.now)
        method = None
        if call.params.get("payment_method"):
            method = self._methods.usable(call.account_id, call.params["payment_method"], None, "payment_method")
            self._methods.check_saving(method)
        settings = call.params.pop("invoice_settings", None)
        self._change(customer, call.params)
        if settings and settings.get("default_payment_method"):
            # Only what is attached can be the default; so it must be the one that is given along.
            if method is None or settings["default_payment_method"] != call.params["payment_method"]:
                name = settings["default_payment_method"]
                raise no_such("PaymentMethod", name, "invoice_settings[default_payment_method]")
            customer.default_payment_method = method.id
        self._books.customers.put(customer)
        self._events.tell("customer.created", customer)
        if method is not None:
            self._methods.keep(method, customer.id, is_set_up=False)
        return customer

    def list_all(self, call: Call) -> dict[str, Any]:
        """Customers, newest first."""
        email = call.params.get("email")
        facet = ("email", email) if email else ("", None)
        return self._speller.page("/v1/customers", *self._books.customers.page(call.account_id, call.params, facet))

    def retrieve(self, call: Call) -> Customer | dict[str, Any]:
        """One customer; of one that was deleted only that is told."""
        key = call.values["id"]
        deleted = self._books.deleted.get(key)
        if deleted is not None and deleted.account == call.account_id:
            return {"id": key, "object": "customer", "deleted": True}
        return self._books.customers.get(call.account_id, key)

    def update(self, call: Call) -> Customer:
        """Change a customer."""
        customer = self._customer(call)
        before = self._events.spell(customer)
        self._change(customer, call.params)
        self._books.customers.put(customer)
        self._events.changed("customer.updated", customer, before)
        return customer

    def delete(self, call: Call) -> dict[str, Any]:
        """Delete a customer, with all that they subscribe to."""
        customer = self._customer(call)
        for subscription in self._books.subscriptions.of(call.account_id, "customer", customer.id):
            if subscription.status not in ENDED:
                self._lifecycle.end(subscription, "cancellation_requested")
        for method in self._books.methods.of(call.account_id, "customer", customer.id):
            self._methods.detach(method)
        customer = self._books.customers.at(customer.id)
        spelled = self._events.spell(customer)
        self._books.forget_customer(customer)
        self._events.tell("customer.deleted", customer, spelled)
        return {"id": customer.id, "object": "customer", "deleted": True}

    def list_methods(self, call: Call) -> dict[str, Any]:
        """A customer's cards, newest first; without a customer there are none to list."""
        customer = call.values.get("id") or call.params.get("customer")
        url = "/v1/payment_methods" if "id" not in call.values else f"/v1/customers/{customer}/payment_methods"
        if not customer:
            return self._speller.page(url, [], False)
        self._books.customers.get(call.account_id, customer, None if "id" in call.values else "customer")
        wanted = call.params.get("allow_redisplay")
        rows, more = self._books.methods.page(
            call.account_id,
            call.params,
            ("customer", customer),
            lambda method: wanted is None or method.allow_redisplay == wanted,
        )
        return self._speller.page(url, rows, more)

    def retrieve_method_of(self, call: Call) -> PaymentMethod:
        """One of a customer's cards."""
        customer = self._customer(call)
        method = self._books.methods.get(call.account_id, call.values["payment_method"])
        if method.customer != customer.id:
            raise no_such("PaymentMethod", method.id)
        return method

    def create_method(self, call: Call) -> PaymentMethod:
        """Make a card from a test number or a test token."""
        return self._methods.from_form(call.account_id, call.params)

    def retrieve_method(self, call: Call) -> PaymentMethod:
        """One card."""
        return self._methods.named(call.account_id, call.values["id"])

    def update_method(self, call: Call) -> PaymentMethod:
        """Change what is known about a card that a customer has."""
        method, params = self._books.methods.get(call.account_id, call.values["id"]), call.params
        if method.customer is None:
            raise invalid("You must save this PaymentMethod to a customer before you can update it.")
        before = self._events.spell(method)
        card = params.get("card") or {}
        method.exp_month = card.get("exp_month", method.exp_month)
        method.exp_year = card.get("exp_year", method.exp_year)
        method.billing_details = {**method.billing_details, **params.get("billing_details", {})}
        method.allow_redisplay = params.get("allow_redisplay", method.allow_redisplay)
        method.metadata = merged(method.metadata, params.get("metadata"))
        self._books.methods.put(method)
        self._events.changed("payment_method.updated", method, before)
        return method

    def attach(self, call: Call) -> PaymentMethod:
        """Give a card to a customer."""
        customer = self._books.customers.get(call.account_id, call.params["customer"], "customer")
        return self._methods.attach(self._methods.named(call.account_id, call.values["id"]), customer.id)

    def detach(self, call: Call) -> PaymentMethod:
        """Take a card from its customer."""
        return self._methods.detach(self._books.methods.get(call.account_id, call.values["id"]))

    def _customer(self, call: Call) -> Customer:
        return self._books.customers.get(call.account_id, call.values["id"])

    def _change(self, customer: Customer, params: dict[str, Any]) -> None:
        for name in ("email", "name", "phone", "description"):
            if name in params:
                setattr(customer, name, params[name] or None)
        for name in ("address", "shipping"):
            if name in params:
                setattr(customer, name, params[name] or None)
        if "preferred_locales" in params:
            customer.preferred_locales = params["preferred_locales"]
        settings = params.get("invoice_settings") or {}
        if "default_payment_method" in settings:
            name = settings["default_payment_method"]
            param = "invoice_settings[default_payment_method]"
            method = self._methods.of_customer(customer.account, name, customer.id, param) if name else None
            customer.default_payment_method = None if method is None else method.id
        if "footer" in settings:
            customer.footer = settings["footer"] or None
        customer.metadata = merged(customer.metadata, params.get("metadata"))
