"""The doors over real HTTP: an issuer on loopback, the sandbox as a process, and the application on a free port."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from avtale.api.app import create_app
from avtale.api.house import House
from avtale.gateways.outbound import Outbound
from avtale.runtime import TenantGateways
from avtale.service.absorbing import absorb_inbox
from avtale.service.checking import check
from avtale.service.configuring import apply_tenant
from avtale.service.imports.running import work_imports
from avtale.service.sending import resend
from avtale.service.tenants_file import TenantEntry
from avtale.service.turning import turn_clock
from avtale.storage.database import Database
from avtale.storage.sealing import Sealer, new_key
from avtale.storage.tenants import Issuer as RegisteredIssuer
from avtale.storage.tenants import Tenant

from ..conftest import START

AUDIENCE = "film"
ADMIN = "avtale:admin"
CLOCK_TOKEN = "turn-turn-turn"
#: What ends the paths of a migration, with the tenant's name behind it.
SECRET = "what-only-the-mover-knows"

#: Made once: RSA keys take a while.
KEYS: dict[str, Key] = {
    "rsa": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "next": RSAKey.generate_key(2048, {"kid": "next"}),
    "foreign": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "ec": ECKey.generate_key("P-256", {"kid": "ec"}),
    "ed": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
}


@dataclass
class Issuer:
    """An OpenID Connect issuer that does as a test says: its published keys, its state, and how often it was asked."""

    url: str = ""
    published: list[Any] = field(default_factory=lambda: [KEYS["rsa"].as_dict(private=False)])
    status: int = 200
    asked: list[str] = field(default_factory=list)
    named: str | None = None
    raw: bytes | None = None

    def registered(self, audience: str = AUDIENCE, **more: Any) -> RegisteredIssuer:
        """As a tenant registers it."""
        values = {
            "issuer": self.url,
            "audience": audience,
            "jwks_url": None,
            "subject_claim": "sub",
            "roles_claim": "roles",
            "admin_role": ADMIN,
        }
        return RegisteredIssuer(**values | more)

    def claims(self, subject: str = "anna", **more: Any) -> dict[str, Any]:
        """Claims that hold at the tenant; None takes one away."""
        now = int(time.time())
        claims = {"iss": self.url, "sub": subject, "aud": AUDIENCE, "iat": now, "exp": now + 600} | more
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self, subject: str = "anna", *, key: str = "rsa", header: dict[str, Any] | None = None, **more: Any
    ) -> str:
        """A signed token; `header` adds to its header, `more` to its claims."""
        algorithm = {"ec": "ES256", "ed": "Ed25519"}.get(key, "RS256")
        said = {"alg": algorithm, "typ": "JWT", "kid": KEYS[key].kid} | (header or {})
        said = {name: value for name, value in said.items() if value is not None}
        return jws.serialize_compact(said, json.dumps(self.claims(subject, **more)), KEYS[key], [said["alg"]])

    async def discovery(self, request: web.Request) -> web.Response:
        self.asked.append("discovery")
        return self._answer({"issuer": self.named or self.url, "jwks_uri": f"{self.url}/jwks.json"})

    async def jwks(self, request: web.Request) -> web.Response:
        self.asked.append("jwks")
        return self._answer({"keys": self.published})

    def _answer(self, said: dict[str, Any]) -> web.Response:
        if self.raw is not None:
            return web.Response(status=self.status, body=self.raw)
        return web.json_response(said, status=self.status)


async def fetch_json(url: str) -> dict[str, Any]:
    """As the composition root fetches."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        if answer.status != 200:
            raise OSError(f"{url} answered {answer.status}")
        found = json.loads(await answer.read())
        if not isinstance(found, dict):
            raise ValueError(f"{url} answered no object")
        return found


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer that answers on loopback."""
    made = Issuer()
    application = web.Application()
    application.router.add_get("/.well-known/openid-configuration", made.discovery)
    application.router.add_get("/jwks.json", made.jwks)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@dataclass
class Answer:
    """An answer over the wire, read whole."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem, which must be a whole one."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        said = self.json
        assert said["status"] == self.status
        assert said["requestId"] == self.headers["X-Request-Id"]
        assert said["type"] == f"urn:avtale:problem:{said['code']}"
        assert said["title"]
        assert said["detail"]
        assert said["instance"].startswith("/")
        assert "Traceback" not in said["detail"]
        return str(said["code"])


@dataclass
class World:
    """Two tenants, `film` at 127.0.0.1 and `avis` at avis.localhost, and everybody who may ask them something."""

    house: House
    db: Database
    issuer: Issuer
    sandbox: str
    http: aiohttp.ClientSession
    film: Tenant
    avis: Tenant
    url: str = ""

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: Any = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        host: str | None = None,
    ) -> Answer:
        """One request, and never an answer of 500."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if host is not None:
            sent["Host"] = host
        url = f"{self.url}{path}"
        data = io.BytesIO(data) if isinstance(data, bytes) else data
        async with self.http.request(method, url, json=json, data=data, headers=sent, allow_redirects=False) as answer:
            assert answer.status != 500, await answer.text()
            return Answer(answer.status, answer.headers, await answer.read())

    def anna(self, **claims: Any) -> str:
        return self.issuer.token("auth0|anna", **claims)

    def bjorn(self, **claims: Any) -> str:
        return self.issuer.token("auth0|bjørn", **claims)

    def admin(self, **claims: Any) -> str:
        return self.issuer.token("operator", roles=[ADMIN], **claims)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's control room."""
        async with self.http.request(method, f"{self.sandbox}/_sandbox{path}", json=body) as answer:
            text = await answer.text()
            assert answer.status < 300, f"{method} {path}: {answer.status} {text}"
            return json.loads(text) if text else None

    async def draft(self, token: str | None = None, **wish: Any) -> dict[str, Any]:
        """A checkout over HTTP."""
        said = {"productId": "film-month", "returnUrl": "https://film.example/back"} | wish
        answer = await self.call("POST", "/api/v1/pay/vipps/checkout", token=token or self.anna(), json=said)
        assert answer.status == 200, answer.body
        return dict(answer.json)

    async def subscribe(self, token: str | None = None, **wish: Any) -> dict[str, Any]:
        """A checkout that its person approves: the agreement as polled afterwards."""
        phone = f"47{uuid4().int % 10**8:08}"
        await self.control("POST", "/people", {"phoneNumber": phone, "name": "Anna", "temperament": "approves"})
        drafted = await self.draft(token, **wish)
        opened = await self.control("POST", f"/phone/{phone}/open", {"url": drafted["confirmationUrl"]})
        assert opened["decision"] == "approved", opened
        path = f"/api/v1/pay/vipps/recurring/agreements/{drafted['agreementId']}"
        agreement = (await self.call("GET", path, token=token or self.anna())).json
        assert agreement["status"] == "active", agreement
        return dict(agreement)

    async def stripe(self, method: str, path: str, data: Any = None) -> dict[str, Any]:
        """Call Stripe as the merchant's dashboard would."""
        headers = {"Authorization": "Bearer sk_test_dev"}
        async with self.http.request(method, f"{self.sandbox}/stripe/v1{path}", data=data, headers=headers) as answer:
            said = await answer.json()
            assert answer.status < 300, said
            return dict(said)

    async def stripe_price(self) -> None:
        """Put the monthly subscription on sale at Stripe."""
        said = {"currency": "nok", "unit_amount": "9900", "recurring[interval]": "month", "lookup_key": "film-month"}
        await self.stripe("POST", "/prices", said | {"product_data[name]": "Film"})

    async def settle(self) -> None:
        """Do what the fleet would do now: send, take in, read and settle."""
        for tenant in (self.film, self.avis):
            await resend(self.db, self.house.gateways, tenant)
            await absorb_inbox(self.db, tenant)
            await check(self.db, self.house.gateways, tenant)
            while await work_imports(self.db, self.house.gateways, tenant):
                pass

    async def paid(self, token: str | None = None) -> dict[str, Any]:
        """A subscription whose first period is captured: the agreement as listed."""
        agreement = await self.subscribe(token)
        await self.settle()
        listed = (await self.call("GET", "/api/v1/agreements", token=token or self.anna())).json["agreements"]
        return next(one for one in listed if one["agreementId"] == agreement["agreementId"])

    async def script(self, operation: str, times: int = 1, **action: Any) -> None:
        """The sandbox fails as told; calls to it are given up soon."""
        fault = {"match": {"operationId": operation}, "times": times, "action": action}
        await self.control("POST", "/faults", fault)
        gateways = self.house.gateways
        assert isinstance(gateways, TenantGateways)
        gateways.call_seconds_max = 0.7
        gateways._made.clear()


#: The customer API of the tenant `film`; the shop itself is wherever a test puts it.
CUSTOMER_API = {
    "payment_provider_id": 25,
    "clients": [
        {
            "client_id": "film-web",
            "return_urls": ["https://film.example/me?tab=vipps"],
            "error_urls": ["https://film.example/sorry"],
        },
        {
            "client_id": "film-tv",
            "return_urls": ["https://tv.film.example/back"],
            "error_urls": ["https://tv.film.example/oops"],
            "result_parameter": "outcome",
            "transaction_parameter": "tx",
        },
    ],
}


def stripe_entry(sandbox: str) -> dict[str, Any]:
    """The sandbox's account at Stripe."""
    return {
        "base_url": f"{sandbox}/stripe",
        "account_id": "acct_sandboxdefault01",
        "secret_key": "sk_test_dev",
        "publishable_key": "pk_test_dev",
    }


def tenant_entry(name: str, host: str, public_url: str, issuer: str, sandbox: str) -> TenantEntry:
    """A tenant with a product of each form; its tokens are for its own audience, and only `film` has a customer API."""
    return TenantEntry.model_validate(
        {
            "name": name,
            "hosts": [host],
            "public_url": public_url,
            "seller": {
                "name": f"Nordlys {name} AS",
                "organization_number": "999999999",
                "vat_registered": True,
                "address": "Storgata 1, Oslo",
            },
            "vipps": {
                "base_url": sandbox,
                "client_id": "dev-client-id",
                "client_secret": "dev-client-secret",
                "subscription_key": "dev-subscription-key",
                "merchant_serial_number": "123456",
                "login": {"redirect_uris": ["https://film.example/signed-in"]} if name == "film" else None,
            },
            "stripe": stripe_entry(sandbox) if name == "film" else None,
            "issuers": [{"issuer": issuer, "audience": name}],
            "customer_api": CUSTOMER_API if name == "film" else None,
            "migration": {"secret": f"{SECRET}-{name}", "calls_per_minute_max": 1_000_000},
            "products": [
                {
                    "id": "film-month",
                    "name": "Film",
                    "price_minor": 9900,
                    "currency": "NOK",
                    "interval": "month",
                    "vat_percent": "25",
                    "agreement_url": "https://film.example/me",
                    "stripe_price": "film-month" if name == "film" else None,
                },
                {
                    "id": "film-rent",
                    "name": "Film for two days",
                    "price_minor": 3900,
                    "currency": "NOK",
                    "access_days": 2,
                    "vat_percent": "25",
                },
            ],
        }
    )


@asynccontextmanager
async def serving(house: House, bound: socket.socket | None = None) -> AsyncIterator[str]:
    """The application on a free port, as uvicorn serves it."""
    bound = bound or listen()
    config = uvicorn.Config(create_app(house), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([bound]))
    try:
        yield address(bound)
    finally:
        server.should_exit = True
        await task


def listen() -> socket.socket:
    """A free port; who connects before the server runs is answered as soon as it does."""
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    return bound


def address(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
async def world(db: Database, issuer: Issuer, sandbox: str) -> AsyncIterator[World]:
    """Both tenants, served, at the sandbox's instant of business time."""
    sealer = Sealer([new_key()])
    await turn_clock(db, START, running=False)
    bound = listen()
    async with Outbound() as outbound, aiohttp.ClientSession() as http:
        gateways = TenantGateways(db, sealer, outbound, call_seconds_max=5.0)
        film, avis = [
            await apply_tenant(
                db,
                gateways,
                sealer,
                "nordlys",
                tenant_entry(name, host, address(bound), issuer.url, sandbox),
                {},
            )
            for name, host in (("film", "127.0.0.1"), ("avis", "avis.localhost"))
        ]
        house = House(
            db=db,
            gateways=gateways,
            sealer=sealer,
            fetch_json=fetch_json,
            virtual_clock=True,
            clock_token=CLOCK_TOKEN,
            wall=lambda: datetime.now(UTC),
            version="1.2.3",
        )
        async with serving(house, bound) as url:
            yield World(house, db, issuer, sandbox, http, film, avis, url)
            await http.close()
