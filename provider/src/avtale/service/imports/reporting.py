"""What has become of a file: the report, its rows, and the result as a file to download."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from uuid import UUID

from avtale.domain.errors import NotFound
from avtale.domain.imports import WORKING, ImportKind, ImportStatus, RowState
from avtale.domain.records import written
from avtale.service.imports.sweeping import SWEEPS
from avtale.storage import dashboards, imports
from avtale.storage.database import Database
from avtale.storage.imports import Import, ImportRow, Tally
from avtale.storage.tenants import Tenant

PAGE_COUNT = 1000
COLUMNS = (
    *("line", "row_id", "state", "code", "reason", "provider", "provider_agreement_id", "user_id", "product_id"),
    *("price_minor", "currency", "agreement_id"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """A file and its rows counted; every row is in exactly one state."""

    this: Import
    tallies: tuple[Tally, ...]

    def count(self, *states: RowState) -> int:
        """How many rows are in one of these states."""
        return sum(tally.count for tally in self.tallies if tally.state in states)

    @property
    def counts(self) -> dict[RowState, int]:
        """How many rows are in each state."""
        return {state: self.count(state) for state in RowState}

    @property
    def sums(self) -> dict[tuple[str, RowState], int]:
        """What the rows of each currency and state amount to, in minor units."""
        found: dict[tuple[str, RowState], int] = {}
        for tally in self.tallies:
            if tally.currency is not None:
                key = tally.currency, tally.state
                found[key] = found.get(key, 0) + tally.amount
        return found

    @property
    def reasons(self) -> list[Tally]:
        """Why rows were rejected or kept, the most frequent first, whatever the currency."""
        merged: dict[tuple[RowState, str], Tally] = {}
        for one in self.tallies:
            if one.state not in (RowState.REJECTED, RowState.KEPT) or one.code is None:
                continue
            known = merged.get((one.state, one.code))
            if known is None:
                merged[one.state, one.code] = one
            else:
                first = min(known, one, key=lambda tally: tally.first_line)
                merged[one.state, one.code] = Tally(
                    one.state, one.code, None, known.count + one.count, 0, first.first_line, first.a_reason
                )
        return sorted(merged.values(), key=lambda tally: (-tally.count, tally.code or ""))

    @property
    def done(self) -> int:
        """How many rows need nothing more in this phase."""
        match self.this.status:
            case ImportStatus.CHECKING:
                return self.this.row_count - self.count(RowState.READ)
            case ImportStatus.APPLYING if self.this.kind in SWEEPS:
                return min(int(self.this.facts["done"]), self.this.row_count)
            case ImportStatus.APPLYING:
                return self.this.row_count - self.count(RowState.READ, RowState.READY)
            case ImportStatus.UNDOING:
                return self.this.row_count - self.count(RowState.APPLIED)
            case _:
                return self.this.row_count

    @property
    def working(self) -> bool:
        """Whether anything of it is still to be done."""
        return self.this.status in WORKING


async def report(db: Database, tenant: Tenant, import_id: UUID) -> Report:
    """One file as it stands. Raises NotFound (`import_not_found`)."""
    async with db.tenant(tenant.id) as tx:
        this = await imports.get_import(tx, import_id)
        if this is None:
            raise NotFound("there is no import with this id", code="import_not_found")
        return Report(this, tuple(await imports.tally(tx, import_id)))


async def reports(db: Database, tenant: Tenant) -> list[Report]:
    """The newest files as they stand."""
    async with db.tenant(tenant.id) as tx:
        return [Report(one, tuple(await imports.tally(tx, one.id))) for one in await imports.list_imports(tx)]


async def rows(
    db: Database, tenant: Tenant, import_id: UUID, after: int, count_max: int, states: Collection[RowState]
) -> list[ImportRow]:
    """Rows after a line. Raises NotFound (`import_not_found`)."""
    async with db.tenant(tenant.id) as tx:
        if await imports.get_import(tx, import_id) is None:
            raise NotFound("there is no import with this id", code="import_not_found")
        return await imports.rows_after(tx, import_id, after, count_max, states)


async def result_file(db: Database, tenant: Tenant, import_id: UUID) -> AsyncIterator[str]:
    """The result as CSV, a page at a time: one record for each row of the file, in its order; of a dashboard's filling
    the model itself."""
    async with db.tenant(tenant.id) as tx:
        this = await imports.get_import(tx, import_id)
    if this is not None and this.kind in (ImportKind.DASHBOARD_AGREEMENTS, ImportKind.DASHBOARD_CHARGES):
        async for part in _model_file(db, tenant, this.kind):
            yield part
        return
    yield written(list(COLUMNS))
    line = 0
    while True:
        async with db.tenant(tenant.id) as tx:
            page = await imports.rows_after(tx, import_id, line, PAGE_COUNT)
        if not page:
            return
        line = page[-1].line
        yield "".join(written(_values(row)) for row in page)


async def _model_file(db: Database, tenant: Tenant, kind: ImportKind) -> AsyncIterator[str]:
    after: UUID | None = UUID(int=0)
    header = True
    while after is not None:
        async with db.tenant(tenant.id) as tx:
            names, page, after = await dashboards.model_rows(tx, kind, after, PAGE_COUNT)
        if header:
            yield written(names)
            header = False
        yield "".join(written(["" if value is None else str(value) for value in row]) for row in page)


def _values(row: ImportRow) -> list[str]:
    told = (
        *(row.line, row.row_id, row.state.value, row.code, row.reason, row.provider, row.gateway_agreement_id),
        *(row.subject, row.product_id, row.amount, row.currency, row.agreement_id),
    )
    return ["" if value is None else str(value) for value in told]
