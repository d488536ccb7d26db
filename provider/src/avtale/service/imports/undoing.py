"""Take back what a file has written, as far as nothing has happened to it since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from avtale.domain.agreement import AgreementStatus
from avtale.domain.imports import RowState
from avtale.service.announcing import announce, give_access, stopped
from avtale.storage import agreements, import_people
from avtale.storage.database import Transaction
from avtale.storage.imports import Import, ImportRow


async def undo_agreements(tx: Transaction, this: Import, rows: Sequence[ImportRow]) -> list[ImportRow]:
    """Forget agreements to which nothing has happened since. Payment companies hear nothing of it; other systems, which
    were told of these agreements, are told so."""
    gone = await agreements.lock_untouched(tx, [row.agreement_id for row in rows if row.agreement_id])
    ended = [
        replace(agreement, status=AgreementStatus.STOPPED, stopped_at=tx.now, stop_reason="import_undone")
        for agreement in gone.values()
    ]
    await announce(tx, map(stopped, ended))
    await give_access(tx, gone, [])
    await agreements.forget_agreements(tx, gone)
    await import_people.forget(tx, this.id, {(a.issuer, a.subject) for a in gone.values()})
    said = "it was charged, stopped or changed since; stop it, or give money back, by itself"
    return [
        replace(row, state=RowState.UNDONE, agreement_id=None)
        if row.agreement_id in gone
        else replace(row, state=RowState.KEPT, code="in_use", reason=said)
        for row in rows
    ]
