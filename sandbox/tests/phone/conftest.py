"""A sandbox with two telephones, a merchant who sends them requests, and a clock that tests turn."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from avtale_sandbox.app import FrontDoor
from avtale_sandbox.instants import parse_instant
from avtale_sandbox.merchants import Merchant
from avtale_sandbox.people import Person
from avtale_sandbox.phone.telephones import Telephones
from avtale_sandbox.settings import Settings
from avtale_sandbox.vipps.epayment import landing
from avtale_sandbox.vipps.epayment.resources import Payment
from avtale_sandbox.vipps.recurring import confirmation
from avtale_sandbox.vipps.recurring.resources import Agreement, Charge, Interval
from avtale_sandbox.vipps.recurring.terms import ChargeTerms, DraftTerms, InitialChargeTerms
from avtale_sandbox.world import World

ANNA = "4791234567"
MONTHLY = Interval("MONTH", 1)


class Stage:
    """A server that runs for all tests, in a thread of its own; each test puts its own application on it."""

    def __init__(self) -> None:
        self.app: ASGIApp = Starlette()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
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


class Scene:
    """A sandbox with two people and a merchant who sends requests to them; the merchant's shop is served beside it."""

    def __init__(self, port: int, state: Path) -> None:
        self.state = state
        settings = Settings(clock_running=False, start_at="2027-01-15T09:00:00Z", state_path=str(state))
        self.sandbox = World(settings)
        self.sandbox.load()
        self.clock, self.agenda = self.sandbox.clock, self.sandbox.agenda
        self.people, self.merchants = self.sandbox.people, self.sandbox.merchants
        self.recurring, self.payments = self.sandbox.recurring, self.sandbox.payments
        self.asked = 0
        self.telephones = Telephones(self.recurring, self.people, self.merchants, self.clock)
        self.people.save(Person(phone_number="4798765432", name="Ola Nordmann", temperament="approves"))
        self.film = self.merchants.all()[0]
        self.film.name = "Nordlys Film"
        self.merchants.save(self.film)
        self.origin = f"http://127.0.0.1:{port}"
        # The shop is at another origin than the telephone, as in life, and sends its buyers on from there.
        self.shop = f"http://localhost:{port}/shop"
        self.app = Starlette(
            routes=[
                Route("/shop/return", lambda _: RedirectResponse(f"{self.origin}/shop/thanks", 303)),
                Route("/shop/thanks", lambda _: PlainTextResponse("Back in the shop")),
                Route("/favicon.ico", lambda _: PlainTextResponse("", 204)),
                Mount("/", FrontDoor(self.sandbox)),
            ]
        )

    def after_a_crash(self, agreement: Agreement) -> str:
        """The status that a sandbox finds which starts now with what the other has written."""
        copy = self.state.with_name("copy")
        shutil.copy(self.state, copy)
        other = World(Settings(state_path=str(copy)))
        other.load()
        other.store.close()
        return other.recurring.shelf.agreement(agreement.id).status

    def draft(self, merchant: Merchant | None = None, **changes: Any) -> Agreement:
        """A merchant asks for an agreement: 99 kr a month unless told otherwise."""
        terms: dict[str, Any] = {
            "pricing": "LEGACY",
            "amount": 9900,
            "currency": "NOK",
            "product_name": "All films",
            "redirect_url": f"{self.shop}/return?order=7",
            "agreement_url": "https://film.example/terms",
            "interval": MONTHLY,
            "phone_number": ANNA,
        }
        return self.recurring.draft(merchant or self.film, DraftTerms(**(terms | changes)), "key")

    def ask(self, **changes: Any) -> Payment:
        """A merchant asks for 49 kr for a film."""
        self.asked += 1
        body: dict[str, Any] = {
            "amount": {"currency": "NOK", "value": 4900},
            "customer": {"phoneNumber": ANNA},
            "paymentMethod": {"type": "WALLET"},
            "reference": f"film-{self.asked:08}",
            "returnUrl": f"{self.shop}/return?order=7",
            "userFlow": "WEB_REDIRECT",
            "paymentDescription": "The Long Winter, a film",
        }
        body = {name: value for name, value in (body | changes).items() if value is not ...}
        return self.payments.create(self.film, body, "key")

    def pay_link(self, payment: Payment) -> str:
        """The address at which a payment is answered."""
        return landing.page(self.origin, self.payments.token(payment))

    def state_of(self, payment: Payment) -> str:
        """What has become of a payment."""
        return self.payments.resolve(self.payments.token(payment)).state

    def initial(self, **changes: Any) -> InitialChargeTerms:
        """The first payment of a draft."""
        terms: dict[str, Any] = {
            "amount": 4900,
            "description": "First month",
            "transaction_type": "DIRECT_CAPTURE",
        }
        return InitialChargeTerms(**(terms | changes))

    def charge(self, agreement: Agreement, due: str, **changes: Any) -> Charge:
        """The merchant charges an active agreement."""
        terms: dict[str, Any] = {
            "amount": 9900,
            "description": "A month",
            "transaction_type": "DIRECT_CAPTURE",
            "due": due,
            "retry_days": 0,
        }
        merchant = self.merchants.of_msn(agreement.msn)
        assert merchant is not None
        return self.recurring.create_charge(merchant, agreement.id, ChargeTerms(**(terms | changes)), "key")

    def advance(self, to: str) -> None:
        """Let time pass until the instant."""
        target = parse_instant(to)
        while (at := self.agenda.next_at()) is not None and at <= target:
            self.clock.step_to(at)
            self.agenda.fire_due(at)
        self.clock.step_to(target)

    def link(self, agreement: Agreement) -> str:
        """The `vippsConfirmationUrl` of a draft."""
        return confirmation.address(self.origin, self.recurring.confirmation_token(agreement), False)

    def status(self, agreement: Agreement) -> str:
        """What has become of an agreement."""
        return self.recurring.shelf.agreement(agreement.id).status


@dataclass
class Seen:
    """A page or a redirect as a browser gets it; `text` is what can be read, without the markup."""

    status: int
    location: str
    html: str
    headers: Any

    @property
    def text(self) -> str:
        return " ".join(re.sub(r"<[^>]+>", " ", self.html).split())


@dataclass
class Browser:
    """Somebody's browser, without its window."""

    world: Scene
    http: aiohttp.ClientSession

    async def open(self, url: str) -> Seen:
        return await self._seen(self.http.get(self._full(url), allow_redirects=False))

    async def send(self, url: str, _origin: str | None = "", /, **form: str) -> Seen:
        """Send a form as a page of the telephone's own server does; None sends no origin at all."""
        headers = {} if _origin is None else {"Origin": _origin or self.world.origin}
        return await self._seen(self.http.post(self._full(url), data=form, headers=headers, allow_redirects=False))

    def _full(self, url: str) -> str:
        return url if "://" in url else self.world.origin + url

    @staticmethod
    async def _seen(pending: Any) -> Seen:
        async with pending as answer:
            headers = answer.headers
            return Seen(answer.status, headers.get("Location", ""), await answer.text(), headers)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture
def world(stage: Stage, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(stage.port, tmp_path / "state")
    stage.app = scene.app
    yield scene
    scene.sandbox.store.close()


@pytest.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession() as http:
        yield Browser(world, http)
