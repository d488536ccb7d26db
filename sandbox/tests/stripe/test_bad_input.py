"""Whatever is sent to any operation is answered in Stripe's shape, and never by a fault of the sandbox."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avtale_sandbox.stripe.operations import OPERATIONS
from avtale_sandbox.stripe.params import Items, Params, Shape
from avtale_sandbox.world import World

from .caller import Caller

SCRAPS = [
    "",
    "0",
    "1",
    "-5",
    "9900",
    "99999999999999999999",
    "true",
    "false",
    "nok",
    "now",
    "card",
    "x" * 6000,
    "\x00",
    "ø",
]


def forms(world: World) -> st.SearchStrategy[tuple[Any, list[tuple[str, str]]]]:
    """An operation, and parameters that it knows with values that may mean something or nothing."""
    return st.sampled_from(OPERATIONS).flatmap(
        lambda operation: st.tuples(st.just(operation), fields(world.stripe.api.params_of(operation.id)))
    )


def fields(params: Params) -> st.SearchStrategy[list[tuple[str, str]]]:
    names = sorted(names_in(params.fields))
    value = st.one_of(st.sampled_from(SCRAPS), st.sampled_from(KEYS), st.text(max_size=5))
    return st.lists(st.tuples(st.sampled_from(names), value), max_size=8)


def names_in(kinds: Any, path: str = "") -> set[str]:
    found = set()
    for name, kind in kinds.items():
        full = f"{path}[{name}]" if path else name
        found |= {full, f"{full}[]", f"{full}[0]"}
        if isinstance(kind, Shape):
            found |= names_in(kind.fields, full)
        elif isinstance(kind, Items) and isinstance(kind.kind, Shape):
            found |= names_in(kind.kind.fields, f"{full}[0]")
    return found


KEYS = ["pm_card_visa", "pm_card_chargeDeclined", "pm_card_threeDSecure2Required", "none"]


CALL = Caller()
CUSTOMER = CALL.make("customers", payment_method="pm_card_visa", email="kari@film.example")
PRICE = CALL.make(
    "prices", **{"currency": "nok", "unit_amount": "9900", "recurring[interval]": "month", "product_data[name]": "Film"}
)
KEYS += [CUSTOMER, PRICE]
KEYS.append(CALL.make("subscriptions", **{"customer": CUSTOMER, "items[0][price]": PRICE, "trial_period_days": "3"}))
KEYS.append(CALL.make("setup_intents", customer=CUSTOMER))
for _place in range(3):
    KEYS.append(CALL.make("payment_intents", amount="9900", currency="nok", customer=CUSTOMER))
KEYS.append(
    CALL.make(
        "subscriptions",
        **{"customer": CUSTOMER, "items[0][price]": PRICE, "payment_behavior": "default_incomplete"},
    )
)
for _path in ("invoices", "products", "events", "invoice_payments"):
    KEYS += [one["id"] for one in CALL("GET", f"/stripe/v1/{_path}", [])[1]["data"]]


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(forms(CALL.world), st.data())
def test_no_parameters_make_a_fault(asked: tuple[Any, list[tuple[str, str]]], data: st.DataObject) -> None:
    operation, pairs = asked
    path = operation.path
    for name in ("id", "payment_method"):
        path = path.replace("{" + name + "}", data.draw(st.sampled_from(KEYS)))
    status, body = CALL(operation.method, path, pairs)
    assert status in (200, 400, 402, 403, 404), body
    if status != 200:
        assert body["error"]["type"] in ("invalid_request_error", "card_error")
        assert body["error"]["message"]
    # What it did can be told, whatever it was.
    CALL.world.settle()
