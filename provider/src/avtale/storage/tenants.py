"""Rows of organizations, tenants and what is configured for each: hosts, issuers, products, accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from avtale.domain.agreement import Terms
from avtale.domain.billing import BillingRules
from avtale.domain.money import Money
from avtale.domain.periods import Interval, Unit
from avtale.domain.policy import Policy
from avtale.domain.purchase import PurchaseTerms
from avtale.storage import tables as t
from avtale.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant as everybody needs it; nothing of it is secret."""

    id: UUID
    organization: str
    name: str
    public_url: str
    zone: str
    environment: str
    grace_days: int
    rules: BillingRules
    seller: dict[str, Any]
    #: The origins whose pages may call the API from a browser.
    origins: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An OpenID Connect issuer whose tokens a tenant accepts, and where in them it finds what."""

    issuer: str
    audience: str
    jwks_url: str | None
    subject_claim: str
    roles_claim: str
    admin_role: str


@dataclass(frozen=True, slots=True)
class VippsAccount:
    """A tenant's access to Vipps; the secrets are sealed. A budget of 0 calls a minute is none."""

    base_url: str
    client_id: str
    client_secret_sealed: bytes
    subscription_key_sealed: bytes
    merchant_serial_number: str
    charge_calls_per_minute_max: int
    charges_per_call_max: int


@dataclass(frozen=True, slots=True)
class VippsLogin:
    """Sign-in with Vipps: the scope that is asked for, and the exact addresses people may be sent back to."""

    scope: str
    redirect_uris: tuple[str, ...]


_TENANT = select(t.tenants, t.organizations.c.name.label("organization")).join(
    t.organizations, t.organizations.c.id == t.tenants.c.organization_id
)

_PRODUCT = select(t.products).where(
    t.products.c.tenant_id == bindparam("tenant_id"), t.products.c.id == bindparam("id"), t.products.c.on_sale
)


async def tenant_by_host(tx: Transaction, host: str) -> Tenant | None:
    """The tenant that answers to a host name (without port, lower case)."""
    return await _one(
        tx,
        _TENANT.join(t.tenant_hosts, t.tenant_hosts.c.tenant_id == t.tenants.c.tenant_id).where(
            t.tenant_hosts.c.host == host
        ),
    )


async def tenant_by_name(tx: Transaction, organization: str, name: str) -> Tenant | None:
    """The tenant of an organization's and a tenant's URL name."""
    return await _one(tx, _TENANT.where(t.organizations.c.name == organization, t.tenants.c.name == name))


async def tenant_by_ids(tx: Transaction, organization_id: UUID, tenant_id: UUID) -> Tenant | None:
    """The tenant of an id, if it is this organization's."""
    return await _one(tx, _TENANT.where(t.organizations.c.id == organization_id, t.tenants.c.tenant_id == tenant_id))


async def tenant_by_id(tx: Transaction, tenant_id: UUID) -> Tenant | None:
    """The tenant of an id."""
    return await _one(tx, _TENANT.where(t.tenants.c.tenant_id == tenant_id))


async def tenants_of(tx: Transaction, organization: str) -> list[Tenant]:
    """The tenants of an organization, by name."""
    mine = t.organizations.c.name == organization
    return [_tenant(row) for row in await tx.conn.execute(_TENANT.where(mine).order_by(t.tenants.c.name))]


async def all_tenants(tx: Transaction) -> list[Tenant]:
    """Every tenant, by organization and name."""
    rows = await tx.conn.execute(_TENANT.order_by(t.organizations.c.name, t.tenants.c.name))
    return [_tenant(row) for row in rows]


async def save_tenant(tx: Transaction, tenant: Tenant, organization_id: UUID) -> Tenant:
    """Write an organization and a tenant by their names; ids that exist already stay. Returns what is stored."""
    await tx.conn.execute(
        insert(t.organizations).values(id=organization_id, name=tenant.organization).on_conflict_do_nothing()
    )
    found = await tx.conn.execute(select(t.organizations.c.id).where(t.organizations.c.name == tenant.organization))
    values = {
        "public_url": tenant.public_url,
        "zone": tenant.zone,
        "environment": tenant.environment,
        "grace_days": tenant.grace_days,
        "charge_lead_days": tenant.rules.charge_lead_days,
        "retry_days": tenant.rules.retry_days,
        "seller": tenant.seller,
        "origins": list(tenant.origins),
        "policy": tenant.policy.row(),
    }
    await tx.conn.execute(
        insert(t.tenants)
        .values(tenant_id=tenant.id, organization_id=found.scalar_one(), name=tenant.name, **values)
        .on_conflict_do_update(index_elements=["organization_id", "name"], set_=values)
    )
    stored = await tenant_by_name(tx, tenant.organization, tenant.name)
    if stored is None:
        raise RuntimeError("a tenant that was just written is not there")
    return stored


async def save_hosts(tx: Transaction, tenant_id: UUID, hosts: Collection[str]) -> list[str]:
    """Give a tenant exactly these host names; returns those that belong to another one and were left."""
    c = t.tenant_hosts.c
    await tx.conn.execute(delete(t.tenant_hosts).where(c.tenant_id == tenant_id, c.host.not_in(sorted(hosts))))
    for host in sorted(hosts):
        await tx.conn.execute(insert(t.tenant_hosts).values(host=host, tenant_id=tenant_id).on_conflict_do_nothing())
    rows = await tx.conn.execute(select(c.host).where(c.host.in_(sorted(hosts)), c.tenant_id != tenant_id))
    return [row.host for row in rows]


async def save_vipps_account(tx: Transaction, account: VippsAccount) -> None:
    """Write the tenant's access to Vipps."""
    values = {name: getattr(account, name) for name in VippsAccount.__dataclass_fields__}
    await tx.conn.execute(
        insert(t.vipps_accounts)
        .values(tenant_id=tx.tenant_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id"], set_=values)
    )


async def get_vipps_account(tx: Transaction) -> VippsAccount | None:
    """The tenant's access to Vipps, if it has one."""
    c = t.vipps_accounts.c
    row = (await tx.conn.execute(select(t.vipps_accounts).where(c.tenant_id == tx.tenant_id))).first()
    if row is None:
        return None
    return VippsAccount(
        row.base_url,
        row.client_id,
        bytes(row.client_secret_sealed),
        bytes(row.subscription_key_sealed),
        row.merchant_serial_number,
        row.charge_calls_per_minute_max,
        row.charges_per_call_max,
    )


async def save_vipps_login(tx: Transaction, login: VippsLogin | None) -> None:
    """Write how people sign in with Vipps; None: they do not."""
    c = t.vipps_logins.c
    if login is None:
        await tx.conn.execute(delete(t.vipps_logins).where(c.tenant_id == tx.tenant_id))
        return
    values = {"scope": login.scope, "redirect_uris": list(login.redirect_uris)}
    await tx.conn.execute(
        insert(t.vipps_logins)
        .values(tenant_id=tx.tenant_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id"], set_=values)
    )


async def get_vipps_login(tx: Transaction) -> VippsLogin | None:
    """How people sign in with Vipps, if they do."""
    c = t.vipps_logins.c
    row = (await tx.conn.execute(select(t.vipps_logins).where(c.tenant_id == tx.tenant_id))).first()
    return None if row is None else VippsLogin(row.scope, tuple(row.redirect_uris))


async def save_issuers(tx: Transaction, issuers: Collection[Issuer]) -> None:
    """Give the tenant exactly these issuers."""
    c = t.identity_issuers.c
    kept = sorted(issuer.issuer for issuer in issuers)
    await tx.conn.execute(delete(t.identity_issuers).where(c.tenant_id == tx.tenant_id, c.issuer.not_in(kept)))
    for issuer in issuers:
        values = {name: getattr(issuer, name) for name in Issuer.__dataclass_fields__}
        await tx.conn.execute(
            insert(t.identity_issuers)
            .values(tenant_id=tx.tenant_id, **values)
            .on_conflict_do_update(index_elements=["tenant_id", "issuer"], set_=values)
        )


async def get_issuers(tx: Transaction) -> list[Issuer]:
    """The issuers whose tokens the tenant accepts."""
    c = t.identity_issuers.c
    rows = await tx.conn.execute(select(t.identity_issuers).where(c.tenant_id == tx.tenant_id).order_by(c.issuer))
    return [Issuer(**{n: getattr(row, n) for n in Issuer.__dataclass_fields__}) for row in rows]


async def save_products(tx: Transaction, products: Collection[Terms | PurchaseTerms]) -> None:
    """Put these products on sale and take every other off it; what was sold keeps the terms it was sold on."""
    c = t.products.c
    await tx.conn.execute(t.products.update().where(c.tenant_id == tx.tenant_id).values(on_sale=False))
    for terms in products:
        values: dict[str, object] = {
            "name": terms.name,
            "description": terms.description,
            "price": terms.price.amount,
            "currency": terms.price.currency,
            "vat_basis_points": terms.vat_basis_points,
            "on_sale": True,
            **_form(terms),
        }
        await tx.conn.execute(
            insert(t.products)
            .values(tenant_id=tx.tenant_id, id=terms.product_id, **values)
            .on_conflict_do_update(index_elements=["tenant_id", "id"], set_=values)
        )


def _form(terms: Terms | PurchaseTerms) -> dict[str, object]:
    """What only a subscription has, and what only a single purchase has."""
    if isinstance(terms, PurchaseTerms):
        return {
            "interval_unit": None,
            "interval_count": None,
            "agreement_url": None,
            "access_days": terms.access_days,
            "suggested_max": None,
        }
    return {
        "interval_unit": terms.interval.unit,
        "interval_count": terms.interval.count,
        "agreement_url": terms.agreement_url,
        "access_days": None,
        "suggested_max": terms.suggested_max,
    }


async def save_stripe_prices(tx: Transaction, prices: Mapping[str, str]) -> None:
    """Say which prices at Stripe products have, by product; every other has none."""
    c = t.products.c
    await tx.conn.execute(t.products.update().where(c.tenant_id == tx.tenant_id).values(stripe_price=None))
    for product_id, price in sorted(prices.items()):
        mine = (c.tenant_id == tx.tenant_id) & (c.id == product_id)
        await tx.conn.execute(t.products.update().where(mine).values(stripe_price=price))


async def stripe_prices(tx: Transaction) -> dict[str, str]:
    """The prices at Stripe (an id or a look-up key) of products that are on sale and have one."""
    c = t.products.c
    found = select(c.id, c.stripe_price).where(c.tenant_id == tx.tenant_id, c.on_sale, c.stripe_price.is_not(None))
    return {row.id: row.stripe_price for row in await tx.conn.execute(found.order_by(c.id))}


async def get_product(tx: Transaction, product_id: str) -> Terms | PurchaseTerms | None:
    """A product that is on sale, as the terms of a subscription or of a single purchase."""
    row = (await tx.conn.execute(_PRODUCT, {"tenant_id": tx.tenant_id, "id": product_id})).first()
    return None if row is None else _terms(row)


async def products_on_sale(tx: Transaction) -> list[Terms | PurchaseTerms]:
    """Every product that is on sale, by its id, as the terms of a subscription or of a single purchase."""
    c = t.products.c
    statement = select(t.products).where(c.tenant_id == tx.tenant_id, c.on_sale).order_by(c.id)
    return [_terms(row) for row in await tx.conn.execute(statement)]


def _terms(row: Row[Any]) -> Terms | PurchaseTerms:
    if row.access_days is not None:
        return PurchaseTerms(
            product_id=row.id,
            name=row.name,
            description=row.description,
            price=Money(row.price, row.currency),
            access_days=row.access_days,
            vat_basis_points=row.vat_basis_points,
        )
    return Terms(
        product_id=row.id,
        name=row.name,
        description=row.description,
        price=Money(row.price, row.currency),
        interval=Interval(Unit(row.interval_unit), row.interval_count),
        vat_basis_points=row.vat_basis_points,
        agreement_url=row.agreement_url,
        suggested_max=row.suggested_max,
    )


async def _one(tx: Transaction, statement: Any) -> Tenant | None:
    row = (await tx.conn.execute(statement)).first()
    return None if row is None else _tenant(row)


def _tenant(row: Row[Any]) -> Tenant:
    return Tenant(
        id=row.tenant_id,
        organization=row.organization,
        name=row.name,
        public_url=row.public_url,
        zone=row.zone,
        environment=row.environment,
        grace_days=row.grace_days,
        rules=BillingRules(row.charge_lead_days, row.retry_days),
        seller=row.seller,
        origins=tuple(row.origins),
        policy=Policy.of(row.policy),
    )
