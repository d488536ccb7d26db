"""Single payments, reservations, refunds and disputes, and what an audit reads of them."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

TICKET: dict[str, Any] = {"amount": 14900, "currency": "nok", "metadata": {"attempt": "9"}}
CARD: dict[str, Any] = {"payment_method": "pm_card_visa", "return_url": "https://film.example/back"}


async def bought(shop: Any, **more: Any) -> stripe.PaymentIntent:
    return await shop.v1.payment_intents.create_async(TICKET | {"confirm": True} | CARD | more)


async def payment(sandbox: Any) -> dict[str, Any]:
    return dict((await sandbox.control("GET", "/export"))["stripe"]["payments"][0])


async def test_a_single_purchase(shop: Any) -> None:
    intent = await shop.v1.payment_intents.create_async(
        TICKET | {"automatic_payment_methods": {"enabled": True}, "receipt_email": "kari@film.example"}
    )
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)
    paid = await shop.v1.payment_intents.confirm_async(intent.id, CARD | {"expand": ["latest_charge"]})
    assert (paid.status, paid.amount_received, paid.latest_charge.receipt_email) == (
        "succeeded",
        14900,
        "kari@film.example",
    )
    card = paid.latest_charge.payment_method_details.card
    assert (card.brand, card.last4) == ("visa", "4242")
    noted = await shop.v1.payment_intents.update_async(intent.id, {"metadata": {"order": "7"}, "description": "A film"})
    assert (noted.metadata["order"], noted.description, noted.status) == ("7", "A film", "succeeded")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.payment_intents.update_async(intent.id, {"amount": 500, "metadata": {"order": "8"}})
    assert caught.value.code == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.payment_intents.confirm_async(intent.id)
    assert caught.value.code == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.payment_intents.cancel_async(intent.id)
    assert caught.value.code == "payment_intent_unexpected_state"


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("chargeCustomerFail", "card_declined", "generic_decline"),
    ],
)
async def test_cards_that_decline(shop: Any, card: str, code: str, decline_code: str) -> None:
    with pytest.raises(stripe.CardError) as caught:
        await bought(shop, payment_method=f"pm_card_{card}")
    error = caught.value.error
    assert (caught.value.http_status, error.type, error.code, error.decline_code) == (
        402,
        "card_error",
        code,
        decline_code,
    )
    charge = await shop.v1.charges.retrieve_async(error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)
    assert error.payment_intent.status == "requires_payment_method"


async def test_a_payment_that_its_owner_cannot_be_asked_about(shop: Any) -> None:
    customer = await shop.customer()
    card = await shop.v1.payment_methods.attach_async("pm_card_authenticationRequired", {"customer": customer.id})
    with pytest.raises(stripe.CardError) as caught:
        await bought(shop, customer=customer.id, payment_method=card.id, off_session=True)
    assert caught.value.code == "authentication_required"


async def test_a_card_of_a_browser(shop: Any, sandbox: Any, client: Any) -> None:
    browser = client(key="pk_test_dev")
    intent = await shop.v1.payment_intents.create_async(TICKET)
    form: Any = {"type": "card", "card": {"number": "4000 0000 0000 3220", "exp_month": 5, "exp_year": 2031}}
    method = await browser.v1.payment_methods.create_async(form)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await browser.v1.payment_intents.confirm_async(intent.id, {"payment_method": method.id})
    assert missing.value.param == "client_secret"
    order: Any = {
        "payment_method": method.id,
        "client_secret": intent.client_secret,
        "return_url": "https://film.example",
    }
    asked = await browser.v1.payment_intents.confirm_async(intent.id, order)
    assert asked.next_action.redirect_to_url.return_url == "https://film.example"
    assert asked.next_action.redirect_to_url.url.startswith(f"{sandbox.url}/stripe/confirm?client_secret=")
    with pytest.raises(stripe.PermissionError):
        await browser.v1.customers.list_async()
    with pytest.raises(stripe.InvalidRequestError):
        await browser.v1.payment_intents.retrieve_async(intent.id, {"client_secret": "pi_x_secret_y"})


async def test_reserved_then_captured_in_part(shop: Any, sandbox: Any) -> None:
    intent = await bought(shop, capture_method="manual")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 14900)
    assert (await payment(sandbox))["captured"] == 0
    with pytest.raises(stripe.InvalidRequestError):
        await shop.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 14901})
    taken = await shop.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 10000})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 10000, 0)
    assert (await payment(sandbox))["captured"] == 10000


async def test_reserved_then_released(shop: Any, sandbox: Any) -> None:
    intent = await bought(shop, capture_method="manual")
    gone = await shop.v1.payment_intents.cancel_async(intent.id, {"cancellation_reason": "requested_by_customer"})
    assert (gone.status, gone.cancellation_reason) == ("canceled", "requested_by_customer")
    found = await payment(sandbox)
    assert (found["captured"], found["refunded"]) == (0, 0)


async def test_refunds_up_to_what_was_taken(shop: Any, sandbox: Any) -> None:
    intent = await bought(shop)
    first = await shop.v1.refunds.create_async(
        {"payment_intent": intent.id, "amount": 4900, "metadata": {"why": "late"}}
    )
    assert (first.status, first.amount, first.charge) == ("succeeded", 4900, intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError, match=r"greater than unrefunded amount on charge \(10000\)"):
        await shop.v1.refunds.create_async({"payment_intent": intent.id, "amount": 10001})
    await shop.v1.refunds.create_async({"charge": intent.latest_charge})
    charge = await shop.v1.charges.retrieve_async(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded) == (True, 14900)
    assert [refund.amount for refund in charge.refunds.data] == [10000, 4900]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.refunds.create_async({"charge": charge.id})
    assert caught.value.code == "charge_already_refunded"
    found = await payment(sandbox)
    assert (found["captured"], found["refunded"], found["metadata"]) == (14900, 14900, {"attempt": "9"})
    assert [(one["amount"], one["at"]) for one in found["refunds"]] == [
        (4900, "2027-01-15T09:00:00Z"),
        (10000, "2027-01-15T09:00:00Z"),
    ]


async def test_a_refund_that_comes_back(shop: Any, sandbox: Any) -> None:
    intent = await bought(shop)
    refund = await shop.v1.refunds.create_async({"payment_intent": intent.id})
    assert (await sandbox.control("POST", f"/stripe/refunds/{refund.id}/fail"))["status"] == "failed"
    assert (await shop.v1.refunds.retrieve_async(refund.id)).failure_reason == "expired_or_canceled_card"
    assert (await payment(sandbox))["refunded"] == 0
    assert (await shop.told())[-2:] == ["refund.updated", "refund.failed"]
    assert (await sandbox.control("POST", f"/stripe/refunds/{refund.id}/fail")).status == 409


@pytest.mark.parametrize(("outcome", "disputed"), [("won", 0), ("lost", 14900)])
async def test_a_disputed_payment(shop: Any, sandbox: Any, outcome: str, disputed: int) -> None:
    intent = await bought(shop, payment_method="pm_card_createDispute")
    (dispute,) = (await shop.v1.disputes.list_async({"payment_intent": intent.id})).data
    assert (dispute.status, dispute.amount, dispute.reason) == ("needs_response", 14900, "fraudulent")
    assert (await shop.told())[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert (await shop.v1.charges.retrieve_async(dispute.charge)).disputed
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.refunds.create_async({"payment_intent": intent.id})
    assert caught.value.code == "charge_disputed"
    assert (await payment(sandbox))["disputed"] == 14900
    order = {"outcome": outcome}
    assert (await sandbox.control("POST", f"/stripe/disputes/{dispute.id}/decide", order))["status"] == outcome
    told = await shop.told()
    assert told[-1] == ("charge.dispute.funds_reinstated" if outcome == "won" else "charge.dispute.closed")
    assert (await payment(sandbox))["disputed"] == disputed
    assert (await sandbox.control("POST", f"/stripe/disputes/{dispute.id}/decide", order)).status == 409


async def test_the_books_of_a_subscription(shop: Any, sandbox: Any) -> None:
    subscription = await shop.subscribe("pm_card_sandboxFailsOnRenewal", metadata={"attempt": "3"})
    await shop.advance_to("2027-02-15T12:00:00Z")
    (book,) = (await sandbox.control("GET", "/export"))["stripe"]["subscriptions"]
    assert (book["subscription"], book["status"], book["metadata"]) == (
        subscription.id,
        "past_due",
        {"attempt": "3"},
    )
    first, second = book["invoices"]
    assert (first["amountPaid"], first["paidAt"], first["payment"]["captured"]) == (9900, "2027-01-15T09:00:00Z", 9900)
    assert (second["status"], second["periodStart"], second["payment"]["captured"]) == (
        "open",
        "2027-02-15T09:00:00Z",
        0,
    )
    assert [(one["ok"], one["reason"]) for one in second["payment"]["tries"]] == [(False, "generic_decline")]


async def test_cards_come_and_go(shop: Any) -> None:
    customer = await shop.customer("pm_card_visa")
    default = customer.invoice_settings.default_payment_method
    other = await shop.v1.payment_methods.attach_async("pm_card_mastercard", {"customer": customer.id})
    listed = await shop.v1.customers.payment_methods.list_async(customer.id)
    assert [one.id for one in listed.data] == [other.id, default]
    subscription = await shop.subscribe(customer=customer, default_payment_method=default)
    await shop.v1.payment_methods.detach_async(default)
    assert (await shop.v1.customers.retrieve_async(customer.id)).invoice_settings.default_payment_method is None
    found = await shop.fetch(subscription)
    assert found.default_payment_method != default
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await shop.v1.payment_methods.attach_async(default, {"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.customers.update_async(customer.id, {"invoice_settings": {"default_payment_method": default}})
    assert caught.value.code == "resource_missing"
    with pytest.raises(stripe.CardError):
        await shop.v1.payment_methods.attach_async("pm_card_chargeDeclined", {"customer": customer.id})


async def test_a_customer_is_deleted_with_what_they_subscribe_to(shop: Any) -> None:
    subscription = await shop.subscribe()
    gone = await shop.v1.customers.delete_async(subscription.customer)
    assert gone.deleted
    assert (await shop.v1.customers.retrieve_async(subscription.customer)).deleted
    assert (await shop.v1.subscriptions.retrieve_async(subscription.id)).status == "canceled"
    assert (await shop.v1.customers.list_async()).data == []
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.customers.update_async(subscription.customer, {"name": "x"})
    assert caught.value.code == "resource_missing"
