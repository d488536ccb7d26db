"""The tables: every key begins with the tenant, and the few tables that belong to none are named here."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.type_api import TypeEngine

from avtale.domain.agreement import AgreementStatus
from avtale.domain.change import ChangeKind, ChangeStatus
from avtale.domain.charge import OPEN_ATTEMPTS, AttemptStatus, ChargeKind, ChargeStatus, RefundStatus
from avtale.domain.dunning import DunningStatus
from avtale.domain.gateway import GatewayName
from avtale.domain.imports import ImportKind, ImportStatus, RowState
from avtale.domain.periods import Unit
from avtale.domain.purchase import PurchaseStatus
from avtale.domain.receipt import ReceiptKind
from avtale.domain.settlement import BookingKind

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(referred_table_name)s_fk",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
    }
)

#: Tables without row-level security: they route a request or a job to its tenant and hold no personal data.
ROUTING_TABLES = ("organizations", "tenants", "tenant_hosts", "stripe_routes", "due_tenants", "business_clock")


def _among(column: str, values: Iterable[StrEnum]) -> str:
    members = sorted(member.value for member in values)
    return f"{column} IN ({', '.join(repr(m) for m in members)})"


def _instant(name: str, nullable: bool = True) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _tenant() -> Column[Any]:
    return Column("tenant_id", Uuid, nullable=False)


def _gateway() -> tuple[Column[Any], CheckConstraint]:
    """At which payment company a row's order or agreement is."""
    return _needed("gateway", Text), CheckConstraint(_among("gateway", GatewayName), name="gateway")


def _one_owner() -> CheckConstraint:
    """A row belongs to an agreement or to a purchase, never to both."""
    return CheckConstraint("num_nonnulls(agreement_id, purchase_id) = 1", name="one_owner")


def _needed(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> Column[Any]:
    return Column(name, kind, nullable=False)


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
    _needed("organization_id", Uuid),
    _needed("name", String(63)),
    _needed("public_url", Text),
    _needed("zone", Text),
    _needed("environment", Text),
    _needed("grace_days", Integer),
    _needed("charge_lead_days", Integer),
    _needed("retry_days", Integer),
    _needed("seller", JSONB),
    _needed("origins", JSONB),
    Column("policy", JSONB, nullable=False, server_default="{}"),
    ForeignKeyConstraint(["organization_id"], ["organizations.id"]),
    UniqueConstraint("organization_id", "name"),
    CheckConstraint("environment IN ('test', 'production')", name="environment"),
)

tenant_hosts = Table(
    "tenant_hosts",
    metadata,
    Column("host", Text, primary_key=True),
    _tenant(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

#: When a tenant next has work for a job: `absorb` and `send` are in wall time, the others in business time.
due_tenants = Table(
    "due_tenants",
    metadata,
    _tenant(),
    _needed("job", Text),
    _instant("due_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "job"),
    Index(None, "job", "due_at"),
)

#: At most one row, and none in production: business time was `at` when the wall showed `set_wall`.
business_clock = Table(
    "business_clock",
    metadata,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="single"), primary_key=True),
    _instant("at", nullable=False),
    _needed("running", Boolean),
    _instant("set_wall", nullable=False),
)

vipps_accounts = Table(
    "vipps_accounts",
    metadata,
    _tenant(),
    _needed("base_url", Text),
    _needed("client_id", Text),
    _needed("client_secret_sealed", LargeBinary),
    _needed("subscription_key_sealed", LargeBinary),
    _needed("merchant_serial_number", Text),
    PrimaryKeyConstraint("tenant_id"),
)

#: `webhook_secrets_sealed` are those that the tenant was given by hand; what we registered is a registration.
stripe_accounts = Table(
    "stripe_accounts",
    metadata,
    _tenant(),
    _needed("account_id", Text),
    _needed("base_url", Text),
    _needed("secret_key_sealed", LargeBinary),
    Column("webhook_secrets_sealed", LargeBinary),
    _needed("publishable_key", Text),
    _needed("livemode", Boolean),
    _needed("connected", Boolean),
    PrimaryKeyConstraint("tenant_id"),
)

#: Whose a Stripe account is: what a webhook that names only the account finds its tenant by.
stripe_routes = Table(
    "stripe_routes",
    metadata,
    Column("account_id", Text, primary_key=True),
    _tenant(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"]),
)

#: The customer that a person is at an account; without `customer_id` the call that makes it has no answer yet.
stripe_customers = Table(
    "stripe_customers",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("account_id", Text),
    _needed("issuer", Text),
    _needed("subject", Text),
    Column("customer_id", Text),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "account_id", "issuer", "subject"),
)

#: Sign-in with Vipps: what is asked of people, and where they may be sent back to.
vipps_logins = Table(
    "vipps_logins",
    metadata,
    _tenant(),
    _needed("scope", Text),
    _needed("redirect_uris", JSONB),
    PrimaryKeyConstraint("tenant_id"),
)

identity_issuers = Table(
    "identity_issuers",
    metadata,
    _tenant(),
    _needed("issuer", Text),
    _needed("audience", Text),
    Column("jwks_url", Text),
    _needed("subject_claim", Text),
    _needed("roles_claim", Text),
    _needed("admin_role", Text),
    PrimaryKeyConstraint("tenant_id", "issuer"),
)

products = Table(
    "products",
    metadata,
    _tenant(),
    _needed("id", String(64)),
    _needed("name", Text),
    Column("description", Text),
    _needed("price", BigInteger),
    _needed("currency", String(3)),
    Column("interval_unit", Text),
    Column("interval_count", SmallInteger),
    Column("access_days", SmallInteger),
    _needed("vat_basis_points", Integer),
    Column("agreement_url", Text),
    Column("stripe_price", Text),
    _needed("on_sale", Boolean),
    Column("campaigns", JSONB, nullable=False, server_default="[]"),
    Column("suggested_max", BigInteger),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("price >= 0", name="price"),
    CheckConstraint(_among("interval_unit", Unit), name="interval_unit"),
    # A subscription has an interval and a page about the agreement, a single purchase has its days of access.
    CheckConstraint(
        "num_nulls(interval_unit, interval_count, agreement_url) = CASE WHEN access_days IS NULL THEN 0 ELSE 3 END",
        name="form",
    ),
)

agreements = Table(
    "agreements",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("issuer", Text),
    _needed("subject", Text),
    _needed("product_id", String(64)),
    _needed("product_name", Text),
    Column("product_description", Text),
    _needed("price", BigInteger),
    _needed("currency", String(3)),
    _needed("interval_unit", Text),
    _needed("interval_count", SmallInteger),
    _needed("vat_basis_points", Integer),
    _needed("agreement_url", Text),
    _needed("status", Text),
    Column("gateway_agreement_id", Text),
    Column("anchor", Date),
    _needed("last_period", Integer),
    _instant("next_charge_at"),
    _instant("created_at", nullable=False),
    _instant("expires_at"),
    _instant("activated_at"),
    _instant("stopped_at"),
    Column("stop_reason", Text),
    Column("parked_reason", Text),
    Column("gift_reason", Text),
    _instant("access_ends_at"),
    _instant("hidden_at"),
    Column("campaign", JSONB(none_as_null=True)),
    Column("suggested_max", BigInteger),
    Column("limit_amount", BigInteger),
    Column("next_amount", BigInteger),
    Column("phase_period", Integer, nullable=False, server_default="1"),
    Column("phase_start", Date),
    Column("bridge_start", Date),
    _instant("paused_at"),
    Column("paused_from", Date),
    Column("resumes_on", Date),
    *_gateway(),
    Column("pause_reason", Text),
    _instant("consented_at"),
    _instant("withdrawn_at"),
    _needed("version", BigInteger),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "gateway_agreement_id"),
    CheckConstraint("gift_reason IS NULL OR (gateway_agreement_id IS NULL AND price = 0)", name="gift"),
    CheckConstraint("suggested_max IS NOT NULL OR limit_amount IS NULL", name="limit"),
    CheckConstraint(
        "(paused_at IS NULL) = (paused_from IS NULL) AND (paused_at IS NOT NULL OR resumes_on IS NULL)", name="paused"
    ),
    CheckConstraint("gateway <> 'stripe' OR next_charge_at IS NULL", name="biller"),
    CheckConstraint(_among("status", AgreementStatus), name="status"),
    CheckConstraint("status NOT IN ('active', 'stopping') OR anchor IS NOT NULL", name="anchor"),
    Index("agreements_person_ix", "tenant_id", "issuer", "subject", "created_at"),
    Index("agreements_newest_ix", "tenant_id", "created_at", "id"),
    Index(
        "agreements_one_active_key",
        "tenant_id",
        "issuer",
        "subject",
        "product_id",
        unique=True,
        postgresql_where=text("status = 'active'"),
    ),
    Index(
        "agreements_due_ix",
        "tenant_id",
        "next_charge_at",
        "id",
        postgresql_where=text("next_charge_at IS NOT NULL AND parked_reason IS NULL"),
    ),
)

#: From which period on an agreement's periods are counted from which day; none where that never changed.
agreement_phases = Table(
    "agreement_phases",
    metadata,
    _tenant(),
    _needed("agreement_id", Uuid),
    _needed("from_period", Integer),
    _needed("start", Date),
    _needed("interval_unit", Text),
    _needed("interval_count", SmallInteger),
    _needed("reason", Text),
    _instant("created_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "agreement_id", "from_period"),
    ForeignKeyConstraint(["tenant_id", "agreement_id"], ["agreements.tenant_id", "agreements.id"]),
    CheckConstraint(_among("interval_unit", Unit), name="interval_unit"),
)

#: What was asked of an agreement, and what became of it.
agreement_changes = Table(
    "agreement_changes",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("agreement_id", Uuid),
    _needed("kind", Text),
    _needed("status", Text),
    _needed("version", Integer),
    _needed("requested_by", Text),
    _instant("created_at", nullable=False),
    Column("day", Date),
    Column("amount", BigInteger),
    Column("charge_day", SmallInteger),
    Column("product_id", String(64)),
    Column("noticed_on", Date),
    Column("from_period", Integer),
    Column("takes_effect", Date),
    _needed("deferred", Boolean),
    _instant("done_at"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "agreement_id", "version"),
    ForeignKeyConstraint(["tenant_id", "agreement_id"], ["agreements.tenant_id", "agreements.id"]),
    CheckConstraint(_among("kind", ChangeKind), name="kind"),
    CheckConstraint(_among("status", ChangeStatus), name="status"),
    Index(
        "agreement_changes_open_ix",
        "tenant_id",
        "agreement_id",
        "status",
        postgresql_where=text("status IN ('planned', 'waiting')"),
    ),
)

#: One attempt to get an agreement drafted; the first that the person approves is the agreement.
drafts = Table(
    "drafts",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("agreement_id", Uuid),
    _needed("order_id", Uuid),
    _needed("status", Text),
    Column("gateway_agreement_id", Text),
    Column("confirmation_url", Text),
    _instant("expires_at", nullable=False),
    *_gateway(),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "agreement_id"], ["agreements.tenant_id", "agreements.id"]),
    UniqueConstraint("tenant_id", "gateway_agreement_id"),
    CheckConstraint(
        "status IN ('written', 'drafted', 'unknown', 'refused', 'won', 'lost', 'rejected', 'dead')", name="status"
    ),
    Index(None, "tenant_id", "agreement_id"),
    Index(None, "tenant_id", "order_id"),
)

#: Something bought once. Its money is one charge with its attempts, as a period's is.
purchases = Table(
    "purchases",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("issuer", Text),
    _needed("subject", Text),
    _needed("gateway", Text),
    _needed("product_id", String(64)),
    _needed("product_name", Text),
    Column("product_description", Text),
    _needed("price", BigInteger),
    _needed("currency", String(3)),
    _needed("access_days", SmallInteger),
    _needed("vat_basis_points", Integer),
    _needed("status", Text),
    Column("confirmation_url", Text),
    _instant("created_at", nullable=False),
    _instant("expires_at", nullable=False),
    _instant("granted_at"),
    Column("end_reason", Text),
    _needed("version", BigInteger),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint(_among("status", PurchaseStatus), name="status"),
    CheckConstraint("status NOT IN ('authorized', 'paid') OR granted_at IS NOT NULL", name="granted"),
    Index("purchases_person_ix", "tenant_id", "issuer", "subject", "created_at"),
)

charges = Table(
    "charges",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    Column("agreement_id", Uuid),
    Column("purchase_id", Uuid),
    _needed("kind", Text),
    Column("period", Integer),
    _needed("period_start", Date),
    _needed("period_end", Date),
    _needed("due", Date),
    _needed("price", BigInteger),
    _needed("currency", String(3)),
    _needed("vat_basis_points", Integer),
    _needed("status", Text),
    _needed("captured", BigInteger),
    _needed("refunded", BigInteger),
    _needed("cancelled", BigInteger),
    Column("failure_reason", Text),
    Column("parked_reason", Text),
    _instant("replan_at"),
    Column("product_id", String(64)),
    Column("product_name", Text),
    Column("keep_max", BigInteger),
    _needed("version", BigInteger),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "agreement_id", "period"),
    UniqueConstraint("tenant_id", "purchase_id"),
    ForeignKeyConstraint(["tenant_id", "agreement_id"], ["agreements.tenant_id", "agreements.id"]),
    ForeignKeyConstraint(["tenant_id", "purchase_id"], ["purchases.tenant_id", "purchases.id"]),
    CheckConstraint(_among("status", ChargeStatus), name="status"),
    CheckConstraint(_among("kind", ChargeKind), name="kind"),
    CheckConstraint("refunded <= captured AND refunded >= 0", name="refunded"),
    CheckConstraint("(period IS NULL) = (kind IN ('one_off', 'purchase', 'stray'))", name="period"),
    CheckConstraint("(purchase_id IS NULL) = (kind <> 'purchase')", name="purchase"),
    _one_owner(),
    Index(
        "charges_replan_ix",
        "tenant_id",
        "replan_at",
        postgresql_where=text("replan_at IS NOT NULL"),
    ),
    Index(
        "charges_unpaid_ix",
        "tenant_id",
        "due",
        postgresql_where=text("status IN ('failed', 'open')"),
    ),
)

#: Charges whose first try has failed, and what became of them.
dunnings = Table(
    "dunnings",
    metadata,
    _tenant(),
    _needed("charge_id", Uuid),
    _needed("agreement_id", Uuid),
    _needed("status", Text),
    Column("reason", Text),
    _needed("orders", Integer),
    Column("next_order_on", Date),
    _instant("opened_at", nullable=False),
    _instant("closed_at"),
    PrimaryKeyConstraint("tenant_id", "charge_id"),
    ForeignKeyConstraint(["tenant_id", "charge_id"], ["charges.tenant_id", "charges.id"]),
    CheckConstraint(_among("status", DunningStatus), name="status"),
    CheckConstraint("(status = 'open') = (closed_at IS NULL)", name="closed"),
    Index(None, "tenant_id", "status", "charge_id"),
)

attempts = Table(
    "attempts",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("charge_id", Uuid),
    *_gateway(),
    Column("gateway_agreement_id", Text),
    Column("gateway_order_id", Text),
    Column("gateway_payment_id", Text),
    _needed("status", Text),
    _needed("captured", BigInteger),
    _needed("refunded", BigInteger),
    _needed("cancelled", BigInteger),
    _instant("created_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "charge_id"], ["charges.tenant_id", "charges.id"]),
    CheckConstraint(_among("status", AttemptStatus), name="status"),
    CheckConstraint("refunded <= captured AND refunded >= 0", name="refunded"),
    Index(None, "tenant_id", "charge_id"),
    Index(
        "attempts_order_key",
        "tenant_id",
        "gateway",
        "gateway_order_id",
        unique=True,
        postgresql_where=text("gateway_order_id IS NOT NULL"),
    ),
    Index(
        "attempts_payment_ix",
        "tenant_id",
        "gateway_payment_id",
        postgresql_where=text("gateway_payment_id IS NOT NULL"),
    ),
    Index(
        "attempts_one_open_key",
        "tenant_id",
        "charge_id",
        unique=True,
        postgresql_where=text(_among("status", OPEN_ATTEMPTS)),
    ),
)

refunds = Table(
    "refunds",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("charge_id", Uuid),
    _needed("attempt_id", Uuid),
    _needed("amount", BigInteger),
    _needed("reason", Text),
    _needed("status", Text),
    _needed("requested_by", Text),
    _instant("created_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "attempt_id"], ["attempts.tenant_id", "attempts.id"]),
    ForeignKeyConstraint(["tenant_id", "charge_id"], ["charges.tenant_id", "charges.id"]),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint(_among("status", RefundStatus), name="status"),
    Index(None, "tenant_id", "charge_id"),
)

#: The exact bytes of every call that moves money or an agreement, committed before it is made.
calls = Table(
    "calls",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("kind", Text),
    _needed("subject_id", Uuid),
    *_gateway(),
    _needed("method", Text),
    _needed("path", Text),
    _needed("body", LargeBinary),
    _needed("status", Text),
    _needed("sends", Integer),
    _instant("written_wall", nullable=False),
    _instant("send_wall"),
    Column("answer", Text),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint(
        "kind IN ('draft', 'charge', 'stop', 'refund', 'cancel', 'update', "
        "'payment', 'payment_capture', 'payment_release', 'payment_refund', 'subscription')",
        name="kind",
    ),
    CheckConstraint("status IN ('written', 'unknown', 'accepted', 'rejected')", name="status"),
    Index(
        "calls_unsent_ix",
        "tenant_id",
        "send_wall",
        postgresql_where=text("send_wall IS NOT NULL"),
    ),
)

#: What is to be read again at the gateway, and when (business time); a webhook only moves `due_at` to now.
checks = Table(
    "checks",
    metadata,
    _tenant(),
    _needed("kind", Text),
    _needed("id", Uuid),
    _instant("due_at", nullable=False),
    _needed("seq", BigInteger),
    _needed("misses", Integer),
    _instant("leased_wall"),
    PrimaryKeyConstraint("tenant_id", "kind", "id"),
    CheckConstraint("kind IN ('draft', 'attempt', 'events')", name="kind"),
    Index(None, "tenant_id", "due_at"),
)

inbox = Table(
    "inbox",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("gateway", Text),
    _needed("key", Text),
    _needed("event_type", Text),
    Column("gateway_agreement_id", Text),
    Column("external_id", Text),
    Column("order_id", Text),
    _needed("body", LargeBinary),
    _needed("status", Text),
    _instant("received_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "gateway", "key"),
    CheckConstraint("status IN ('new', 'done', 'parked', 'foreign')", name="status"),
    Index("inbox_new_ix", "tenant_id", "id", postgresql_where=text("status = 'new'")),
    Index("inbox_foreign_ix", "tenant_id", "received_at", postgresql_where=text("status = 'foreign'")),
    Index("inbox_parked_ix", "tenant_id", "received_at", postgresql_where=text("status = 'parked'")),
)

ledger = Table(
    "ledger",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    Column("agreement_id", Uuid),
    Column("purchase_id", Uuid),
    _needed("charge_id", Uuid),
    _needed("attempt_id", Uuid),
    Column("refund_id", Uuid),
    _needed("kind", Text),
    _needed("amount", BigInteger),
    _needed("currency", String(3)),
    _instant("booked_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "attempt_id"], ["attempts.tenant_id", "attempts.id"]),
    _one_owner(),
    CheckConstraint(_among("kind", BookingKind), name="kind"),
    CheckConstraint("amount > 0", name="amount"),
    Index(None, "tenant_id", "charge_id"),
    Index(None, "tenant_id", "booked_at", "id"),
)

receipts = Table(
    "receipts",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("seller", Text),
    _needed("kind", Text),
    _needed("number", BigInteger),
    _needed("ledger_id", Uuid),
    Column("corrects_id", Uuid),
    Column("agreement_id", Uuid),
    Column("purchase_id", Uuid),
    _needed("charge_id", Uuid),
    _needed("issuer", Text),
    _needed("subject", Text),
    _needed("gross", BigInteger),
    _needed("vat", BigInteger),
    _needed("vat_basis_points", Integer),
    _needed("currency", String(3)),
    _needed("content", JSONB),
    _instant("issued_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "seller", "kind", "number"),
    ForeignKeyConstraint(["tenant_id", "ledger_id"], ["ledger.tenant_id", "ledger.id"]),
    _one_owner(),
    CheckConstraint(_among("kind", ReceiptKind), name="kind"),
    CheckConstraint("(corrects_id IS NULL) = (kind = 'receipt')", name="corrects"),
    Index("receipts_person_ix", "tenant_id", "issuer", "subject", "issued_at"),
    Index(None, "tenant_id", "charge_id"),
)

receipt_counters = Table(
    "receipt_counters",
    metadata,
    _tenant(),
    _needed("seller", Text),
    _needed("kind", Text),
    _needed("last_number", BigInteger),
    PrimaryKeyConstraint("tenant_id", "seller", "kind"),
)

entitlements = Table(
    "entitlements",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    Column("agreement_id", Uuid),
    Column("purchase_id", Uuid),
    _needed("issuer", Text),
    _needed("subject", Text),
    _needed("product_id", String(64)),
    _instant("access_until", nullable=False),
    Column("ended", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "agreement_id"], ["agreements.tenant_id", "agreements.id"]),
    ForeignKeyConstraint(["tenant_id", "purchase_id"], ["purchases.tenant_id", "purchases.id"]),
    _one_owner(),
    CheckConstraint("id = coalesce(agreement_id, purchase_id)", name="id"),
    Index("entitlements_person_ix", "tenant_id", "issuer", "subject"),
    Index("entitlements_ending_ix", "tenant_id", "access_until", postgresql_where=text("NOT ended")),
)

#: What one unit of a currency is worth in NOK from a day on, as the tenant's file says.
exchange_rates = Table(
    "exchange_rates",
    metadata,
    _tenant(),
    _needed("currency", String(3)),
    _needed("day", Date),
    _needed("nok", Numeric(18, 8)),
    PrimaryKeyConstraint("tenant_id", "currency", "day"),
    CheckConstraint("nok > 0", name="nok"),
)

#: Who has asked for the object that the claim of their entitlements is made from.
entitlement_objects = Table(
    "entitlement_objects",
    metadata,
    _tenant(),
    _needed("issuer", Text),
    _needed("subject", Text),
    _instant("created_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _tenant(),
    _needed("issuer", Text),
    _needed("subject", Text),
    _needed("operation", Text),
    _needed("key", String(255)),
    _needed("request_digest", LargeBinary),
    _needed("resource_id", Uuid),
    _instant("created_wall", nullable=False),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject", "operation", "key"),
)

webhook_registrations = Table(
    "webhook_registrations",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("gateway", Text),
    _needed("url", Text),
    _needed("status", Text),
    Column("gateway_webhook_id", Text),
    Column("secret_sealed", LargeBinary),
    _instant("created_wall", nullable=False),
    _instant("retired_wall"),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("status IN ('intent', 'active', 'retired')", name="status"),
    CheckConstraint("(status = 'intent') = (secret_sealed IS NULL)", name="secret"),
)

#: What a tenant's customer API needs to know; `clients` are the applications that may send people to it.
customer_apis = Table(
    "customer_apis",
    metadata,
    _tenant(),
    _needed("payment_provider_id", BigInteger),
    _needed("clients", JSONB),
    PrimaryKeyConstraint("tenant_id"),
)

#: Agreements that people began to add through the customer API; `landing` is the secret part of the way back.
additions = Table(
    "additions",
    metadata,
    _tenant(),
    Column("transaction_id", BigInteger, nullable=False, autoincrement=False),
    _needed("issuer", Text),
    _needed("subject", Text),
    _needed("product_id", String(64)),
    _needed("landing", Text),
    _instant("created_wall", nullable=False),
    Column("client_id", Text),
    Column("return_url", Text),
    Column("error_url", Text),
    _instant("claimed_wall"),
    Column("agreement_id", Uuid),
    Column("confirmation_url", Text),
    _instant("confirm_until"),
    Column("result", Text),
    PrimaryKeyConstraint("tenant_id", "transaction_id"),
    UniqueConstraint("tenant_id", "landing"),
    ForeignKeyConstraint(["tenant_id", "agreement_id"], ["agreements.tenant_id", "agreements.id"]),
    CheckConstraint(
        "(client_id IS NULL) = (return_url IS NULL) AND (client_id IS NULL) = (error_url IS NULL)", name="bound"
    ),
    CheckConstraint(
        "(agreement_id IS NULL) = (confirmation_url IS NULL) AND (agreement_id IS NULL) = (confirm_until IS NULL)",
        name="drafted",
    ),
    CheckConstraint("result IN ('cancelled', 'failed', 'finished')", name="result"),
)

#: The door of the migration's operations; a tenant without a row has none. The secret itself is not kept.
import_doors = Table(
    "import_doors",
    metadata,
    _tenant(),
    _needed("secret_digest", LargeBinary),
    _needed("admin_token", Boolean),
    _needed("calls_per_minute_max", Integer),
    PrimaryKeyConstraint("tenant_id"),
)

#: Files that were handed in. `work_wall` is when there is something to do for one; whoever does it moves it on.
imports = Table(
    "imports",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("kind", Text),
    _needed("status", Text),
    _needed("dry_run", Boolean),
    Column("product_id", String(64)),
    _needed("requested_by", Text),
    _needed("row_count", BigInteger),
    _needed("facts", JSONB),
    Column("problem", Text),
    _instant("created_wall", nullable=False),
    _instant("touched_wall", nullable=False),
    _instant("checked_wall"),
    _instant("work_wall"),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint(_among("kind", ImportKind), name="kind"),
    CheckConstraint(_among("status", ImportStatus), name="status"),
    Index("imports_work_ix", "tenant_id", "work_wall", postgresql_where=text("work_wall IS NOT NULL")),
)

#: One row of a file: what it says, what has become of it, and why.
import_rows = Table(
    "import_rows",
    metadata,
    _tenant(),
    _needed("import_id", Uuid),
    _needed("line", Integer),
    _needed("kind", Text),
    _needed("state", Text),
    Column("row_id", Text),
    Column("code", Text),
    Column("reason", Text),
    Column("provider", Text),
    Column("gateway_agreement_id", Text),
    Column("issuer", Text),
    Column("subject", Text),
    Column("product_id", Text),
    Column("amount", BigInteger),
    Column("currency", String(3)),
    _needed("said", JSONB),
    Column("found", JSONB),
    _needed("misses", Integer),
    Column("agreement_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "import_id", "line"),
    ForeignKeyConstraint(["tenant_id", "import_id"], ["imports.tenant_id", "imports.id"], ondelete="CASCADE"),
    CheckConstraint(_among("state", RowState), name="state"),
    Index(None, "tenant_id", "import_id", "state", "line"),
    # What a file says once is done once, however often it is handed in.
    Index(
        "import_rows_done_key",
        "tenant_id",
        "kind",
        "row_id",
        unique=True,
        postgresql_where=text("state = 'applied' AND kind <> 'fix_agreements'"),
    ),
)

#: Who moved in, and how they can be reached; `recreated` once they are known under the ids that they are to have.
import_people = Table(
    "import_people",
    metadata,
    _tenant(),
    _needed("issuer", Text),
    _needed("subject", Text),
    Column("email", Text),
    Column("phone", Text),
    _needed("recreated", Boolean),
    _needed("import_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
    Index(None, "tenant_id", "email"),
    Index(None, "tenant_id", "phone"),
)

#: What dashboards read: one row for each agreement, filled anew when somebody asks for it.
dashboard_agreements = Table(
    "dashboard_agreements",
    metadata,
    _tenant(),
    _needed("agreement_id", Uuid),
    _needed("subject", Text),
    _needed("product_id", String(64)),
    _needed("status", Text),
    _needed("price", BigInteger),
    _needed("currency", String(3)),
    _needed("gift", Boolean),
    _instant("activated_at"),
    _instant("stopped_at"),
    Column("stop_reason", Text),
    Column("paid_until", Date),
    _instant("access_until"),
    _instant("refreshed_wall", nullable=False),
    PrimaryKeyConstraint("tenant_id", "agreement_id"),
)

#: What dashboards read: one row for each charge.
dashboard_charges = Table(
    "dashboard_charges",
    metadata,
    _tenant(),
    _needed("charge_id", Uuid),
    Column("agreement_id", Uuid),
    Column("purchase_id", Uuid),
    _needed("kind", Text),
    Column("period", Integer),
    _needed("period_start", Date),
    _needed("period_end", Date),
    _needed("due", Date),
    _needed("price", BigInteger),
    _needed("currency", String(3)),
    _needed("status", Text),
    _needed("captured", BigInteger),
    _needed("refunded", BigInteger),
    Column("failure_reason", Text),
    _instant("refreshed_wall", nullable=False),
    PrimaryKeyConstraint("tenant_id", "charge_id"),
)

#: When the calls that a person has made so far will have been worked off, at the pace that is allowed.
turns = Table(
    "turns",
    metadata,
    _tenant(),
    _needed("issuer", Text),
    _needed("subject", Text),
    _instant("next_wall", nullable=False),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
    Index(None, "tenant_id", "next_wall"),
)

#: What other systems are told, each event written with its fact; `position` is given once it is committed.
events = Table(
    "events",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    Column("position", BigInteger),
    _needed("type", Text),
    _needed("owner_id", Uuid),
    Column("agreement_id", Uuid),
    Column("purchase_id", Uuid),
    _needed("agreement_seq", BigInteger),
    _needed("issuer", Text),
    _needed("subject", Text),
    _needed("product_id", String(64)),
    _needed("data", JSONB),
    _instant("occurred_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "owner_id", "agreement_seq"),
    UniqueConstraint("tenant_id", "position"),
    _one_owner(),
    CheckConstraint("owner_id = coalesce(agreement_id, purchase_id)", name="owner"),
    Index("events_unnumbered_ix", "tenant_id", "id", postgresql_where=text("position IS NULL")),
    Index("events_person_ix", "tenant_id", "issuer", "subject"),
)

#: How many events each agreement or purchase has.
event_counters = Table(
    "event_counters",
    metadata,
    _tenant(),
    _needed("owner_id", Uuid),
    _needed("last_seq", BigInteger),
    PrimaryKeyConstraint("tenant_id", "owner_id"),
)

#: Up to where a tenant's stream is numbered, and whether its events may go to private networks.
event_streams = Table(
    "event_streams",
    metadata,
    _tenant(),
    _needed("last_position", BigInteger),
    Column("private_networks", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("tenant_id"),
)

#: Where events are delivered to.
event_endpoints = Table(
    "event_endpoints",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    Column("name", String(63)),
    _needed("url", Text),
    _needed("secret_sealed", LargeBinary),
    _instant("created_at", nullable=False),
    _instant("disabled_at"),
    Column("disabled_reason", Text),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "name"),
    CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled"),
)

#: What an endpoint has not taken yet of one agreement or purchase: the events `next_seq` to `last_seq`, one at a time.
event_lanes = Table(
    "event_lanes",
    metadata,
    _tenant(),
    _needed("endpoint_id", Uuid),
    _needed("owner_id", Uuid),
    _needed("next_seq", BigInteger),
    _needed("last_seq", BigInteger),
    _needed("tries", Integer),
    _instant("due_at", nullable=False),
    _instant("leased_wall"),
    Column("last_error", Text),
    PrimaryKeyConstraint("tenant_id", "endpoint_id", "owner_id"),
    ForeignKeyConstraint(["tenant_id", "endpoint_id"], ["event_endpoints.tenant_id", "event_endpoints.id"]),
    Index(None, "tenant_id", "due_at"),
)

#: What operators and administrators did, and why.
acts = Table(
    "acts",
    metadata,
    _tenant(),
    _needed("id", Uuid),
    _needed("act", Text),
    _needed("subject", Text),
    Column("agreement_id", Uuid),
    _needed("actor_issuer", Text),
    _needed("actor_subject", Text),
    _needed("why", Text),
    _needed("details", JSONB),
    _instant("done_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index(None, "tenant_id", "agreement_id"),
)

#: Tables whose rows belong to one tenant, under forced row-level security.
TENANT_TABLES = tuple(t.name for t in metadata.sorted_tables if t.name not in ROUTING_TABLES)
