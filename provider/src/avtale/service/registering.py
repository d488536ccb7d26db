"""Register our webhook at the gateway: intent first, the secret once, and orphans of a crash in between removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from avtale.domain.errors import GatewayRefused, GatewayUnknown
from avtale.domain.gateway import GatewayName
from avtale.domain.outcome import Answered, Outcome, Refused, T
from avtale.domain.ports import AgreementGateway, Gateways, WebhookReader
from avtale.service.ids import new_id
from avtale.storage import webhooks
from avtale.storage.database import Database, Transaction
from avtale.storage.sealing import Sealer
from avtale.storage.stripe_accounts import get_account
from avtale.storage.tenants import Tenant

#: A secret that was replaced still verifies what was under way, for as long as Vipps retries (T15).
RETIRED_SECRET_LIVES = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Registered:
    """What `ensure_webhook` found or did: `kept` or `registered`."""

    url: str
    outcome: str


def webhook_url(tenant: Tenant, name: GatewayName = GatewayName.VIPPS) -> str:
    """Where a gateway reaches us for this tenant; Vipps signs for exactly this address."""
    base = f"{tenant.public_url.rstrip('/')}/api/v1/webhook/{name.value}/{tenant.organization}"
    return base if name is GatewayName.STRIPE else f"{base}/{tenant.name}"


def reader_of(gateways: Gateways, name: GatewayName) -> WebhookReader:
    """Who reads a gateway's webhooks."""
    return gateways.stripe_webhooks if name is GatewayName.STRIPE else gateways.webhooks


async def ensure_webhooks(db: Database, gateways: Gateways, sealer: Sealer, tenant: Tenant) -> list[Registered]:
    """As ensure_webhook, at each gateway that the tenant has. Where Stripe's secret was given by hand, whoever gave it
    has made the endpoint."""
    async with db.tenant(tenant.id) as tx:
        account = await get_account(tx)
    done = [await ensure_webhook(db, gateways, sealer, tenant)]
    if account is not None and account.webhook_secrets_sealed is None:
        done.append(await ensure_webhook(db, gateways, sealer, tenant, GatewayName.STRIPE))
    return done


async def ensure_webhook(
    db: Database, gateways: Gateways, sealer: Sealer, tenant: Tenant, name: GatewayName = GatewayName.VIPPS
) -> Registered:
    """Have exactly one live registration for our address, with a secret that we hold.

    Raises GatewayRefused or GatewayUnknown; running it again is always safe.
    """
    gateway = await gateways.agreements(tenant.id, name)
    events = reader_of(gateways, name).events
    url = webhook_url(tenant, name)
    async with db.tenant(tenant.id) as tx:
        known = await webhooks.registrations(tx, name)
    there = _value(name, await gateway.list_webhooks(), "list the webhooks")
    live = {r.gateway_webhook_id for r in known if r.status == "active" and r.url == url and r.gateway_webhook_id}
    ours_there = [w for w in there if w.url == url]
    complete = [w for w in ours_there if w.id in live and set(events) <= set(w.events)]
    for orphan in ours_there:
        if orphan not in complete[:1]:
            await _delete(name, gateway, orphan.id)
    if complete:
        return Registered(url, "kept")

    registration_id = new_id()
    async with db.tenant(tenant.id) as tx:
        await webhooks.drop_intents(tx, name)
        await webhooks.insert_intent(tx, registration_id, name, url)
    registered = _value(name, await gateway.register_webhook(url, events), "register the webhook")
    if registered.secret is None:
        raise GatewayUnknown(f"{name.title()} registered the webhook without telling its secret; apply again")
    async with db.tenant(tenant.id) as tx:
        for old in known:
            if old.status == "active":
                await webhooks.retire(tx, old.id)
        await webhooks.activate(tx, registration_id, registered.id, sealer.seal(registered.secret))
    for old in known:
        if old.status == "active" and old.gateway_webhook_id and old.url != url:
            await _delete(name, gateway, old.gateway_webhook_id)
    return Registered(url, "registered")


async def live_secrets(tx: Transaction, sealer: Sealer, name: GatewayName = GatewayName.VIPPS) -> list[str]:
    """The secrets that may have signed a webhook: the registered one, and for a while the one before it; at Stripe
    also those that the tenant was given by hand."""
    registered = [
        sealer.open(r.secret_sealed)
        for r in await webhooks.registrations(tx, name)
        if r.secret_sealed is not None and (r.retired_wall is None or r.retired_wall + RETIRED_SECRET_LIVES > tx.wall)
    ]
    account = await get_account(tx) if name is GatewayName.STRIPE else None
    if account is None or account.webhook_secrets_sealed is None:
        return registered
    return [*registered, *sealer.open(account.webhook_secrets_sealed).splitlines()]


async def live_secrets_there(tx: Transaction, name: GatewayName) -> bool:
    """Whether anything is here that a gateway's webhooks could be verified with."""
    account = await get_account(tx) if name is GatewayName.STRIPE else None
    given = account is not None and account.webhook_secrets_sealed is not None
    return given or any(r.status == "active" and r.secret_sealed for r in await webhooks.registrations(tx, name))


async def _delete(name: GatewayName, gateway: AgreementGateway, webhook_id: str) -> None:
    outcome = await gateway.delete_webhook(webhook_id)
    if not (isinstance(outcome, Refused) and outcome.status == 404):
        _value(name, outcome, "delete an old webhook")


def _value(name: GatewayName, outcome: Outcome[T], wish: str) -> T:
    if isinstance(outcome, Answered):
        return outcome.value
    if isinstance(outcome, Refused):
        raise GatewayRefused(f"{name.title()} would not {wish}: {outcome.detail}", reason=outcome.code)
    raise GatewayUnknown(f"{name.title()} did not answer when asked to {wish}; apply again")
