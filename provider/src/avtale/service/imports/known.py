"""What we know of rows ourselves, before anybody else is asked: done before, ours already, or in the way of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from avtale.domain.imports import ImportKind, RowState
from avtale.service.imports.kinds import rejected
from avtale.storage import agreements, drafts, imports
from avtale.storage.database import Transaction
from avtale.storage.imports import ImportRow


async def known(tx: Transaction, kind: ImportKind, rows: Sequence[ImportRow]) -> list[ImportRow]:
    """Rows that an earlier file or a checkout has settled already, told as such; the others as they are."""
    before = await imports.done_before(tx, kind, {row.row_id for row in rows if row.row_id})
    ours = await drafts.known_at_gateway(tx, {r.gateway_agreement_id for r in rows if r.gateway_agreement_id})
    holders = await agreements.lock_agreements(tx, ours.values())
    active = await agreements.active_of(tx, {row.whose for row in rows})
    found = []
    for row in rows:
        earlier = before.get(row.row_id or "")
        mine = ours.get(row.gateway_agreement_id or "")
        holder = holders.get(mine) if mine else None
        if earlier is not None and earlier.gateway_agreement_id != row.gateway_agreement_id:
            said = f"this row_id was applied for the agreement {earlier.gateway_agreement_id}"
            found.append(rejected(row, "row_id_used", said))
        elif earlier is not None:
            found.append(replace(row, state=RowState.ALREADY, code="known", agreement_id=earlier.agreement_id))
        elif holder is not None and (holder.issuer, holder.subject, holder.terms.product_id) == row.whose:
            found.append(replace(row, state=RowState.ALREADY, code="known", agreement_id=holder.id))
        elif holder is not None:
            said = f"this agreement is {holder.id} here, and another person's or product's"
            found.append(rejected(row, "agreement_known", said))
        elif row.whose in active:
            said = f"this person has an active agreement for this product here: {active[row.whose]}"
            said += f"; the file has {row.gateway_agreement_id}" if row.gateway_agreement_id else ""
            found.append(rejected(row, "agreement_active", said))
        else:
            found.append(row)
    return found
