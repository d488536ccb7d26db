"""The tables: every key begins with the tenant, and the few tables that belong to none are named here."""

from __future__ import annotations

from avtale.storage.tables.agreements import (
    additions,
    agreement_changes,
    agreement_phases,
    agreements,
    drafts,
    entitlement_objects,
    entitlements,
    purchases,
    stripe_customers,
)
from avtale.storage.tables.columns import metadata
from avtale.storage.tables.events import (
    event_counters,
    event_endpoints,
    event_lanes,
    event_readers,
    event_streams,
    events,
)
from avtale.storage.tables.money import attempts, charges, dunnings, ledger, receipt_counters, receipts, refunds
from avtale.storage.tables.moving import (
    dashboard_agreements,
    dashboard_charges,
    import_doors,
    import_people,
    import_rows,
    imports,
)
from avtale.storage.tables.tenants import (
    business_clock,
    customer_apis,
    due_tenants,
    exchange_rates,
    identity_issuers,
    organizations,
    products,
    stripe_accounts,
    stripe_routes,
    tenant_hosts,
    tenants,
    vipps_accounts,
    vipps_logins,
    webhook_registrations,
)
from avtale.storage.tables.work import acts, call_budgets, calls, checks, idempotency_keys, inbox, turns

#: Tables without row-level security: they route a request or a job to its tenant and hold no personal data.
ROUTING_TABLES = ("organizations", "tenants", "tenant_hosts", "stripe_routes", "due_tenants", "business_clock")


#: Tables whose rows belong to one tenant, under forced row-level security.
TENANT_TABLES = tuple(t.name for t in metadata.sorted_tables if t.name not in ROUTING_TABLES)

__all__ = [
    "ROUTING_TABLES",
    "TENANT_TABLES",
    "acts",
    "additions",
    "agreement_changes",
    "agreement_phases",
    "agreements",
    "attempts",
    "business_clock",
    "call_budgets",
    "calls",
    "charges",
    "checks",
    "customer_apis",
    "dashboard_agreements",
    "dashboard_charges",
    "drafts",
    "due_tenants",
    "dunnings",
    "entitlement_objects",
    "entitlements",
    "event_counters",
    "event_endpoints",
    "event_lanes",
    "event_readers",
    "event_streams",
    "events",
    "exchange_rates",
    "idempotency_keys",
    "identity_issuers",
    "import_doors",
    "import_people",
    "import_rows",
    "imports",
    "inbox",
    "ledger",
    "metadata",
    "organizations",
    "products",
    "purchases",
    "receipt_counters",
    "receipts",
    "refunds",
    "stripe_accounts",
    "stripe_customers",
    "stripe_routes",
    "tenant_hosts",
    "tenants",
    "turns",
    "vipps_accounts",
    "vipps_logins",
    "webhook_registrations",
]
