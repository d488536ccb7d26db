"""Payment intents and setup intents."""

from __future__ import annotations

from typing import Any

from ..books import Books
from ..calls import Action, Actions, Call
from ..events import Events
from ..methods import Methods
from ..params import ADDRESS, CURRENCY, Params, boolean, choice, integer, items, listing, merged, metadata, shape, text
from ..payments import Payments, client_secret
from ..refusals import invalid, required
from ..resources import Intent, PaymentIntent, PaymentMethod, SetupIntent
from ..setups import Setups
from ..wire.speller import Speller
from .catalogue import CURRENCIES
from .customers import METHOD_FORM

# Stripe's least amounts, in minor units; where Stripe names none, one unit of money.
AMOUNT_MIN = {"nok": 300, "dkk": 250, "sek": 300, "eur": 50, "usd": 50, "gbp": 30}
_AUTOMATIC = shape(["enabled"], enabled=boolean, allow_redirects=choice("always", "never"))
_FUTURE = choice("", "off_session", "on_session")
_METHOD_DATA = shape(["type"], **METHOD_FORM)
_BOTH: dict[str, Any] = {
    "customer": text(),
    "description": text(1000),
    "metadata": metadata,
    "payment_method": text(),
    "payment_method_data": _METHOD_DATA,
    "allowed_payment_method_types": items(choice("card")),
}
_MONEY: dict[str, Any] = {
    "amount": integer(1, 99_999_999),
    "currency": CURRENCY,
    "receipt_email": text(512),
    "setup_future_usage": _FUTURE,
    "statement_descriptor": text(22),
    "statement_descriptor_suffix": text(22),
    "shipping": shape(
        ["address", "name"], address=ADDRESS, carrier=text(), name=text(), phone=text(), tracking_number=text()
    ),
    "transfer_group": text(),
    "capture_method": choice("automatic", "automatic_async", "manual"),
}
_NOTES = {"description", "metadata", "expand"}
_CONFIRM: dict[str, Any] = {
    "payment_method": text(),
    "payment_method_data": _METHOD_DATA,
    "return_url": text(),
    "client_secret": text(),
    "use_stripe_sdk": boolean,
}


class Intents:
    """The operations on intents."""

    def __init__(
        self, books: Books, events: Events, methods: Methods, payments: Payments, setups: Setups, speller: Speller
    ) -> None:
        self._books = books
        self._events = events
        self._methods = methods
        self._payments = payments
        self._setups = setups
        self._speller = speller

    def actions(self) -> Actions:
        """By name."""
        create = Params(
            ["amount", "currency"],
            automatic_payment_methods=_AUTOMATIC,
            confirm=boolean,
            off_session=boolean,
            return_url=text(),
            **_BOTH | _MONEY,
        )
        confirm = Params(off_session=boolean, receipt_email=text(512), setup_future_usage=_FUTURE, **_CONFIRM)
        reasons = choice("abandoned", "duplicate", "fraudulent", "requested_by_customer")
        shown = Params(client_secret=text())
        new_setup = Params(
            automatic_payment_methods=_AUTOMATIC,
            confirm=boolean,
            return_url=text(),
            usage=choice("off_session", "on_session"),
            **_BOTH,
        )
        return {
            "PostPaymentIntents": Action(create, self.create),
            "GetPaymentIntents": Action(listing(customer=text()), self.list_all),
            "GetPaymentIntentsIntent": Action(shown, self.retrieve, in_browser=True),
            "PostPaymentIntentsIntent": Action(Params(**_BOTH | _MONEY), self.update),
            "PostPaymentIntentsIntentConfirm": Action(confirm, self.confirm, in_browser=True),
            "PostPaymentIntentsIntentCapture": Action(
                Params(amount_to_capture=integer(1), metadata=metadata), self.capture
            ),
            "PostPaymentIntentsIntentCancel": Action(Params(cancellation_reason=reasons), self.cancel),
            "PostSetupIntents": Action(new_setup, self.create_setup),
            "GetSetupIntents": Action(listing(customer=text(), payment_method=text()), self.list_setups),
            "GetSetupIntentsIntent": Action(shown, self.retrieve_setup, in_browser=True),
            "PostSetupIntentsIntentConfirm": Action(Params(**_CONFIRM), self.confirm_setup, in_browser=True),
            "PostSetupIntentsIntentCancel": Action(
                Params(cancellation_reason=choice("abandoned", "duplicate", "requested_by_customer")), self.cancel_setup
            ),
        }

    def create(self, call: Call) -> PaymentIntent:
        """Make an intent, and try it at once with `confirm`."""
        params, account = call.params, call.account_id
        currency = params["currency"].lower()
        self._check_amount(params["amount"], currency)
        customer = params.get("customer") or None
        if customer:
            self._books.customers.get(account, customer, "customer")
        if params.get("off_session") and not params.get("confirm"):
            raise invalid("You cannot set `off_session` without `confirm=true`.", param="off_session")
        method = self._method(call, customer)
        key, number = self._books.new_id("pi")
        intent = PaymentIntent(
            id=key,
            number=number,
            account=account,
            created=self._books.now,
            client_secret=client_secret(self._books, key, number),
            amount=params["amount"],
            currency=currency,
            customer=customer,
            payment_method=None if method is None else method.id,
            status="requires_payment_method" if method is None else "requires_confirmation",
        )
        self._set_methods(intent, params)
        self._change(intent, params)
        self._books.intents.put(intent)
        self._events.tell("payment_intent.created", intent)
        if params.get("confirm"):
            return self._confirm(intent, method, params)
        return intent

    def list_all(self, call: Call) -> dict[str, Any]:
        """Intents, newest first."""
        customer = call.params.get("customer")
        facet = ("customer", customer) if customer else ("", None)
        return self._speller.page("/v1/payment_intents", *self._books.intents.page(call.account_id, call.params, facet))

    def retrieve(self, call: Call) -> PaymentIntent:
        """One intent; a browser shows its client secret."""
        intent = self._books.intents.get(call.account_id, call.values["id"])
        _check_secret(call, intent)
        return intent

    def update(self, call: Call) -> PaymentIntent:
        """Change an intent that has not been paid yet; afterwards only what it is called and what is noted of it."""
        intent, params = self.retrieve(call), call.params
        waits = intent.status in ("requires_payment_method", "requires_confirmation", "requires_action")
        if not waits and set(params) - _NOTES:
            raise self._payments.unexpected(intent, "update")
        if "amount" in params or "currency" in params:
            if intent.invoice is not None:
                raise invalid("The amount of an invoice's PaymentIntent cannot be changed.", param="amount")
            currency = params.get("currency", intent.currency).lower()
            self._check_amount(params.get("amount", intent.amount), currency)
            intent.amount, intent.currency = params.get("amount", intent.amount), currency
        if params.get("customer"):
            self._books.customers.get(call.account_id, params["customer"], "customer")
            if intent.customer not in (None, params["customer"]):
                raise invalid("You cannot modify `customer` on a PaymentIntent once it already has been set.")
            intent.customer = params["customer"]
        method = self._method(call, intent.customer)
        if method is not None:
            intent.payment_method, intent.status = method.id, "requires_confirmation"
        self._change(intent, params)
        self._books.intents.put(intent)
        return intent

    def confirm(self, call: Call) -> PaymentIntent:
        """Try to take the money."""
        intent, params = self.retrieve(call), call.params
        method = self._method(call, intent.customer)
        if method is None and intent.payment_method is not None:
            method = self._books.methods.at(intent.payment_method)
        self._change(intent, {name: value for name, value in params.items() if name != "metadata"})
        return self._confirm(intent, method, params)

    def capture(self, call: Call) -> PaymentIntent:
        """Take what is reserved."""
        intent = self.retrieve(call)
        intent.metadata = merged(intent.metadata, call.params.get("metadata"))
        return self._payments.capture(intent, call.params.get("amount_to_capture"))

    def cancel(self, call: Call) -> PaymentIntent:
        """Give an intent up."""
        intent = self.retrieve(call)
        if intent.invoice is not None:
            raise invalid("You cannot cancel the PaymentIntent of an invoice: void the invoice instead.")
        return self._payments.cancel(intent, call.params.get("cancellation_reason"))

    def create_setup(self, call: Call) -> SetupIntent:
        """Make a setup intent, and try it at once with `confirm`."""
        params = call.params
        customer = params.get("customer") or None
        if customer:
            self._books.customers.get(call.account_id, customer, "customer")
        method = self._method(call, customer)
        setup = self._setups.make(call.account_id, metadata=merged({}, params.get("metadata")))
        setup.customer, setup.usage = customer, params.get("usage", "off_session")
        setup.payment_method = None if method is None else method.id
        setup.description, setup.return_url = params.get("description") or None, params.get("return_url") or None
        self._set_methods(setup, params)
        setup = self._setups.begin(setup)
        return self._setups.confirm(setup, method) if params.get("confirm") else setup

    def list_setups(self, call: Call) -> dict[str, Any]:
        """Setup intents, newest first."""
        customer, method = call.params.get("customer"), call.params.get("payment_method")
        rows, more = self._books.setups.page(
            call.account_id,
            call.params,
            ("customer", customer) if customer else ("", None),
            lambda row: method is None or row.payment_method == method,
        )
        return self._speller.page("/v1/setup_intents", rows, more)

    def retrieve_setup(self, call: Call) -> SetupIntent:
        """One setup intent; a browser shows its client secret."""
        setup = self._books.setups.get(call.account_id, call.values["id"])
        _check_secret(call, setup)
        return setup

    def confirm_setup(self, call: Call) -> SetupIntent:
        """Make the card ready."""
        setup = self.retrieve_setup(call)
        method = self._method(call, setup.customer)
        if method is None and setup.payment_method is not None:
            method = self._books.methods.at(setup.payment_method)
        setup.return_url = call.params.get("return_url") or setup.return_url
        return self._setups.confirm(setup, method)

    def cancel_setup(self, call: Call) -> SetupIntent:
        """Give a setup intent up."""
        return self._setups.cancel(self.retrieve_setup(call), call.params.get("cancellation_reason"))

    def _confirm(self, intent: PaymentIntent, method: PaymentMethod | None, params: dict[str, Any]) -> PaymentIntent:
        off_session = params.get("off_session", False)
        might_redirect = intent.automatic_methods and intent.allow_redirects == "always" and intent.invoice is None
        if might_redirect and not (intent.return_url or params.get("use_stripe_sdk") or off_session):
            message = (
                "This PaymentIntent is configured to accept payment methods that might redirect the customer. "
                "Provide a `return_url`, or set automatic_payment_methods[allow_redirects]=never."
            )
            raise invalid(message, param="return_url")
        return self._payments.confirm(intent, method, owner_is_there=not off_session, may_ask=not off_session)

    def _method(self, call: Call, customer: str | None) -> PaymentMethod | None:
        if call.params.get("payment_method"):
            return self._methods.usable(call.account_id, call.params["payment_method"], customer, "payment_method")
        if call.params.get("payment_method_data"):
            return self._methods.from_form(call.account_id, call.params["payment_method_data"])
        return None

    def _set_methods(self, intent: Intent, params: dict[str, Any]) -> None:
        automatic = params.get("automatic_payment_methods")
        # Without a word about it Stripe decides by itself, as if automatic methods had been asked for.
        allowed = params.get("allowed_payment_method_types") or None
        intent.automatic_methods = automatic["enabled"] if automatic else allowed is None
        intent.allow_redirects = (automatic or {}).get("allow_redirects", "always")
        intent.allowed_methods = allowed

    def _change(self, intent: PaymentIntent, params: dict[str, Any]) -> None:
        for name in (
            "description",
            "receipt_email",
            "setup_future_usage",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "shipping",
            "transfer_group",
            "return_url",
        ):
            if name in params:
                setattr(intent, name, params[name] or None)
        intent.capture_method = params.get("capture_method", intent.capture_method)
        intent.metadata = merged(intent.metadata, params.get("metadata"))

    def _check_amount(self, amount: int, currency: str) -> None:
        if currency not in CURRENCIES:
            known = ", ".join(sorted(CURRENCIES))
            raise invalid(f"Invalid currency: {currency}. The sandbox knows {known}.", param="currency")
        least = AMOUNT_MIN.get(currency, 100)
        if amount < least:
            message = f"Amount must be at least {least / 100:.2f} {currency}"
            raise invalid(message, param="amount", code="amount_too_small")


def _check_secret(call: Call, intent: Intent) -> None:
    """A browser may touch only the intent whose secret it has; raises Refused."""
    given = call.params.get("client_secret")
    if call.is_publishable and not given:
        raise required("client_secret")
    if given and given != intent.client_secret:
        message = "The client_secret provided does not match the client_secret associated with this object."
        raise invalid(message, param="client_secret")
