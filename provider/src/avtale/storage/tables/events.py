"""What other systems are told, and how far each has heard."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from avtale.storage.tables.columns import instant, metadata, needed, one_owner, tenant

#: What other systems are told, each event written with its fact; `position` is given once it is committed.
events = Table(
    "events",
    metadata,
    tenant(),
    needed("id", Uuid),
    Column("position", BigInteger),
    needed("type", Text),
    needed("owner_id", Uuid),
    Column("agreement_id", Uuid),
    Column("purchase_id", Uuid),
    needed("agreement_seq", BigInteger),
    needed("issuer", Text),
    needed("subject", Text),
    needed("product_id", String(64)),
    needed("data", JSONB),
    instant("occurred_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "owner_id", "agreement_seq"),
    UniqueConstraint("tenant_id", "position"),
    one_owner(),
    CheckConstraint("owner_id = coalesce(agreement_id, purchase_id)", name="owner"),
    Index("events_unnumbered_ix", "tenant_id", "id", postgresql_where=text("position IS NULL")),
    Index("events_person_ix", "tenant_id", "issuer", "subject"),
)

#: How many events each agreement or purchase has.
event_counters = Table(
    "event_counters",
    metadata,
    tenant(),
    needed("owner_id", Uuid),
    needed("last_seq", BigInteger),
    PrimaryKeyConstraint("tenant_id", "owner_id"),
)

#: Up to where a tenant's stream is numbered, and whether its events may go to private networks. Where events are kept
#: for some days alone, those up to `pruned_position` are gone, and `prune_at` is when more are looked for.
event_streams = Table(
    "event_streams",
    metadata,
    tenant(),
    needed("last_position", BigInteger),
    Column("private_networks", Boolean, nullable=False, server_default=text("false")),
    Column("keep_days", Integer),
    instant("prune_at"),
    Column("pruned_position", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("tenant_id"),
    CheckConstraint("(keep_days IS NULL) = (prune_at IS NULL)", name="prune"),
)

#: With which cursor each reader of the stream came last: what is behind it is kept for them.
event_readers = Table(
    "event_readers",
    metadata,
    tenant(),
    needed("issuer", Text),
    needed("subject", Text),
    needed("position", BigInteger),
    instant("read_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
)

#: Where events are delivered to: of some `types`, where they are said. Until `old_secret_wall` both secrets sign.
event_endpoints = Table(
    "event_endpoints",
    metadata,
    tenant(),
    needed("id", Uuid),
    Column("name", String(63)),
    needed("url", Text),
    needed("secret_sealed", LargeBinary),
    instant("created_at", nullable=False),
    instant("disabled_at"),
    Column("disabled_reason", Text),
    Column("types", JSONB(none_as_null=True)),
    Column("old_secret_sealed", LargeBinary),
    instant("old_secret_wall"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "name"),
    CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled"),
    CheckConstraint("(old_secret_sealed IS NULL) = (old_secret_wall IS NULL)", name="old_secret"),
)

#: What an endpoint has not taken yet of one agreement or purchase: the events `next_seq` to `last_seq`, one at a time.
event_lanes = Table(
    "event_lanes",
    metadata,
    tenant(),
    needed("endpoint_id", Uuid),
    needed("owner_id", Uuid),
    needed("next_seq", BigInteger),
    needed("last_seq", BigInteger),
    needed("tries", Integer),
    instant("due_at", nullable=False),
    instant("leased_wall"),
    Column("last_error", Text),
    PrimaryKeyConstraint("tenant_id", "endpoint_id", "owner_id"),
    ForeignKeyConstraint(["tenant_id", "endpoint_id"], ["event_endpoints.tenant_id", "event_endpoints.id"]),
    Index(None, "tenant_id", "due_at"),
)
