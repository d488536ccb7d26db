"""Files of agreements that move in, and what dashboards read."""

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
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from avtale.domain.imports import ImportKind, ImportStatus, RowState
from avtale.storage.tables.columns import among, instant, metadata, needed, tenant

#: The door of the migration's operations; a tenant without a row has none. The secret itself is not kept.
import_doors = Table(
    "import_doors",
    metadata,
    tenant(),
    needed("secret_digest", LargeBinary),
    needed("admin_token", Boolean),
    needed("calls_per_minute_max", Integer),
    PrimaryKeyConstraint("tenant_id"),
)

#: Files that were handed in. `work_wall` is when there is something to do for one; whoever does it moves it on.
imports = Table(
    "imports",
    metadata,
    tenant(),
    needed("id", Uuid),
    needed("kind", Text),
    needed("status", Text),
    needed("dry_run", Boolean),
    Column("product_id", String(64)),
    needed("requested_by", Text),
    needed("row_count", BigInteger),
    needed("facts", JSONB),
    Column("problem", Text),
    instant("created_wall", nullable=False),
    instant("touched_wall", nullable=False),
    instant("checked_wall"),
    instant("work_wall"),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint(among("kind", ImportKind), name="kind"),
    CheckConstraint(among("status", ImportStatus), name="status"),
    Index("imports_work_ix", "tenant_id", "work_wall", postgresql_where=text("work_wall IS NOT NULL")),
)

#: One row of a file: what it says, what has become of it, and why.
import_rows = Table(
    "import_rows",
    metadata,
    tenant(),
    needed("import_id", Uuid),
    needed("line", Integer),
    needed("kind", Text),
    needed("state", Text),
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
    needed("said", JSONB),
    Column("found", JSONB),
    needed("misses", Integer),
    Column("agreement_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "import_id", "line"),
    ForeignKeyConstraint(["tenant_id", "import_id"], ["imports.tenant_id", "imports.id"], ondelete="CASCADE"),
    CheckConstraint(among("state", RowState), name="state"),
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
    tenant(),
    needed("issuer", Text),
    needed("subject", Text),
    Column("email", Text),
    Column("phone", Text),
    needed("recreated", Boolean),
    needed("import_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
    Index(None, "tenant_id", "email"),
    Index(None, "tenant_id", "phone"),
)

#: What dashboards read: one row for each agreement, filled anew when somebody asks for it.
dashboard_agreements = Table(
    "dashboard_agreements",
    metadata,
    tenant(),
    needed("agreement_id", Uuid),
    needed("subject", Text),
    needed("product_id", String(64)),
    needed("status", Text),
    needed("price", BigInteger),
    needed("currency", String(3)),
    needed("gift", Boolean),
    instant("activated_at"),
    instant("stopped_at"),
    Column("stop_reason", Text),
    Column("paid_until", Date),
    instant("access_until"),
    instant("refreshed_wall", nullable=False),
    PrimaryKeyConstraint("tenant_id", "agreement_id"),
)

#: What dashboards read: one row for each charge.
dashboard_charges = Table(
    "dashboard_charges",
    metadata,
    tenant(),
    needed("charge_id", Uuid),
    Column("agreement_id", Uuid),
    Column("purchase_id", Uuid),
    needed("kind", Text),
    Column("period", Integer),
    needed("period_start", Date),
    needed("period_end", Date),
    needed("due", Date),
    needed("price", BigInteger),
    needed("currency", String(3)),
    needed("status", Text),
    needed("captured", BigInteger),
    needed("refunded", BigInteger),
    Column("failure_reason", Text),
    instant("refreshed_wall", nullable=False),
    PrimaryKeyConstraint("tenant_id", "charge_id"),
)
