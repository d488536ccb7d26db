"""What people have agreed to or bought, and what it gives them."""

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

from avtale.domain.agreement import AgreementStatus
from avtale.domain.change import ChangeKind, ChangeStatus
from avtale.domain.periods import Unit
from avtale.domain.purchase import PurchaseStatus
from avtale.storage.tables.columns import among, gateway, instant, metadata, needed, one_owner, tenant

#: The customer that a person is at an account; without `customer_id` the call that makes it has no answer yet.
stripe_customers = Table(
    "stripe_customers",
    metadata,
    tenant(),
    needed("id", Uuid),
    needed("account_id", Text),
    needed("issuer", Text),
    needed("subject", Text),
    Column("customer_id", Text),
    instant("leased_wall"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "account_id", "issuer", "subject"),
)

agreements = Table(
    "agreements",
    metadata,
    tenant(),
    needed("id", Uuid),
    needed("issuer", Text),
    needed("subject", Text),
    needed("product_id", String(64)),
    needed("product_name", Text),
    Column("product_description", Text),
    needed("price", BigInteger),
    needed("currency", String(3)),
    needed("interval_unit", Text),
    needed("interval_count", SmallInteger),
    needed("vat_basis_points", Integer),
    needed("agreement_url", Text),
    needed("status", Text),
    Column("gateway_agreement_id", Text),
    Column("anchor", Date),
    needed("last_period", Integer),
    instant("next_charge_at"),
    instant("created_at", nullable=False),
    instant("expires_at"),
    instant("activated_at"),
    instant("stopped_at"),
    Column("stop_reason", Text),
    Column("parked_reason", Text),
    Column("gift_reason", Text),
    instant("access_ends_at"),
    instant("hidden_at"),
    Column("campaign", JSONB(none_as_null=True)),
    Column("suggested_max", BigInteger),
    Column("limit_amount", BigInteger),
    Column("next_amount", BigInteger),
    Column("phase_period", Integer, nullable=False, server_default="1"),
    Column("phase_start", Date),
    Column("bridge_start", Date),
    instant("paused_at"),
    Column("paused_from", Date),
    Column("resumes_on", Date),
    *gateway(),
    Column("pause_reason", Text),
    instant("consented_at"),
    instant("withdrawn_at"),
    Column("voucher", String(40)),
    needed("version", BigInteger),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "gateway_agreement_id"),
    CheckConstraint("gift_reason IS NULL OR (gateway_agreement_id IS NULL AND price = 0)", name="gift"),
    CheckConstraint("suggested_max IS NOT NULL OR limit_amount IS NULL", name="limit"),
    CheckConstraint(
        "(paused_at IS NULL) = (paused_from IS NULL) AND (paused_at IS NOT NULL OR resumes_on IS NULL)", name="paused"
    ),
    CheckConstraint("gateway <> 'stripe' OR next_charge_at IS NULL", name="biller"),
    CheckConstraint(among("status", AgreementStatus), name="status"),
    CheckConstraint("status NOT IN ('active', 'stopping') OR anchor IS NOT NULL", name="anchor"),
    Index("agreements_person_ix", "tenant_id", "issuer", "subject", "created_at"),
    Index("agreements_voucher_ix", "tenant_id", "voucher", postgresql_where=text("voucher IS NOT NULL")),
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
    tenant(),
    needed("agreement_id", Uuid),
    needed("from_period", Integer),
    needed("start", Date),
    needed("interval_unit", Text),
    needed("interval_count", SmallInteger),
    needed("reason", Text),
    instant("created_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "agreement_id", "from_period"),
    ForeignKeyConstraint(["tenant_id", "agreement_id"], ["agreements.tenant_id", "agreements.id"]),
    CheckConstraint(among("interval_unit", Unit), name="interval_unit"),
)

#: What was asked of an agreement, and what became of it.
agreement_changes = Table(
    "agreement_changes",
    metadata,
    tenant(),
    needed("id", Uuid),
    needed("agreement_id", Uuid),
    needed("kind", Text),
    needed("status", Text),
    needed("version", Integer),
    needed("requested_by", Text),
    instant("created_at", nullable=False),
    Column("day", Date),
    Column("amount", BigInteger),
    Column("charge_day", SmallInteger),
    Column("product_id", String(64)),
    Column("noticed_on", Date),
    Column("from_period", Integer),
    Column("takes_effect", Date),
    needed("deferred", Boolean),
    instant("done_at"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "agreement_id", "version"),
    ForeignKeyConstraint(["tenant_id", "agreement_id"], ["agreements.tenant_id", "agreements.id"]),
    CheckConstraint(among("kind", ChangeKind), name="kind"),
    CheckConstraint(among("status", ChangeStatus), name="status"),
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
    tenant(),
    needed("id", Uuid),
    needed("agreement_id", Uuid),
    needed("order_id", Uuid),
    needed("status", Text),
    Column("gateway_agreement_id", Text),
    Column("confirmation_url", Text),
    instant("expires_at", nullable=False),
    *gateway(),
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
    tenant(),
    needed("id", Uuid),
    needed("issuer", Text),
    needed("subject", Text),
    needed("gateway", Text),
    needed("product_id", String(64)),
    needed("product_name", Text),
    Column("product_description", Text),
    needed("price", BigInteger),
    needed("currency", String(3)),
    needed("access_days", SmallInteger),
    needed("vat_basis_points", Integer),
    needed("status", Text),
    Column("confirmation_url", Text),
    instant("created_at", nullable=False),
    instant("expires_at", nullable=False),
    instant("granted_at"),
    Column("end_reason", Text),
    needed("version", BigInteger),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint(among("status", PurchaseStatus), name="status"),
    CheckConstraint("status NOT IN ('authorized', 'paid') OR granted_at IS NOT NULL", name="granted"),
    Index("purchases_person_ix", "tenant_id", "issuer", "subject", "created_at"),
)

entitlements = Table(
    "entitlements",
    metadata,
    tenant(),
    needed("id", Uuid),
    Column("agreement_id", Uuid),
    Column("purchase_id", Uuid),
    needed("issuer", Text),
    needed("subject", Text),
    needed("product_id", String(64)),
    instant("access_until", nullable=False),
    Column("ended", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "agreement_id"], ["agreements.tenant_id", "agreements.id"]),
    ForeignKeyConstraint(["tenant_id", "purchase_id"], ["purchases.tenant_id", "purchases.id"]),
    one_owner(),
    CheckConstraint("id = coalesce(agreement_id, purchase_id)", name="id"),
    Index("entitlements_person_ix", "tenant_id", "issuer", "subject"),
    Index("entitlements_ending_ix", "tenant_id", "access_until", postgresql_where=text("NOT ended")),
)

#: Who has asked for the object that the claim of their entitlements is made from.
entitlement_objects = Table(
    "entitlement_objects",
    metadata,
    tenant(),
    needed("issuer", Text),
    needed("subject", Text),
    instant("created_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
)

#: Agreements that people began to add through the customer API; `landing` is the secret part of the way back.
additions = Table(
    "additions",
    metadata,
    tenant(),
    Column("transaction_id", BigInteger, nullable=False, autoincrement=False),
    needed("issuer", Text),
    needed("subject", Text),
    needed("product_id", String(64)),
    needed("landing", Text),
    instant("created_wall", nullable=False),
    Column("client_id", Text),
    Column("return_url", Text),
    Column("error_url", Text),
    instant("claimed_wall"),
    Column("agreement_id", Uuid),
    Column("confirmation_url", Text),
    instant("confirm_until"),
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
