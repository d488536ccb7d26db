"""Do what is due for the files of a tenant, a batch at a time: a worker that dies leaves the rest to the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import UUID

import structlog

from avtale.domain.errors import Conflict, NotFound, Refusal
from avtale.domain.imports import MAY_APPLY, MAY_UNDO, ImportKind, ImportStatus, RowState
from avtale.domain.ports import Gateways
from avtale.service.checkout import Person
from avtale.service.imports.agreements import MovingAgreements
from avtale.service.imports.fixing import FixingAgreements
from avtale.service.imports.kinds import Kind, rejected
from avtale.service.imports.people import RecreatedPeople
from avtale.service.imports.special import SpecialRights
from avtale.service.imports.sweeping import SWEEPS, sweep
from avtale.service.noting import note
from avtale.storage import imports
from avtale.storage.database import Database, DatabaseFault, Job
from avtale.storage.due import refresh_due
from avtale.storage.imports import Import, ImportRow
from avtale.storage.tenants import Tenant

#: How long a file is left to a worker of which nothing is heard, and how often one tells that it is alive (wall time).
LEASE_SECONDS = 5.0
ALIVE_SECONDS = 1.5
#: What was looked up longer ago than this is looked up again before it is applied.
BELIEVED_FOR = timedelta(hours=1)
APPLY_COUNT = 500
CALLS_PER_MINUTE_DEFAULT = 3000

KINDS: dict[ImportKind, Kind] = {
    ImportKind.AGREEMENTS: MovingAgreements(),
    ImportKind.SPECIAL: SpecialRights(),
    ImportKind.FIX_AGREEMENTS: FixingAgreements(),
    ImportKind.RECREATE: RecreatedPeople(),
}
#: What can be taken back.
UNDOABLE = frozenset({ImportKind.AGREEMENTS, ImportKind.SPECIAL})

log = structlog.get_logger()


async def work_imports(db: Database, gateways: Gateways, tenant: Tenant) -> bool:
    """Do one batch of the oldest file that wants something; True when there may be more to do at once."""
    async with db.tenant(tenant.id) as tx:
        this = await imports.claim_work(tx, LEASE_SECONDS)
        door = await imports.get_door(tx)
    if this is None:
        async with db.tenant(tenant.id) as tx:
            await refresh_due(tx, Job.IMPORT)
        return False
    pace = door.calls_per_minute_max if door else CALLS_PER_MINUTE_DEFAULT
    wait, began = 0.0, time.monotonic()
    async with _alive(db, tenant, this):
        match this.status:
            case ImportStatus.CHECKING:
                wait = max(0.0, await _check(db, gateways, tenant, this, pace) - (time.monotonic() - began))
            case ImportStatus.APPLYING if this.kind in SWEEPS:
                async with db.tenant(tenant.id) as tx:
                    await sweep(tx, this, pace)
            case ImportStatus.APPLYING:
                await _apply(db, tenant, this)
            case ImportStatus.UNDOING:
                await _undo(db, tenant, this)
            case _:
                raise RuntimeError(f"there is nothing to do for a file that is {this.status}")
    async with db.tenant(tenant.id) as tx:
        # The lease ends here: whoever comes next begins when the pace allows.
        now = await imports.get_import(tx, this.id, lock=True)
        if now is not None:
            await imports.move(tx, this.id, now.status, tx.wall + timedelta(seconds=wait))
        await refresh_due(tx, Job.IMPORT)
    return wait == 0.0


async def apply_import(db: Database, tenant: Tenant, import_id: UUID, by: Person | None = None, why: str = "") -> None:
    """Apply what was reported; what was looked up too long ago is looked up again first.

    Raises NotFound (`import_not_found`), Conflict (`import_busy`) while it is being checked or undone.
    """
    async with db.tenant(tenant.id) as tx:
        this = _there(await imports.get_import(tx, import_id, lock=True))
        if this.status in (ImportStatus.APPLYING, ImportStatus.APPLIED):
            return
        if this.status not in MAY_APPLY:
            raise Conflict(f"this import is {this.status.value}: wait until it is checked", code="import_busy")
        if by is not None:
            await note(tx, by, "apply import", f"import {import_id}", why, rows=this.row_count)
        if this.status is ImportStatus.UNDONE:
            await imports.set_back(tx, import_id, RowState.UNDONE, RowState.READ)
        fresh = this.checked_wall is not None and tx.wall - this.checked_wall < BELIEVED_FOR
        if fresh and this.status is ImportStatus.CHECKED:
            await imports.move(tx, import_id, ImportStatus.APPLYING, dry_run=False)
            return
        await imports.set_back(tx, import_id, RowState.READY, RowState.READ)
        await imports.move(tx, import_id, ImportStatus.CHECKING, dry_run=False)


async def undo_import(db: Database, tenant: Tenant, import_id: UUID, by: Person | None = None, why: str = "") -> None:
    """Take back what of it has not been charged or changed since.

    Raises NotFound, Conflict (`import_busy`, or `import_final` for a kind that is not taken back).
    """
    async with db.tenant(tenant.id) as tx:
        this = _there(await imports.get_import(tx, import_id, lock=True))
        if this.kind not in UNDOABLE:
            raise Conflict(f"what is of the kind {this.kind.value} is not taken back", code="import_final")
        if this.status in (ImportStatus.UNDOING, ImportStatus.UNDONE):
            return
        if this.status not in MAY_UNDO:
            raise Conflict(f"this import is {this.status.value}: there is nothing to undo", code="import_busy")
        if by is not None:
            await note(tx, by, "undo import", f"import {import_id}", why, rows=this.row_count)
        await imports.move(tx, import_id, ImportStatus.UNDOING)


def _there(this: Import | None) -> Import:
    if this is None:
        raise NotFound("there is no import with this id", code="import_not_found")
    return this


async def _check(db: Database, gateways: Gateways, tenant: Tenant, this: Import, pace: int) -> float:
    """Check a batch; gives the seconds to wait before the next."""
    kind = KINDS[this.kind]
    async with db.tenant(tenant.id) as tx:
        rows = await imports.rows_in(tx, this.id, RowState.READ, kind.batch_count(pace))
    if not rows:
        async with db.tenant(tenant.id) as tx:
            await imports.refuse_pairs_of_people(tx, this.id)
            following = ImportStatus.CHECKED if this.dry_run else ImportStatus.APPLYING
            await imports.move(tx, this.id, following, checked_wall=tx.wall, problem=None)
        return 0.0
    checked = await kind.check(db, gateways, tenant, this, rows, pace)
    async with db.tenant(tenant.id) as tx:
        await imports.save_rows(tx, this.id, checked.rows, RowState.READ)
        await imports.move(tx, this.id, ImportStatus.CHECKING, tx.wall, problem=checked.problem)
    return checked.wait_seconds


async def _apply(db: Database, tenant: Tenant, this: Import) -> None:
    if await _apply_lines(db, tenant, this, APPLY_COUNT):
        return
    async with db.tenant(tenant.id) as tx:
        # Rows that somebody else holds just now were passed over.
        if not await imports.rows_in(tx, this.id, RowState.READY, 1):
            await imports.move(tx, this.id, ImportStatus.APPLIED)


async def _apply_lines(db: Database, tenant: Tenant, this: Import, count: int) -> int:
    """Apply the next rows in one transaction; where that fails, halve them until the culprit stands alone. Gives how
    many there were."""
    rows: Sequence[ImportRow] = ()
    try:
        async with db.tenant(tenant.id) as tx:
            rows = await imports.rows_in(tx, this.id, RowState.READY, count, lock=True)
            if rows:
                done = await KINDS[this.kind].apply(tx, tenant, this, rows)
                await imports.save_rows(tx, this.id, done, RowState.READY)
    except (DatabaseFault, Refusal, RuntimeError, ValueError):
        if len(rows) > 1:
            return await _apply_lines(db, tenant, this, len(rows) // 2)
        log.exception("row_not_applied", tenant=tenant.name, line=rows[0].line if rows else None)
        async with db.tenant(tenant.id) as tx:
            said = "it could not be written; our log says why"
            await imports.save_rows(tx, this.id, [rejected(row, "not_written", said) for row in rows], RowState.READY)
    return len(rows)


async def _undo(db: Database, tenant: Tenant, this: Import) -> None:
    async with db.tenant(tenant.id) as tx:
        rows = await imports.rows_in(tx, this.id, RowState.APPLIED, APPLY_COUNT, lock=True)
        if not rows:
            await imports.move(tx, this.id, ImportStatus.UNDONE)
            return
        done = await KINDS[this.kind].undo(tx, tenant, this, rows)
        await imports.save_rows(tx, this.id, done, RowState.APPLIED)


@asynccontextmanager
async def _alive(db: Database, tenant: Tenant, this: Import) -> AsyncIterator[None]:
    """Keep the lease for as long as the work takes."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            async with db.tenant(tenant.id) as tx:
                await imports.keep_lease(tx, this.id, LEASE_SECONDS)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await telling
