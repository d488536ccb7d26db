"""Read a tenants file, check all of it, and make the database say the same."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from avtale.domain.access import check_grace
from avtale.domain.agreement import Terms
from avtale.domain.billing import BillingRules
from avtale.domain.change import ChangeKind
from avtale.domain.dunning import DunningEnd, DunningRules
from avtale.domain.errors import Invalid
from avtale.domain.money import BASIS_POINTS, Money
from avtale.domain.periods import COUNT_MAX, Interval, Unit
from avtale.domain.policy import OWNER_MAY, Policy
from avtale.domain.ports import Gateways
from avtale.domain.purchase import PurchaseTerms
from avtale.service.absorbing import ASK_FOR_EVENTS_AFTER
from avtale.service.catalogue import CampaignEntry, ExchangeRateEntry
from avtale.service.endpoints import ENDPOINTS_COUNT_MAX, FileEndpoint, apply_endpoints
from avtale.service.file_secrets import SecretFrom, Strict, secret_of
from avtale.service.ids import new_id
from avtale.storage import checks, tenants
from avtale.storage.campaigns import save_campaigns
from avtale.storage.checks import CheckKind
from avtale.storage.customer_apis import Client, CustomerApi, save_customer_api
from avtale.storage.database import Database
from avtale.storage.exchange_rates import ExchangeRate, save_rates
from avtale.storage.imports import ImportDoor, save_door
from avtale.storage.sealing import Sealer
from avtale.storage.stripe_accounts import StripeAccount, get_account, save_account, save_route
from avtale.storage.tenants import Issuer, Tenant, VippsAccount, VippsLogin

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", max_length=1024)]
#: Compared to the letter, and with neither a user nor a fragment in it.
ClientUrl = Annotated[
    str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[!$%&'()*+,./0-9:;=?@A-Z_a-z~-]*)?$", max_length=1024)
]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$", max_length=255)]
Parameter = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class SellerEntry(Strict):
    """Who sells: what the bookkeeping rules want on a receipt."""

    name: str = Field(min_length=1)
    organization_number: str = Field(pattern=r"^\d{9}$")
    vat_registered: bool
    business_register: bool = False
    address: str = Field(min_length=1)


class LoginEntry(Strict):
    """Sign-in with Vipps through this tenant's sales unit."""

    scope: str = Field("openid name phoneNumber email", pattern=r"^openid( [A-Za-z]+)*$")
    redirect_uris: list[str] = Field(min_length=1, description="the exact addresses that the Vipps portal knows")


class VippsEntry(Strict):
    """A sales unit's access to Vipps, and how its charges are made."""

    base_url: Url = "https://api.vipps.no"
    client_id: str
    client_secret: SecretFrom | str
    subscription_key: SecretFrom | str
    merchant_serial_number: str = Field(pattern=r"^\d{4,7}$")
    charge_lead_days: int = 3
    retry_days: int = 5
    login: LoginEntry | None = None


class StripeEntry(Strict):
    """An account's access to Stripe; without `webhook_secrets` avtale makes the webhook endpoint itself."""

    base_url: Url = "https://api.stripe.com"
    account_id: str = Field(pattern=r"^acct_[A-Za-z0-9]{1,64}$")
    secret_key: SecretFrom | str
    publishable_key: str = Field(pattern=r"^pk_(test|live)_[A-Za-z0-9_]+$")
    webhook_secrets: list[SecretFrom | str] = Field(default_factory=list)
    livemode: bool = False
    connected: bool = Field(False, description="the key is a platform's, and speaks for the account")


class IssuerEntry(Strict):
    """An OpenID Connect issuer."""

    issuer: Url
    audience: str
    jwks_url: Url | None = None
    subject_claim: str = "sub"
    roles_claim: str = "roles"
    admin_role: str = "avtale:admin"


class ProductEntry(Strict):
    """Something on sale: a subscription (`interval`, `agreement_url`), or a single purchase (`access_days`).

    Names fit what Vipps shows: 45 characters, and 100 for the description.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    name: str = Field(min_length=1, max_length=45)
    description: str | None = Field(None, max_length=100)
    price_minor: int = Field(ge=0, le=2_000_000)
    currency: Literal["NOK", "DKK", "EUR"]
    interval: Unit | None = None
    interval_count: int = Field(1, ge=1, le=COUNT_MAX)
    access_days: int | None = Field(None, ge=1, le=3650)
    vat_percent: Decimal = Field(ge=0, le=100, decimal_places=2)
    agreement_url: Url | None = None
    suggested_max_minor: int | None = Field(None, ge=1, le=30_000_000)
    campaigns: list[CampaignEntry] = Field(default_factory=list)
    stripe_price: str | None = Field(
        None, pattern=r"^[\x21-\x7e]{1,200}$", description="the price at Stripe: its id, or its look-up key"
    )

    @model_validator(mode="after")
    def _one_form(self) -> ProductEntry:
        if (self.interval is None) == (self.access_days is None):
            raise ValueError("a product has an interval (a subscription) or access_days (a single purchase)")
        if (self.interval is None) != (self.agreement_url is None):
            raise ValueError("a subscription has an agreement_url, and a single purchase has none")
        if self.interval is None and (self.campaigns or self.suggested_max_minor is not None):
            raise ValueError("a single purchase has neither campaigns nor a price that may vary")
        if len({campaign.id for campaign in self.campaigns}) < len(self.campaigns):
            raise ValueError("two campaigns have the same id")
        if self.stripe_price is not None and (self.interval is None or self.suggested_max_minor is not None):
            raise ValueError("only a subscription whose price does not vary has a stripe_price")
        return self

    def terms(self) -> Terms | PurchaseTerms:
        price, vat = Money(self.price_minor, self.currency), int(self.vat_percent * BASIS_POINTS / 100)
        if self.access_days is not None:
            return PurchaseTerms(self.id, self.name, self.description, price, self.access_days, vat)
        if self.interval is None or self.agreement_url is None:
            raise RuntimeError("a product of neither form passed its check")
        return Terms(
            product_id=self.id,
            name=self.name,
            description=self.description,
            price=price,
            interval=Interval(self.interval, self.interval_count),
            vat_basis_points=vat,
            agreement_url=self.agreement_url,
            suggested_max=self.suggested_max_minor,
        )


class PolicyEntry(Strict):
    """The rules of a tenant for the life of its agreements."""

    owner_may: list[ChangeKind] = Field(default_factory=lambda: list(OWNER_MAY))
    price_notice_days: int = Field(30, ge=0, le=365)
    dunning_orders: int = Field(0, ge=0, le=4)
    dunning_wait_days: int = Field(3, ge=1, le=30)
    dunning_end: DunningEnd = DunningEnd.STOP

    def policy(self) -> Policy:
        dunning = DunningRules(self.dunning_orders, self.dunning_wait_days, self.dunning_end)
        return Policy(dunning, tuple(self.owner_may), self.price_notice_days)


class ClientEntry(Strict):
    """An application that may send people to the customer API's pages, and to which addresses they come back."""

    client_id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")
    return_urls: list[ClientUrl] = Field(min_length=1)
    error_urls: list[ClientUrl] = Field(min_length=1)
    result_parameter: Parameter = "status"
    transaction_parameter: Parameter = "transactionId"


class CustomerApiEntry(Strict):
    """The customer API of a tenant, which has none without this."""

    payment_provider_id: int = Field(ge=0, lt=2**31)
    clients: list[ClientEntry] = Field(default_factory=list)

    def api(self) -> CustomerApi:
        return CustomerApi(
            self.payment_provider_id,
            tuple(
                Client(
                    **entry.model_dump()
                    | {"return_urls": tuple(entry.return_urls), "error_urls": tuple(entry.error_urls)}
                )
                for entry in self.clients
            ),
        )


class MigrationEntry(Strict):
    """How a living business moves in; a tenant without this has no such operations."""

    secret: SecretFrom | str
    admin_token: bool = True
    calls_per_minute_max: int = Field(3000, ge=60, le=1_000_000)


class EventEndpointEntry(Strict):
    """Where events are delivered to, and what they are signed with."""

    name: Name
    url: Url
    secret: SecretFrom | str


class EventsEntry(Strict):
    """What other systems are told."""

    private_networks: bool = False
    endpoints: list[EventEndpointEntry] = Field(default_factory=list, max_length=ENDPOINTS_COUNT_MAX)


class TenantEntry(Strict):
    """One tenant."""

    name: Name
    hosts: list[str] = Field(min_length=1)
    public_url: Url
    zone: str = "Europe/Oslo"
    environment: Literal["test", "production"] = "test"
    allowed_origins: list[Origin] = Field(default_factory=list)
    grace_days: int = Field(6, ge=0, le=60)
    seller: SellerEntry
    vipps: VippsEntry
    stripe: StripeEntry | None = None
    issuers: list[IssuerEntry] = Field(min_length=1)
    products: list[ProductEntry] = Field(default_factory=list)
    policy: PolicyEntry = Field(default_factory=PolicyEntry)
    exchange_rates: list[ExchangeRateEntry] = Field(default_factory=list)
    customer_api: CustomerApiEntry | None = None
    migration: MigrationEntry | None = None
    events: EventsEntry | None = None

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"there is no time zone {zone!r}") from error
        return zone


class OrganizationEntry(Strict):
    """One organization with its tenants."""

    name: Name
    tenants: list[TenantEntry] = Field(min_length=1)


class TenantsFile(Strict):
    """The whole file."""

    organizations: list[OrganizationEntry] = Field(min_length=1)


def read_tenants_file(path: Path) -> TenantsFile:
    """Parse and check a file. Raises Invalid (`tenants_file`) that names each fault and where it stands."""
    try:
        return TenantsFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = "\n".join(
            f"  {'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()
        )
        raise Invalid(f"{path} cannot be applied:\n{faults}", code="tenants_file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}", code="tenants_file") from error


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
        one.name: FileEndpoint(one.url, secret_of(one.secret, entry.name, entry.environment, environment))
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
        await save_rates(tx, [ExchangeRate(**rate.model_dump()) for rate in entry.exchange_rates])
        await tenants.save_stripe_prices(tx, {p.id: p.stripe_price for p in entry.products if p.stripe_price})
        await save_account(tx, stripe)
        if stripe is not None:
            await checks.ask(tx, CheckKind.EVENTS, [tenant.id], tx.now + ASK_FOR_EVENTS_AFTER)
        await save_customer_api(tx, entry.customer_api.api() if entry.customer_api else None)
        await save_door(tx, door)
        await apply_endpoints(tx, sealer, tenant, endpoints, events.private_networks)
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
        except ValueError as error:
            raise Invalid(f"product {product.id!r}: {error}", code="product_unsellable") from error
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
