"""Tag Imports: how the files of a migration stand, what to do with them, and their results."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import StreamingResponse

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.import_shapes import Import, ImportRow, ImportRows, Imports
from avtale.api.payments.migration import CSV_ANSWER
from avtale.api.payments.paths import parse_id
from avtale.domain.imports import RowState
from avtale.service.imports import reporting
from avtale.service.imports.running import apply_import, undo_import

ImportId = Annotated[str, Path(alias="importId", json_schema_extra={"format": "uuid"})]
After = Annotated[int, Query(ge=0, le=2**31 - 1, description="the line after which to begin")]
Limit = Annotated[int, Query(ge=1, le=1000)]
State = Annotated[list[RowState] | None, Query(description="only rows in these states")]

routes = Routes("Imports", AdminDoor)


@routes.get(
    "/api/v1/imports",
    operation_id="listV1Imports",
    summary="Get the tenant's imports (admin)",
    responses=refusals(401, 403, 404, 500, 503),
)
async def imports(visit: TheVisit, house: TheHouse) -> Imports:
    """The newest files that were handed in, each with its report."""
    return Imports(imports=[Import.of(one) for one in await reporting.reports(house.db, visit.tenant)])


@routes.get(
    "/api/v1/imports/{importId}",
    operation_id="getV1Imports",
    summary="Get one import with its report (admin)",
    responses=refusals(401, 403, 404, 500, 503),
)
async def one_import(import_id: ImportId, visit: TheVisit, house: TheHouse) -> Import:
    """How far a file is, and its report."""
    return await _seen(visit, house, import_id)


@routes.get(
    "/api/v1/imports/{importId}/rows",
    operation_id="listV1ImportsRows",
    summary="Get the rows of an import (admin)",
    responses=refusals(400, 401, 403, 404, 500, 503),
)
async def rows(
    import_id: ImportId,
    visit: TheVisit,
    house: TheHouse,
    after: After = 0,
    limit: Limit = 100,
    state: State = None,
) -> ImportRows:
    """Row by row, with line numbers and reasons, a page at a time."""
    found = await reporting.rows(house.db, visit.tenant, parse_id(import_id, "import"), after, limit, state or ())
    following = found[-1].line if len(found) == limit else None
    return ImportRows(rows=[ImportRow.of(row) for row in found], next_after=following)


@routes.get(
    "/api/v1/imports/{importId}/result",
    operation_id="getV1ImportsResult",
    summary="Download the result of an import (admin)",
    response_class=StreamingResponse,
    responses=CSV_ANSWER | refusals(401, 403, 404, 500, 503),
)
async def result(import_id: ImportId, visit: TheVisit, house: TheHouse) -> StreamingResponse:
    """Every row of the file with what has become of it, as CSV in UTF-8."""
    wanted = parse_id(import_id, "import")
    await reporting.report(house.db, visit.tenant, wanted)
    headers = {"Content-Disposition": f'attachment; filename="import-{wanted}.csv"'}
    return StreamingResponse(
        reporting.result_file(house.db, visit.tenant, wanted), media_type="text/csv", headers=headers
    )


@routes.post(
    "/api/v1/imports/{importId}/apply",
    operation_id="postV1ImportsApply",
    summary="Apply an import that was checked (admin)",
    responses=refusals(401, 403, 404, 409, 500, 503),
)
async def apply(import_id: ImportId, visit: TheVisit, house: TheHouse) -> Import:
    """Go on after the report. What was looked up more than an hour ago is looked up again first."""
    await apply_import(house.db, visit.tenant, parse_id(import_id, "import"), visit.caller.person)
    return await _seen(visit, house, import_id)


@routes.post(
    "/api/v1/imports/{importId}/undo",
    operation_id="postV1ImportsUndo",
    summary="Undo what an import did and nobody was charged for yet (admin)",
    responses=refusals(401, 403, 404, 409, 500, 503),
)
async def undo(import_id: ImportId, visit: TheVisit, house: TheHouse) -> Import:
    """Forget its agreements, but for those that were charged, stopped or changed since: they are named in the report.
    The payment company hears nothing of it."""
    await undo_import(house.db, visit.tenant, parse_id(import_id, "import"), visit.caller.person)
    return await _seen(visit, house, import_id)


async def _seen(visit: TheVisit, house: TheHouse, import_id: str) -> Import:
    return Import.of(await reporting.report(house.db, visit.tenant, parse_id(import_id, "import")))
