"""End agreements at their gateway: written with the reason, and sent until the answer is certain."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementStatus, AgreementVerb, step
from avtale.domain.ports import AgreementGateway
from avtale.service import announcing
from avtale.service.ids import new_id
from avtale.storage import agreements, charges
from avtale.storage.calls import Call, CallKind
from avtale.storage.database import Transaction


async def ask_to_stop(
    tx: Transaction, gateway: AgreementGateway, agreement: Agreement, draft_id: UUID, reason: str
) -> tuple[Agreement, Call]:
    """Move an active agreement to `stopping` and write the call that stops it; whoever can sends it."""
    if agreement.gateway_agreement_id is None:
        raise RuntimeError("an active agreement has a gateway agreement")
    stopping = replace(
        agreement,
        status=step(agreement.status, AgreementVerb.ASK_TO_STOP),
        stop_reason=reason,
        next_charge_at=None,
    )
    await agreements.save_agreements(tx, [stopping])
    request = gateway.write_stop(new_id(), agreement.gateway_agreement_id)
    return stopping, Call(request, CallKind.STOP, draft_id)


async def finish_stops(tx: Transaction, agreement_ids: Collection[UUID]) -> None:
    """Agreements that were to end at once, and did so at their gateway, are stopped when nothing of them is open."""
    if not agreement_ids:
        return
    for agreement in (await agreements.lock_agreements(tx, agreement_ids)).values():
        ends = agreement.status is AgreementStatus.STOPPING and agreement.stopped_at is not None
        if ends and not await charges.open_attempts(tx, [agreement.id]):
            stopped = replace(agreement, status=step(agreement.status, AgreementVerb.STOP))
            await agreements.save_agreements(tx, [stopped])
            await announcing.announce(tx, [announcing.stopped(stopped)])
