"""Calls to gateways, what is to be read or taken in, and who did what."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
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

from avtale.storage.tables.columns import gateway, instant, metadata, needed, tenant

#: Of calls: those that a budget counts.
_COUNTED = "kind IN ('charge', 'charge_batch') AND gateway = 'vipps'"

#: The exact bytes of every call that moves money or an agreement, committed before it is made.
calls = Table(
    "calls",
    metadata,
    tenant(),
    needed("id", Uuid),
    needed("kind", Text),
    needed("subject_id", Uuid),
    *gateway(),
    needed("method", Text),
    needed("path", Text),
    needed("body", LargeBinary),
    needed("status", Text),
    needed("sends", Integer),
    instant("written_wall", nullable=False),
    instant("send_wall"),
    Column("answer", Text),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint(
        "kind IN ('draft', 'charge', 'charge_batch', 'stop', 'refund', 'cancel', 'update', "
        "'payment', 'payment_capture', 'payment_release', 'payment_refund', 'subscription')",
        name="kind",
    ),
    CheckConstraint("status IN ('written', 'unknown', 'accepted', 'rejected')", name="status"),
    Index("calls_unsent_ix", "tenant_id", "subject_id", postgresql_where=text("send_wall IS NOT NULL")),
    # Ten thousands may wait for the budget that counts them, and the others are not looked for among them.
    *(
        Index(name, "tenant_id", "send_wall", postgresql_where=text(f"send_wall IS NOT NULL AND {which}"))
        for name, which in (("calls_counted_ix", _COUNTED), ("calls_uncounted_ix", f"NOT ({_COUNTED})"))
    ),
)

#: Until when the calls that were let go use up a gateway's budget of calls a minute, and until when it wants none.
call_budgets = Table(
    "call_budgets",
    metadata,
    tenant(),
    needed("name", Text),
    instant("next_wall", nullable=False),
    instant("closed_until_wall"),
    PrimaryKeyConstraint("tenant_id", "name"),
)

#: What is to be read again at the gateway, and when (business time); a webhook only moves `due_at` to now.
checks = Table(
    "checks",
    metadata,
    tenant(),
    needed("kind", Text),
    needed("id", Uuid),
    instant("due_at", nullable=False),
    needed("seq", BigInteger),
    needed("misses", Integer),
    instant("leased_wall"),
    PrimaryKeyConstraint("tenant_id", "kind", "id"),
    CheckConstraint("kind IN ('draft', 'attempt', 'events')", name="kind"),
    Index(None, "tenant_id", "due_at"),
)

inbox = Table(
    "inbox",
    metadata,
    tenant(),
    needed("id", Uuid),
    needed("gateway", Text),
    needed("key", Text),
    needed("event_type", Text),
    Column("gateway_agreement_id", Text),
    Column("external_id", Text),
    Column("order_id", Text),
    needed("body", LargeBinary),
    needed("status", Text),
    instant("received_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "gateway", "key"),
    CheckConstraint("status IN ('new', 'done', 'parked', 'foreign')", name="status"),
    Index("inbox_new_ix", "tenant_id", "id", postgresql_where=text("status = 'new'")),
    Index("inbox_foreign_ix", "tenant_id", "received_at", postgresql_where=text("status = 'foreign'")),
    Index(
        "inbox_not_created_ix",
        "tenant_id",
        "order_id",
        postgresql_where=text("event_type = 'recurring.charge-creation-failed.v1'"),
    ),
    Index("inbox_parked_ix", "tenant_id", "received_at", postgresql_where=text("status = 'parked'")),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    tenant(),
    needed("issuer", Text),
    needed("subject", Text),
    needed("operation", Text),
    needed("key", String(255)),
    needed("request_digest", LargeBinary),
    needed("resource_id", Uuid),
    instant("created_wall", nullable=False),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject", "operation", "key"),
)

#: When the calls that a person has made so far will have been worked off, at the pace that is allowed.
turns = Table(
    "turns",
    metadata,
    tenant(),
    needed("issuer", Text),
    needed("subject", Text),
    instant("next_wall", nullable=False),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
    Index(None, "tenant_id", "next_wall"),
)

#: What operators and administrators did, and why.
acts = Table(
    "acts",
    metadata,
    tenant(),
    needed("id", Uuid),
    needed("act", Text),
    needed("subject", Text),
    Column("agreement_id", Uuid),
    needed("actor_issuer", Text),
    needed("actor_subject", Text),
    needed("why", Text),
    needed("details", JSONB),
    instant("done_at", nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    Index(None, "tenant_id", "agreement_id"),
)
