"""The shop with an account at Stripe as well: what its payers' browsers, its dashboard and its webhooks do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from stripe import WebhookSignature

from avtale.service.absorbing import absorb_stripe_webhook
from avtale.service.checkout import Person
from avtale.service.configuring import apply_tenant
from avtale.service.intake import Intake
from avtale.service.subscribing import StripeCheckout, StripeWish, start_subscription
from avtale.service.tenants_file import TenantEntry

from .conftest import Shop, tenant_entry

ACCOUNT = "acct_sandboxdefault01"
SECRET = "whsec_of_this_test"
STRIPE = {
    "account_id": ACCOUNT,
    "secret_key": "sk_test_dev",
    "publishable_key": "pk_test_dev",
    "webhook_secrets": [SECRET],
}


@dataclass
class StripeShop:
    """What a test does at Stripe, with the payer's browser or in the dashboard."""

    shop: Shop

    async def api(self, method: str, path: str, data: Any = None) -> Any:
        """Call Stripe as the merchant's dashboard would."""
        headers = {"Authorization": "Bearer sk_test_dev"}
        url = f"{self.shop.sandbox}/stripe/v1{path}"
        async with self.shop.http.request(method, url, data=data, headers=headers) as answer:
            said = await answer.json()
            assert answer.status < 300, said
            return said

    async def checkout(self, person: Person | None = None, key: str | None = None, **wish: Any) -> StripeCheckout:
        said = StripeWish(**{"product_id": "film-month"} | wish)
        shop = self.shop
        return await start_subscription(shop.db, shop.gateways, shop.tenant, person or shop.anna, said, key)

    async def confirm(self, secret: str, card: str = "visa", authentication: str | None = None) -> dict[str, Any]:
        """The payer gives a card in the browser, and answers the bank if it asks."""
        said = {"clientSecret": secret, "card": card, "authentication": authentication}
        return dict(await self.shop.control("POST", "/stripe/confirm", {n: v for n, v in said.items() if v}))

    async def subscribe(self, card: str = "visa", person: Person | None = None, **wish: Any) -> UUID:
        """A subscription that is active and whose first invoice is paid."""
        started = await self.checkout(person, **wish)
        await self.confirm(started.client_secret, card)
        await self.shop.poll(started.agreement_id, person)
        await self.shop.work()
        return started.agreement_id

    async def subscriptions(self) -> list[dict[str, Any]]:
        """The subscriptions as the sandbox has them."""
        return list((await self.shop.control("GET", "/export"))["stripe"]["subscriptions"])

    async def events(self) -> list[dict[str, Any]]:
        """Everything that Stripe has told so far, oldest first."""
        return list((await self.api("GET", "/events?limit=100"))["data"][::-1])

    async def tell(self, body: bytes, secret: str = SECRET, at: datetime | None = None) -> bool:
        """A delivery, signed as Stripe signs."""
        wall = datetime.now(UTC)
        header = WebhookSignature.generate_signature_header(body.decode(), secret, int((at or wall).timestamp()))
        shop = self.shop
        return await absorb_stripe_webhook(
            shop.db,
            Intake(shop.db),
            shop.gateways,
            shop.sealer,
            [shop.tenant],
            {"Stripe-Signature": header},
            body,
            wall,
        )

    async def script(self, operation: str, times: int = 1, **action: Any) -> None:
        """Stripe fails as told."""
        fault = {"match": {"operationId": operation}, "times": times, "action": action}
        await self.shop.control("POST", "/faults", fault)


YEARLY = {
    "id": "film-year",
    "name": "Film for a year",
    "price_minor": 99000,
    "currency": "NOK",
    "interval": "year",
    "vat_percent": "25",
    "agreement_url": "https://shop.example/me",
    "stripe_price": "film-year",
}


async def open_stripe(
    shop: Shop, account: dict[str, Any] | None = None, *, yearly: bool = False, vouchers: Sequence[Any] = ()
) -> StripeShop:
    """Give the shop's tenant its account, and the product its price there; with `yearly` another plan as well."""
    entry = tenant_entry(shop.sandbox)
    entry["stripe"] = (account or STRIPE) | {"base_url": f"{shop.sandbox}/stripe"}
    entry["products"][0]["stripe_price"] = "film-month"
    entry["products"][0]["vouchers"] = vouchers
    entry["products"] += [YEARLY] if yearly else []
    await apply_tenant(shop.db, shop.gateways, shop.sealer, "nord", TenantEntry.model_validate(entry), {})
    made = StripeShop(shop)
    if account is not None:
        return made
    for amount, interval in ((9900, "month"), (99000, "year"))[: 1 + yearly]:
        price = {"currency": "nok", "unit_amount": str(amount), "recurring[interval]": interval}
        await made.api("POST", "/prices", price | {"lookup_key": f"film-{interval}", "product_data[name]": "Film"})
    return made
