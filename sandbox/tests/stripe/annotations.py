"""Compares an object on the wire with the annotations of the official SDK, member by member, all the way down."""

from __future__ import annotations

import ast
import decimal
import inspect
import sys
import textwrap
import typing
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import stripe
from stripe import StripeObject

# Members that Stripe sends only in certain cases. In all others they are absent, not null.
SOMETIMES = {
    "Account": {"deleted"},
    "Customer": {
        "deleted",
        # Sent to those who ask with `expand`.
        "cash_balance",
        "invoice_credit_balance",
        "sources",
        "subscriptions",
        "tax",
        "tax_ids",
    },
    "Event": {"account"},
    "Event.Data": {"previous_attributes"},
    "Charge": {"refunds"},
    "Invoice": {"confirmation_secret", "deleted", "payments", "total_pretax_credit_amounts"},
    "Plan": {"deleted", "tiers"},
    "Price": {"currency_options", "deleted", "tiers"},
    "Product": {"deleted"},
    "SubscriptionItem": {"deleted"},
    "WebhookEndpoint": {"deleted", "secret"},
    # Each capability that an account has asked for.
    "Account.Capabilities": {"*"},
    # One of many, told apart by `type`.
    "Charge.PaymentMethodDetails": {"*"},
    "PaymentIntent.NextAction": {"*"},
    "PaymentIntent.PaymentMethodOptions": {"*"},
    "SetupIntent.NextAction": {"*"},
    "SetupIntent.PaymentMethodOptions": {"*"},
    "Refund.DestinationDetails": {"*"},
    "Dispute.PaymentMethodDetails": {"*"},
}


def complaints(spelled: dict[str, Any], kind: type, path: str = "") -> list[str]:
    """Everything in which an object differs from the annotations of a class."""
    name = kind.__qualname__
    hints = annotated(kind)
    sometimes = SOMETIMES.get(name, set())
    # A member that is named as the `type` of its object could be is there only when that is the type.
    branches = set(literals(hints.get("type", str))) | sometimes
    found = [f"{path}.{key}: unknown" for key in spelled if key not in hints]
    for key, hint in hints.items():
        if key in spelled:
            found += _value(spelled[key], hint, f"{path}.{key}")
        elif key not in branches and "*" not in sometimes:
            found.append(f"{path}.{key}: missing")
    return found


def _value(value: Any, hint: Any, path: str) -> list[str]:
    choices = _choices(hint)
    if value is None:
        return [] if type(None) in choices else [f"{path}: null"]
    words = literals(hint)
    if isinstance(value, str) and words and not any(issubclass(one, StripeObject) for one in _classes(choices)):
        # `Literal | str` is an enumeration that may grow; the words that are known are those that we may use.
        return [] if value in words else [f"{path}: {value!r} is none of {words}"]
    if isinstance(value, dict):
        return _object(value, choices, path)
    if isinstance(value, list):
        inner = [get_args(one)[0] for one in choices if get_origin(one) is list]
        if not inner:
            return [f"{path}: a list"]
        return [text for place, one in enumerate(value) for text in _value(one, inner[0], f"{path}[{place}]")]
    if decimal.Decimal in choices and isinstance(value, str):
        return []
    plain = {one for one in choices if one in (str, int, float, bool)} | {type(word) for word in words}
    return [] if type(value) in plain else [f"{path}: {value!r} is no {hint}"]


def _object(value: dict[str, Any], choices: list[Any], path: str) -> list[str]:
    for one in choices:
        origin = get_origin(one) or one
        if getattr(origin, "__name__", "") == "UntypedStripeObject":
            kind = (get_args(one) or (Any,))[0]
            return [] if kind is Any else [text for key in value for text in _value(value[key], kind, f"{path}.{key}")]
        if getattr(origin, "__name__", "") == "ListObject":
            missing = {"object", "data", "has_more", "url"} ^ set(value)
            kind = get_args(one)[0]
            inner = [
                text for place, each in enumerate(value["data"]) for text in _value(each, kind, f"{path}[{place}]")
            ]
            return [f"{path}: {missing}", *inner] if missing else inner
    kinds = [one for one in _classes(choices) if issubclass(one, StripeObject)]
    for kind in kinds:
        if len(kinds) == 1 or value.get("object") == getattr(kind, "OBJECT_NAME", None):
            return complaints(value, kind, path)
    return [f"{path}: an object"]


def _choices(hint: Any) -> list[Any]:
    if get_origin(hint) is Union:
        return [one for part in get_args(hint) for one in _choices(part)]
    return [hint]


def _classes(choices: list[Any]) -> list[type]:
    return [one for one in choices if isinstance(one, type)]


def literals(hint: Any) -> list[Any]:
    """All words of a `Literal`, however deep it stands in a union."""
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [word for part in get_args(hint) if get_origin(hint) is Union for word in literals(part)]


@cache
def annotated(kind: type) -> dict[str, Any]:
    """The annotated members of a class of the SDK, which imports their types for type checkers only."""
    module = sys.modules[kind.__module__]
    names = dict(vars(module)) | {"StripeObject": StripeObject}
    source = inspect.getsource(module)
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            lines = source.splitlines()[node.body[0].lineno - 1 : node.end_lineno]
            exec(textwrap.dedent("\n".join(lines)), names)
    hints = typing.get_type_hints(kind, names)
    return {
        key: hint
        for key, hint in hints.items()
        if not key.startswith("_") and key != "OBJECT_NAME" and get_origin(hint) is not typing.ClassVar
    }


def kind_of(spelled: dict[str, Any]) -> type:
    """The class of the SDK for an object, by its `object`."""
    name = "".join(word.capitalize() for word in spelled["object"].split("_"))
    kind: type = getattr(stripe, {"LineItem": "InvoiceLineItem"}.get(name, name))
    return kind


def check(spelled: dict[str, Any]) -> list[str]:
    """Everything wrong with an object, a list of objects, or an event with the object in it."""
    if spelled.get("deleted"):
        return [] if set(spelled) == {"id", "object", "deleted"} else [f"deleted: {sorted(spelled)}"]
    if spelled.get("object") == "list":
        missing = {"object", "data", "has_more", "url"} ^ set(spelled)
        return [*map(str, missing), *(text for one in spelled["data"] for text in check(one))]
    found = complaints(spelled, kind_of(spelled), spelled["object"])
    if spelled["object"] == "event":
        found += check(spelled["data"]["object"])
    return found
