"""Spells any stored object, and puts whole objects in place of the ids that a caller wants expanded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..books import Books
from ..refusals import invalid
from ..resources import (
    Charge,
    Customer,
    Dispute,
    Event,
    Invoice,
    InvoicePayment,
    PaymentIntent,
    PaymentMethod,
    Price,
    Product,
    Refund,
    Row,
    SetupIntent,
    Subscription,
)
from . import catalogue, customers, events, invoices, payments
from .shapes import listed

_DEPTH_MAX = 4
# What a path of expansion may lead through.
_CONTAINERS = frozenset(
    {"data", "invoice_settings", "items", "lines", "parent", "payment", "price_details", "pricing"}
    | {"subscription_details"}
)
# An object does not have this member.
_NOTHING = object()
_Spell = Callable[[Books, Any], dict[str, Any]]

_SPELL: dict[type[Row], _Spell] = {
    Customer: customers.customer,
    PaymentMethod: customers.payment_method,
    Product: catalogue.product,
    Price: catalogue.price,
    Subscription: catalogue.subscription,
    Invoice: invoices.invoice,
    InvoicePayment: invoices.invoice_payment,
    PaymentIntent: payments.payment_intent,
    SetupIntent: payments.setup_intent,
    Charge: payments.charge,
    Refund: payments.refund,
    Dispute: payments.dispute,
}
# Members that hold an id, and what the id is of. Ids of things that the sandbox does not have stay ids.
_REFERENCES = {
    "customer": "cus",
    "default_payment_method": "pm",
    "payment_method": "pm",
    "product": "prod",
    "default_price": "price",
    "price": "price",
    "latest_invoice": "in",
    "invoice": "in",
    "subscription": "sub",
    "pending_setup_intent": "seti",
    "payment_intent": "pi",
    "latest_charge": "ch",
    "charge": "ch",
}
# Members that are ids and cannot be expanded although others of their name can.
_PLAIN = {("charge", "payment_method"), ("subscription_item", "subscription"), ("line_item", "invoice")}


class Speller:
    """Rows to what callers get."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._shelves: dict[str, Any] = {
            "cus": books.customers,
            "pm": books.methods,
            "prod": books.products,
            "price": books.prices,
            "in": books.invoices,
            "sub": books.subscriptions,
            "seti": books.setups,
            "pi": books.intents,
            "ch": books.charges,
        }

    def spell(self, row: Row) -> dict[str, Any]:
        """An object as it is now, nothing expanded."""
        if isinstance(row, Event):
            return events.event(row, self._books.accounts.at(row.account).platform is not None)
        return _SPELL[type(row)](self._books, row)

    def page(self, url: str, rows: Sequence[Row], has_more: bool) -> dict[str, Any]:
        """A list that is an answer."""
        return listed(url, [self.spell(row) for row in rows], has_more)

    @staticmethod
    def check_paths(paths: Sequence[str]) -> None:
        """Raises Refused for what can be expanded nowhere; called before anything is done."""
        for path in paths:
            parts = path.split(".")
            if len(parts) > _DEPTH_MAX + (parts[0] == "data"):
                raise invalid(f"You cannot expand more than {_DEPTH_MAX} levels of a property.", param="expand")
            if not all(name in _REFERENCES or name in _ASKED_FOR or name in _CONTAINERS for name in parts):
                raise invalid(f"This property cannot be expanded ({path}).", param="expand")

    def expand(self, spelled: dict[str, Any], paths: Sequence[str]) -> dict[str, Any]:
        """Put objects in place of ids; raises Refused for what cannot be expanded."""
        for path in paths:
            self._expand(spelled, path.split("."), path)
        return spelled

    def _expand(self, node: dict[str, Any], parts: list[str], path: str) -> None:
        name, rest = parts[0], parts[1:]
        is_asked_for = name in _ASKED_FOR and name not in node
        is_reference = name in _REFERENCES and name in node and (node.get("object"), name) not in _PLAIN
        found = _ASKED_FOR[name](self, node) if is_asked_for else node.get(name)
        if is_asked_for and found is not _NOTHING:
            node[name] = found
        elif is_reference and isinstance(found, str):
            found = node[name] = self._of_id(name, found)
        elif not is_reference and not (rest and isinstance(found, dict | list)) and name not in _ASKED_FOR:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        if found is _NOTHING:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        if rest:
            for one in found if isinstance(found, list) else [found]:
                if isinstance(one, dict):
                    self._expand(one, rest, path)

    def _of_id(self, name: str, key: str) -> dict[str, Any]:
        row = self._shelves[_REFERENCES[name]].find(key)
        if row is None:
            kind = {"cus": "customer", "prod": "product"}.get(_REFERENCES[name], name)
            return {"id": key, "object": kind, "deleted": True}
        return self.spell(row)

    def payments_of(self, node: dict[str, Any]) -> Any:
        """The payments of an invoice."""
        if node.get("object") != "invoice":
            return _NOTHING
        account = self._books.invoices.at(node["id"]).account
        rows = self._books.invoice_payments.of(account, "invoice", node["id"])
        return listed("/v1/invoice_payments", [self.spell(row) for row in rows])

    def confirmation_of(self, node: dict[str, Any]) -> Any:
        """What a browser needs to pay an invoice."""
        if node.get("object") != "invoice":
            return _NOTHING
        intent = self._books.invoices.at(node["id"]).payment_intent
        if intent is None:
            return None
        return {"client_secret": self._books.intents.at(intent).client_secret, "type": "payment_intent"}

    def refunds_of(self, node: dict[str, Any]) -> Any:
        """The refunds of a charge, newest first."""
        if node.get("object") != "charge":
            return _NOTHING
        account = self._books.charges.at(node["id"]).account
        rows = self._books.refunds.of(account, "charge", node["id"])[::-1]
        return listed(f"/v1/charges/{node['id']}/refunds", [self.spell(row) for row in rows])

    def subscriptions_of(self, node: dict[str, Any]) -> Any:
        """The subscriptions of a customer that have not ended, newest first."""
        if node.get("object") != "customer":
            return _NOTHING
        account = self._books.customers.at(node["id"]).account
        rows = self._books.subscriptions.of(account, "customer", node["id"])[::-1]
        alive = [self.spell(row) for row in rows if row.status not in ("canceled", "incomplete_expired")]
        return listed(f"/v1/customers/{node['id']}/subscriptions", alive)


# Members that are there only for those who ask for them.
_ASKED_FOR: dict[str, Callable[[Speller, dict[str, Any]], Any]] = {
    "payments": Speller.payments_of,
    "confirmation_secret": Speller.confirmation_of,
    "refunds": Speller.refunds_of,
    "subscriptions": Speller.subscriptions_of,
}
