"""Register our webhook at the gateway: intent first, the secret once, and orphans of a crash in between removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from avtale.domain.errors import GatewayRefused, GatewayUnknown
from avtale.domain.outcome import Answered, Outcome, Refused, T
from avtale.domain.ports import Gateways, RecurringGateway
from avtale.service.ids import new_id
from avtale.storage import webhooks
from avtale.storage.database import Database, Transaction
from avtale.storage.sealing import Sealer
from avtale.storage.tenants import Tenant

VIPPS = "vipps"

#: A secret that was replaced still verifies what was under way, for as long as Vipps retries (T15).
RETIRED_SECRET_LIVES = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Registered:
    """What `ensure_webhook` found or did: `kept` or `registered`."""

    url: str
    outcome: str


def webhook_url(tenant: Tenant) -> str:
    """Where Vipps reaches us for this tenant; signatures are verified against exactly this address."""
    return f"{tenant.public_url.rstrip('/')}/api/v1/webhook/vipps/{tenant.organization}/{tenant.name}"


async def ensure_webhook(db: Database, gateways: Gateways, sealer: Sealer, tenant: Tenant) -> Registered:
    """Have exactly one live registration for our address, with a secret that we hold.

    Raises GatewayRefused or GatewayUnknown; running it again is always safe.
    """
    gateway = await gateways.recurring(tenant.id)
    url = webhook_url(tenant)
    async with db.tenant(tenant.id) as tx:
        known = await webhooks.registrations(tx, VIPPS)
    there = _value(await gateway.list_webhooks(), "list the webhooks")
    live = {r.gateway_webhook_id for r in known if r.status == "active" and r.url == url and r.gateway_webhook_id}
    ours_there = [w for w in there if w.url == url]
    complete = [w for w in ours_there if w.id in live and set(gateways.webhooks.events) <= set(w.events)]
    for orphan in ours_there:
        if orphan not in complete[:1]:
            await _delete(gateway, orphan.id)
    if complete:
        return Registered(url, "kept")

    registration_id = new_id()
    async with db.tenant(tenant.id) as tx:
        await webhooks.drop_intents(tx, VIPPS)
        await webhooks.insert_intent(tx, registration_id, VIPPS, url)
    registered = _value(await gateway.register_webhook(url, gateways.webhooks.events), "register the webhook")
    if registered.secret is None:
        raise GatewayUnknown("Vipps registered the webhook without telling its secret; apply again")
    async with db.tenant(tenant.id) as tx:
        for old in known:
            if old.status == "active":
                await webhooks.retire(tx, old.id)
        await webhooks.activate(tx, registration_id, registered.id, sealer.seal(registered.secret))
    for old in known:
        if old.status == "active" and old.gateway_webhook_id and old.url != url:
            await _delete(gateway, old.gateway_webhook_id)
    return Registered(url, "registered")


async def live_secrets(tx: Transaction, sealer: Sealer) -> list[str]:
    """The secrets that may have signed a webhook: the registered one, and for a while the one before it."""
    return [
        sealer.open(r.secret_sealed)
        for r in await webhooks.registrations(tx, VIPPS)
        if r.secret_sealed is not None and (r.retired_wall is None or r.retired_wall + RETIRED_SECRET_LIVES > tx.wall)
    ]


async def _delete(gateway: RecurringGateway, webhook_id: str) -> None:
    outcome = await gateway.delete_webhook(webhook_id)
    if not (isinstance(outcome, Refused) and outcome.status == 404):
        _value(outcome, "delete an old webhook")


def _value(outcome: Outcome[T], wish: str) -> T:
    if isinstance(outcome, Answered):
        return outcome.value
    if isinstance(outcome, Refused):
        raise GatewayRefused(f"Vipps would not {wish}: {outcome.detail}", reason=outcome.code)
    raise GatewayUnknown(f"Vipps did not answer when asked to {wish}; apply again")
