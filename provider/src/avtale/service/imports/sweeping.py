"""Work over all agreements of a tenant, a stretch at a time: readings anew, and the models of dashboards."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from avtale.domain.imports import ImportKind, ImportStatus
from avtale.service.ids import new_id
from avtale.storage import dashboards, imports
from avtale.storage.checks import CheckKind, ask
from avtale.storage.database import Database, Transaction
from avtale.storage.imports import Import
from avtale.storage.tenants import Tenant

#: Agreements of one stretch: what is asked of payment companies, and what is only copied.
ASKED_COUNT = 500
COPIED_COUNT = 2000
SWEEPS = frozenset({ImportKind.FIX_CHARGES, ImportKind.DASHBOARD_AGREEMENTS, ImportKind.DASHBOARD_CHARGES})


async def start_sweep(db: Database, tenant: Tenant, kind: ImportKind, by: str) -> UUID:
    """Begin; the fleet goes on."""
    async with db.tenant(tenant.id) as tx:
        new = Import(
            id=new_id(),
            kind=kind,
            status=ImportStatus.APPLYING,
            dry_run=False,
            product_id=None,
            requested_by=by,
            row_count=await dashboards.count(tx, kind),
            facts={"done": 0, "after": None},
            problem=None,
            created_wall=tx.wall,
            touched_wall=tx.wall,
            checked_wall=None,
        )
        await imports.insert_import(tx, new)
        await imports.move(tx, new.id, ImportStatus.APPLYING)
    return new.id


async def sweep(tx: Transaction, this: Import, pace: int) -> None:
    """Do the next stretch, and remember how far it went."""
    after = UUID(this.facts["after"]) if this.facts["after"] else UUID(int=0)
    done = int(this.facts["done"])
    match this.kind:
        case ImportKind.FIX_CHARGES:
            count, last = await _ask(tx, after, done, pace)
        case ImportKind.DASHBOARD_AGREEMENTS:
            count, last = await dashboards.copy_agreements(tx, after, COPIED_COUNT)
        case _:
            count, last = await dashboards.copy_charges(tx, after, COPIED_COUNT)
    if last is None:
        if this.kind is not ImportKind.FIX_CHARGES:
            await dashboards.drop_stale(tx, this.kind, this.created_wall)
        await imports.move(tx, this.id, ImportStatus.APPLIED, row_count=done)
        return
    facts = this.facts | {"done": done + count, "after": str(last)}
    await imports.move(tx, this.id, ImportStatus.APPLYING, facts=facts)


async def _ask(tx: Transaction, after: UUID, done: int, pace: int) -> tuple[int, UUID | None]:
    """Have a stretch of agreements and their charges read anew, each in its turn at the tenant's pace."""
    drafts, attempts, last = await dashboards.to_read_again(tx, after, ASKED_COUNT)
    at = tx.now + timedelta(minutes=done / pace)
    await ask(tx, CheckKind.DRAFT, drafts, at)
    await ask(tx, CheckKind.ATTEMPT, attempts, at)
    return len(drafts) + len(attempts), last
