"""What a tenants file says: its form, checked before anything of it is believed."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from avtale.domain.agreement import Terms
from avtale.domain.change import ChangeKind
from avtale.domain.dunning import DunningEnd, DunningRules
from avtale.domain.errors import Invalid
from avtale.domain.event import EventKind
from avtale.domain.money import BASIS_POINTS, Money
from avtale.domain.periods import COUNT_MAX, Interval, Unit
from avtale.domain.policy import OWNER_MAY, Policy
from avtale.domain.purchase import PurchaseTerms
from avtale.service.catalogue import CampaignEntry, ExchangeRateEntry, VoucherEntry
from avtale.service.endpoints import ENDPOINTS_COUNT_MAX
from avtale.service.file_secrets import SecretFrom, Strict
from avtale.storage.customer_apis import Client, CustomerApi

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
    charge_calls_per_minute_max: int = Field(500, ge=0, le=1_000_000, description="0: as many as come")
    charges_per_call_max: int = Field(1, ge=1, le=2000, description="1: each charge is a call of its own")
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
    vouchers: list[VoucherEntry] = Field(default_factory=list)
    stripe_price: str | None = Field(
        None, pattern=r"^[\x21-\x7e]{1,200}$", description="the price at Stripe: its id, or its look-up key"
    )

    @model_validator(mode="after")
    def _one_form(self) -> ProductEntry:
        if (self.interval is None) == (self.access_days is None):
            raise ValueError("a product has an interval (a subscription) or access_days (a single purchase)")
        if (self.interval is None) != (self.agreement_url is None):
            raise ValueError("a subscription has an agreement_url, and a single purchase has none")
        special = self.campaigns or self.vouchers or self.suggested_max_minor is not None
        if self.interval is None and special:
            raise ValueError("a single purchase has neither campaigns, nor vouchers, nor a price that may vary")
        if self.vouchers and self.suggested_max_minor is not None:
            raise ValueError("a price that may vary has no vouchers")
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
    types: list[EventKind] | None = Field(None, min_length=1)


class EventsEntry(Strict):
    """What other systems are told."""

    private_networks: bool = False
    keep_days: int | None = Field(None, ge=7, le=3660)
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
