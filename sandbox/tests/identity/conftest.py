"""A running issuer for each test, with a wall clock that the test turns, and an application that uses it."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from avtale_sandbox.identity.clients import Client
from avtale_sandbox.identity.issuer import PATH, Identity
from avtale_sandbox.identity.keys import SigningKeys, StoredKey
from avtale_sandbox.identity.routes import control_routes, routes
from avtale_sandbox.people import People, Person
from avtale_sandbox.store import Store

RETURN_TO = "http://127.0.0.1:9/return?shop=film"
VERIFIER = "a-verifier-that-is-long-enough-for-rfc-7636-it-needs-43"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()

CLIENTS = (
    Client(client_id="web", name="Film shop", any_loopback=True),
    Client(
        client_id="server",
        name="Gym",
        client_secret="s3cret/+ %",
        redirect_uris=("https://gym.example/return", "gymapp://back"),
        audience="gym",
    ),
    Client(client_id="robot", name="Robot", client_secret="beep", machine=True, roles=("avtale:admin", "read")),
)


class Wall:
    """A wall clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Issuer:
    """The issuer under test as an application and its user's browser see it."""

    url: str
    http: aiohttp.ClientSession
    wall: Wall
    identity: Identity
    people: People
    origin: str = field(init=False)

    def __post_init__(self) -> None:
        self.origin = self.url.removesuffix(PATH)

    def question(self, **changes: str | None) -> str:
        """The address an application sends the browser to; a parameter that is None is left out."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "web",
            "redirect_uri": RETURN_TO,
            "scope": "openid profile phone",
            "state": "a state & more",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        asked |= changes
        return f"{self.url}/authorize?" + urlencode({k: v for k, v in asked.items() if v is not None})

    async def ask(self, **changes: str | None) -> Answer:
        """Follow the application's link, with whatever cookie the browser has."""
        return await self._answer(self.http.get(self.question(**changes), allow_redirects=False))

    async def sign_in(self, choice: dict[str, str], *, origin: str | None = None, **changes: str | None) -> Answer:
        """Send the sign-in page's form; the origin is what a browser says about the page that sent it."""
        url = self.question(**changes).replace("/authorize?", "/sign-in?")
        headers = {"Origin": origin or self.origin}
        return await self._answer(self.http.post(url, data=choice, headers=headers, allow_redirects=False))

    async def redeem(self, code: str, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """Ask the token endpoint as the public application does."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "client_id": "web",
            "code": code,
            "redirect_uri": RETURN_TO,
            "code_verifier": VERIFIER,
        }
        form |= changes
        return await self.post_token({k: v for k, v in form.items() if v is not None})

    async def post_token(self, form: dict[str, str], **headers: str) -> tuple[int, dict[str, Any]]:
        async with self.http.post(f"{self.url}/token", data=form, headers=headers) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()

    async def signed_in(self, **changes: str | None) -> dict[str, Any]:
        """Go the whole way as the default person, and give the token endpoint's answer."""
        answer = await self.sign_in({"subject": "phone|4791234567"}, **changes)
        status, tokens = await self.redeem(answer.sent["code"])
        assert status == 200, tokens
        return tokens

    async def claims(self, token: str) -> dict[str, Any]:
        """Verify a token against the published keys, as any application would."""
        async with self.http.get(f"{self.url}/jwks.json") as answer:
            keys = KeySet.import_key_set(await answer.json())
        return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)

    async def control(self, path: str, order: object) -> tuple[int, dict[str, Any]]:
        async with self.http.post(f"{self.origin}/_sandbox/identity/{path}", json=order) as answer:
            return answer.status, await answer.json()

    @staticmethod
    async def _answer(pending: Any) -> Answer:
        async with pending as answer:
            location = answer.headers.get("Location", "")
            return Answer(answer.status, location, dict(parse_qsl(urlsplit(location).query)), await answer.text())


@dataclass
class Answer:
    """What a browser was answered; `sent` are the parameters in the address it is sent on to."""

    status: int
    location: str
    sent: dict[str, str]
    text: str


@pytest.fixture(scope="session")
def keys() -> list[StoredKey]:
    """One key for all tests, because making one is slow."""
    made = SigningKeys(time.time, lambda: None)
    made.rotate()
    return made.to_state()[:1]


class Stage:
    """A server that runs for all tests, in a thread of its own; each test puts its own application on it."""

    def __init__(self) -> None:
        self.app: ASGIApp = Starlette()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(self._play, interface="asgi3", log_level="error", lifespan="off", loop="asyncio")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture
async def issuer(keys: list[StoredKey], stage: Stage) -> AsyncIterator[Issuer]:
    store, wall = Store(), Wall()
    people = People(store)
    people.load()
    people.save(Person(phone_number="4798765432", name="Ola <b>Nordmann</b>", email="ola@example.com"))
    identity = Identity(store, clients=CLIENTS, wall=wall)
    identity.load()
    identity.keys.restore(keys)
    stage.app = Starlette(
        routes=[
            Mount(PATH, routes=routes(identity, people)),
            Mount("/_sandbox", routes=control_routes(identity)),
        ]
    )
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Issuer(stage.origin + PATH, http, wall, identity, people)
