"""Invoices and the payments that are to pay them."""

from __future__ import annotations

from typing import Any

from ..billing import Billing
from ..books import Books
from ..calls import Action, Actions, Call
from ..events import Events
from ..methods import Methods
from ..params import Params, boolean, choice, listing, merged, metadata, shape, text
from ..refusals import not_played
from ..resources import Invoice, InvoicePayment
from ..wire.speller import Speller


class Invoices:
    """The operations on invoices."""

    def __init__(self, books: Books, events: Events, methods: Methods, billing: Billing, speller: Speller) -> None:
        self._books = books
        self._events = events
        self._methods = methods
        self._billing = billing
        self._speller = speller

    def actions(self) -> Actions:
        """By name."""
        pay = Params(payment_method=text(), paid_out_of_band=boolean, off_session=boolean, forgive=boolean)
        statuses = choice("draft", "open", "paid", "uncollectible", "void")
        payment = shape(["type"], type=choice("payment_intent"), payment_intent=text())
        return {
            "GetInvoices": Action(
                listing(customer=text(), subscription=text(), status=statuses, collection_method=text()), self.list_all
            ),
            "GetInvoicesInvoice": Action(Params(), self.retrieve),
            "PostInvoicesInvoice": Action(Params(metadata=metadata, auto_advance=boolean), self.update),
            "PostInvoicesInvoiceFinalize": Action(Params(auto_advance=boolean), self.finalize),
            "PostInvoicesInvoicePay": Action(pay, self.pay),
            "PostInvoicesInvoiceVoid": Action(Params(), self.void),
            "PostInvoicesInvoiceMarkUncollectible": Action(Params(), self.mark_uncollectible),
            "GetInvoicePayments": Action(
                listing(invoice=text(), payment=payment, status=choice("open", "paid", "canceled")), self.list_payments
            ),
            "GetInvoicePaymentsInvoicePayment": Action(Params(), self.retrieve_payment),
        }

    def list_all(self, call: Call) -> dict[str, Any]:
        """Invoices, newest first."""
        params = call.params
        facet: tuple[str, str | None] = ("", None)
        for name in ("customer", "subscription"):
            if params.get(name):
                facet = (name, params[name])
        rows, more = self._books.invoices.page(
            call.account_id,
            params,
            facet,
            lambda row: (
                params.get("status", row.status) == row.status and params.get("customer", row.customer) == row.customer
            ),
        )
        return self._speller.page("/v1/invoices", rows, more)

    def retrieve(self, call: Call) -> Invoice:
        """One invoice."""
        return self._books.invoices.get(call.account_id, call.values["id"])

    def update(self, call: Call) -> Invoice:
        """Change an invoice's metadata, or whether it goes on by itself."""
        invoice = self.retrieve(call)
        before = self._events.spell(invoice)
        invoice.metadata = merged(invoice.metadata, call.params.get("metadata"))
        if "auto_advance" in call.params and invoice.status in ("draft", "open"):
            self._billing.let_advance(invoice, call.params["auto_advance"])
        self._books.invoices.put(invoice)
        self._events.changed("invoice.updated", invoice, before)
        return invoice

    def finalize(self, call: Call) -> Invoice:
        """Fix a draft now; with `auto_advance` its money is taken as well."""
        invoice = self.retrieve(call)
        subscription = self._books.subscriptions.at(invoice.subscription)
        invoice = self._billing.finalize(invoice, self._billing.method_of(subscription))
        if call.params.get("auto_advance", invoice.auto_advance) and invoice.status == "open":
            return self._billing.collect(invoice)
        return invoice

    def pay(self, call: Call) -> Invoice:
        """Take an invoice's money now, or note that it was paid elsewhere."""
        invoice, params = self.retrieve(call), call.params
        if params.get("forgive"):
            raise not_played("forgiveness of a difference", "forgive")
        method = None
        if params.get("payment_method"):
            method = self._methods.of_customer(
                call.account_id, params["payment_method"], invoice.customer, "payment_method"
            )
        elsewhere, off_session = params.get("paid_out_of_band", False), params.get("off_session", True)
        return self._billing.pay(invoice, method, elsewhere=elsewhere, off_session=off_session)

    def void(self, call: Call) -> Invoice:
        """Declare that an invoice was never owed."""
        return self._billing.void(self.retrieve(call))

    def mark_uncollectible(self, call: Call) -> Invoice:
        """Give an invoice up."""
        return self._billing.mark_uncollectible(self.retrieve(call))

    def list_payments(self, call: Call) -> dict[str, Any]:
        """Payments of invoices, newest first, by invoice or by intent."""
        params = call.params
        facet: tuple[str, str | None] = ("", None)
        payment = params.get("payment") or {}
        if params.get("invoice"):
            facet = ("invoice", params["invoice"])
        elif payment.get("payment_intent"):
            facet = ("payment_intent", payment["payment_intent"])
        rows, more = self._books.invoice_payments.page(
            call.account_id, params, facet, lambda row: params.get("status", row.status) == row.status
        )
        return self._speller.page("/v1/invoice_payments", rows, more)

    def retrieve_payment(self, call: Call) -> InvoicePayment:
        """One payment of an invoice."""
        return self._books.invoice_payments.get(call.account_id, call.values["id"])
