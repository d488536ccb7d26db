"""The access token of one sales unit: fetched when needed, shared by all calls, renewed before it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from avtale.domain.outcome import CREDENTIALS_REFUSED, Answered, Outcome, Refused, Unknown
from avtale.gateways.outbound import Answer, Call, NoAnswer, Outbound
from avtale.gateways.vipps.credentials import VippsCredentials
from avtale.gateways.vipps.headers import identification
from avtale.gateways.vipps.reading import object_of, text
from avtale.gateways.vipps.refusals import judge

TOKEN_PATH = "/accesstoken/get"

#: A token is not used in its last seconds: a tenth of its life, at most this.
RENEWAL_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    usable_until: float


class AccessTokens:
    """One token at a time, one fetch at a time: who waits for a fetch shares what it brings, failures too."""

    def __init__(
        self,
        credentials: VippsCredentials,
        outbound: Outbound,
        monotonic: Callable[[], float],
        wall: Callable[[], datetime],
    ) -> None:
        self._credentials = credentials
        self._outbound = outbound
        self._monotonic = monotonic
        self._wall = wall
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self._rounds = 0
        self._last: Outcome[str] = Unknown("no token was asked for yet", sent=False)

    async def get(self, rejected: str | None = None) -> Outcome[str]:
        """A token that is not `rejected`. Whatever else comes back, the call that needed it was not sent:
        Refused is always with code `credentials-refused`, and Unknown says `sent=False`."""
        if (usable := self._usable(rejected)) is not None:
            return usable
        round_asked = self._rounds
        async with self._lock:
            if (usable := self._usable(rejected)) is not None:
                return usable
            if self._rounds != round_asked and not isinstance(self._last, Answered):
                return self._last
            self._last = await self._fetch()
            self._rounds += 1
            return self._last

    def _usable(self, rejected: str | None) -> Answered[str] | None:
        token = self._token
        if token is None or token.value == rejected or self._monotonic() >= token.usable_until:
            return None
        return Answered(token.value)

    async def _fetch(self) -> Outcome[str]:
        asked_at = self._monotonic()
        given = self._credentials
        result = await self._outbound.send(
            Call(
                method="POST",
                url=given.base_url.rstrip("/") + TOKEN_PATH,
                headers={
                    **identification(given),
                    "client_id": given.client_id,
                    "client_secret": given.client_secret,
                },
                body=None,
                call_seconds_max=given.call_seconds_max,
            )
        )
        if isinstance(result, NoAnswer):
            return Unknown(f"no access token: {result.reason}", sent=False)
        judged = judge(result, self._wall())
        match judged:
            case Refused():
                return Refused(judged.status, CREDENTIALS_REFUSED, judged.detail)
            case Unknown():
                return Unknown(f"no access token: {judged.reason}", sent=False)
            case Answer():
                return self._keep(judged, asked_at)
        return judged

    def _keep(self, answer: Answer, asked_at: float) -> Outcome[str]:
        try:
            said = object_of(answer.body)
            value = text({"access_token": said.get("access_token")}, "access_token")
            seconds = _seconds(said.get("expires_in"))
            if not value.isascii() or " " in value:
                raise ValueError("access_token is not one word")
        except ValueError as error:
            return Unknown(f"no access token: {error}", sent=False)
        margin = min(seconds / 10, RENEWAL_SECONDS_MAX)
        self._token = _Token(value, asked_at + seconds - margin)
        return Answered(value)


def _seconds(value: object) -> float:
    """`expires_in`: text by the contract (`"3599"`), a number as seen. Raises ValueError."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:10])
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError("expires_in is not a number of seconds")
    return float(value)
