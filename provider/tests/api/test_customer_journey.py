"""Adding an agreement in a real browser: every result, every way of going astray, and those who mean harm."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from avtale.api.house import House, SignInPlan
from avtale.api.vipps_agreements.journey import ADD, BACK, SIGNED_IN
from avtale.gateways.outbound import Outbound
from avtale.runtime import TenantGateways
from avtale.service.auditing import audit
from avtale.service.billing import bill
from avtale.service.configuring import apply_tenant
from avtale.service.tenants_file import TenantEntry
from avtale.service.turning import turn_clock
from avtale.storage.customer_apis import get_addition
from avtale.storage.database import Database
from avtale.storage.sealing import Sealer, new_key

from ..conftest import START
from .conftest import Issuer as AnyIssuer
from .conftest import World, address, fetch_json, listen, serving, tenant_entry

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser")
API = "/v1/customer/payment/vipps/agreement"
ANNA, BJORN = "4791234567", "4790000002"
APPROVE = "Pay 99\u00a0kr and approve"


@dataclass
class Shop:
    """The client's own pages, which remember with what people came back."""

    url: str = ""
    visits: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def page(self, request: web.Request) -> web.Response:
        self.visits.append((request.path, dict(parse_qsl(request.query_string))))
        return web.Response(text="<!doctype html><title>Shop</title>Welcome back", content_type="text/html")


@dataclass
class Journey(World):
    """A tenant whose people sign in at the sandbox's identity provider, and a client's pages."""

    shop: Shop = field(default_factory=Shop)
    outside: Outside = field(default_factory=lambda: Outside())

    async def token(self, phone: str) -> str:
        return str((await self.control("POST", "/identity/tokens", {"subject": f"phone|{phone}"}))["accessToken"])

    async def begin(self, phone: str = ANNA) -> int:
        """A transaction, as the client's backend begins it."""
        wish = {"productCode": "film-month"}
        answer = await self.call("POST", API, token=await self.token(phone), json=wish)
        assert answer.status == 200, answer.body
        return int(answer.json["transactionId"])

    def link(self, transaction_id: int, **changed: str) -> str:
        """The address that the client sends the browser to."""
        values = {
            "clientId": "film-web",
            "returnUrl": f"{self.shop.url}/me?tab=vipps",
            "errorUrl": f"{self.shop.url}/sorry",
            "transactionId": str(transaction_id),
        }
        return f"{self.url}{ADD}?{urlencode(values | changed)}"

    async def landing(self, transaction_id: int) -> str:
        """The way back from Vipps, which only Vipps is told."""
        async with self.db.tenant(self.film.id) as tx:
            addition = await get_addition(tx, transaction_id)
        assert addition is not None
        return f"{self.url}{BACK}/{addition.landing}"

    async def listed(self, phone: str = ANNA) -> list[dict[str, Any]]:
        answer = await self.call("GET", API, token=await self.token(phone))
        return list(answer.json["recurringAgreements"])

    async def at_vipps(self) -> list[str]:
        return [one["status"] for one in (await self.control("GET", "/export"))["agreements"]]

    async def advance(self, by: timedelta) -> None:
        """Turn both clocks."""
        to = datetime.fromisoformat((await self.control("GET", "/clock"))["now"]) + by
        await self.control("POST", "/clock/advance", {"to": to.isoformat().replace("+00:00", "Z")})
        await turn_clock(self.db, to, running=False)


@dataclass
class Outside:
    """Calls out as the composition root does, unless the identity provider is down."""

    down: bool = False

    async def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, call_seconds_max: float
    ) -> tuple[int, dict[str, Any]]:
        if self.down:
            raise OSError("the identity provider is down")
        timeout = aiohttp.ClientTimeout(total=call_seconds_max)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, url, headers=headers, data=body) as answer,
            ):
                return answer.status, await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise OSError(str(error)) from error


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    made = Shop()
    application = web.Application()
    for path in ("/me", "/sorry", "/tv"):
        application.router.add_get(path, made.page)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


def entry_of(public_url: str, sandbox: str, shop: Shop) -> TenantEntry:
    """The tenant `film` with its people at the sandbox, and two clients of the same shop."""
    entry = tenant_entry("film", "127.0.0.1", public_url, f"{sandbox}/identity", sandbox)
    entry.issuers[0].audience = "avtale"
    assert entry.customer_api is not None
    web_client, tv_client = entry.customer_api.clients
    web_client.return_urls, web_client.error_urls = [f"{shop.url}/me?tab=vipps"], [f"{shop.url}/sorry"]
    tv_client.return_urls, tv_client.error_urls = [f"{shop.url}/tv"], [f"{shop.url}/sorry"]
    return entry


@pytest.fixture
async def journey(db: Database, sandbox: str, shop: Shop) -> AsyncIterator[Journey]:
    sealer = Sealer([new_key()])
    outside = Outside()
    await turn_clock(db, START, running=False)
    bound = listen()
    async with Outbound() as outbound, aiohttp.ClientSession() as http:
        gateways = TenantGateways(db, sealer, outbound, call_seconds_max=5.0)
        entry = entry_of(address(bound), sandbox, shop)
        film = await apply_tenant(db, gateways, sealer, "nordlys", entry, {})
        house = House(
            db=db,
            gateways=gateways,
            sealer=sealer,
            fetch_json=fetch_json,
            virtual_clock=True,
            clock_token=None,
            wall=lambda: datetime.now(UTC),
            version="1.2.3",
            sign_in=SignInPlan(outside, "dev-web"),
            return_wait_seconds_max=0.0,
        )
        async with serving(house, bound) as url:
            made = Journey(house, db, AnyIssuer(), sandbox, http, film, film, url, shop, outside)
            await made.control("POST", "/people", {"phoneNumber": BJORN, "name": "Bjørn Dahl"})
            yield made
            await http.close()


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    if EXECUTABLE is None:
        reason = "no Chromium here: apt-get install chromium"
        if os.environ.get("CI_REQUIRE_CHROMIUM"):
            pytest.fail(f"CI_REQUIRE_CHROMIUM is set, but there is {reason}")
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=EXECUTABLE, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def window(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh browser window; a refused script or style, or a request to elsewhere, fails the test."""
    context = await chromium.new_context()
    context.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    wrong: list[str] = []

    def note(said: str) -> None:
        # Pages of trouble have the statuses of trouble, which a browser tells in its console.
        if "Failed to load resource: the server responded" not in said:
            wrong.append(said)

    context.on("console", lambda message: note(message.text))
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("request", lambda request: None if _is_here(request.url) else wrong.append(request.url))
    yield context
    await context.close()
    assert not wrong


@pytest.fixture
async def page(window: BrowserContext) -> Page:
    return await window.new_page()


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname == "127.0.0.1"


async def sign_in(page: Page, name: str = "Anna Berg") -> None:
    await page.get_by_role("button", name=name).click()


async def to_vipps(journey: Journey, page: Page, transaction_id: int) -> None:
    """From the client's link to the telephone."""
    await page.goto(journey.link(transaction_id))
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Anna Berg’s telephone")).to_be_visible()


async def decide(journey: Journey, page: Page, button: str) -> dict[str, str]:
    """Press a button on the telephone, and give what the shop is told."""
    await page.get_by_role("button", name=button).click()
    await page.wait_for_url(f"{journey.shop.url}/**")
    return journey.shop.visits[-1][1]


def told(transaction_id: int, result: str) -> dict[str, str]:
    return {"tab": "vipps", "status": result, "transactionId": str(transaction_id)}


async def test_who_approves_has_an_agreement_like_every_other(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await to_vipps(journey, page, transaction_id)
    assert await decide(journey, page, APPROVE) == told(transaction_id, "finished")
    (mine,) = await journey.listed()
    assert (mine["paymentProviderId"], mine["productCode"]) == (25, "film-month")
    await journey.settle()
    token = await journey.token(ANNA)
    (agreement,) = (await journey.call("GET", "/api/v1/agreements", token=token)).json["agreements"]
    assert agreement["agreementId"] == mine["agreementRef"]
    assert [charge["status"] for charge in agreement["charges"]] == ["paid"]
    await journey.advance(timedelta(days=29))
    await bill(journey.db, journey.house.gateways, journey.film)
    await journey.advance(timedelta(days=3))
    await journey.settle()
    (agreement,) = (await journey.call("GET", "/api/v1/agreements", token=token)).json["agreements"]
    assert [charge["status"] for charge in agreement["charges"]] == ["paid", "paid"]
    assert len((await journey.call("GET", "/api/v1/receipt", token=token)).json["receipts"]) == 2
    assert await audit(journey.db, journey.film) == []
    said = {"agreementRef": mine["agreementRef"], "paymentProviderId": 25}
    assert (await journey.call("PATCH", API, token=token, json=said)).json == {"success": True}
    assert await journey.at_vipps() == ["STOPPED"]


async def test_who_rejects_has_cancelled(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await to_vipps(journey, page, transaction_id)
    assert await decide(journey, page, "Reject") == told(transaction_id, "cancelled")
    assert await journey.listed() == []
    # Pressing back and pressing forward tell the same again.
    await page.goto(journey.link(transaction_id))
    assert journey.shop.visits[-1] == ("/me", told(transaction_id, "cancelled"))
    assert await journey.at_vipps() == ["STOPPED"]


async def test_who_rejects_here_has_cancelled_although_another_request_waits(journey: Journey, page: Page) -> None:
    started = await journey.draft(await journey.token(ANNA), phoneNumber=ANNA)
    transaction_id = await journey.begin()
    await to_vipps(journey, page, transaction_id)
    assert await decide(journey, page, "Reject") == told(transaction_id, "cancelled")
    await page.goto(str(started["confirmationUrl"]))
    await expect(page.get_by_role("button", name=APPROVE)).to_be_visible()


async def test_a_request_that_ran_out_has_failed_and_cannot_be_approved(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await to_vipps(journey, page, transaction_id)
    await journey.advance(timedelta(minutes=11))
    await page.get_by_role("button", name=APPROVE).click()
    await expect(page.get_by_role("button", name=APPROVE)).to_be_hidden()
    await page.goto(journey.link(transaction_id))
    assert journey.shop.visits[-1] == ("/me", told(transaction_id, "failed"))
    assert await journey.listed() == []


async def test_who_comes_back_undecided_has_initiated_it_and_may_go_on(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await to_vipps(journey, page, transaction_id)
    await page.goto(await journey.landing(transaction_id))
    assert journey.shop.visits[-1] == ("/me", told(transaction_id, "initiated"))
    # The browser is closed half-way; the link leads to the same request at Vipps.
    await page.goto(journey.link(transaction_id))
    assert await decide(journey, page, APPROVE) == told(transaction_id, "finished")
    assert await journey.at_vipps() == ["ACTIVE"]
    await page.goto(await journey.landing(transaction_id))
    assert journey.shop.visits[-1] == ("/me", told(transaction_id, "finished"))


async def test_while_vipps_does_not_answer_the_result_is_unknown(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await to_vipps(journey, page, transaction_id)
    await journey.script("FetchAgreementV3", kind="status", status=503, times=10)
    assert await decide(journey, page, APPROVE) == told(transaction_id, "unknown")
    await journey.control("DELETE", "/faults")
    await page.goto(await journey.landing(transaction_id))
    assert journey.shop.visits[-1] == ("/me", told(transaction_id, "finished"))


async def test_a_moment_is_given_to_a_truth_that_comes_late(journey: Journey, page: Page) -> None:
    object.__setattr__(journey.house, "return_wait_seconds_max", 30.0)
    transaction_id = await journey.begin()
    await to_vipps(journey, page, transaction_id)
    await journey.script("FetchAgreementV3", kind="status", status=503, times=2)
    assert await decide(journey, page, APPROVE) == told(transaction_id, "finished")


async def test_what_vipps_will_not_draft_has_failed(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await journey.script("DraftAgreementV3", kind="status", status=400, body={"detail": "no"}, times=1)
    await page.goto(journey.link(transaction_id))
    await sign_in(page)
    await page.wait_for_url(f"{journey.shop.url}/**")
    assert journey.shop.visits[-1] == ("/me", told(transaction_id, "failed"))
    await page.goto(journey.link(transaction_id))
    assert journey.shop.visits[-1] == ("/me", told(transaction_id, "failed"))
    assert await journey.at_vipps() == []


async def test_a_fault_of_the_system_leads_to_the_error_address_and_can_be_tried_again(
    journey: Journey, page: Page
) -> None:
    transaction_id = await journey.begin()
    await journey.script("DraftAgreementV3", kind="status", status=503, times=2)
    await page.goto(journey.link(transaction_id))
    await sign_in(page)
    await page.wait_for_url(f"{journey.shop.url}/**")
    assert journey.shop.visits[-1] == ("/sorry", {"transactionId": str(transaction_id)})
    await page.goto(journey.link(transaction_id))
    assert await decide(journey, page, APPROVE) == told(transaction_id, "finished")


async def test_somebody_who_has_it_already_gets_no_second_one(journey: Journey, page: Page) -> None:
    first, second = await journey.begin(), await journey.begin()
    await to_vipps(journey, page, first)
    assert await decide(journey, page, APPROVE) == told(first, "finished")
    await page.goto(journey.link(second))
    assert journey.shop.visits[-1] == ("/me", told(second, "failed"))
    assert await journey.at_vipps() == ["ACTIVE"]


async def test_two_tabs_at_once_make_one_request(journey: Journey, window: BrowserContext) -> None:
    transaction_id = await journey.begin()
    page = await window.new_page()
    await to_vipps(journey, page, await journey.begin())  # signed in from here on
    fault = {"match": {"operationId": "DraftAgreementV3"}, "action": {"kind": "delay", "seconds": 0.5}}
    await journey.control("POST", "/faults", fault)
    link = journey.link(transaction_id)
    pages = [await window.new_page() for _ in range(3)]
    # A browser asks for the same address once at a time.
    await asyncio.gather(*(one.goto(f"{link}&tab={number}") for number, one in enumerate(pages)))
    for one in pages:
        await expect(one.get_by_role("heading", name="Anna Berg’s telephone")).to_be_visible()
    assert len({one.url for one in pages}) == 1
    assert len(await journey.at_vipps()) == 2


async def test_another_client_has_its_own_names_for_what_is_added(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await page.goto(journey.link(transaction_id, clientId="film-tv", returnUrl=f"{journey.shop.url}/tv"))
    await sign_in(page)
    assert await decide(journey, page, APPROVE) == {"outcome": "finished", "tx": str(transaction_id)}


async def test_a_transaction_of_somebody_else_is_for_its_owner_only(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin(ANNA)
    await page.goto(journey.link(transaction_id))
    await sign_in(page, "Bjørn Dahl")
    await expect(page.get_by_role("heading", name="This link is not for you")).to_be_visible()
    assert await journey.at_vipps() == []
    assert journey.shop.visits == []
    await page.get_by_role("link", name="Sign in as somebody else").click()
    await sign_in(page, "Anna Berg")
    assert await decide(journey, page, APPROVE) == told(transaction_id, "finished")
    await page.goto(journey.link(2_147_483_647))
    await expect(page.get_by_role("heading", name="This link is not for you")).to_be_visible()


async def test_a_transaction_stays_with_the_client_that_used_it_first(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await to_vipps(journey, page, transaction_id)
    await page.goto(journey.link(transaction_id, clientId="film-tv", returnUrl=f"{journey.shop.url}/tv"))
    await expect(page.get_by_text("begun in another way")).to_be_visible()
    assert journey.shop.visits == []


async def test_who_would_rather_not_sign_in_may_try_again(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await page.goto(journey.link(transaction_id))
    await page.get_by_role("button", name="Cancel and go back").click()
    await expect(page.get_by_role("heading", name="This did not work")).to_be_visible()
    await page.get_by_role("link", name="Try again").click()
    await sign_in(page)
    assert await decide(journey, page, APPROVE) == told(transaction_id, "finished")


async def test_a_link_leads_to_registered_addresses_only(journey: Journey) -> None:
    transaction_id = await journey.begin()
    mine, sorry = f"{journey.shop.url}/me?tab=vipps", f"{journey.shop.url}/sorry"
    for changed in (
        {"returnUrl": "https://evil.example/"},
        {"errorUrl": "https://evil.example/"},
        {"returnUrl": f"{journey.shop.url}/tv"},  # another client's
        {"returnUrl": sorry},
        {"errorUrl": mine},
        {"returnUrl": f"{mine}&more=1"},
        {"returnUrl": f"{mine}\r\nSet-Cookie: session=evil"},
        {"returnUrl": f"{mine}#evil"},
        {"returnUrl": mine.replace("127.0.0.1", "127.0.0.1@evil.example")},
        {"returnUrl": mine.replace("http://", "//")},
        {"returnUrl": mine.replace("/me", "\\me")},
        {"returnUrl": mine.replace("/me", "/x/../me")},
        {"returnUrl": "javascript:alert(1)"},
        {"returnUrl": ""},
        {"clientId": "film-tv"},
        {"clientId": "nobody"},
        {"clientId": "\u0000"},
        {"transactionId": "1 OR 1=1"},
        {"transactionId": "-1"},
        {"transactionId": "9" * 11},
        {"transactionId": "\u0661"},
    ):
        link = journey.link(transaction_id, **changed).removeprefix(journey.url)
        answer = await journey.call("GET", link)
        assert answer.status == 404, (changed, answer.status)
        assert "Location" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        assert b"evil" not in answer.body
    path = journey.link(transaction_id).removeprefix(journey.url)
    for link in (f"{path}&returnUrl={quote('https://evil.example/')}", f"{path}&clientId=film-web", ADD):
        answer = await journey.call("GET", link)
        assert (answer.status, "Location" in answer.headers) == (404, False)


async def test_a_sign_in_is_answered_to_the_browser_that_began_it_only(journey: Journey) -> None:
    for query in ("", "?state=&code=x", "?state=made-up&code=x", f"?error=access_denied&state={'x' * 32}"):
        answer = await journey.call("GET", f"{SIGNED_IN}{query}")
        assert (answer.status, "Location" in answer.headers) == (400, False)
        assert "Set-Cookie" not in answer.headers


async def test_an_answer_that_somebody_else_asked_for_signs_nobody_in(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await page.goto(journey.link(transaction_id))
    await expect(page.get_by_role("button", name="Anna Berg")).to_be_visible()
    await page.goto(f"{journey.url}{SIGNED_IN}?state={'x' * 32}&code=stolen")
    await expect(page.get_by_text("not begun here")).to_be_visible()
    await page.goto(journey.link(transaction_id))
    await expect(page.get_by_role("button", name="Anna Berg")).to_be_visible()


async def test_a_way_back_that_was_made_up_leads_nowhere(journey: Journey) -> None:
    transaction_id = await journey.begin()
    unused = (await journey.landing(transaction_id)).removeprefix(journey.url)
    for path in (unused, f"{BACK}/{'x' * 32}", f"{BACK}/{transaction_id}", f"{BACK}/%00", f"{BACK}/%0d%0aX:y"):
        answer = await journey.call("GET", path)
        assert (answer.status, "Location" in answer.headers) == (404, False), path
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_an_address_that_is_registered_no_more_is_not_returned_to(journey: Journey, page: Page) -> None:
    transaction_id = await journey.begin()
    await to_vipps(journey, page, transaction_id)
    entry = entry_of(journey.url, journey.sandbox, journey.shop)
    assert entry.customer_api is not None
    entry.customer_api.clients[0].return_urls = [f"{journey.shop.url}/moved"]
    await apply_tenant(journey.db, journey.house.gateways, journey.house.sealer, "nordlys", entry, {})
    await page.get_by_role("button", name=APPROVE).click()
    await expect(page.get_by_text("changed its address")).to_be_visible()
    assert len(await journey.listed()) == 1


async def test_an_old_transaction_has_failed(journey: Journey, page: Page) -> None:
    transaction_id, other = await journey.begin(), await journey.begin()
    await to_vipps(journey, page, other)
    async with journey.db.tenant(journey.film.id) as tx:
        await tx.conn.exec_driver_sql("UPDATE additions SET created_wall = created_wall - interval '2 hours'")
    await page.goto(journey.link(transaction_id))
    assert journey.shop.visits[-1] == ("/me", told(transaction_id, "failed"))


async def test_without_an_identity_provider_nobody_is_left_hanging(journey: Journey) -> None:
    transaction_id = await journey.begin()
    journey.outside.down = True
    answer = await journey.call("GET", journey.link(transaction_id).removeprefix(journey.url))
    assert answer.status == 303
    assert answer.headers["Location"] == f"{journey.shop.url}/sorry?transactionId={transaction_id}"


async def test_a_tenant_without_a_customer_api_has_no_such_pages(world: World) -> None:
    for path in (f"{ADD}?clientId=x", f"{BACK}/x"):
        answer = await world.call("GET", path)
        assert answer.status == 404
        assert b"<!doctype html>" in answer.body
