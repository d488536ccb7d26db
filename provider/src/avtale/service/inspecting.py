"""Find out what is wrong with a tenant's set-up, by asking everybody who is part of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from urllib.parse import urlsplit

from avtale.domain.agreement import Terms
from avtale.domain.errors import Conflict, Refusal
from avtale.domain.gateway import GatewayName
from avtale.domain.observations import RegisteredWebhook
from avtale.domain.outcome import CREDENTIALS_REFUSED, Answered, Outcome, Refused, Throttled
from avtale.domain.periods import local_date
from avtale.domain.ports import Gateways
from avtale.domain.purchase import PurchaseTerms
from avtale.domain.receipt import BOOKKEEPING_CURRENCY
from avtale.service.endpoints import EndpointView, list_endpoints
from avtale.service.findings import ConfigError, Severity
from avtale.service.inspecting_stripe import find_stripe_errors
from avtale.service.registering import webhook_url
from avtale.storage import tenants, webhooks
from avtale.storage.database import Database
from avtale.storage.exchange_rates import rates_on
from avtale.storage.tenants import Issuer, Tenant
from avtale.storage.webhooks import Registration

#: Asks an issuer for its keys; raises a Refusal when it does not tell them.
AskIssuer = Callable[[Issuer], Awaitable[object]]


async def find_config_errors(
    db: Database, gateways: Gateways, tenant: Tenant, ask_issuer: AskIssuer
) -> list[ConfigError]:
    """Everything that is wrong with a tenant's set-up now; the worst first. Calls Vipps and every issuer."""
    async with db.tenant(tenant.id) as tx:
        issuers = await tenants.get_issuers(tx)
        on_sale = await tenants.products_on_sale(tx)
        registered = await webhooks.registrations(tx, GatewayName.VIPPS)
        rates = await rates_on(tx, local_date(tx.now, tenant.zone))
    found = [*_address(tenant), *_catalogue(gateways, tenant, on_sale), *_rates(on_sale, rates)]
    found += [fault for issuer in issuers for fault in await _issuer(issuer, ask_issuer)]
    found += [*_endpoints(await list_endpoints(db, tenant)), *await _vipps(gateways, tenant, registered)]
    found += await find_stripe_errors(db, gateways, tenant)
    return sorted(found, key=lambda one: (one.severity, one.provider, one.code, one.subject))


def _address(tenant: Tenant) -> list[ConfigError]:
    if urlsplit(tenant.public_url).scheme == "https" or tenant.environment == "test":
        return []
    return [
        ConfigError(
            "public_url_insecure",
            Severity.ERROR,
            "avtale",
            tenant.public_url,
            "Vipps delivers webhooks of real payments to https addresses only.",
            "Put a certificate before the API, and write the https address as `public_url` in the tenants file.",
        )
    ]


def _catalogue(gateways: Gateways, tenant: Tenant, on_sale: Sequence[Terms | PurchaseTerms]) -> list[ConfigError]:
    found = []
    if not on_sale:
        found.append(
            ConfigError(
                "nothing_on_sale",
                Severity.WARNING,
                "avtale",
                tenant.name,
                "The tenant has no product, so that every checkout is refused.",
                "Add products to the tenants file and run `avtale tenants apply`.",
            )
        )
    for product in on_sale:
        try:
            gateways.check_terms(product)
        except ValueError as error:
            found.append(
                ConfigError(
                    "product_unsellable",
                    Severity.ERROR,
                    "vipps",
                    product.product_id,
                    f"Vipps would refuse this product: {error}.",
                    "Change the product in the tenants file and run `avtale tenants apply`.",
                )
            )
        if product.vat_basis_points and not tenant.seller["vat_registered"]:
            found.append(
                ConfigError(
                    "vat_without_registration",
                    Severity.ERROR,
                    "avtale",
                    product.product_id,
                    "The product has VAT, but its seller is not registered for VAT.",
                    "Set `vat_percent = 0`, or `vat_registered = true` for the seller.",
                )
            )
    return found


def _rates(on_sale: Sequence[Terms | PurchaseTerms], rates: Collection[str]) -> list[ConfigError]:
    """Receipts in another currency must say their VAT in NOK."""
    sold = {product.price.currency for product in on_sale if product.vat_basis_points}
    return [
        ConfigError(
            "exchange_rate_missing",
            Severity.ERROR,
            "avtale",
            currency,
            f"Receipts in {currency} do not say their VAT in NOK, as Norwegian bookkeeping wants it.",
            "Add a rate for this currency to `exchange_rates` in the tenants file and run `avtale tenants apply`.",
        )
        for currency in sorted(sold - {BOOKKEEPING_CURRENCY} - set(rates))
    ]


def _endpoints(views: Sequence[EndpointView]) -> list[ConfigError]:
    return [
        ConfigError(
            "event_endpoint_disabled",
            Severity.ERROR,
            "avtale",
            view.endpoint.url,
            f"Events are not delivered there, and {view.waiting.events} wait: {view.endpoint.disabled_reason}.",
            "Mend the receiver, then switch the endpoint on again: it goes on where it was.",
        )
        for view in views
        if view.endpoint.disabled_at is not None
    ]


async def _issuer(issuer: Issuer, ask_issuer: AskIssuer) -> list[ConfigError]:
    try:
        await ask_issuer(issuer)
    except Refusal as refusal:
        return [
            ConfigError(
                "issuer_unavailable",
                Severity.ERROR,
                "identity",
                issuer.issuer,
                f"Nobody new can sign in: {refusal.detail}.",
                "Check the issuer's address, `jwks_url`, and that this machine reaches it.",
            )
        ]
    return []


async def _vipps(gateways: Gateways, tenant: Tenant, registered: Sequence[Registration]) -> list[ConfigError]:
    url = webhook_url(tenant)
    try:
        gateway = await gateways.recurring(tenant.id)
    except Conflict as missing:
        return [_vipps_error(missing.code, tenant.name, missing.detail, "Add the account to the tenants file.")]
    told = await gateway.list_webhooks()
    if not isinstance(told, Answered):
        return _no_answer(tenant, told)
    live = {r.gateway_webhook_id for r in registered if r.status == "active" and r.secret_sealed is not None}
    ours = [webhook for webhook in told.value if webhook.url == url]
    again = "Run `avtale tenants apply`: it registers the webhook anew."
    if not ours:
        return [_vipps_error("webhook_missing", url, "Vipps has no webhook for this tenant's address.", again)]
    if not live.intersection(webhook.id for webhook in ours):
        return [_vipps_error("webhook_secret_unknown", url, "What Vipps signs cannot be verified here.", again)]
    deaf = set(gateways.webhooks.events).difference(*(webhook.events for webhook in ours))
    if deaf:
        names = ", ".join(sorted(deaf))
        return [_vipps_error("webhook_events_missing", url, f"Vipps does not tell us of {names}.", again)]
    return []


def _no_answer(tenant: Tenant, told: Outcome[tuple[RegisteredWebhook, ...]]) -> list[ConfigError]:
    if isinstance(told, Throttled):
        return []
    if isinstance(told, Refused) and told.code == CREDENTIALS_REFUSED:
        return [
            _vipps_error(
                "vipps_credentials_refused",
                tenant.name,
                f"Vipps does not accept the tenant's keys: {told.detail}.",
                "Copy client id, client secret and subscription key anew from the Vipps portal.",
            )
        ]
    if isinstance(told, Refused):
        detail = f"Vipps refused to list the webhooks: {told.detail}."
        return [_vipps_error("vipps_refused", tenant.name, detail, "Check that the sales unit has this product.")]
    detail = "Vipps did not answer."
    return [
        _vipps_error("vipps_unreachable", tenant.name, detail, "Check `base_url`, and that this machine reaches it.")
    ]


def _vipps_error(code: str, subject: str, message: str, action: str) -> ConfigError:
    return ConfigError(code, Severity.ERROR, "vipps", subject, message, action)
