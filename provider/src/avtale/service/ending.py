"""End agreements at their gateway: written with the reason, and sent until the answer is certain."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from avtale.domain.agreement import Agreement, AgreementVerb, step
from avtale.domain.ports import AgreementGateway
from avtale.service.ids import new_id
from avtale.storage import agreements
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
