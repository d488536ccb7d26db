"""Find out what is wrong with a tenant's set-up at Stripe, by asking it."""

from __future__ import annotations

from avtale.domain.agreement import Terms
from avtale.domain.errors import Conflict
from avtale.domain.gateway import GatewayName
from avtale.domain.outcome import CREDENTIALS_REFUSED, Answered, Refused, Throttled
from avtale.domain.ports import BillingGateway, Gateways
from avtale.service.findings import ConfigError, Severity
from avtale.service.registering import live_secrets_there, webhook_url
from avtale.service.subscribing import differs
from avtale.storage import inbox, tenants
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant

#: How many subscriptions of others are named.
FOREIGN_SHOWN_MAX = 5


async def find_stripe_errors(db: Database, gateways: Gateways, tenant: Tenant) -> list[ConfigError]:
    """Everything that is wrong with what a tenant has at Stripe; nothing for one that has no account there."""
    try:
        stripe = await gateways.stripe(tenant.id)
    except Conflict:
        return []
    async with db.tenant(tenant.id) as tx:
        prices = await tenants.stripe_prices(tx)
        terms = {name: await tenants.get_product(tx, name) for name in prices}
        has_secret = await live_secrets_there(tx, GatewayName.STRIPE)
        foreign = await inbox.foreign_agreements(tx, FOREIGN_SHOWN_MAX)
    told = await stripe.fetch_account()
    if not isinstance(told, Answered):
        return _no_answer(tenant, told)
    found = []
    if told.value != stripe.account_id:
        detail = f"The secret key is that of {told.value}."
        found.append(_error("stripe_account_differs", stripe.account_id, detail, "Correct `account_id`, or the key."))
    found += await _webhook(gateways, stripe, tenant, has_secret)
    for name, price in prices.items():
        found += await _price(stripe, terms[name], price)
    if foreign:
        found.append(
            ConfigError(
                "stripe_foreign_subscriptions",
                Severity.WARNING,
                "stripe",
                ", ".join(foreign),
                "The account has subscriptions that were not made here: nobody is entitled by them.",
                "Move them in with a migration, or leave them to whoever made them.",
            )
        )
    return found


async def _webhook(gateways: Gateways, stripe: BillingGateway, tenant: Tenant, has_secret: bool) -> list[ConfigError]:
    url = webhook_url(tenant, GatewayName.STRIPE)
    again = "Run `avtale tenants apply`: it makes the webhook endpoint anew."
    if not has_secret:
        return [_error("stripe_webhook_secret_unknown", url, "What Stripe signs cannot be verified here.", again)]
    listed = await stripe.list_webhooks()
    if not isinstance(listed, Answered):
        return []
    ours = [one for one in listed.value if "/api/v1/webhook/stripe" in one.url]
    if not ours:
        return [_error("stripe_webhook_missing", url, "Stripe has no webhook endpoint for this address.", again)]
    heard = set().union(*(one.events for one in ours))
    deaf = set(gateways.stripe_webhooks.events) - heard
    if deaf and "*" not in heard:
        detail = f"Stripe does not tell us of {', '.join(sorted(deaf))}."
        return [_error("stripe_webhook_events_missing", url, detail, again)]
    return []


async def _price(stripe: BillingGateway, terms: object, name: str) -> list[ConfigError]:
    if not isinstance(terms, Terms):
        return []
    told = await stripe.find_price(name)
    if not isinstance(told, Answered):
        return []
    if told.value is None or not told.value.active:
        detail = f"Stripe has no price {name} on sale, so that this product cannot be sold there."
        return [_error("stripe_price_missing", terms.product_id, detail, "Make the price, or correct `stripe_price`.")]
    if differs(told.value, terms):
        detail = f"The price {name} is not what the tenants file says: its sum, currency or interval."
        return [_error("stripe_price_differs", terms.product_id, detail, "Make them say the same.")]
    return []


def _no_answer(tenant: Tenant, told: object) -> list[ConfigError]:
    if isinstance(told, Throttled):
        return []
    if isinstance(told, Refused) and told.code == CREDENTIALS_REFUSED:
        detail = f"Stripe does not accept the secret key: {told.detail}."
        return [_error("stripe_credentials_refused", tenant.name, detail, "Copy the key anew from the dashboard.")]
    if isinstance(told, Refused):
        detail = f"Stripe refused to tell of the account: {told.detail}."
        return [_error("stripe_refused", tenant.name, detail, "Check what the key is allowed to do.")]
    advice = "Check `base_url`, and that this machine reaches it."
    return [_error("stripe_unreachable", tenant.name, "Stripe did not answer.", advice)]


def _error(code: str, subject: str, message: str, action: str) -> ConfigError:
    return ConfigError(code, Severity.ERROR, "stripe", subject, message, action)
