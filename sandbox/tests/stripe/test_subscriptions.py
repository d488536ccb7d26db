"""Subscriptions from checkout to the end: paid, renewed, declined, tried again, cancelled, expired, on trial."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe


def at(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")


async def test_a_checkout_begins_incomplete_and_is_active_once_paid(shop: Any) -> None:
    subscription = await shop.checkout(metadata={"attempt": "7"})
    assert subscription.status == "incomplete"
    invoice = subscription.latest_invoice
    assert (invoice.status, invoice.billing_reason, invoice.amount_due) == ("open", "subscription_create", 9900)
    assert invoice.confirmation_secret.type == "payment_intent"
    assert invoice.parent.subscription_details.metadata.to_dict() == {"attempt": "7"}
    assert subscription.pending_setup_intent is None
    intent = await shop.pay(subscription)
    assert (intent.status, intent.amount_received, intent.setup_future_usage) == ("succeeded", 9900, "off_session")
    subscription = await shop.fetch(subscription)
    assert subscription.status == "active"
    assert subscription.default_payment_method == intent.payment_method
    assert (subscription.latest_invoice.status, subscription.latest_invoice.amount_paid) == ("paid", 9900)
    payment = subscription.latest_invoice.payments.data[0]
    assert (payment.status, payment.payment.payment_intent) == ("paid", intent.id)
    item = subscription["items"].data[0]
    assert (at(item.current_period_start), at(item.current_period_end)) == ("2027-01-15T09:00Z", "2027-02-15T09:00Z")


async def test_the_usual_order_of_what_is_told(shop: Any) -> None:
    await shop.subscribe()
    assert await shop.told("customer.created", "product", "price") == [
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_method.attached",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]


async def test_a_declined_card_can_be_followed_by_a_good_one(shop: Any) -> None:
    subscription = await shop.checkout()
    with pytest.raises(stripe.CardError) as caught:
        await shop.pay(subscription, "pm_card_chargeDeclinedInsufficientFunds")
    assert (caught.value.code, caught.value.error.decline_code) == ("card_declined", "insufficient_funds")
    assert caught.value.error.payment_intent.last_payment_error.decline_code == "insufficient_funds"
    assert (await shop.fetch(subscription)).status == "incomplete"
    assert (await shop.told())[-3:] == ["charge.failed", "payment_intent.payment_failed", "invoice.payment_failed"]
    await shop.pay(subscription)
    assert (await shop.fetch(subscription)).status == "active"


async def test_a_card_that_needs_its_owner_is_paid_when_the_bank_has_heard_them(shop: Any, sandbox: Any) -> None:
    subscription = await shop.checkout()
    secret = subscription.latest_invoice.confirmation_secret.client_secret
    intent = await shop.pay(subscription, "pm_card_threeDSecure2Required")
    assert (intent.status, intent.next_action.type) == ("requires_action", "use_stripe_sdk")
    assert (await shop.told())[-2:] == ["payment_intent.requires_action", "invoice.payment_action_required"]
    order = {"clientSecret": secret, "authentication": "fail"}
    assert (await sandbox.control("POST", "/stripe/confirm", order)).body == {
        "id": intent.id,
        "status": "requires_payment_method",
        "paymentMethod": None,
        "error": "payment_intent_authentication_failure",
    }
    order = {"clientSecret": secret, "card": "threeDSecure2Required", "authentication": "approve"}
    assert (await sandbox.control("POST", "/stripe/confirm", order))["status"] == "succeeded"
    assert (await shop.fetch(subscription)).status == "active"
    await shop.advance_to("2027-02-15T11:00:00Z")
    # The card was set up by then, so that its renewal goes without its owner.
    assert [invoice.status for invoice in await shop.invoices(subscription)] == ["paid", "paid"]


async def test_what_is_not_paid_in_23_hours_is_over(shop: Any) -> None:
    subscription = await shop.checkout()
    await shop.advance_to("2027-01-16T07:59:59Z")
    assert (await shop.fetch(subscription)).status == "incomplete"
    await shop.advance_to("2027-01-16T08:00:00Z")
    subscription = await shop.fetch(subscription)
    assert (subscription.status, subscription.latest_invoice.status) == ("incomplete_expired", "void")
    assert await shop.told("customer.created", "product", "price") == [
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "customer.subscription.updated",
        "payment_intent.canceled",
        "invoice.voided",
    ]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.payment_intents.confirm_async(
            subscription.latest_invoice.payments.data[0].payment.payment_intent, {"payment_method": "pm_card_visa"}
        )
    assert caught.value.code == "payment_intent_unexpected_state"


async def test_a_renewal_is_a_draft_for_an_hour_and_then_paid(shop: Any) -> None:
    subscription = await shop.subscribe()
    await shop.advance_to("2027-02-15T09:59:59Z")
    first, draft = await shop.invoices(subscription)
    assert (draft.status, draft.number, draft.hosted_invoice_url) == ("draft", None, None)
    assert at(draft.automatically_finalizes_at) == "2027-02-15T10:00Z"
    line = draft.lines.data[0]
    assert (at(line.period.start), at(line.period.end)) == ("2027-02-15T09:00Z", "2027-03-15T09:00Z")
    await shop.advance_to("2027-02-15T10:00:00Z")
    renewed = (await shop.invoices(subscription))[1]
    assert (renewed.status, renewed.amount_paid, renewed.billing_reason) == ("paid", 9900, "subscription_cycle")
    assert renewed.number == first.number[:-1] + "2"


async def test_months_are_counted_from_the_day_of_the_beginning(shop: Any) -> None:
    await shop.advance_to("2027-01-31T12:00:00Z")
    subscription = await shop.subscribe()
    await shop.advance_to("2027-05-01T00:00:00Z")
    periods = [at(invoice.lines.data[0].period.start) for invoice in await shop.invoices(subscription)]
    assert periods == ["2027-01-31T12:00Z", "2027-02-28T12:00Z", "2027-03-31T12:00Z", "2027-04-30T12:00Z"]


async def test_a_renewal_without_money_is_past_due_until_the_money_comes(shop: Any, sandbox: Any) -> None:
    await sandbox.person("4790000001", noFunds=[{"from": "2027-02-01", "until": "2027-02-18"}])
    subscription = await shop.subscribe(customer=await shop.customer(phone="+47 900 00 001"))
    await shop.advance_to("2027-02-15T10:00:00Z")
    found = await shop.fetch(subscription)
    assert (found.status, found.latest_invoice.status) == ("past_due", "open")
    assert (found.latest_invoice.attempt_count, at(found.latest_invoice.next_payment_attempt)) == (
        1,
        "2027-02-16T10:00Z",
    )
    assert (await shop.told())[-4:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.payment_failed",
        "customer.subscription.updated",
    ]
    assert (await shop.v1.customers.retrieve_async(subscription.customer)).delinquent
    await shop.advance_to("2027-02-20T00:00:00Z")
    found = await shop.fetch(subscription)
    assert (found.status, found.latest_invoice.status, found.latest_invoice.attempt_count) == ("active", "paid", 4)
    assert at(found.latest_invoice.status_transitions.paid_at) == "2027-02-19T10:00Z"


@pytest.mark.parametrize(
    ("choice", "status", "last"),
    [
        ("cancel", "canceled", "customer.subscription.deleted"),
        ("unpaid", "unpaid", "customer.subscription.updated"),
        ("past_due", "past_due", "invoice.payment_failed"),
    ],
)
async def test_when_all_tries_are_used_up(shop: Any, sandbox: Any, choice: str, status: str, last: str) -> None:
    account = (await sandbox.control("GET", "/stripe/accounts"))["accounts"][0]
    changed = account | {"afterRetries": choice, "retryDays": [1, 3]}
    assert (await sandbox.control("POST", "/stripe/accounts", changed)).status == 200
    subscription = await shop.subscribe("pm_card_sandboxFailsOnRenewal")
    await shop.advance_to("2027-02-20T00:00:00Z")
    found = await shop.fetch(subscription)
    assert (found.status, found.latest_invoice.status) == (status, "open")
    assert (found.latest_invoice.attempt_count, found.latest_invoice.next_payment_attempt) == (3, None)
    assert (await shop.told())[-1] == last
    if choice == "cancel":
        assert (found.cancellation_details.reason, at(found.ended_at)) == ("payment_failed", "2027-02-18T10:00Z")
        assert not found.latest_invoice.auto_advance
    else:
        await shop.advance_to("2027-03-16T00:00:00Z")
        latest = (await shop.invoices(subscription))[-1]
        assert latest.status == ("draft" if choice == "unpaid" else "open")


async def test_a_card_that_is_lost_is_not_tried_again_but_another_one_is(shop: Any) -> None:
    subscription = await shop.subscribe("pm_card_sandboxLostOnRenewal")
    await shop.advance_to("2027-02-18T00:00:00Z")
    found = await shop.fetch(subscription)
    assert (found.status, found.latest_invoice.attempt_count) == ("past_due", 1)
    assert at(found.latest_invoice.next_payment_attempt) == "2027-02-19T10:00Z"
    card = await shop.v1.payment_methods.attach_async("pm_card_visa", {"customer": found.customer})
    await shop.v1.subscriptions.update_async(subscription.id, {"default_payment_method": card.id})
    await shop.advance_to("2027-02-19T10:00:00Z")
    found = await shop.fetch(subscription)
    assert (found.status, found.latest_invoice.status, found.latest_invoice.attempt_count) == ("active", "paid", 2)


async def test_an_unpaid_invoice_is_paid_with_another_card(shop: Any) -> None:
    subscription = await shop.subscribe("pm_card_sandboxFailsOnRenewal")
    await shop.advance_to("2027-02-15T12:00:00Z")
    found = await shop.fetch(subscription)
    card = await shop.v1.payment_methods.attach_async("pm_card_mastercard", {"customer": found.customer})
    invoice = await shop.v1.invoices.pay_async(found.latest_invoice.id, {"payment_method": card.id})
    assert (invoice.status, invoice.attempt_count) == ("paid", 2)
    assert (await shop.fetch(subscription)).status == "active"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        await shop.v1.invoices.pay_async(invoice.id)


async def test_a_renewal_that_needs_its_owner_asks_them(shop: Any, sandbox: Any) -> None:
    subscription = await shop.checkout()
    secret = subscription.latest_invoice.confirmation_secret.client_secret
    order = {"clientSecret": secret, "card": "authenticationRequired", "authentication": "approve"}
    await sandbox.control("POST", "/stripe/confirm", order)
    await shop.advance_to("2027-02-15T10:00:00Z")
    found = await shop.v1.subscriptions.retrieve_async(
        subscription.id, {"expand": ["latest_invoice.confirmation_secret"]}
    )
    assert (found.status, found.latest_invoice.status) == ("past_due", "open")
    assert "invoice.payment_action_required" in await shop.told()
    order = {"clientSecret": found.latest_invoice.confirmation_secret.client_secret, "authentication": "approve"}
    assert (await sandbox.control("POST", "/stripe/confirm", order))["status"] == "succeeded"
    assert (await shop.fetch(subscription)).status == "active"


async def test_somebody_who_approves_everything_also_approves_a_renewal(shop: Any, sandbox: Any) -> None:
    await sandbox.person("4790000001", temperament="approves", email="ola@film.example")
    subscription = await shop.checkout(await shop.customer(email="ola@film.example"))
    secret = subscription.latest_invoice.confirmation_secret.client_secret
    order = {"clientSecret": secret, "card": "authenticationRequired", "authentication": "approve"}
    await sandbox.control("POST", "/stripe/confirm", order)
    await shop.advance_to("2027-02-15T10:00:00Z")
    assert [invoice.status for invoice in await shop.invoices(subscription)] == ["paid", "paid"]


async def test_cancelled_at_the_end_of_the_period(shop: Any) -> None:
    subscription = await shop.subscribe()
    changed = await shop.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    assert (changed.status, at(changed.cancel_at), at(changed.canceled_at)) == (
        "active",
        "2027-02-15T09:00Z",
        "2027-01-15T09:00Z",
    )
    await shop.advance_to("2027-02-15T09:00:00Z")
    ended = await shop.fetch(subscription)
    assert (ended.status, at(ended.ended_at), at(ended.canceled_at)) == (
        "canceled",
        "2027-02-15T09:00Z",
        "2027-01-15T09:00Z",
    )
    assert len(await shop.invoices(subscription)) == 1
    assert (await shop.told())[-1] == "customer.subscription.deleted"


async def test_a_cancellation_can_be_taken_back_before_it_happens(shop: Any) -> None:
    subscription = await shop.subscribe()
    await shop.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    changed = await shop.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": False})
    assert (changed.cancel_at, changed.canceled_at) == (None, None)
    later: Any = {"cancel_at": changed.created + 60 * 86_400, "cancel_at_period_end": False}
    changed = await shop.v1.subscriptions.update_async(subscription.id, later)
    assert (at(changed.cancel_at), at(changed.canceled_at)) == ("2027-03-16T09:00Z", "2027-01-15T09:00Z")
    await shop.advance_to("2027-02-16T00:00:00Z")
    assert len(await shop.invoices(subscription)) == 2


async def test_cancelled_now_and_not_twice(shop: Any) -> None:
    subscription = await shop.subscribe()
    ended = await shop.v1.subscriptions.cancel_async(
        subscription.id, {"cancellation_details": {"comment": "enough", "feedback": "unused"}}
    )
    assert (ended.status, ended.cancellation_details.feedback) == ("canceled", "unused")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.subscriptions.cancel_async(subscription.id)
    assert caught.value.code == "resource_missing"
    await shop.advance_to("2027-03-16T00:00:00Z")
    assert len(await shop.invoices(subscription)) == 1
    listed = await shop.v1.subscriptions.list_async({"customer": subscription.customer})
    assert listed.data == []
    everything = await shop.v1.subscriptions.list_async({"customer": subscription.customer, "status": "all"})
    assert [one.id for one in everything.data] == [subscription.id]


async def test_cancelled_while_a_renewal_is_a_draft(shop: Any) -> None:
    subscription = await shop.subscribe()
    await shop.advance_to("2027-02-15T09:30:00Z")
    await shop.v1.subscriptions.cancel_async(subscription.id)
    await shop.advance_to("2027-02-20T00:00:00Z")
    draft = (await shop.invoices(subscription))[1]
    assert (draft.status, draft.auto_advance) == ("draft", False)
    # Nobody is left who could be asked to pay it, and time goes on.
    await shop.v1.customers.delete_async(subscription.customer)
    invoices = shop.v1.invoices
    for ask in (invoices.finalize_invoice_async, invoices.pay_async, invoices.update_async):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await ask(draft.id, {"auto_advance": True} if ask == invoices.update_async else {})
        assert (caught.value.code, caught.value.param) == ("resource_missing", "customer")
    await shop.advance_to("2027-03-20T00:00:00Z")


async def test_a_trial_takes_a_card_first_and_money_later(shop: Any, sandbox: Any) -> None:
    subscription = await shop.checkout(trial_period_days=14)
    assert (subscription.status, subscription.latest_invoice.amount_due) == ("trialing", 0)
    assert subscription.latest_invoice.confirmation_secret is None
    setup = subscription.pending_setup_intent
    assert setup.status == "requires_payment_method"
    order = {"clientSecret": setup.client_secret, "card": "visa"}
    assert (await sandbox.control("POST", "/stripe/confirm", order))["status"] == "succeeded"
    found = await shop.fetch(subscription)
    assert found.pending_setup_intent is None
    assert found.default_payment_method is not None
    await shop.advance_to("2027-01-26T09:00:00Z")
    assert (await shop.told())[-1] == "customer.subscription.trial_will_end"
    await shop.advance_to("2027-01-29T10:00:00Z")
    found = await shop.fetch(subscription)
    assert (found.status, found.latest_invoice.amount_paid) == ("active", 9900)
    assert at(found["items"].data[0].current_period_end) == "2027-02-28T09:00Z"


@pytest.mark.parametrize(
    ("choice", "status", "count"),
    [("cancel", "canceled", 1), ("pause", "paused", 1), ("create_invoice", "past_due", 2)],
)
async def test_a_trial_that_ends_without_a_card(shop: Any, choice: str, status: str, count: int) -> None:
    settings = {"end_behavior": {"missing_payment_method": choice}}
    subscription = await shop.checkout(trial_period_days=2, trial_settings=settings)
    await shop.advance_to("2027-01-17T12:00:00Z")
    assert (await shop.fetch(subscription)).status == status
    assert len(await shop.invoices(subscription)) == count


async def test_with_error_if_incomplete_nothing_is_left_of_a_failure(shop: Any) -> None:
    customer = await shop.customer("pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError):
        await shop.checkout(customer, payment_behavior="error_if_incomplete", expand=[])
    assert (await shop.v1.subscriptions.list_async({"status": "all"})).data == []
    assert (await shop.v1.charges.list_async()).data == []


async def test_allow_incomplete_charges_at_once(shop: Any) -> None:
    subscription = await shop.checkout(await shop.customer("pm_card_visa"), payment_behavior="allow_incomplete")
    assert subscription.status == "active"
    failing = await shop.checkout(
        await shop.customer("pm_card_chargeCustomerFail"), payment_behavior="allow_incomplete"
    )
    assert (failing.status, failing.latest_invoice.status) == ("incomplete", "open")
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        await shop.checkout(payment_behavior="allow_incomplete")


async def test_another_price_from_the_next_period_on(shop: Any) -> None:
    subscription = await shop.subscribe()
    dearer = await shop.price(12900)
    item = subscription["items"].data[0]
    order: Any = {"items": [{"id": item.id, "price": dearer.id}], "proration_behavior": "none"}
    await shop.v1.subscriptions.update_async(subscription.id, order)
    await shop.advance_to("2027-02-15T10:00:00Z")
    assert [invoice.amount_paid for invoice in await shop.invoices(subscription)] == [9900, 12900]
    with pytest.raises(stripe.InvalidRequestError, match="does not play prorations"):
        await shop.v1.subscriptions.update_async(subscription.id, {"items": [{"id": item.id, "quantity": 2}]})


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"items": []}, "items", "parameter_missing"),
        ({"customer": "cus_nobody"}, "customer", "resource_missing"),
        ({"items": [{"price": "price_none"}]}, "items[0][price]", "resource_missing"),
        ({"items": [{"quantity": 2}]}, "items[0][price]", "parameter_missing"),
        ({"default_payment_method": "pm_none"}, "default_payment_method", "resource_missing"),
        ({"payment_behavior": "maybe"}, "payment_behavior", None),
        ({"trial_end": 5}, "trial_end", None),
        ({"coupon": "half"}, "coupon", "parameter_unknown"),
    ],
)
async def test_a_subscription_that_cannot_be(shop: Any, change: dict[str, Any], param: str, code: str | None) -> None:
    price, customer = await shop.price(), await shop.customer()
    params: Any = {"customer": customer.id, "items": [{"price": price.id}], "payment_behavior": "default_incomplete"}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await shop.v1.subscriptions.create_async(params | change)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert (await shop.v1.subscriptions.list_async({"status": "all"})).data == []


async def test_subscriptions_of_an_earlier_system_go_on_where_it_left_them(shop: Any) -> None:
    price = await shop.price()
    monthly = {"price": price.id, "start": "2026-05-31", "email": "ola@film.example", "metadata": {"old": "7"}}
    leaving = {"price": price.id, "start": "2027-01-15", "cancelAtPeriodEnd": True}
    order = {"subscriptions": [monthly, leaving, {"price": price.id, "start": "2026-12-01", "status": "canceled"}]}
    planted = await shop.sandbox.control("POST", "/stripe/past-subscriptions", order)
    assert planted.status == 201
    ids = planted["subscriptionIds"]
    assert [event for event in await shop.told() if not event.startswith(("product", "price"))] == []
    goes_on, leaves, gone = [await shop.v1.subscriptions.retrieve_async(one) for one in ids]
    item = goes_on["items"].data[0]
    periods = at(goes_on.start_date), at(item.current_period_start), at(item.current_period_end)
    assert periods == ("2026-05-31T07:00Z", "2026-12-31T07:00Z", "2027-01-31T07:00Z")
    assert (goes_on.status, leaves.status, gone.status) == ("active", "active", "canceled")
    (last,) = await shop.invoices(goes_on)
    assert (last.status, last.amount_paid, last.billing_reason) == ("paid", 9900, "subscription_cycle")
    assert (await shop.invoices(leaves))[0].billing_reason == "subscription_create"
    await shop.advance_to("2027-02-15T12:00:00Z")
    assert [(one.status, one.amount_paid) for one in await shop.invoices(goes_on)] == [("paid", 9900)] * 2
    assert (await shop.fetch(leaves)).status == "canceled"
    once = await shop.v1.prices.create_async({"currency": "nok", "unit_amount": 1, "product_data": {"name": "Once"}})
    for wrong, status in (
        ({"price": "price_none"}, 404),
        ({"start": "2028-01-01"}, 400),
        ({"price": once.id}, 400),
        ({"card": "gold"}, 400),
    ):
        order = {"subscriptions": [monthly, monthly | wrong]}
        assert (await shop.sandbox.control("POST", "/stripe/past-subscriptions", order)).status == status
    assert len((await shop.v1.subscriptions.list_async({"status": "all", "limit": 100})).data) == 3


async def change(shop: Any, subscription: Any, **params: Any) -> Any:
    return await shop.v1.subscriptions.update_async(subscription.id, params)


async def test_what_is_not_collected_is_void_until_it_is_again(shop: Any) -> None:
    subscription = await shop.subscribe()
    paused = await change(shop, subscription, pause_collection={"behavior": "void"})
    assert (paused.status, paused.pause_collection.behavior) == ("active", "void")
    await shop.advance_to("2027-03-20T09:00:00Z")
    assert [one.status for one in await shop.invoices(subscription)] == ["paid", "void", "void"]
    until = int(datetime(2027, 5, 1, tzinfo=UTC).timestamp())
    await change(shop, subscription, pause_collection={"behavior": "keep_as_draft", "resumes_at": until})
    await shop.advance_to("2027-05-16T09:00:00Z")
    assert (await shop.fetch(subscription)).pause_collection is None
    invoices = await shop.invoices(subscription)
    assert [one.status for one in invoices] == ["paid", "void", "void", "draft", "paid"]
    assert invoices[3].auto_advance is False
    assert (await change(shop, subscription, pause_collection="")).pause_collection is None


async def test_a_trial_in_between_moves_the_day_and_another_interval_begins_at_once(shop: Any) -> None:
    subscription = await shop.subscribe()
    until = int(datetime(2027, 4, 1, 10, tzinfo=UTC).timestamp())
    free = await change(shop, subscription, trial_end=until, proration_behavior="none")
    assert (free.status, free.billing_cycle_anchor, free.trial_end) == ("trialing", until, until)
    await shop.advance_to("2027-04-01T12:00:00Z")
    invoices = await shop.invoices(subscription)
    assert [(one.billing_reason, one.amount_due, one.status) for one in invoices[1:]] == [
        ("subscription_update", 0, "paid"),
        ("subscription_cycle", 9900, "paid"),
    ]
    item = (await shop.fetch(subscription))["items"].data[0]
    assert (at(item.current_period_start), at(item.current_period_end)) == ("2027-04-01T10:00Z", "2027-05-01T10:00Z")
    yearly = {"id": item.id, "price": (await shop.price(99000, "year")).id}
    await shop.advance_to("2027-04-10T12:00:00Z")
    changed = await change(shop, subscription, items=[yearly], proration_behavior="none")
    assert at(changed["items"].data[0].current_period_end) == "2028-04-10T12:00Z"
    last = (await shop.invoices(subscription))[-1]
    assert (last.billing_reason, last.amount_paid) == ("subscription_update", 99000)


async def test_what_is_added_to_a_trial_in_between_is_paid_at_once_or_nothing_changes(shop: Any) -> None:
    subscription = await shop.subscribe()
    ends = subscription["items"].data[0].current_period_end
    until = ends + 5 * 86_400
    product = subscription["items"].data[0].price.product
    days = {side: {"type": "timestamp", "timestamp": day} for side, day in (("start", ends), ("end", until))}
    share = {"price_data": {"currency": "nok", "product": product, "unit_amount": 1768}, "period": days}
    wish = {
        "trial_end": until,
        "proration_behavior": "none",
        "payment_behavior": "error_if_incomplete",
        "add_invoice_items": [share],
    }
    declined = await shop.subscribe("pm_card_sandboxFailsOnRenewal")
    with pytest.raises(stripe.CardError):
        await change(shop, declined, **wish)
    assert (await shop.fetch(declined)).status == "active"
    assert len(await shop.invoices(declined)) == 1
    await change(shop, subscription, **wish)
    (_, invoice) = await shop.invoices(subscription)
    assert (invoice.billing_reason, invoice.amount_paid) == ("subscription_update", 1768)
    assert [(line.amount, line.period.start, line.parent.type) for line in invoice.lines.data] == [
        (0, invoice.created, "subscription_item_details"),
        (1768, ends, "invoice_item_details"),
    ]
    with pytest.raises(stripe.InvalidRequestError):
        await change(shop, subscription, add_invoice_items=[share])
