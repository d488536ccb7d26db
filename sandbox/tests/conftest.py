"""A sandbox on a free port with a frozen clock, and the merchant, people and receivers that use it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from joserfc.jwk import RSAKey

from avtale_sandbox.server import running
from avtale_sandbox.settings import Settings
from avtale_sandbox.vipps.accesstoken import SigningKey
from avtale_sandbox.world import World

START = "2027-01-15T09:00:00Z"
ANNA = "4791234567"
V3 = "/recurring/v3"
KEYS = {
    "client_id": "dev-client-id",
    "client_secret": "dev-client-secret",
    "Ocp-Apim-Subscription-Key": "dev-subscription-key",
}


@dataclass
class Reply:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


class Sandbox:
    """One running sandbox, seen from outside, through HTTP alone."""

    def __init__(self, url: str, http: aiohttp.ClientSession, world: World | None = None) -> None:
        self.url = url
        self.http = http
        self.world = world
        self.keys = dict(KEYS)
        self.token = ""
        self._key = 0

    async def raw(self, method: str, path: str, data: Any = None, headers: Any = None) -> Reply:
        async with self.http.request(method, self.url + path, data=data, headers=headers) as reply:
            text = await reply.read()
            body = json.loads(text) if text and "json" in reply.content_type else text
            return Reply(reply.status, body, reply.headers)

    async def control(self, method: str, path: str, body: Any = None) -> Reply:
        data = None if body is None else json.dumps(body)
        return await self.raw(method, "/_sandbox" + path, data)

    async def headers(self, key: str | None = None) -> dict[str, str]:
        if not self.token:
            self.token = (await self.raw("POST", "/accesstoken/get", b"", self.keys))["access_token"]
        self._key += 1
        return {
            "Authorization": f"Bearer {self.token}",
            "Ocp-Apim-Subscription-Key": self.keys["Ocp-Apim-Subscription-Key"],
            "Content-Type": "application/json",
            "Idempotency-Key": key or f"key-{self._key}",
        }

    async def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        data = None if body is None else json.dumps(body)
        return await self.raw(method, path, data, await self.headers(key))

    def draft_body(self, **changes: Any) -> dict[str, Any]:
        body = {
            "pricing": {"type": "LEGACY", "amount": 9900, "currency": "NOK"},
            "interval": {"unit": "MONTH", "count": 1},
            "merchantRedirectUrl": "https://film.example/back?order=7",
            "merchantAgreementUrl": "https://film.example/my-page",
            "productName": "All films",
        }
        return {name: value for name, value in (body | changes).items() if value is not ...}

    async def draft(self, **changes: Any) -> Reply:
        reply = await self.call("POST", f"{V3}/agreements", self.draft_body(**changes))
        assert reply.status == 201, reply.body
        return reply

    async def agree(self, person: str = ANNA, **changes: Any) -> str:
        """Draft, and have the person approve; gives the agreement id."""
        agreement_id: str = (await self.draft(**changes))["agreementId"]
        reply = await self.control("POST", f"/phone/{person}/agreements/{agreement_id}/approve")
        assert reply["decision"] == "approved", reply.body
        return agreement_id

    def charge_body(self, **changes: Any) -> dict[str, Any]:
        body = {
            "amount": 9900,
            "description": "February",
            "due": "2027-02-01",
            "retryDays": 2,
            "transactionType": "DIRECT_CAPTURE",
        }
        return {name: value for name, value in (body | changes).items() if value is not ...}

    async def charge(self, agreement_id: str, **changes: Any) -> str:
        path = f"{V3}/agreements/{agreement_id}/charges"
        reply = await self.call("POST", path, self.charge_body(**changes))
        assert reply.status == 201, reply.body
        charge_id: str = reply["chargeId"]
        return charge_id

    async def fetch(self, agreement_id: str, charge_id: str | None = None) -> Reply:
        path = f"{V3}/agreements/{agreement_id}"
        return await self.call("GET", path if charge_id is None else f"{path}/charges/{charge_id}")

    async def on_charge(self, verb: str, agreement_id: str, charge_id: str, amount: int = 0) -> Reply:
        path = f"{V3}/agreements/{agreement_id}/charges/{charge_id}"
        if verb == "cancel":
            return await self.call("DELETE", path)
        body = {"amount": amount, "description": "as agreed"}
        return await self.call("POST", f"{path}/{verb}", body)

    async def person(self, number: str, **traits: Any) -> str:
        reply = await self.control("POST", "/people", {"phoneNumber": number, **traits})
        assert reply.status in (200, 201), reply.body
        return number

    async def advance(self, **order: Any) -> Reply:
        return await self.control("POST", "/clock/advance", order)

    async def advance_to(self, instant: str) -> Reply:
        reply = await self.advance(to=instant)
        assert reply.status == 200, reply.body
        return reply

    async def exported_charge(self, charge_id: str) -> dict[str, Any]:
        export = await self.control("GET", "/export")
        for agreement in export["agreements"]:
            for charge in agreement["charges"]:
                if charge["chargeId"] == charge_id:
                    return dict(charge)
        raise LookupError(charge_id)


@dataclass
class Receiver:
    """Something that hears webhooks: what it got, and what it answers next (200 when nothing is scripted)."""

    url: str
    got: list[dict[str, Any]] = field(default_factory=list)
    raw: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None

    @property
    def events(self) -> list[str]:
        return [one["eventType"] for one in self.got]


@contextlib.asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A small HTTP server on a free port; gives its address."""
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps no connection."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield session


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    """What the access tokens of all tests are signed with."""
    return SigningKey(jwk=RSAKey.generate_key(2048).as_dict(private=True))


@pytest.fixture
def settings() -> Settings:
    """How the sandbox of a test is set; override it in a module that needs other settings."""
    return Settings(port=0, clock_running=False, start_at=START)


@pytest.fixture
async def sandbox(http: aiohttp.ClientSession, settings: Settings, signing_key: SigningKey) -> AsyncIterator[Sandbox]:
    """A fresh sandbox whose time stands still on a winter morning."""
    async with running(settings) as (url, world):
        # Making a key takes longer than most tests; one is enough for all.
        world.store.table_named("tokenkey").put("vipps", signing_key)
        yield Sandbox(url, http, world)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks."""
    heard = Receiver("")

    async def hear(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if heard.before is not None:
            await heard.before()
        heard.raw.append((dict(request.headers) | {"path": request.path_qs}, body))
        heard.got.append(json.loads(body))
        return web.Response(status=heard.answers.pop(0) if heard.answers else 200)

    async with serving(hear) as url:
        heard.url = url + "/hook?shop=film"
        yield heard


@pytest.fixture
async def hooked(sandbox: Sandbox, receiver: Receiver) -> Receiver:
    """The receiver, registered for every event of Recurring."""
    from avtale_sandbox.vipps.recurring.events import AGREEMENT_EVENTS, CHARGE_EVENTS

    order = {"url": receiver.url, "events": [*AGREEMENT_EVENTS, *CHARGE_EVENTS]}
    reply = await sandbox.call("POST", "/webhooks/v1/webhooks", order)
    assert reply.status == 201, reply.body
    return receiver


class Threaded:
    """A sandbox in a thread of its own, for tests that are not asynchronous."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.address = ("", 0)
        self.world: World | None = None
        self.url = ""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(20)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with running(Settings(port=0, clock_running=False, start_at=START)) as (url, self.world):
            self.url = url
            host, port = url.removeprefix("http://").split(":")
            self.address = (host, int(port))
            self._ready.set()
            await self._end.wait()

    def close(self) -> None:
        assert self._loop is not None
        assert self._end is not None
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()


@pytest.fixture(scope="module")
def threaded() -> Iterator[Threaded]:
    """A sandbox for a whole module; its time stands still on a winter morning."""
    sandbox = Threaded()
    yield sandbox
    sandbox.close()


@pytest.fixture
def quiet(sandbox: Sandbox) -> Callable[[], Awaitable[None]]:
    """Wait until every webhook that is due now has been answered."""

    async def wait() -> None:
        assert sandbox.world is not None
        async with asyncio.timeout(10):
            await sandbox.world.sender.idle()

    return wait
