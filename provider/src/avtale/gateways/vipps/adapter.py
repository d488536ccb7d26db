"""Vipps Recurring for one sales unit: which call is made, and what its answer means for money."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

from avtale.domain.agreement import Terms
from avtale.domain.observations import Drafted, ManyCreated, ObservedAgreement, RegisteredWebhook
from avtale.domain.outcome import CREDENTIALS_REFUSED, Answered, Outcome, Refused, Unknown
from avtale.domain.pace import Pace
from avtale.domain.settlement import ObservedCharge
from avtale.domain.wishes import ChargeWish, DraftWish, WrittenRequest
from avtale.gateways.outbound import Answer
from avtale.gateways.vipps import limits, translate, translate_bulk
from avtale.gateways.vipps.calling import CREATED, READ, Judged, VippsCalls, kept, nothing, understood

_ACCEPTED = frozenset({HTTPStatus.ACCEPTED})
_DONE = frozenset({HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})

#: The one 409 that is definite: the key was used with other bytes, so that this call was not carried out.
IDEMPOTENCY_CONFLICT = "idempotency-conflict"


class VippsRecurring:
    """The port RecurringGateway. Where our credentials are at fault, a charge, a stop or a refund is Unknown (not
    sent), to be kept until they are right; the rest is Refused."""

    def __init__(self, calls: VippsCalls, charge_pace: Pace | None = None, charges_per_call_max: int = 1) -> None:
        self._calls = calls
        self.charge_pace = charge_pace
        self.charges_per_call_max = charges_per_call_max

    def write_draft(self, wish: DraftWish) -> WrittenRequest:
        """See translate.write_draft."""
        return translate.write_draft(wish)

    def write_charge(self, wish: ChargeWish) -> WrittenRequest:
        """See translate.write_charge."""
        return translate.write_charge(wish)

    def write_charges(self, request_id: UUID, wishes: Sequence[ChargeWish]) -> WrittenRequest:
        """See translate_bulk.write_charges."""
        return translate_bulk.write_charges(request_id, wishes)

    def orders_in(self, request: WrittenRequest) -> list[WrittenRequest]:
        """See translate_bulk.orders_in."""
        return translate_bulk.orders_in(request)

    def write_stop(self, request_id: UUID, gateway_agreement_id: str) -> WrittenRequest:
        """See translate.write_stop."""
        return translate.write_stop(request_id, gateway_agreement_id)

    def write_cancel(self, request_id: UUID, gateway_agreement_id: str, order_id: str) -> WrittenRequest:
        """See translate.write_cancel."""
        return translate.write_cancel(request_id, gateway_agreement_id, order_id)

    def write_update(self, request_id: UUID, gateway_agreement_id: str, terms: Terms) -> WrittenRequest:
        """See translate.write_update."""
        return translate.write_update(request_id, gateway_agreement_id, terms)

    def amount_min(self, currency: str) -> int:
        """The least that Vipps charges."""
        return limits.AMOUNT_MIN[currency]

    def write_acceptance(self, request_id: UUID, gateway_agreement_id: str, phone_number: str) -> WrittenRequest:
        """See translate.write_acceptance."""
        return translate.write_acceptance(request_id, gateway_agreement_id, phone_number)

    def write_refund(
        self, request_id: UUID, gateway_agreement_id: str, order_id: str, amount: int, reason: str
    ) -> WrittenRequest:
        """See translate.write_refund."""
        return translate.write_refund(request_id, gateway_agreement_id, order_id, amount, reason)

    async def draft(self, request: WrittenRequest) -> Outcome[Drafted]:
        """Make a draft. Not every version of Vipps honours the key here: a repeat may draft twice."""
        return understood(await self._calls.write(request), CREATED, translate.read_drafted)

    async def create_charge(
        self, request: WrittenRequest, *, again: bool = False, leave_by: float | None = None
    ) -> Outcome[str]:
        """Create a charge; the answer is its order id. A 409 is Unknown but for `idempotency-conflict`.

        `again`: it may have been sent before. A no then proves nothing, for its due date may have passed or the key
        been forgotten meanwhile: the charge is looked for by its id, and only one that is not there is Refused.
        """
        judged = await self._calls.write(request, leave_by)
        outcome = understood(kept(_unsure_of_conflicts(judged)), CREATED, translate.read_created)
        if again and isinstance(judged, Refused) and judged.code != CREDENTIALS_REFUSED:
            return await self._looked_for(request, outcome)
        return outcome

    async def create_charges(self, request: WrittenRequest, *, leave_by: float | None = None) -> Outcome[ManyCreated]:
        """Create many charges; what the answer says of each. A 409 as in create_charge."""
        judged = _unsure_of_conflicts(await self._calls.write(request, leave_by))
        return understood(kept(judged), _ACCEPTED, translate_bulk.read_many)

    async def accept(self, request: WrittenRequest) -> Outcome[None]:
        """Approve a draft in its payer's name; Refused outside of Vipps's test environment."""
        return understood(await self._calls.write(request), _DONE, nothing)

    async def stop(self, request: WrittenRequest) -> Outcome[None]:
        """Stop an agreement. One that is not active is Refused (`illegal-agreement-update`): read it."""
        return understood(kept(await self._calls.write(request)), _DONE, nothing)

    async def cancel(self, request: WrittenRequest) -> Outcome[None]:
        """Cancel a charge that is not captured; accepted is not yet done. One that has ended is Refused: read it."""
        return understood(kept(await self._calls.write(request)), _DONE, nothing)

    async def update(self, request: WrittenRequest) -> Outcome[None]:
        """Show other terms of an active agreement; its person is not asked and not told by Vipps."""
        return understood(kept(await self._calls.write(request)), _DONE, nothing)

    async def refund(self, request: WrittenRequest) -> Outcome[None]:
        """Give money back; accepted is not yet done: the charge's totals tell. A 409 as in create_charge."""
        judged = _unsure_of_conflicts(await self._calls.write(request))
        return understood(kept(judged), _DONE, nothing)

    async def fetch_agreement(self, gateway_agreement_id: str) -> Outcome[ObservedAgreement]:
        """Read an agreement; Refused with status 404 if this sales unit has none such."""
        judged = await self._calls.call("GET", translate.agreement_path(gateway_agreement_id))
        return understood(judged, READ, lambda body: translate.read_agreement(body, gateway_agreement_id))

    async def fetch_charge(self, gateway_agreement_id: str, order_id: str) -> Outcome[ObservedCharge]:
        """Read a charge; Refused with status 404 if it is not there (a slow call may yet bring it)."""
        judged = await self._calls.call("GET", translate.charge_path(gateway_agreement_id, order_id))
        return understood(judged, READ, lambda body: translate.read_charge(body, order_id))

    async def register_webhook(self, url: str, events: Sequence[str]) -> Outcome[RegisteredWebhook]:
        """Register a webhook; there is no key for this call, so that a repeat registers again."""
        wanted = tuple(events)
        judged = await self._calls.call("POST", translate.WEBHOOKS, translate.write_webhook(url, wanted))
        return understood(judged, CREATED, lambda body: translate.read_registered(body, url, wanted))

    async def list_webhooks(self) -> Outcome[tuple[RegisteredWebhook, ...]]:
        """Every registration of this sales unit, without secrets."""
        return understood(await self._calls.call("GET", translate.WEBHOOKS), READ, translate.read_webhooks)

    async def delete_webhook(self, webhook_id: str) -> Outcome[None]:
        """Delete a registration."""
        return understood(await self._calls.call("DELETE", translate.webhook_path(webhook_id)), _DONE, nothing)

    async def _looked_for(self, request: WrittenRequest, otherwise: Outcome[str]) -> Outcome[str]:
        """The charge that an earlier sending of this request made; `otherwise` if there is none."""
        found = await self._calls.call("GET", f"{request.path}/{request.id}")
        if isinstance(found, Refused):
            return otherwise if found.status == HTTPStatus.NOT_FOUND else Unknown(f"it may exist: {found.detail}")
        return Answered(str(request.id)) if isinstance(found, Answer) else found


def _unsure_of_conflicts(judged: Judged) -> Judged:
    """A conflict may be with an earlier sending of the same call, still under way or done: what became of
    that is found by reading, not by trying under another id."""
    if isinstance(judged, Refused) and judged.status == HTTPStatus.CONFLICT:
        return judged if judged.code == IDEMPOTENCY_CONFLICT else Unknown(f"conflict: {judged.detail}")
    return judged
