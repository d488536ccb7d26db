"""Everything that is answered or told has every member that the official SDK's annotations name, and no other."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import typing
from typing import Any

import pytest
import stripe

from avtale_sandbox.settings import Settings
from avtale_sandbox.stripe.operations import OPERATIONS
from avtale_sandbox.stripe.params import Fields, Items, Shape
from avtale_sandbox.stripe.wire.shapes import API_VERSION
from avtale_sandbox.world import World

from .annotations import check

LISTS = [
    "customers",
    "products",
    "prices",
    "subscriptions?status=all",
    "invoices",
    "invoice_payments",
    "payment_intents",
    "setup_intents",
    "charges",
    "refunds",
    "disputes",
    "webhook_endpoints",
]
EVENTS = {
    "charge.captured",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refunded",
    "charge.succeeded",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.created",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.updated",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.detached",
    "payment_method.updated",
    "price.created",
    "price.updated",
    "product.created",
    "product.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "setup_intent.canceled",
    "setup_intent.created",
    "setup_intent.requires_action",
    "setup_intent.setup_failed",
    "setup_intent.succeeded",
}


async def a_busy_month(shop: Any, sandbox: Any) -> list[dict[str, Any]]:
    """A bit of everything; gives what there was in the middle of it: events are kept for thirty days."""
    v1, address = shop.v1, {"line1": "Karl Johans gate 1", "postal_code": "0154", "city": "Oslo", "country": "NO"}
    await v1.webhook_endpoints.create_async({"url": "http://127.0.0.1:9/hook", "enabled_events": ["account.updated"]})
    product = await v1.products.create_async(
        {"name": "Gift", "default_price_data": {"currency": "nok", "unit_amount": 500}}
    )
    await v1.products.update_async(product.id, {"description": "For a friend"})
    await v1.prices.update_async(product.default_price, {"nickname": "gift"})
    customer = await shop.customer("pm_card_visa", address=address, shipping={"name": "Kari", "address": address})
    failing = await shop.subscribe("pm_card_sandboxFailsOnRenewal")
    paid = await shop.subscribe(customer=customer, metadata={"attempt": "1"})
    trial = await shop.checkout(trial_period_days=5)
    order = {"clientSecret": trial.pending_setup_intent.client_secret, "card": "threeDSecure2Required"}
    await sandbox.control("POST", "/stripe/confirm", order | {"authentication": "fail"})
    await sandbox.control("POST", "/stripe/confirm", order | {"authentication": "approve"})
    await shop.checkout()  # never paid
    asked = await shop.checkout()
    await shop.pay(asked, "pm_card_authenticationRequired")
    setup = await v1.setup_intents.create_async({"customer": customer.id})
    await v1.setup_intents.cancel_async(setup.id)
    reserved = await v1.payment_intents.create_async(
        {
            "amount": 5000,
            "currency": "nok",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "allowed_payment_method_types": ["card"],
            "capture_method": "manual",
            "return_url": "https://film.example/back",
        }
    )
    await v1.payment_intents.capture_async(reserved.id, {"amount_to_capture": 4000})
    refund = await v1.refunds.create_async({"payment_intent": reserved.id, "amount": 1000})
    await sandbox.control("POST", f"/stripe/refunds/{refund.id}/fail")
    invoice = (await shop.invoices(paid))[0]
    charge = (await v1.charges.list_async({"customer": customer.id})).data[0]
    await sandbox.control("POST", "/stripe/disputes", {"charge": charge.id})
    dispute = (await v1.disputes.list_async({"charge": charge.id})).data[0]
    await v1.disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    card = await v1.payment_methods.attach_async("pm_card_mastercard", {"customer": customer.id})
    await v1.payment_methods.update_async(card.id, {"billing_details": {"name": "Kari", "address": address}})
    await v1.payment_methods.detach_async(card.id)
    await shop.advance_to("2027-01-25T00:00:00Z")
    middle = await everything(sandbox)
    await shop.advance_to("2027-02-15T09:30:00Z")
    await v1.invoices.update_async((await shop.invoices(paid))[-1].id, {"metadata": {"seen": "yes"}})
    await shop.advance_to("2027-02-20T00:00:00Z")
    await v1.invoices.mark_uncollectible_async((await shop.invoices(failing))[-1].id)
    await v1.customers.delete_async(failing.customer)
    assert invoice.status == "paid"
    return middle


async def everything(sandbox: Any) -> list[dict[str, Any]]:
    """Every object and event there is."""
    found: list[dict[str, Any]] = []
    for path in [*LISTS, "events"]:
        before = ""
        while True:
            sign = "&" if "?" in path else "?"
            reply = await sandbox.raw(
                "GET", f"/stripe/v1/{path}{sign}limit=100{before}", headers={"Authorization": "Bearer sk_test_dev"}
            )
            assert reply.status == 200, reply.body
            assert reply["data"], path
            found += reply["data"]
            if not reply["has_more"]:
                break
            before = f"&starting_after={found[-1]['id']}"
    return found


async def test_every_object_and_every_event_is_as_annotated(shop: Any, sandbox: Any) -> None:
    found = await a_busy_month(shop, sandbox) + await everything(sandbox)
    assert [text for one in found for text in check(one)] == []
    told = {one["type"] for one in found if one["object"] == "event"}
    assert told == EVENTS
    assert {one["api_version"] for one in found if one["object"] == "event"} == {API_VERSION}
    # What changed says what it was before; what did not, says nothing.
    for event in (one for one in found if one["object"] == "event"):
        is_update = event["type"].endswith((".updated", ".refunded", ".closed", ".detached"))
        assert ("previous_attributes" in event["data"]) == is_update, event["type"]


async def test_what_is_expanded_is_as_annotated_too(shop: Any, sandbox: Any) -> None:
    subscription = await shop.subscribe()
    paths = [
        "latest_invoice.payments",
        "latest_invoice.confirmation_secret",
        "latest_invoice.payments.data.payment.payment_intent.latest_charge",
        "default_payment_method.customer",
        "items.data.price.product",
    ]
    query = "&".join(f"expand[]={path}" for path in paths)
    for path in (f"subscriptions/{subscription.id}?{query}", f"subscriptions/{subscription.id}"):
        reply = await sandbox.raw("GET", f"/stripe/v1/{path}", headers={"Authorization": "Bearer sk_test_dev"})
        assert reply.status == (200 if "?" not in path else 400)
    query = "&".join(f"expand[]={path}" for path in paths if path.count(".") < 4)
    for path in (
        f"subscriptions/{subscription.id}?{query}",
        f"customers/{subscription.customer}?expand[]=subscriptions&expand[]=invoice_settings.default_payment_method",
        "charges?expand[]=data.payment_intent&expand[]=data.refunds&expand[]=data.customer",
        "invoice_payments?expand[]=data.invoice&expand[]=data.payment.payment_intent",
    ):
        reply = await sandbox.raw("GET", f"/stripe/v1/{path}", headers={"Authorization": "Bearer sk_test_dev"})
        assert reply.status == 200, reply.body
        assert check(reply.body) == []
        assert len(json.dumps(reply.body)) > 3000


async def test_the_comparison_finds_what_is_wrong(shop: Any, sandbox: Any) -> None:
    await shop.subscribe()
    found = await the_latest_of_each(sandbox)
    missed = [
        f"{one['object']}.{key}"
        for one in found
        for key in one
        if key not in ("object", "data") and not check({name: one[name] for name in one if name != key})
    ]
    # Only a member that is named like one of the types of its object can be left out unseen.
    assert set(missed) <= {"payment_method.card", "price.recurring"}
    for one in found:
        assert check(one | {"surprise": 1}) == [f"{one['object']}.surprise: unknown"]
        assert check(one | {"id": 7}) != []
        assert check(one | {"id": None}) != []


async def the_latest_of_each(sandbox: Any) -> list[dict[str, Any]]:
    found = []
    for path in (
        "customers",
        "products",
        "prices",
        "subscriptions",
        "invoices",
        "payment_intents",
        "charges",
        "events",
    ):
        reply = await sandbox.raw("GET", f"/stripe/v1/{path}", headers={"Authorization": "Bearer sk_test_dev"})
        found.append(reply["data"][0])
    return found


def test_the_version_is_the_one_that_the_sdk_pins() -> None:
    assert stripe.api_version == API_VERSION


API = World(Settings()).stripe.api
# The SDK's names for the parameters of each operation that has any.
PARAMS: dict[str, str] = {
    "PostCustomers": "customer_create",
    "GetCustomers": "customer_list",
    "PostCustomersCustomer": "customer_update",
    "GetCustomersCustomerPaymentMethods": "customer_payment_method_list",
    "PostPaymentMethods": "payment_method_create",
    "GetPaymentMethods": "payment_method_list",
    "PostPaymentMethodsPaymentMethod": "payment_method_update",
    "PostPaymentMethodsPaymentMethodAttach": "payment_method_attach",
    "PostProducts": "product_create",
    "GetProducts": "product_list",
    "PostProductsId": "product_update",
    "PostPrices": "price_create",
    "GetPrices": "price_list",
    "PostPricesPrice": "price_update",
    "PostSubscriptions": "subscription_create",
    "GetSubscriptions": "subscription_list",
    "PostSubscriptionsSubscriptionExposedId": "subscription_update",
    "DeleteSubscriptionsSubscriptionExposedId": "subscription_cancel",
    "GetInvoices": "invoice_list",
    "PostInvoicesInvoice": "invoice_update",
    "PostInvoicesInvoiceFinalize": "invoice_finalize_invoice",
    "PostInvoicesInvoicePay": "invoice_pay",
    "GetInvoicePayments": "invoice_payment_list",
    "PostPaymentIntents": "payment_intent_create",
    "GetPaymentIntents": "payment_intent_list",
    "GetPaymentIntentsIntent": "payment_intent_retrieve",
    "PostPaymentIntentsIntent": "payment_intent_update",
    "PostPaymentIntentsIntentConfirm": "payment_intent_confirm",
    "PostPaymentIntentsIntentCapture": "payment_intent_capture",
    "PostPaymentIntentsIntentCancel": "payment_intent_cancel",
    "PostSetupIntents": "setup_intent_create",
    "GetSetupIntents": "setup_intent_list",
    "GetSetupIntentsIntent": "setup_intent_retrieve",
    "PostSetupIntentsIntentConfirm": "setup_intent_confirm",
    "PostSetupIntentsIntentCancel": "setup_intent_cancel",
    "GetCharges": "charge_list",
    "PostRefunds": "refund_create",
    "GetRefunds": "refund_list",
    "PostRefundsRefund": "refund_update",
    "GetDisputes": "dispute_list",
    "PostDisputesDispute": "dispute_update",
    "GetEvents": "event_list",
    "PostWebhookEndpoints": "webhook_endpoint_create",
    "GetWebhookEndpoints": "webhook_endpoint_list",
    "PostWebhookEndpointsWebhookEndpoint": "webhook_endpoint_update",
}


@pytest.mark.parametrize("name", [operation.id for operation in OPERATIONS])
def test_every_parameter_is_one_of_stripes(name: str) -> None:
    fields = API.params_of(name).fields
    if name not in PARAMS:
        assert set(fields) == {"expand"}
        return
    words = "".join(word.capitalize() for word in PARAMS[name].split("_")) + "Params"
    for module in (f"stripe.params._{PARAMS[name]}_params", f"stripe._{PARAMS[name]}_params"):
        with contextlib.suppress(ModuleNotFoundError):
            assert strangers(fields, getattr(importlib.import_module(module), words)) == []
            return
    raise AssertionError(words)


# Sent by browsers without being described; and a filter that every list has.
UNDESCRIBED = {"expand", "use_stripe_sdk", "client_secret", "created", "payment_method_data.card"}


def strangers(fields: Fields, known: type, path: str = "") -> list[str]:
    """The parameters that the SDK does not know, nested ones included."""
    # The parameters' base is not ours to look at, but its names must be found.
    names = vars(typing) | {"StripeContext": str} | vars(sys.modules[known.__module__])
    hints = typing.get_type_hints(known, names)
    found = [path + name for name in fields if name not in hints and path + name not in UNDESCRIBED]
    for name, kind in fields.items():
        inner = kind.kind if isinstance(kind, Items) else kind
        if name in hints and isinstance(inner, Shape):
            (shape,) = shapes_in(hints[name])
            found += strangers(inner.fields, shape, f"{path}{name}.")
    return found


def shapes_in(hint: Any) -> list[type]:
    """The classes of nested parameters in an annotation."""
    if isinstance(hint, type) and hasattr(hint, "__total__"):
        return [hint]
    return [one for part in typing.get_args(hint) for one in shapes_in(part)]
