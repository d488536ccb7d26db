"""Vipps Recurring for one sales unit: which call is made, and what its answer means for money."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar
from uuid import UUID

from avtale.domain.outcome import Answered, Outcome, Refused, Throttled, Unknown
from avtale.domain.ports import (
    ChargeWish,
    Drafted,
    DraftWish,
    ObservedAgreement,
    RegisteredWebhook,
    WrittenRequest,
)
from avtale.domain.settlement import ObservedCharge
from avtale.gateways.outbound import Answer, Call, NoAnswer, Outbound
from avtale.gateways.vipps import translate
from avtale.gateways.vipps.credentials import VippsCredentials
from avtale.gateways.vipps.headers import identification
from avtale.gateways.vipps.refusals import CREDENTIALS_REFUSED, judge, refusal
from avtale.gateways.vipps.tokens import AccessTokens

T = TypeVar("T")
_Judged = Answer | Refused | Throttled | Unknown

_CREATED = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})
_DONE = frozenset({HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
_READ = frozenset({HTTPStatus.OK})

#: The one 409 that is definite: the key was used with other bytes, so that this call was not carried out.
IDEMPOTENCY_CONFLICT = "idempotency-conflict"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class VippsRecurring:
    """The port RecurringGateway. Keep one for as long as its credentials live: it holds their access token.

    A call whose token is refused (401, without effect) is made once more with a new one, the same key and the
    same bytes. If that is refused too, or no token is to be had, our credentials are at fault: a charge, a
    stop or a refund is then Unknown (not sent), to be kept until they are right; the rest is Refused.
    """

    def __init__(
        self,
        credentials: VippsCredentials,
        outbound: Outbound,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._credentials = credentials
        self._outbound = outbound
        self._wall = wall
        self._tokens = AccessTokens(credentials, outbound, monotonic, wall)

    def write_draft(self, wish: DraftWish) -> WrittenRequest:
        """See translate.write_draft."""
        return translate.write_draft(wish)

    def write_charge(self, wish: ChargeWish) -> WrittenRequest:
        """See translate.write_charge."""
        return translate.write_charge(wish)

    def write_stop(self, request_id: UUID, gateway_agreement_id: str) -> WrittenRequest:
        """See translate.write_stop."""
        return translate.write_stop(request_id, gateway_agreement_id)

    def write_refund(
        self, request_id: UUID, gateway_agreement_id: str, order_id: str, amount: int, reason: str
    ) -> WrittenRequest:
        """See translate.write_refund."""
        return translate.write_refund(request_id, gateway_agreement_id, order_id, amount, reason)

    async def draft(self, request: WrittenRequest) -> Outcome[Drafted]:
        """Make a draft. Not every version of Vipps honours the key here: a repeat may draft twice."""
        return _understood(await self._write(request), _CREATED, translate.read_drafted)

    async def create_charge(self, request: WrittenRequest, *, again: bool = False) -> Outcome[str]:
        """Create a charge; the answer is its order id. A 409 is Unknown but for `idempotency-conflict`.

        `again`: it may have been sent before. A no then proves nothing, for its due date may have passed or the key
        been forgotten meanwhile: the charge is looked for by its id, and only one that is not there is Refused.
        """
        judged = await self._write(request)
        outcome = _understood(_kept(_unsure_of_conflicts(judged)), _CREATED, translate.read_created)
        if again and isinstance(judged, Refused) and judged.code != CREDENTIALS_REFUSED:
            return await self._looked_for(request, outcome)
        return outcome

    async def stop(self, request: WrittenRequest) -> Outcome[None]:
        """Stop an agreement. One that is not active is Refused (`illegal-agreement-update`): read it."""
        return _understood(_kept(await self._write(request)), _DONE, _nothing)

    async def refund(self, request: WrittenRequest) -> Outcome[None]:
        """Give money back; accepted is not yet done: the charge's totals tell. A 409 as in create_charge."""
        judged = _unsure_of_conflicts(await self._write(request))
        return _understood(_kept(judged), _DONE, _nothing)

    async def fetch_agreement(self, gateway_agreement_id: str) -> Outcome[ObservedAgreement]:
        """Read an agreement; Refused with status 404 if this sales unit has none such."""
        judged = await self._call("GET", translate.agreement_path(gateway_agreement_id))
        return _understood(judged, _READ, lambda body: translate.read_agreement(body, gateway_agreement_id))

    async def fetch_charge(self, gateway_agreement_id: str, order_id: str) -> Outcome[ObservedCharge]:
        """Read a charge; Refused with status 404 if it is not there (a slow call may yet bring it)."""
        judged = await self._call("GET", translate.charge_path(gateway_agreement_id, order_id))
        return _understood(judged, _READ, lambda body: translate.read_charge(body, order_id))

    async def register_webhook(self, url: str, events: Sequence[str]) -> Outcome[RegisteredWebhook]:
        """Register a webhook; there is no key for this call, so that a repeat registers again."""
        wanted = tuple(events)
        judged = await self._call("POST", translate.WEBHOOKS, translate.write_webhook(url, wanted))
        return _understood(judged, _CREATED, lambda body: translate.read_registered(body, url, wanted))

    async def list_webhooks(self) -> Outcome[tuple[RegisteredWebhook, ...]]:
        """Every registration of this sales unit, without secrets."""
        return _understood(await self._call("GET", translate.WEBHOOKS), _READ, translate.read_webhooks)

    async def delete_webhook(self, webhook_id: str) -> Outcome[None]:
        """Delete a registration."""
        return _understood(await self._call("DELETE", translate.webhook_path(webhook_id)), _DONE, _nothing)

    async def _looked_for(self, request: WrittenRequest, otherwise: Outcome[str]) -> Outcome[str]:
        """The charge that an earlier sending of this request made; `otherwise` if there is none."""
        found = await self._call("GET", f"{request.path}/{request.id}")
        if isinstance(found, Refused):
            return otherwise if found.status == HTTPStatus.NOT_FOUND else Unknown(f"it may exist: {found.detail}")
        return Answered(str(request.id)) if isinstance(found, Answer) else found

    async def _write(self, request: WrittenRequest) -> _Judged:
        return await self._call(request.method, request.path, request.body, str(request.id))

    async def _call(self, method: str, path: str, body: bytes | None = None, key: str | None = None) -> _Judged:
        rejected: str | None = None
        while True:
            token = await self._tokens.get(rejected)
            if not isinstance(token, Answered):
                return token
            answer = await self._outbound.send(self._written(method, path, body, key, token.value))
            if isinstance(answer, NoAnswer):
                return Unknown(answer.reason, sent=answer.sent)
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return judge(answer, self._wall())
            if rejected is not None:
                return refusal(answer.status, answer.body, code=CREDENTIALS_REFUSED)
            rejected = token.value

    def _written(self, method: str, path: str, body: bytes | None, key: str | None, token: str) -> Call:
        headers = {**identification(self._credentials), "Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        return Call(
            method=method,
            url=self._credentials.base_url.rstrip("/") + path,
            headers=headers,
            body=body,
            call_seconds_max=self._credentials.call_seconds_max,
            request_id=key,
        )


def _unsure_of_conflicts(judged: _Judged) -> _Judged:
    """A conflict may be with an earlier sending of the same call, still under way or done: what became of
    that is found by reading, not by trying under another id."""
    if isinstance(judged, Refused) and judged.status == HTTPStatus.CONFLICT:
        return judged if judged.code == IDEMPOTENCY_CONFLICT else Unknown(f"conflict: {judged.detail}")
    return judged


def _kept(judged: _Judged) -> _Judged:
    """A 401 is about us, not about the order: a written call outlives a secret that is being changed."""
    if isinstance(judged, Refused) and judged.code == CREDENTIALS_REFUSED:
        return Unknown(f"our credentials were refused: {judged.detail}", sent=False)
    return judged


def _nothing(_: bytes) -> None:
    return None


def _understood(judged: _Judged, statuses: frozenset[HTTPStatus], read: Callable[[bytes], T]) -> Outcome[T]:
    """An answer that is not as documented proves nothing: it may come from something in between."""
    if not isinstance(judged, Answer):
        return judged
    if judged.status not in statuses:
        return Unknown(f"Vipps answered {judged.status}, which is not documented for this call")
    try:
        return Answered(read(judged.body))
    except ValueError as error:
        return Unknown(f"an answer of Vipps that we cannot read: {error}")
