"""Events: signed as the SDK checks, told again, doubled, lost, in any order; endpoints, and what can be listed."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
import stripe
from stripe.params import WebhookEndpointCreateParams

from avtale_sandbox.instants import DAY, HOUR, MINUTE
from avtale_sandbox.stripe.endpoints import RHYTHM, retry_delay, signed_headers
from avtale_sandbox.stripe.wire.events import event_types
from avtale_sandbox.vipps.webhooks.signing import target_of


@pytest.fixture
async def endpoint(shop: Any, receiver: Any) -> stripe.WebhookEndpoint:
    return await shop.v1.webhook_endpoints.create_async(
        {"url": receiver.url, "enabled_events": ["*"], "metadata": {"of": "film"}}
    )


def types(receiver: Any) -> list[str]:
    return [one["type"] for one in receiver.got]


def test_a_signature_is_as_the_sdk_makes_it() -> None:
    body = b'{"id": "evt_1"}'
    headers = signed_headers("whsec_x", target_of("https://film.example/hook"), body, at=1_800_000_000)
    made = stripe.WebhookSignature.generate_signature_header(body.decode(), "whsec_x", 1_800_000_000)
    assert headers["Stripe-Signature"] == made


async def test_what_is_told_can_be_verified(shop: Any, receiver: Any, endpoint: Any, quiet: Any) -> None:
    customer = await shop.customer(metadata={"user": "7"})
    await quiet()
    headers, body = receiver.raw[0]
    event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], endpoint.secret)
    assert (event.type, event.data.object.id, event.livemode) == ("customer.created", customer.id, False)
    assert event.pending_webhooks == 1
    assert event.request.id.startswith("req_")
    assert event.request.idempotency_key
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body + b" ", headers["Stripe-Signature"], endpoint.secret)
    kept = await shop.v1.events.retrieve_async(event.id)
    assert kept.pending_webhooks == 0
    assert kept.data.object.to_dict() == event.data.object.to_dict()


async def test_what_happens_by_itself_names_no_request(shop: Any, receiver: Any, endpoint: Any, quiet: Any) -> None:
    await shop.subscribe()
    await quiet()
    receiver.got.clear()
    await shop.advance_to("2027-02-15T10:00:00Z")
    assert types(receiver) == [
        "customer.subscription.updated",
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    assert {json.dumps(one["request"]) for one in receiver.got} == {'{"id": null, "idempotency_key": null}'}
    previous = receiver.got[0]["data"]["previous_attributes"]
    assert set(previous) == {"items", "latest_invoice"}


async def test_an_endpoint_hears_only_what_it_wants(shop: Any, receiver: Any, quiet: Any) -> None:
    made = await shop.v1.webhook_endpoints.create_async(
        {"url": receiver.url, "enabled_events": ["invoice.paid", "product.created"]}
    )
    await shop.subscribe()
    await quiet()
    assert types(receiver) == ["product.created", "invoice.paid"]
    await shop.v1.webhook_endpoints.update_async(made.id, {"disabled": True})
    await shop.price()
    await shop.v1.webhook_endpoints.update_async(made.id, {"disabled": False, "enabled_events": ["price.created"]})
    await shop.price()
    await shop.v1.webhook_endpoints.delete_async(made.id)
    await shop.price()
    await quiet()
    assert types(receiver)[2:] == ["price.created"]
    with pytest.raises(stripe.InvalidRequestError, match="No such webhook endpoint"):
        await shop.v1.webhook_endpoints.retrieve_async(made.id)


async def test_an_event_that_does_not_exist_cannot_be_wanted(shop: Any, endpoint: Any) -> None:
    (known,) = get_args(WebhookEndpointCreateParams.__annotations__["enabled_events"])
    assert event_types() == set(get_args(known)) - {"*"}
    for ask in (
        shop.v1.webhook_endpoints.create_async({"url": endpoint.url, "enabled_events": ["*", "invoice.payed"]}),
        shop.v1.webhook_endpoints.update_async(endpoint.id, {"enabled_events": ["*", "invoice.payed"]}),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=r"no event invoice\.payed") as caught:
            await ask
        assert caught.value.param == "enabled_events[1]"
    assert len((await shop.v1.webhook_endpoints.list_async()).data) == 1


async def test_the_secret_is_told_once(shop: Any, endpoint: Any) -> None:
    assert endpoint.secret.startswith("whsec_")
    again = await shop.v1.webhook_endpoints.retrieve_async(endpoint.id)
    assert "secret" not in again
    assert (again.status, again.metadata.to_dict()) == ("enabled", {"of": "film"})


async def test_an_event_that_was_not_answered_comes_again_and_holds_up_no_other(
    shop: Any, receiver: Any, endpoint: Any, quiet: Any
) -> None:
    receiver.answers = [500]
    customer = await shop.customer()
    await shop.v1.customers.update_async(customer.id, {"name": "Kari Nordmann"})
    await quiet()
    assert types(receiver) == ["customer.created", "customer.updated"]
    missed = await shop.v1.events.list_async({"delivery_success": False})
    assert [event.type for event in missed.data] == ["customer.created"]
    await shop.advance_to("2027-01-15T09:05:00Z")
    assert types(receiver) == ["customer.created", "customer.updated", "customer.created"]
    assert (await shop.v1.events.list_async({"delivery_success": False})).data == []


async def test_after_three_days_it_is_given_up_and_can_still_be_listed(
    shop: Any, sandbox: Any, receiver: Any, endpoint: Any, quiet: Any
) -> None:
    receiver.answers = [500] * 100
    await shop.customer()
    await quiet()
    await shop.advance_to("2027-01-19T09:00:00Z")
    count = len(receiver.got)
    delivery = (await sandbox.control("GET", "/webhooks/deliveries"))["deliveries"][0]
    assert (delivery["state"], delivery["why"]) == ("dropped", "not answered for three days")
    assert delivery["merchantSerialNumber"] == "acct_sandboxdefault01"
    await shop.advance_to("2027-01-29T09:00:00Z")
    assert len(receiver.got) == count
    (missed,) = (await shop.v1.events.list_async({"delivery_success": False})).data
    receiver.answers = []
    assert (await sandbox.control("POST", f"/stripe/events/{missed.id}/resend"))["pendingWebhooks"] == 1
    await quiet()
    assert receiver.got[-1]["id"] == missed.id
    assert (await shop.v1.events.list_async({"delivery_success": False})).data == []


def test_the_delays_between_tries() -> None:
    delays = [retry_delay(attempts) for attempts in range(1, 10)]
    assert delays[:3] == [5 * MINUTE, 15 * MINUTE, HOUR]
    assert delays == sorted(delays)
    assert RHYTHM.give_up_after == 3 * DAY


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"kind": "drop"}, ["customer.updated", "price.created"]),
        ({"kind": "duplicate", "copies": 3}, ["customer.created"] * 3 + ["customer.updated", "price.created"]),
        ({"kind": "delay", "seconds": 60}, ["customer.updated", "price.created", "customer.created"]),
        ({"kind": "reorder"}, ["customer.updated", "customer.created", "price.created"]),
    ],
)
async def test_what_befalls_an_event_on_command(
    shop: Any, sandbox: Any, receiver: Any, endpoint: Any, quiet: Any, action: dict[str, Any], expected: list[str]
) -> None:
    fault = {"match": {"webhook": "customer.created"}, "action": action}
    assert (await sandbox.control("POST", "/faults", fault)).status == 201
    customer = await shop.customer()
    await quiet()
    await shop.v1.customers.update_async(customer.id, {"name": "Kari Nordmann"})
    await quiet()
    await shop.price()
    await quiet()
    await shop.advance_to("2027-01-15T09:10:00Z")
    assert [type for type in types(receiver) if type != "product.created"] == expected


async def test_a_renewal_waits_for_whoever_does_not_hear_of_its_draft(shop: Any, receiver: Any, endpoint: Any) -> None:
    subscription = await shop.subscribe()
    await shop.advance_to("2027-02-14T00:00:00Z")
    receiver.answers = [500] * 1000
    await shop.advance_to("2027-02-18T08:59:00Z")
    assert (await shop.invoices(subscription))[-1].status == "draft"
    await shop.advance_to("2027-02-18T09:00:00Z")
    assert (await shop.invoices(subscription))[-1].status == "paid"


async def test_events_are_listed_by_type_and_kept_for_thirty_days(shop: Any) -> None:
    await shop.customer("pm_card_visa")
    listed = await shop.v1.events.list_async({"type": "customer.*"})
    assert [event.type for event in listed.data] == ["customer.updated", "customer.created"]
    listed = await shop.v1.events.list_async({"types": ["payment_method.attached", "customer.created"]})
    assert [event.type for event in listed.data] == ["payment_method.attached", "customer.created"]
    await shop.advance_to("2027-02-14T09:00:00Z")
    assert len(await shop.told()) == 3
    await shop.advance_to("2027-02-15T09:00:00Z")
    # Also when nothing has happened since.
    assert await shop.told() == []
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        await shop.v1.events.retrieve_async(listed.data[0].id)
    await shop.customer()
    await shop.customer()
    assert await shop.told() == ["customer.created", "customer.created"]


async def test_events_of_connected_accounts(shop: Any, sandbox: Any, client: Any, receiver: Any, quiet: Any) -> None:
    connected = {
        "id": "acct_cinema",
        "secretKey": "sk_test_cinema",
        "publishableKey": "pk_test_cinema",
        "name": "Cinema",
        "platform": "acct_sandboxdefault01",
    }
    assert (await sandbox.control("POST", "/stripe/accounts", connected)).status == 201
    hook: Any = {"url": receiver.url, "enabled_events": ["*"], "connect": True}
    await shop.v1.webhook_endpoints.create_async(hook)
    cinema = client(account="acct_cinema")
    theirs = await cinema.v1.customers.create_async({"name": "Ola"})
    ours = await shop.customer()
    await quiet()
    assert [(one["account"], one["data"]["object"]["id"]) for one in receiver.got] == [("acct_cinema", theirs.id)]
    assert [one.id for one in (await cinema.v1.customers.list_async()).data] == [theirs.id]
    assert [one.id for one in (await shop.v1.customers.list_async()).data] == [ours.id]
    assert (await cinema.v1.accounts.retrieve_current_async()).id == "acct_cinema"
    stranger = client(account="acct_elsewhere")
    with pytest.raises(stripe.PermissionError):
        await stranger.v1.customers.list_async()
