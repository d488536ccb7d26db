"""The official SDK as the client of a running sandbox, and a shop with something to sell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import stripe

KEY = "sk_test_dev"


Client = Callable[..., stripe.StripeClient]


@pytest.fixture
async def client(sandbox: Any) -> AsyncIterator[Client]:
    """Makes SDK clients that are pointed at the sandbox, with any key, for any account."""
    made: list[stripe.AIOHTTPClient] = []

    def make(key: str = KEY, account: str | None = None, **options: Any) -> stripe.StripeClient:
        http = stripe.AIOHTTPClient(timeout=10)
        made.append(http)
        addresses: Any = {"api": f"{sandbox.url}/stripe"}
        return stripe.StripeClient(key, stripe_account=account, base_addresses=addresses, http_client=http, **options)

    yield make
    for http in made:
        await http.close_async()


@pytest.fixture
async def api(client: Client) -> stripe.StripeClient:
    """The SDK with the default account's key."""
    return client()


class Shop:
    """A merchant with one product, who talks to Stripe through the SDK alone."""

    def __init__(self, sandbox: Any, api: stripe.StripeClient, quiet: Callable[[], Awaitable[None]]) -> None:
        self.sandbox = sandbox
        self.api = api
        self.v1 = api.v1
        self.quiet = quiet

    async def price(self, amount: int = 9900, interval: str = "month", **more: Any) -> stripe.Price:
        return await self.v1.prices.create_async(
            {
                "currency": "nok",
                "unit_amount": amount,
                "recurring": {"interval": interval, **more},  # type: ignore[typeddict-item]
                "product_data": {"name": "All films"},
            }
        )

    async def customer(self, card: str | None = None, **traits: Any) -> stripe.Customer:
        """A customer, whose default is the card if one is given."""
        customer = await self.v1.customers.create_async({"email": "kari@film.example", "name": "Kari", **traits})
        if card is not None:
            method = await self.v1.payment_methods.attach_async(card, {"customer": customer.id})
            settings: Any = {"invoice_settings": {"default_payment_method": method.id}}
            customer = await self.v1.customers.update_async(customer.id, settings)
        return customer

    async def checkout(self, customer: stripe.Customer | None = None, **more: Any) -> stripe.Subscription:
        """What a checkout page begins with: an incomplete subscription."""
        customer = customer or await self.customer()
        price = more.pop("price", None) or await self.price()
        params: Any = {
            "customer": customer.id,
            "items": [{"price": price.id}],
            "payment_behavior": "default_incomplete",
            "payment_settings": {"save_default_payment_method": "on_subscription"},
            "expand": ["latest_invoice.confirmation_secret", "pending_setup_intent"],
            **more,
        }
        return await self.v1.subscriptions.create_async(params)

    async def pay(self, subscription: stripe.Subscription, card: str = "pm_card_visa") -> stripe.PaymentIntent:
        """What a browser does with the client secret."""
        secret = subscription.latest_invoice.confirmation_secret.client_secret  # type: ignore[union-attr]
        intent = secret.partition("_secret_")[0]
        return await self.v1.payment_intents.confirm_async(intent, {"payment_method": card})

    async def subscribe(self, card: str = "pm_card_visa", **more: Any) -> stripe.Subscription:
        """A subscription that has been paid for."""
        subscription = await self.checkout(**more)
        await self.pay(subscription, card)
        return await self.fetch(subscription)

    async def fetch(self, subscription: stripe.Subscription) -> stripe.Subscription:
        return await self.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice.payments"]})

    async def invoices(self, subscription: stripe.Subscription) -> list[stripe.Invoice]:
        """Oldest first."""
        found = await self.v1.invoices.list_async({"subscription": subscription.id, "limit": 100})
        return found.data[::-1]

    async def told(self, *leaving_out: str) -> list[str]:
        """The types of all events so far, oldest first."""
        found = await self.v1.events.list_async({"limit": 100})
        return [event.type for event in found.data[::-1] if not event.type.startswith(leaving_out or "-")]

    async def advance_to(self, instant: str) -> None:
        await self.sandbox.advance_to(instant)

    async def sync(self, call: Callable[[stripe.StripeClient], Any]) -> Any:
        """Something done by the SDK without async, in a thread of its own."""
        client = stripe.StripeClient(KEY, base_addresses={"api": f"{self.sandbox.url}/stripe"})
        return await asyncio.to_thread(call, client)


@pytest.fixture
async def shop(sandbox: Any, api: stripe.StripeClient, quiet: Any) -> Shop:
    return Shop(sandbox, api, quiet)
