"""Write down what came of making something at Stripe: its name there, or that nothing was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from avtale.domain.observations import Confirmation
from avtale.storage import charges, checks, drafts
from avtale.storage.calls import ORDERS, Call, CallKind
from avtale.storage.checks import CheckKind
from avtale.storage.database import Transaction

#: A subscription whose payer was given its secret is read again after this, if nobody tells us of it.
READ_AFTER = timedelta(minutes=11)


async def record_made(tx: Transaction, call: Call, made: Confirmation) -> None:
    """The subscription of a draft, or the payment of an attempt, is there."""
    if call.kind in ORDERS:
        await charges.name_order(tx, call.subject_id, made.gateway_id)
        return
    for draft in await drafts.get_drafts(tx, [call.subject_id]):
        if draft.gateway_agreement_id is None:
            await drafts.update_draft(tx, draft.id, gateway_agreement_id=made.gateway_id)
        if draft.status in ("written", "unknown"):
            await drafts.update_draft(tx, draft.id, status="drafted")
        await checks.ask(tx, CheckKind.DRAFT, [draft.id], tx.now + READ_AFTER)


async def record_refused(tx: Transaction, call: Call, reason: str) -> None:
    """Nothing was made, and nothing will be: the next checkout writes another draft."""
    for draft in await drafts.get_drafts(tx, [call.subject_id]):
        if draft.status in ("written", "unknown"):
            await drafts.update_draft(tx, draft.id, status="refused")


async def record_unknown(tx: Transaction, sent: Sequence[Call]) -> None:
    """It may have been made: the same call is sent until that is certain."""
    ids = [call.subject_id for call in sent if call.kind is CallKind.SUBSCRIPTION]
    for draft in await drafts.get_drafts(tx, ids) if ids else []:
        if draft.status == "written":
            await drafts.update_draft(tx, draft.id, status="unknown")
