"""Tag Migration: files of agreements that move in from another system."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request

from avtale.api.contract import refusals
from avtale.api.doors import Routes, TheHouse, TheVisit, Visit
from avtale.api.house import House
from avtale.api.payments.import_shapes import ImportStarted
from avtale.api.payments.kinds import Flag
from avtale.api.payments.migration_door import (
    MigrationDoor,
    OrganizationId,
    ProductGroupId,
    RandomValue,
    SecretValue,
    TenantId,
    file_of,
)
from avtale.domain.imports import ImportKind
from avtale.domain.moving import KNOWN, NEEDED, NEEDED_V2
from avtale.service.imports.receiving import Order, receive
from avtale.service.imports.reporting import report
from avtale.service.imports.running import KINDS

DryRun = Annotated[Flag, Query(alias="dryRun", description="stop at the report; nothing is applied")]
_REFUSALS = refusals(400, 401, 403, 404, 408, 415, 500, 503)

#: A file of one agreement, which the contract shows.
AGREEMENTS_CSV = (
    "row_id;user_id;provider_agreement_id;price_minor;currency;period_start;period_end\n"
    "1;anna;agr_5kSeqz7;9900;NOK;2027-01-01;2027-02-01\n"
)
AGREEMENTS_V2_CSV = (
    "row_id;user_id;provider;provider_agreement_id;product_payment_id;price_minor;currency;period_start;period_end\n"
    "1;anna;vipps;agr_5kSeqz7;film-month;9900;NOK;2027-01-01;2027-02-01\n"
)


def csv_body(example: str, description: str) -> dict[str, Any]:
    """How the contract says that an operation takes a file."""
    schema = {"type": "string", "examples": [example]}
    return {"requestBody": {"required": True, "description": description, "content": {"text/csv": {"schema": schema}}}}


routes = Routes("Migration", MigrationDoor)


@routes.post(
    "/api/v1/migrate/v2/{organizationId}/{tenantId}/{secretValue}",
    operation_id="postV1MigrateV2",
    summary="Migration v2 (Vipps + Stripe) from CSV (internal/admin)",
    responses=_REFUSALS,
    openapi_extra=csv_body(AGREEMENTS_V2_CSV, "As version 1, with the columns `provider` and `product_payment_id`."),
)
async def migrate_v2(
    organization_id: OrganizationId,
    tenant_id: TenantId,
    secret: SecretValue,
    request: Request,
    visit: TheVisit,
    house: TheHouse,
    dry_run: DryRun = False,
) -> ImportStarted:
    """Take in a file of agreements of several products and providers. See version 1."""
    order = Order(ImportKind.AGREEMENTS, NEEDED_V2, KNOWN, dry_run)
    return await started(house, visit, order, request)


@routes.post(
    "/api/v1/migrate/{organizationId}/{tenantId}/{productGroupId}/{randomValue}",
    operation_id="postV1Migrate",
    summary="Migration v1 from CSV (internal/admin)",
    responses=_REFUSALS,
    openapi_extra=csv_body(AGREEMENTS_CSV, "UTF-8 or Windows-1252, comma or semicolon, a line of column names first."),
)
async def migrate_v1(
    organization_id: OrganizationId,
    tenant_id: TenantId,
    product_id: ProductGroupId,
    secret: RandomValue,
    request: Request,
    visit: TheVisit,
    house: TheHouse,
    dry_run: DryRun = False,
) -> ImportStarted:
    """Take in a file of agreements about one product. Every row is checked first, also at its payment company, and
    reported; then what is right is applied. Handing in the same rows again changes nothing."""
    order = Order(ImportKind.AGREEMENTS, NEEDED, KNOWN, dry_run, product_id)
    return await started(house, visit, order, request)


async def started(house: House, visit: Visit, order: Order, request: Request) -> ImportStarted:
    """Take the file of a request in."""
    by = f"{visit.caller.person.subject} {visit.caller.person.issuer}".strip()
    made = await receive(house.db, visit.tenant, KINDS[order.kind], order, by, file_of(request))
    now = (await report(house.db, visit.tenant, made)).this
    return ImportStarted(import_id=made, status=now.status, rows=now.row_count)
