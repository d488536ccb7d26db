"""Delivers events to endpoints of others, signed as Standard Webhooks says, and never into our own network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from standardwebhooks import Webhook

from avtale.domain.addresses import check_endpoint, is_public
from avtale.domain.errors import Invalid
from avtale.domain.event import Delivery
from avtale.gateways.outbound import Answer, Call, Outbound, PrivateAddress

GONE = 410


class PublicResolver(AbstractResolver):
    """Looks names up, and finds nothing where a name leads into a private network."""

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """The public addresses of a name. Raises PrivateAddress when it has others alone."""
        found = await self._resolver.resolve(host, port, family)  # type: ignore[arg-type]
        public: Sequence[ResolveResult] = [one for one in found if is_public(one["host"])]
        if not public:
            raise PrivateAddress("the name leads into a private network")
        return list(public)

    async def close(self) -> None:
        """Stop looking up."""
        await self._resolver.close()


@dataclass(frozen=True, slots=True)
class SigningCourier:
    """Sends events; `public` reaches the internet alone, `anywhere` private networks too."""

    public: Outbound
    anywhere: Outbound
    call_seconds_max: float

    async def deliver(
        self, url: str, secrets: Sequence[str], event_id: str, body: bytes, *, private_networks: bool
    ) -> Delivery:
        """Send one event, signed for this moment with each secret; any answer of 2xx means that it was taken."""
        try:
            check_endpoint(url, private_networks=private_networks, secure_only=False)
        except Invalid as error:
            return Delivery(error.detail)
        moment = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(Webhook(one).sign(event_id, moment, body.decode()) for one in secrets),
        }
        outbound = self.anywhere if private_networks else self.public
        answer = await outbound.send(Call("POST", url, headers, body, self.call_seconds_max, event_id))
        if not isinstance(answer, Answer):
            return Delivery(answer.reason)
        if 200 <= answer.status < 300:
            return Delivery()
        return Delivery(f"{urlsplit(url).hostname} answered {answer.status}", gone=answer.status == GONE)
