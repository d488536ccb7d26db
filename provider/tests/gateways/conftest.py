"""A server on loopback that does what a test's script says, request for request, and keeps what it got."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from avtale.domain.agreement import Terms
from avtale.domain.money import Money
from avtale.domain.periods import Interval, Unit
from avtale.domain.wishes import ChargeWish, DraftWish
from avtale.gateways.outbound import Outbound, OutboundLimits
from avtale.gateways.vipps.adapter import VippsRecurring
from avtale.gateways.vipps.calling import VippsCalls
from avtale.gateways.vipps.credentials import VippsCredentials

TOKEN_PATH = "/accesstoken/get"


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire; the names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Step:
    """What the server does after a request: write `raw`, then keep, close or hold the connection."""

    raw: bytes = b""
    then: str = "keep"


@dataclass
class Scripted:
    """The server, its script, and what it received; `tokens` is the script of the token endpoint alone."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    tokens_received: list[Received] = field(default_factory=list)
    connections: int = 0
    steps: deque[Step] = field(default_factory=deque)
    tokens: deque[Step] = field(default_factory=deque)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    unexpected: list[Received] = field(default_factory=list)

    def answers(self, status: int, body: object = b"", headers: dict[str, str] | None = None) -> None:
        """The next request is answered so; a body that is not bytes is sent as JSON."""
        self.steps.append(answer(status, body, headers))

    def hangs(self) -> None:
        self.steps.append(Step(then="hold"))

    def hangs_for_a_token(self) -> None:
        self.tokens.append(Step(then="hold"))

    def cuts(self, after: bytes = b"") -> None:
        self.steps.append(Step(after, then="close"))

    def gives_tokens(self, *bodies: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """The next requests for a token are answered so; without a script: token-1, token-2 and so on."""
        self.tokens.extend(answer(status, body, headers) for body in bodies)

    def _next(self, request: Received) -> Step:
        self.asked.set()
        if request.target == TOKEN_PATH:
            self.tokens_received.append(request)
            if self.tokens:
                return self.tokens.popleft()
            return answer(200, {"access_token": f"token-{len(self.tokens_received)}", "expires_in": "3600"}, None)
        self.received.append(request)
        if not self.steps:
            self.unexpected.append(request)
            return answer(599, b"", None)
        return self.steps.popleft()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                step = self._next(Received(method, target, headers, body))
                writer.write(step.raw)
                await writer.drain()
                if step.then == "hold":
                    await self.over.wait()
                if step.then != "keep":
                    break
        writer.close()


def answer(status: int, body: object, headers: dict[str, str] | None) -> Step:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} Scripted",
        f"Content-Length: {len(raw)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return Step("\r\n".join([*lines, "", ""]).encode() + raw)


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    script = Scripted()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield script
    script.over.set()
    server.close()
    await server.wait_closed()
    assert not script.unexpected, "the server was asked more than its script knows"
    assert not script.steps, "the server was asked less than its script says"


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    async with Outbound(OutboundLimits(answer_bytes_max=10_000)) as client:
        yield client


@pytest.fixture
def credentials(scripted: Scripted) -> VippsCredentials:
    return VippsCredentials(
        base_url=scripted.url,
        client_id="dev-client-id",
        client_secret="dev-client-secret",
        subscription_key="dev-subscription-key",
        merchant_serial_number="123456",
        call_seconds_max=5.0,
    )


class Clock:
    """Seconds and wall time that move only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.wall = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vipps(credentials: VippsCredentials, outbound: Outbound, clock: Clock) -> VippsRecurring:
    return VippsRecurring(VippsCalls(credentials, outbound, monotonic=clock.monotonic, wall=lambda: clock.wall))


@pytest.fixture
def terms() -> Terms:
    return Terms(
        product_id="film-month",
        name="Nordlys Film",
        description="Alle filmer, så ofte du vil",
        price=Money(9900, "NOK"),
        interval=Interval(Unit.MONTH),
        vat_basis_points=2500,
        agreement_url="https://film.example/me",
    )


@pytest.fixture
def draft_wish(terms: Terms) -> DraftWish:
    return DraftWish(
        draft_id=UUID("018f0000-0000-7000-8000-000000000001"),
        order_id=UUID("018f0000-0000-7000-8000-000000000002"),
        reference=UUID("018f0000-0000-7000-8000-000000000003"),
        terms=terms,
        redirect_url="https://film.example/back?draft=1",
        phone_number="4791234567",
        is_app=False,
    )


@pytest.fixture
def charge_wish() -> ChargeWish:
    return ChargeWish(
        order_id=UUID("018f0000-0000-7000-8000-000000000004"),
        gateway_agreement_id="agr_5kSeqz",
        amount=9900,
        due=date(2027, 2, 1),
        retry_days=5,
        description="Nordlys Film, 2027-02-01 – 2027-02-28",
        reference="018f0000-0000-7000-8000-000000000003.2",
    )
