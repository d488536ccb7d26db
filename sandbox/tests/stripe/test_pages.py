"""The card form, the payer's bank and the receipts, in a real browser."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser")
# Where to put pictures of the pages, for people to look at.
PICTURES = os.environ.get("AVTALE_PICTURES")
Show = Callable[[Callable[[Page], None]], Any]


@pytest.fixture
def show(sandbox: Any) -> Show:
    """Does something in a browser, in a thread of its own; a refused script or a request to elsewhere fails it."""
    if EXECUTABLE is None:
        if os.environ.get("CI_REQUIRE_CHROMIUM"):
            pytest.fail("CI_REQUIRE_CHROMIUM is set, but there is no Chromium here")
        pytest.skip("no Chromium here: apt-get install chromium")

    def browse(deed: Callable[[Page], None]) -> None:
        wrong: list[str] = []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1000, "height": 900})
            page.set_default_timeout(10_000)
            page.on("console", lambda message: wrong.append(message.text))
            page.on("request", lambda asked: _is_here(asked.url) or wrong.append(asked.url))
            try:
                deed(page)
            finally:
                browser.close()
        assert not wrong

    async def apart(deed: Callable[[Page], None]) -> None:
        await asyncio.to_thread(browse, deed)

    return apart


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost")


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


async def a_checkout(shop: Any, sandbox: Any) -> tuple[Any, str]:
    subscription = await shop.checkout()
    secret = subscription.latest_invoice.confirmation_secret.client_secret
    back = quote(f"{sandbox.url}/phone/?order=7", safe="")
    return subscription, f"{sandbox.url}/stripe/confirm?client_secret={secret}&return_url={back}"


def returned(page: Page) -> dict[str, list[str]]:
    page.wait_for_url("**/phone/**")
    return parse_qs(urlsplit(page.url).query)


async def test_a_card_is_chosen_and_pays(shop: Any, sandbox: Any, show: Show) -> None:
    subscription, url = await a_checkout(shop, sandbox)
    seen: dict[str, Any] = {}

    def pay(page: Page) -> None:
        page.goto(url)
        expect(page.get_by_role("heading", name="All films")).to_be_visible()
        expect(page.get_by_text("99\u00a0kr")).to_be_visible()
        picture(page, "card-form")
        page.get_by_role("button", name="Visa, goes well").focus()
        page.keyboard.press("Enter")
        seen.update(returned(page))
        page.goto(url)
        expect(page.get_by_role("heading", name="Done")).to_be_visible()
        picture(page, "done")

    await show(pay)
    assert (seen["order"], seen["redirect_status"]) == (["7"], ["succeeded"])
    assert seen["payment_intent_client_secret"][0] in url
    assert (await shop.fetch(subscription)).status == "active"


async def test_a_declined_card_a_bank_that_hears_no_and_then_yes(shop: Any, sandbox: Any, show: Show) -> None:
    subscription, url = await a_checkout(shop, sandbox)

    def pay(page: Page) -> None:
        page.goto(url)
        page.get_by_role("button", name="Visa, no money").click()
        expect(page.get_by_role("alert")).to_contain_text("insufficient funds")
        page.get_by_role("button", name="Visa, bank asks every time").click()
        expect(page.get_by_role("heading", name="Pay Film?")).to_be_visible()
        picture(page, "bank")
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_role("alert")).to_contain_text("said no to your bank")
        picture(page, "declined")
        page.get_by_role("button", name="Visa, bank asks every time").click()
        page.get_by_role("button", name="Approve").click()
        assert returned(page)["redirect_status"] == ["succeeded"]

    await show(pay)
    assert (await shop.fetch(subscription)).status == "active"


async def test_a_bank_that_the_shop_itself_sent_to(shop: Any, sandbox: Any, show: Show) -> None:
    order: Any = {"amount": 9900, "currency": "nok", "confirm": True}
    order |= {"payment_method": "pm_card_threeDSecure2Required", "return_url": f"{sandbox.url}/phone/"}
    intents = [await shop.v1.payment_intents.create_async(order) for _ in range(2)]

    def answer(page: Page) -> None:
        for intent, button, status in zip(intents, ("Reject", "Approve"), ("failed", "succeeded"), strict=True):
            page.goto(intent.next_action.redirect_to_url.url)
            page.get_by_role("button", name=button).click()
            assert returned(page)["redirect_status"] == [status]

    await show(answer)
    found = [(await shop.v1.payment_intents.retrieve_async(intent.id)).status for intent in intents]
    assert found == ["requires_payment_method", "succeeded"]


async def test_a_card_is_left_with_a_trial(shop: Any, sandbox: Any, show: Show) -> None:
    subscription = await shop.checkout(trial_period_days=7)
    secret = subscription.pending_setup_intent.client_secret

    def leave(page: Page) -> None:
        page.goto(f"{sandbox.url}/stripe/confirm?client_secret={secret}")
        page.get_by_role("button", name="Mastercard").click()
        expect(page.get_by_role("heading", name="Done")).to_be_visible()

    await show(leave)
    assert (await shop.fetch(subscription)).default_payment_method is not None


async def test_receipts_and_invoices_can_be_looked_at(shop: Any, sandbox: Any, show: Show) -> None:
    subscription = await shop.subscribe()
    charge = (await shop.v1.charges.list_async()).data[0]

    def look(page: Page) -> None:
        page.goto(charge.receipt_url)
        expect(page.get_by_role("heading", name="Receipt of Film")).to_be_visible()
        expect(page.get_by_text("99\u00a0kr")).to_be_visible()
        page.goto(subscription.latest_invoice.hosted_invoice_url)
        expect(page.get_by_text("paid")).to_be_visible()
        picture(page, "invoice")

    await show(look)


@pytest.mark.parametrize("origin", [None, "https://elsewhere.example"])
async def test_a_form_of_another_site_is_not_taken(shop: Any, sandbox: Any, origin: str | None) -> None:
    subscription, url = await a_checkout(shop, sandbox)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | ({"Origin": origin} if origin else {})
    reply = await sandbox.raw("POST", url.removeprefix(sandbox.url), b"card=visa", headers)
    assert reply.status == 403
    assert (await shop.fetch(subscription)).status == "incomplete"


async def test_a_secret_that_is_none(sandbox: Any) -> None:
    for path in ("/stripe/confirm", "/stripe/confirm?client_secret=pi_1_secret_2", "/stripe/receipts/ch_none"):
        assert (await sandbox.raw("GET", path)).status == 404
