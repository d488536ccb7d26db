"""Who sells what, with which accounts, and to whom a request belongs."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from avtale.domain.periods import Unit
from avtale.storage.tables.columns import among, instant, metadata, needed, tenant

organizations = Table(
    "organizations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
)

tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    needed("organization_id", Uuid),
    needed("name", String(63)),
    needed("public_url", Text),
    needed("zone", Text),
    needed("environment", Text),
    needed("grace_days", Integer),
    needed("charge_lead_days", Integer),
    needed("retry_days", Integer),
    needed("seller", JSONB),
    needed("origins", JSONB),
    Column("policy", JSONB, nullable=False, server_default="{}"),
    ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
    UniqueConstraint("organization_id", "name"),
    CheckConstraint("environment IN ('test', 'production')", name="environment"),
)

tenant_hosts = Table(
    "tenant_hosts",
    metadata,
    Column("host", Text, primary_key=True),
    tenant(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

#: When a tenant next has work for a job: `absorb` and `send` are in wall time, the others in business time.
due_tenants = Table(
    "due_tenants",
    metadata,
    tenant(),
    needed("job", Text),
    instant("due_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "job"),
    Index(None, "job", "due_at"),
)

#: At most one row, and none in production: business time was `at` when the wall showed `set_wall`.
business_clock = Table(
    "business_clock",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="single"), primary_key=True),
    instant("at", nullable=False),
    needed("running", Boolean),
    instant("set_wall", nullable=False),
)

vipps_accounts = Table(
    "vipps_accounts",
    metadata,
    tenant(),
    needed("base_url", Text),
    needed("client_id", Text),
    needed("client_secret_sealed", LargeBinary),
    needed("subscription_key_sealed", LargeBinary),
    needed("merchant_serial_number", Text),
    Column("charge_calls_per_minute_max", Integer, nullable=False, server_default="500"),
    Column("charges_per_call_max", Integer, nullable=False, server_default="1"),
    PrimaryKeyConstraint("tenant_id"),
    CheckConstraint("charge_calls_per_minute_max >= 0", name="charge_calls_per_minute_max"),
    CheckConstraint("charges_per_call_max BETWEEN 1 AND 2000", name="charges_per_call_max"),
)

#: `webhook_secrets_sealed` are those that the tenant was given by hand; what we registered is a registration.
stripe_accounts = Table(
    "stripe_accounts",
    metadata,
    tenant(),
    needed("account_id", Text),
    needed("base_url", Text),
    needed("secret_key_sealed", LargeBinary),
    Column("webhook_secrets_sealed", LargeBinary),
    needed("publishable_key", Text),
    needed("livemode", Boolean),
    needed("connected", Boolean),
    PrimaryKeyConstraint("tenant_id"),
)

#: Whose a Stripe account is: what a webhook that names only the account finds its tenant by.
stripe_routes = Table(
    "stripe_routes",
    metadata,
    Column("account_id", Text, primary_key=True),
    tenant(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

#: Sign-in with Vipps: what is asked of people, and where they may be sent back to.
vipps_logins = Table(
    "vipps_logins",
    metadata,
    tenant(),
    needed("scope", Text),
    needed("redirect_uris", JSONB),
    PrimaryKeyConstraint("tenant_id"),
)

identity_issuers = Table(
    "identity_issuers",
    metadata,
    tenant(),
    needed("issuer", Text),
    needed("audience", Text),
    Column("jwks_url", Text),
    needed("subject_claim", Text),
    needed("roles_claim", Text),
    needed("admin_role", Text),
    PrimaryKeyConstraint("tenant_id", "issuer"),
)

products = Table(
    "products",
    metadata,
    tenant(),
    needed("id", String(64)),
    needed("name", Text),
    Column("description", Text),
    needed("price", BigInteger),
    needed("currency", String(3)),
    Column("interval_unit", Text),
    Column("interval_count", SmallInteger),
    Column("access_days", SmallInteger),
    needed("vat_basis_points", Integer),
    Column("agreement_url", Text),
    Column("stripe_price", Text),
    needed("on_sale", Boolean),
    Column("campaigns", JSONB, nullable=False, server_default="[]"),
    Column("vouchers", JSONB, nullable=False, server_default="[]"),
    Column("suggested_max", BigInteger),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("price >= 0", name="price"),
    CheckConstraint(among("interval_unit", Unit), name="interval_unit"),
    # A subscription has an interval and a page about the agreement, a single purchase has its days of access.
    CheckConstraint(
        "num_nulls(interval_unit, interval_count, agreement_url) = CASE WHEN access_days IS NULL THEN 0 ELSE 3 END",
        name="form",
    ),
)

#: What one unit of a currency is worth in NOK from a day on, as the tenant's file says.
exchange_rates = Table(
    "exchange_rates",
    metadata,
    tenant(),
    needed("currency", String(3)),
    needed("day", Date),
    needed("nok", Numeric(18, 8)),
    PrimaryKeyConstraint("tenant_id", "currency", "day"),
    CheckConstraint("nok > 0", name="nok"),
)

webhook_registrations = Table(
    "webhook_registrations",
    metadata,
    tenant(),
    needed("id", Uuid),
    needed("gateway", Text),
    needed("url", Text),
    needed("status", Text),
    Column("gateway_webhook_id", Text),
    Column("secret_sealed", LargeBinary),
    instant("created_wall", nullable=False),
    instant("retired_wall"),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("status IN ('intent', 'active', 'retired')", name="status"),
    CheckConstraint("(status = 'intent') = (secret_sealed IS NULL)", name="secret"),
)

#: What a tenant's customer API needs to know; `clients` are the applications that may send people to it.
customer_apis = Table(
    "customer_apis",
    metadata,
    tenant(),
    needed("payment_provider_id", BigInteger),
    needed("clients", JSONB),
    PrimaryKeyConstraint("tenant_id"),
)
