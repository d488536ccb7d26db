"""Files that put right what an earlier file got wrong, for agreements to which nothing has happened since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from avtale.domain.errors import Conflict, Refusal
from avtale.domain.imports import ImportKind, RowState
from avtale.service.imports.agreements import MovingAgreements, agreement_of, write_agreements
from avtale.service.imports.kinds import catalogue_of, refused, rejected
from avtale.storage import agreements, drafts, locks
from avtale.storage.database import Transaction
from avtale.storage.imports import Import, ImportRow
from avtale.storage.tenants import Tenant


class FixingAgreements(MovingAgreements):
    """Read and looked up as a file of agreements is; each row is about an agreement that is here already."""

    kind = ImportKind.FIX_AGREEMENTS

    async def known(self, tx: Transaction, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """Refuse what is not here, what has been charged or changed since, and what would be somebody's second."""
        ours = await drafts.known_at_gateway(tx, {r.gateway_agreement_id for r in rows if r.gateway_agreement_id})
        untouched = await agreements.lock_untouched(tx, set(ours.values()))
        active = await agreements.active_of(tx, {row.whose for row in rows})
        found = []
        for row in rows:
            mine = ours.get(row.gateway_agreement_id or "")
            other = active.get(row.whose)
            if mine is None:
                found.append(rejected(row, "agreement_unknown", "this agreement has not moved in"))
            elif mine not in untouched:
                found.append(rejected(row, "in_use", f"{mine} was charged, stopped or changed since it moved in"))
            elif other not in (None, mine):
                said = f"this person has an active agreement for this product here: {other}"
                found.append(rejected(row, "agreement_active", said))
            else:
                found.append(replace(row, agreement_id=mine))
        return found

    async def apply(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """Write each agreement anew, under the id that it has."""
        await locks.lock_people_and_products(tx, [row.whose for row in rows])
        catalogue = await catalogue_of(tx)
        done, new = [], []
        for row in await self.known(tx, rows):
            if row.state is not RowState.READY or row.agreement_id is None:
                done.append(row)
                continue
            try:
                new.append((row, replace(agreement_of(tx, tenant, row, catalogue), id=row.agreement_id)))
            except Refusal as refusal:
                done.append(refused(row, refusal))
        await agreements.forget_agreements(tx, [agreement.id for _, agreement in new])
        await write_agreements(tx, tenant, this, new)
        return [*done, *(replace(row, state=RowState.APPLIED) for row, _ in new)]

    async def undo(self, tx: Transaction, tenant: Tenant, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """What was there before is not kept: the file with which it came can be handed in again."""
        raise Conflict("a repair is not taken back: repair again", code="import_final")
