"""Tag Migration: files of agreements that move in from another system."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import StreamingResponse

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
from avtale.domain.errors import Invalid
from avtale.domain.imports import ImportKind
from avtale.domain.moving import KNOWN, NEEDED, NEEDED_V2
from avtale.service.imports import people, special
from avtale.service.imports.people import PEOPLE_COUNT_MAX, prepared
from avtale.service.imports.receiving import Order, receive
from avtale.service.imports.reporting import report
from avtale.service.imports.running import KINDS
from avtale.service.imports.sweeping import start_sweep

DryRun = Annotated[Flag, Query(alias="dryRun", description="stop at the report; nothing is applied")]
TenantName = Annotated[str, Path(alias="tenantName")]
NumberOfUsers = Annotated[int, Path(alias="numberOfUsers", ge=1, le=PEOPLE_COUNT_MAX)]
IsProd = Annotated[Flag, Path(alias="isProd", description="whether the tenant is one of production")]
CSV_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
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
SPECIAL_CSV = "row_id;user_id;period_end;reason\n1;anna;2028-01-01;staff\n"
RECREATED_CSV = "new_user_id;email;email_verified\nauth0|anna;anna@film.example;true\n"


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


@routes.post(
    "/api/v1/migrate/special/{organizationId}/{tenantId}/{productGroupId}/{randomValue}",
    operation_id="postV1MigrateSpecial",
    summary="Special user migration from CSV (internal/admin)",
    responses=_REFUSALS,
    openapi_extra=csv_body(SPECIAL_CSV, "Who has a right without a payment agreement, and until when."),
)
async def migrate_special(
    organization_id: OrganizationId,
    tenant_id: TenantId,
    product_id: ProductGroupId,
    secret: RandomValue,
    request: Request,
    visit: TheVisit,
    house: TheHouse,
    dry_run: DryRun = False,
) -> ImportStarted:
    """Take in a file of people who have a product without paying for it here: staff, prepaid, complimentary."""
    order = Order(ImportKind.SPECIAL, special.NEEDED, special.KNOWN, dry_run, product_id)
    return await started(house, visit, order, request)


@routes.post(
    "/api/v1/migrate/fix/agreements/{organizationId}/{tenantId}/{randomValue}",
    operation_id="postV1MigrateFixAgreements",
    summary="Fix migrated agreements from CSV (internal/admin)",
    responses=_REFUSALS,
    openapi_extra=csv_body(AGREEMENTS_V2_CSV, "As version 2, about agreements that have moved in."),
)
async def fix_agreements(
    organization_id: OrganizationId,
    tenant_id: TenantId,
    secret: RandomValue,
    request: Request,
    visit: TheVisit,
    house: TheHouse,
    dry_run: DryRun = False,
) -> ImportStarted:
    """Put right whose agreements these are, their prices and their dates, as long as nothing has happened to them
    since they moved in. A repair is not taken back: repair again."""
    order = Order(ImportKind.FIX_AGREEMENTS, NEEDED_V2, KNOWN, dry_run)
    return await started(house, visit, order, request)


@routes.post(
    "/api/v1/migrate/fix/charges/{organizationId}/{tenantId}/{randomValue}",
    operation_id="postV1MigrateFixCharges",
    summary="Sync charges from provider APIs (internal/admin)",
    responses=refusals(401, 403, 404, 500, 503),
)
async def fix_charges(
    organization_id: OrganizationId, tenant_id: TenantId, secret: RandomValue, visit: TheVisit, house: TheHouse
) -> ImportStarted:
    """Have every live agreement, and every charge that was made, read again at its payment company, at the tenant's
    pace; what has changed there is booked."""
    return await swept(house, visit, ImportKind.FIX_CHARGES)


@routes.post(
    "/api/v1/migrate/dashboard/agreements/{organizationId}/{tenantId}/{randomValue}",
    operation_id="postV1MigrateDashboardAgreements",
    summary="Update agreements for dashboard (internal/admin)",
    responses=refusals(401, 403, 404, 500, 503),
)
async def dashboard_agreements(
    organization_id: OrganizationId, tenant_id: TenantId, secret: RandomValue, visit: TheVisit, house: TheHouse
) -> ImportStarted:
    """Fill the dashboards' model of agreements anew; it is the import's result."""
    return await swept(house, visit, ImportKind.DASHBOARD_AGREEMENTS)


@routes.post(
    "/api/v1/migrate/dashboard/charges/{organizationId}/{tenantId}/{randomValue}",
    operation_id="postV1MigrateDashboardCharges",
    summary="Update charges for dashboard (internal/admin)",
    responses=refusals(401, 403, 404, 500, 503),
)
async def dashboard_charges(
    organization_id: OrganizationId, tenant_id: TenantId, secret: RandomValue, visit: TheVisit, house: TheHouse
) -> ImportStarted:
    """Fill the dashboards' model of charges anew; it is the import's result."""
    return await swept(house, visit, ImportKind.DASHBOARD_CHARGES)


@routes.get(
    "/api/v1/migrate/prepare/{organizationId}/{tenantId}/{tenantName}/{numberOfUsers}/{randomValue}",
    operation_id="getV1MigratePrepare",
    summary="Prepare migration users (internal/admin)",
    response_class=StreamingResponse,
    responses=CSV_ANSWER | refusals(400, 401, 403, 404, 500, 503),
)
async def prepare(
    organization_id: OrganizationId,
    tenant_id: TenantId,
    tenant_name: TenantName,
    number: NumberOfUsers,
    secret: RandomValue,
    visit: TheVisit,
    house: TheHouse,
) -> StreamingResponse:
    """The next people who moved in and still have their old ids, as CSV: for an identity provider to make them anew."""
    named(visit, tenant_name)
    return StreamingResponse(prepared(house.db, visit.tenant, number), media_type="text/csv")


@routes.post(
    "/api/v1/migrate/recreate/{organizationId}/{tenantId}/{tenantName}/{isProd}/{randomValue}",
    operation_id="postV1MigrateRecreate",
    summary="Process recreated users CSV (internal/admin)",
    responses=_REFUSALS,
    openapi_extra=csv_body(RECREATED_CSV, "Who has which id now, by an e-mail address or a number that was verified."),
)
async def recreate(
    organization_id: OrganizationId,
    tenant_id: TenantId,
    tenant_name: TenantName,
    is_production: IsProd,
    secret: RandomValue,
    request: Request,
    visit: TheVisit,
    house: TheHouse,
    dry_run: DryRun = False,
) -> ImportStarted:
    """Give agreements and access to the new ids of the people who were made anew, matched by what was verified."""
    named(visit, tenant_name)
    if is_production != (visit.tenant.environment == "production"):
        raise Invalid(
            f"isProd says otherwise than the tenant, which is {visit.tenant.environment}", code="wrong_environment"
        )
    order = Order(ImportKind.RECREATE, people.NEEDED, people.KNOWN, dry_run)
    return await started(house, visit, order, request)


def named(visit: Visit, tenant_name: str) -> None:
    """Raises HTTPException (404) where a path names another tenant than it means."""
    if tenant_name != visit.tenant.name:
        raise HTTPException(404, "there is no such migration here")


async def swept(house: House, visit: Visit, kind: ImportKind) -> ImportStarted:
    """Begin what needs no file."""
    made = await start_sweep(house.db, visit.tenant, kind, visit.caller.person.subject)
    return await _told(house, visit, made)


async def started(house: House, visit: Visit, order: Order, request: Request) -> ImportStarted:
    """Take the file of a request in."""
    by = visit.caller.person.subject
    made = await receive(house.db, visit.tenant, KINDS[order.kind], order, by, file_of(request))
    return await _told(house, visit, made)


async def _told(house: House, visit: Visit, made: UUID) -> ImportStarted:
    now = (await report(house.db, visit.tenant, made)).this
    return ImportStarted(import_id=made, status=now.status, rows=now.row_count)
