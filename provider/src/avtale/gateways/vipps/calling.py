"""Calls in the name of one sales unit: with its keys and a live token, and what an answer means before it is read."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

from avtale.domain.outcome import CREDENTIALS_REFUSED, Answered, Outcome, Refused, Throttled, Unknown
from avtale.domain.wishes import WrittenRequest
from avtale.gateways.outbound import Answer, Call, NoAnswer, Outbound
from avtale.gateways.vipps.credentials import VippsCredentials
from avtale.gateways.vipps.headers import identification
from avtale.gateways.vipps.refusals import judge, refusal
from avtale.gateways.vipps.tokens import AccessTokens

T = TypeVar("T")
Judged = Answer | Refused | Throttled | Unknown

READ = frozenset({HTTPStatus.OK})
CREATED = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})


def _utc_now() -> datetime:
    return datetime.now(UTC)


class VippsCalls:
    """What all APIs of Vipps share. Keep one for as long as its credentials live: it holds their access token.

    A call whose token is refused (401, without effect) is made once more with a new one, the same key and the
    same bytes. If that is refused too, or no token is to be had, our credentials are at fault.
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
        self._monotonic = monotonic
        self._tokens = AccessTokens(credentials, outbound, monotonic, wall)

    async def write(self, request: WrittenRequest, leave_by: float | None = None) -> Judged:
        """Make a written call: its id is the key."""
        return await self.call(request.method, request.path, request.body, str(request.id), leave_by)

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        key: str | None = None,
        leave_by: float | None = None,
    ) -> Judged:
        """Make a call. One that cannot leave by that instant of the monotonic clock is not made: Throttled."""
        rejected: str | None = None
        while True:
            token = await self._tokens.get(rejected)
            if not isinstance(token, Answered):
                return token
            # A call whose token is refused is not counted: the second one needs no instant of its own.
            if leave_by is not None and rejected is None and self._monotonic() > leave_by:
                return Throttled(0.0)
            answer = await self._outbound.send(self._written(method, path, body, key, token.value))
            if isinstance(answer, NoAnswer):
                return Unknown(answer.reason, sent=answer.sent)
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return judge(answer, self._wall())
            if rejected is not None:
                return refusal(answer.status, answer.body, code=CREDENTIALS_REFUSED)
            rejected = token.value

    @property
    def client_id(self) -> str:
        """Whose calls these are."""
        return self._credentials.client_id

    def url(self, path: str) -> str:
        """A path of Vipps as an address."""
        return self._credentials.base_url.rstrip("/") + path

    async def post_form(self, path: str, form: bytes) -> Answer | NoAnswer:
        """Post a form as the sales unit itself, with its id and secret instead of an access token."""
        given = self._credentials
        pair = f"{quote(given.client_id, safe='')}:{quote(given.client_secret, safe='')}"
        headers = {
            **identification(given),
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return await self._outbound.send(Call("POST", self.url(path), headers, form, given.call_seconds_max))

    def _written(self, method: str, path: str, body: bytes | None, key: str | None, token: str) -> Call:
        headers = {**identification(self._credentials), "Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        return Call(
            method=method,
            url=self.url(path),
            headers=headers,
            body=body,
            call_seconds_max=self._credentials.call_seconds_max,
            request_id=key,
        )


def kept(judged: Judged) -> Judged:
    """A 401 is about us, not about the order: a written call outlives a secret that is being changed."""
    if isinstance(judged, Refused) and judged.code == CREDENTIALS_REFUSED:
        return Unknown(f"our credentials were refused: {judged.detail}", sent=False)
    return judged


def nothing(_: bytes) -> None:
    """For answers whose status says all."""


def understood(judged: Judged, statuses: frozenset[HTTPStatus], read: Callable[[bytes], T]) -> Outcome[T]:
    """An answer that is not as documented proves nothing: it may come from something in between."""
    if not isinstance(judged, Answer):
        return judged
    if judged.status not in statuses:
        return Unknown(f"Vipps answered {judged.status}, which is not documented for this call")
    try:
        return Answered(read(judged.body))
    except ValueError as error:
        return Unknown(f"an answer of Vipps that we cannot read: {error}")
