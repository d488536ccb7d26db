"""How the SDK's calls leave the house: through the one HTTP client, sent once, each with its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import stripe

from avtale.gateways.outbound import Call, NoAnswer, Outbound


class NotAnswered(stripe.APIConnectionError):
    """No whole answer came; `sent` is False only where it is certain that nothing can have happened."""

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason)  # type: ignore[no-untyped-call]
        self.reason = reason
        self.sent = sent


class Transport(stripe.HTTPClient):
    """The SDK's seam for HTTP. The SDK repeats nothing: what is sent again is decided where it is written down."""

    name = "avtale"

    def __init__(self, outbound: Outbound, call_seconds_max: float) -> None:
        super().__init__()
        self._outbound = outbound
        self._call_seconds_max = call_seconds_max

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One call. Raises NotAnswered."""
        body = post_data.encode() if isinstance(post_data, str) else post_data
        key = headers.get("Idempotency-Key")
        answer = await self._outbound.send(Call(method.upper(), url, headers, body, self._call_seconds_max, key))
        if isinstance(answer, NoAnswer):
            raise NotAnswered(answer.reason, answer.sent)
        return answer.body, answer.status, answer.headers
