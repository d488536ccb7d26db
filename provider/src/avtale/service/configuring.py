"""Make the database say what a tenants file says, all of it checked before."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from avtale.domain.access import check_grace
from avtale.domain.agreement import Terms
from avtale.domain.billing import BillingRules
from avtale.domain.errors import Invalid
from avtale.domain.ports import Gateways
from avtale.service.absorbing import ASK_FOR_EVENTS_AFTER
from avtale.service.endpoints import FileEndpoint, apply_endpoints
from avtale.service.file_secrets import secret_of
from avtale.service.ids import new_id
from avtale.service.tenants_file import EventsEntry, StripeEntry, TenantEntry, VippsEntry
from avtale.storage import checks, tenants
from avtale.storage.campaigns import save_campaigns
from avtale.storage.checks import CheckKind
from avtale.storage.customer_apis import save_customer_api
from avtale.storage.database import Database
from avtale.storage.exchange_rates import ExchangeRate, save_rates
from avtale.storage.imports import ImportDoor, save_door
from avtale.storage.sealing import Sealer
from avtale.storage.stripe_accounts import StripeAccount, get_account, save_account, save_route
from avtale.storage.tenants import Issuer, Tenant, VippsAccount, VippsLogin
from avtale.storage.vouchers import save_vouchers


async def apply_tenant(
    db: Database,
    gateways: Gateways,
    sealer: Sealer,
    organization: str,
    entry: TenantEntry,
    environment: Mapping[str, str] = os.environ,
) -> Tenant:
    """Write one tenant; applying the same again changes nothing that agreements rest on. Raises Invalid."""
    check_grace(entry.grace_days, entry.policy.policy().dunning.days(entry.vipps.retry_days))
    _check(gateways, entry)
    secrets = {
        name: secret_of(getattr(entry.vipps, name), entry.name, entry.environment, environment)
        for name in ("client_secret", "subscription_key")
    }
    events = entry.events or EventsEntry()
    endpoints = {
        one.name: FileEndpoint(one.url, secret_of(one.secret, entry.name, entry.environment, environment), one.types)
        for one in events.endpoints
    }
    door = _door(entry, environment)
    stripe = await _stripe_account(db, sealer, organization, entry, environment)
    tenant = Tenant(
        id=new_id(),
        organization=organization,
        name=entry.name,
        public_url=entry.public_url,
        zone=entry.zone,
        environment=entry.environment,
        grace_days=entry.grace_days,
        rules=BillingRules(entry.vipps.charge_lead_days, entry.vipps.retry_days),
        seller=entry.seller.model_dump(),
        origins=tuple(entry.allowed_origins),
        policy=entry.policy.policy(),
    )
    async with db.routing() as tx:
        tenant = await tenants.save_tenant(tx, tenant, new_id())
        taken = await tenants.save_hosts(tx, tenant.id, {host.lower() for host in entry.hosts})
        if taken:
            raise Invalid(f"host {', '.join(taken)} belongs to another tenant", code="host_taken")
        if not await save_route(tx, tenant.id, stripe.account_id if stripe else None):
            raise Invalid("the Stripe account belongs to another tenant", code="stripe_account_taken")
    async with db.tenant(tenant.id) as tx:
        account = await tenants.get_vipps_account(tx)
        await tenants.save_vipps_account(tx, _account(sealer, entry.vipps, secrets, account))
        login = entry.vipps.login
        await tenants.save_vipps_login(tx, VippsLogin(login.scope, tuple(login.redirect_uris)) if login else None)
        await tenants.save_issuers(tx, [Issuer(**issuer.model_dump()) for issuer in entry.issuers])
        await tenants.save_products(tx, [product.terms() for product in entry.products])
        offered = {product.id: [one.campaign() for one in product.campaigns] for product in entry.products}
        await save_campaigns(tx, offered)
        await save_vouchers(tx, {product.id: [one.voucher() for one in product.vouchers] for product in entry.products})
        await save_rates(tx, [ExchangeRate(**rate.model_dump()) for rate in entry.exchange_rates])
        await tenants.save_stripe_prices(tx, {p.id: p.stripe_price for p in entry.products if p.stripe_price})
        await save_account(tx, stripe)
        if stripe is not None:
            await checks.ask(tx, CheckKind.EVENTS, [tenant.id], tx.now + ASK_FOR_EVENTS_AFTER)
        await save_customer_api(tx, entry.customer_api.api() if entry.customer_api else None)
        await save_door(tx, door)
        await apply_endpoints(tx, sealer, tenant, endpoints, events.private_networks, events.keep_days)
    return tenant


def _check(gateways: Gateways, entry: TenantEntry) -> None:
    """What no single field can tell. Raises Invalid (`product_unsellable`, `insecure_…`, `…_twice`)."""
    for product in entry.products:
        terms = product.terms()
        try:
            gateways.check_terms(terms)
            if isinstance(terms, Terms):
                for campaign in product.campaigns:
                    gateways.check_terms(replace(terms, campaign=campaign.campaign()))
                for voucher in product.vouchers:
                    said = voucher.voucher().campaign(terms.interval, date(2000, 1, 1))
                    gateways.check_terms(replace(terms, campaign=said))
        except ValueError as error:
            raise Invalid(f"product {product.id!r}: {error}", code="product_unsellable") from error
    codes = [voucher.code for product in entry.products for voucher in product.vouchers]
    if len(set(codes)) < len(codes):
        raise Invalid(f"tenant {entry.name!r}: two vouchers have the same code", code="voucher_twice")
    if len({(rate.currency, rate.day) for rate in entry.exchange_rates}) < len(entry.exchange_rates):
        raise Invalid(f"tenant {entry.name!r}: two exchange rates are for the same day", code="rate_twice")
    gateways_at = [entry.vipps.base_url, *([entry.stripe.base_url] if entry.stripe else [])]
    if entry.environment == "production" and not all(url.startswith("https://") for url in gateways_at):
        raise Invalid(f"tenant {entry.name!r}: production calls go to https:// only", code="insecure_gateway")
    endpoints = entry.events.endpoints if entry.events else []
    if len({one.name for one in endpoints}) < len(endpoints):
        raise Invalid(f"tenant {entry.name!r}: two endpoints have the same name", code="endpoint_twice")
    if entry.stripe is not None:
        _check_stripe(entry, entry.stripe)
    clients = entry.customer_api.clients if entry.customer_api else []
    if len({client.client_id for client in clients}) < len(clients):
        raise Invalid(f"tenant {entry.name!r}: two clients have the same client_id", code="client_twice")
    back = [url for client in clients for url in (*client.return_urls, *client.error_urls)]
    if entry.environment == "production" and not all(url.startswith("https://") for url in back):
        raise Invalid(f"tenant {entry.name!r}: people are sent back to https:// only", code="insecure_client")


def _check_stripe(entry: TenantEntry, stripe: StripeEntry) -> None:
    """A test tenant takes no real money, and a live one nothing else. Raises Invalid (`stripe_mode`)."""
    mode = "live" if stripe.livemode else "test"
    if stripe.livemode != (entry.environment == "production") or not stripe.publishable_key.startswith(f"pk_{mode}_"):
        detail = f"tenant {entry.name!r}: environment, livemode and the keys of Stripe are of different modes"
        raise Invalid(detail, code="stripe_mode")


async def _stripe_account(
    db: Database, sealer: Sealer, organization: str, entry: TenantEntry, environment: Mapping[str, str]
) -> StripeAccount | None:
    """The account with sealed secrets; what did not change keeps its seal. Raises Invalid."""
    if entry.stripe is None:
        return None
    key = secret_of(entry.stripe.secret_key, entry.name, entry.environment, environment)
    mode = "live" if entry.stripe.livemode else "test"
    if not key.startswith((f"sk_{mode}_", f"rk_{mode}_")):
        raise Invalid(f"tenant {entry.name!r}: the secret key of Stripe is not one of {mode} mode", code="stripe_mode")
    given = entry.stripe.webhook_secrets
    secrets = "\n".join(secret_of(one, entry.name, entry.environment, environment) for one in given)
    before = await _stored_stripe(db, organization, entry.name)

    def sealed(said: str, stored: bytes | None) -> bytes:
        return stored if stored is not None and sealer.open(stored) == said else sealer.seal(said)

    return StripeAccount(
        account_id=entry.stripe.account_id,
        base_url=entry.stripe.base_url.rstrip("/"),
        secret_key_sealed=sealed(key, before.secret_key_sealed if before else None),
        webhook_secrets_sealed=sealed(secrets, before.webhook_secrets_sealed if before else None) if secrets else None,
        publishable_key=entry.stripe.publishable_key,
        livemode=entry.stripe.livemode,
        connected=entry.stripe.connected,
    )


async def _stored_stripe(db: Database, organization: str, name: str) -> StripeAccount | None:
    async with db.routing() as tx:
        known = await tenants.tenant_by_name(tx, organization, name)
    if known is None:
        return None
    async with db.tenant(known.id) as tx:
        return await get_account(tx)


def _account(
    sealer: Sealer, entry: VippsEntry, secrets: Mapping[str, str], stored: VippsAccount | None
) -> VippsAccount:
    """The account with sealed secrets; one that did not change keeps its seal, so that caches stay warm."""

    def sealed(name: str, before: bytes | None) -> bytes:
        if before is not None and sealer.open(before) == secrets[name]:
            return before
        return sealer.seal(secrets[name])

    return VippsAccount(
        base_url=entry.base_url.rstrip("/"),
        client_id=entry.client_id,
        client_secret_sealed=sealed("client_secret", stored.client_secret_sealed if stored else None),
        subscription_key_sealed=sealed("subscription_key", stored.subscription_key_sealed if stored else None),
        merchant_serial_number=entry.merchant_serial_number,
        charge_calls_per_minute_max=entry.charge_calls_per_minute_max,
        charges_per_call_max=entry.charges_per_call_max,
    )


def _door(entry: TenantEntry, environment: Mapping[str, str]) -> ImportDoor | None:
    """The way in for files of a migration; of its secret only a digest is kept. Raises Invalid (`secret_weak`)."""
    if entry.migration is None:
        return None
    secret = secret_of(entry.migration.secret, entry.name, entry.environment, environment)
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,200}", secret):
        said = "a migration secret is 16 to 200 letters, digits, _ or -: it is a part of addresses"
        raise Invalid(f"tenant {entry.name!r}: {said}", code="secret_weak")
    digest = hashlib.sha256(secret.encode()).digest()
    return ImportDoor(digest, entry.migration.admin_token, entry.migration.calls_per_minute_max)
