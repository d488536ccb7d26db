"""The demonstration as a person sees it, in a real browser: buy, reject, renew by the clock in the page, stop."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from stories.demonstration import Demonstration

#: Some start everything three times, and the machine may have other work.
pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]

TURN_MILLISECONDS_MAX = 90_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with Demonstration(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture
def window(chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh browser window; a refused script, a failing page or a request to elsewhere fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(20_000)
    wrong: list[str] = []
    context.on("console", lambda message: wrong.append(message.text))
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("request", lambda request: wrong.append(request.url) if not _is_here(request.url) else None)
    yield context
    context.close()
    assert not wrong


@pytest.fixture
def page(window: BrowserContext) -> Page:
    return window.new_page()


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname == "127.0.0.1"


def sign_in(page: Page, demo: Demonstration, who: str) -> None:
    page.goto(f"{demo.shop}/shop/")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("button", name=who).click()
    page.wait_for_url(f"{demo.shop}/shop/")


def choose(page: Page, product: str) -> None:
    page.get_by_role("link", name=f"Choose {product}").click()
    page.get_by_role("button", name="Pay with Vipps").click()
    expect(page.get_by_role("button", name="Not now")).to_be_visible()


def by_card(page: Page, product: str) -> None:
    """Choose a product and go to the page that stands in for Stripe's card form."""
    page.get_by_role("link", name=f"Choose {product}").click()
    page.get_by_role("button", name="Pay by card").click()
    page.wait_for_url("**/stripe/confirm?*")


def turn(page: Page, by: str) -> None:
    """Turn the clock in the page, and wait until both sides have done what became due."""
    page.get_by_role("button", name=by, exact=True).click()
    expect(page.get_by_role("button", name=by, exact=True)).to_be_enabled(timeout=TURN_MILLISECONDS_MAX)
    expect(page.locator("#turn-said")).to_have_text("")


def test_a_stranger_signs_in_on_the_way_buys_and_has_a_receipt_renews_and_stops(
    demo: Demonstration, page: Page
) -> None:
    page.goto(demo.shop)
    page.get_by_role("link", name="Choose All films").click()
    expect(page.get_by_role("button", name="Pay with Vipps")).to_be_hidden()
    page.get_by_role("link", name="Sign in to continue").click()
    page.get_by_role("button", name="Anna Berg").click()
    page.wait_for_url("**/shop/products/all-films")
    page.get_by_role("button", name="Pay with Vipps").click()
    # It is her telephone that asks: the identity provider told her number.
    expect(page.get_by_role("heading", name="All films")).to_be_visible()
    expect(page.get_by_role("heading", name="Anna Berg’s telephone")).to_be_visible()
    page.get_by_role("button", name="Pay 99\u00a0kr and approve").click()

    page.wait_for_url("**/shop/thanks?agreementId=*")
    expect(page.get_by_role("heading", name="Welcome to All films")).to_be_visible()
    expect(page.get_by_role("definition").filter(has=page.get_by_role("link", name="No. 1"))).to_be_visible()
    page.get_by_role("link", name="Go to My page").click()
    deal = page.get_by_role("region", name="All films")
    expect(deal.get_by_text("Active")).to_be_visible()
    expect(deal.get_by_text("Access until")).to_be_visible()
    expect(deal.get_by_text("Paid", exact=True)).to_have_count(1)

    # Nothing is loaded again: what is due appears in the open page.
    page.evaluate("window.stayed = true")
    turn(page, "a month")
    # Vipps takes it in the morning, and the demonstration may have begun at night.
    turn(page, "a day")
    expect(deal.get_by_text("Paid", exact=True)).to_have_count(2)
    receipts = page.get_by_role("region", name="Receipts")
    expect(receipts.get_by_role("link")).to_have_count(2)
    assert page.evaluate("window.stayed") is True

    receipts.get_by_role("link", name="Receipt 2").click()
    expect(page.get_by_role("heading", name="Receipt 2")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Paid with Vipps 99.00"))).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("VAT 25.* 19.80"))).to_be_visible()

    page.get_by_role("link", name="My page").first.click()
    page.get_by_text("Stop All films").click()
    page.get_by_label("Why do you stop?").fill("No time for films")
    page.get_by_role("button", name="Stop the subscription").click()
    expect(deal.get_by_text("Stopped", exact=True).first).to_be_visible()
    turn(page, "a month")
    expect(receipts.get_by_role("link")).to_have_count(2)
    expect(deal.get_by_text("Access ended")).to_be_visible()


def test_who_says_no_owes_nothing(demo: Demonstration, page: Page) -> None:
    sign_in(page, demo, "Ola Nordmann")
    choose(page, "All films")
    page.get_by_role("button", name="Reject").click()
    page.wait_for_url("**/shop/thanks?agreementId=*")
    expect(page.get_by_role("heading", name="You said no")).to_be_visible()
    page.get_by_role("link", name="My page").click()
    expect(page.get_by_role("heading", name="You have nothing here yet")).to_be_visible()


def test_the_page_follows_what_happens_on_the_telephone(demo: Demonstration, window: BrowserContext) -> None:
    page = window.new_page()
    sign_in(page, demo, "Kari Solberg")
    choose(page, "Short films")
    telephone = page.url
    page.get_by_role("button", name="Not now").click()
    agreement = _agreement_of(page, demo)
    page.goto(f"{demo.shop}/shop/thanks?agreementId={agreement}")
    expect(page.get_by_role("heading", name="Waiting for your answer")).to_be_visible()
    other = window.new_page()
    other.goto(telephone)
    other.get_by_role("button", name="Pay 29\u00a0kr and approve").click()
    other.wait_for_url("**/shop/thanks*")
    expect(page.get_by_role("heading", name="Welcome to Short films")).to_be_visible()
    expect(page.get_by_role("link", name="No. ")).to_be_visible()


def buy(page: Page, demo: Demonstration, who: str, product: str) -> None:
    """Sign in and subscribe, up to the page with the receipt."""
    sign_in(page, demo, who)
    choose(page, product)
    page.get_by_role("button", name=re.compile("Pay .* and approve")).click()
    expect(page.get_by_role("link", name="No. ")).to_be_visible()


def operate(page: Page, demo: Demonstration) -> None:
    page.goto(f"{demo.shop}/operator/")
    page.get_by_role("button", name="Demo operator").click()
    page.wait_for_url(f"{demo.shop}/operator/")


def test_the_operator_sees_todays_money_and_gives_some_back(
    demo: Demonstration, chromium: Browser, window: BrowserContext
) -> None:
    customer = window.new_page()
    buy(customer, demo, "Kari Solberg", "All films")
    with chromium.new_context(viewport={"width": 1280, "height": 860}) as desk:
        desk.set_default_timeout(20_000)
        page = desk.new_page()
        operate(page, demo)
        expect(page.get_by_role("heading", name="Today")).to_be_visible()
        charged = page.locator(".tile", has_text="Charged")
        expect(charged.get_by_text(re.compile(r"[1-9]\d* payments?"))).to_be_visible()
        expect(page.get_by_role("img", name="What was charged and refunded")).to_be_visible()
        expect(page.get_by_text("Nothing. No call waits for an answer")).to_be_visible()
        page.get_by_role("region", name="Money that moved").get_by_role("link", name="All films").first.click()
        expect(page.get_by_text("+47 456 78 901").first).to_be_visible()

        page.get_by_label("Amount").fill("a lot")
        page.get_by_label("Why").fill("One film was missing")
        page.get_by_role("button", name="Give back").click()
        expect(page.get_by_role("alert")).to_contain_text("such as 49 or 49.50")
        expect(page.get_by_label("Why")).to_have_value("One film was missing")
        page.get_by_label("Amount").fill("200")
        page.get_by_role("button", name="Give back").click()
        expect(page.get_by_role("alert")).to_contain_text("can be given back")
        page.get_by_label("Amount").fill("30,50")
        page.get_by_role("button", name="Give back").click()
        expect(page.get_by_role("region", name="Asked to give back")).to_contain_text("30.50\u00a0kr")
        documents = page.get_by_role("region", name="Documents")
        expect(documents.get_by_text("Credit note 1")).to_be_visible()
        page.get_by_role("link", name="Today").first.click()
        expect(page.locator(".tile", has_text="Refunded").get_by_text("1 refund ·")).to_be_visible()

        # One that Vipps refuses waits for an operator, who makes it once more.
        fault = {"match": {"operationId": "RefundChargeV3"}, "times": 1, "action": {"kind": "status", "status": 400}}
        _post(f"{demo.sandbox}/_sandbox/faults", json.dumps(fault).encode(), **{"Content-Type": "application/json"})
        page.get_by_role("region", name="Money that moved").get_by_role("link", name="All films").first.click()
        page.get_by_label("Amount").fill("10")
        page.get_by_label("Why").fill("Another film was missing")
        page.get_by_role("button", name="Give back").click()
        expect(page.get_by_role("alert")).to_contain_text("was refused")
        page.get_by_role("link", name="Today").first.click()
        look = page.get_by_role("region", name="Needs a look")
        expect(look.get_by_text("Refunds that came to nothing")).to_be_visible()
        look.get_by_role("link", name="What you can do about it").click()
        failed = page.get_by_role("region", name="Refunds that came to nothing")
        expect(failed.get_by_text("Another film was missing")).to_be_visible()
        failed.get_by_label("Why: Give back again").fill("Vipps said sorry")
        failed.get_by_role("button", name="Give back again").click()
        expect(page.get_by_text("Nothing. No call waits for an answer")).to_be_visible()
        page.get_by_role("link", name="Today").first.click()
        expect(page.locator(".tile", has_text="Refunded").get_by_text("2 refunds ·")).to_be_visible()
    customer.goto(f"{demo.shop}/shop/account")
    customer.get_by_role("link", name="Credit note 1").first.click()
    expect(customer.get_by_text("Gives back a part or all of")).to_be_visible()
    expect(customer.get_by_role("row", name=re.compile("Given back with Vipps 30.50"))).to_be_visible()


def test_the_operator_looks_somebody_up_and_stops_what_they_have(demo: Demonstration, page: Page) -> None:
    customer = page.context.new_page()
    buy(customer, demo, "Ola Nordmann", "Short films")
    customer.get_by_role("button", name="Sign out").click()
    operate(page, demo)
    page.get_by_role("link", name="Agreements").click()
    page.get_by_role("searchbox").fill("98765432")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("region", name="Agreements").get_by_role("link", name="Short films").first.click()
    history = page.get_by_role("region", name="Its history")
    for said in ("Checkout was started", "The agreement began", "Access was extended", "Receipt"):
        expect(history.get_by_text(said).first).to_be_visible()
    page.get_by_label("Stop the agreement; why").fill("Asked on the telephone")
    page.get_by_role("button", name="Stop, keep what is paid").click()
    expect(page.locator(".title-row").get_by_text("Stopped")).to_be_visible()
    expect(history.get_by_text("Stop, by operator")).to_be_visible()
    page.get_by_role("link", name="Log", exact=True).click()
    expect(page.get_by_text("Stop: Asked on the telephone").first).to_be_visible()
    page.get_by_role("searchbox").fill("On The Telephone")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("region", name="Log").get_by_text("Stop: Asked on the telephone").first).to_be_visible()
    page.get_by_role("searchbox").fill("nobody said this")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("Nothing was found.")).to_be_visible()
    page.get_by_role("link", name="Figures").click()
    expect(page.get_by_role("img", name="Agreements that began and ended")).to_be_visible()
    page.get_by_role("link", name="Receipts").click()
    page.get_by_role("searchbox").fill("1")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="Receipt 1").first).to_be_visible()


def _post(url: str, body: bytes, **headers: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers)) as answer:
        return json.load(answer)


def test_an_operator_follows_a_file_that_moves_in(
    demo: Demonstration, page: Page, page_faults: Callable[[Page], list[str]]
) -> None:
    control = f"{demo.sandbox}/_sandbox"
    with urllib.request.urlopen(f"{control}/clock") as answer:
        today = datetime.fromisoformat(json.load(answer)["now"]).date()
    start, end = today - timedelta(days=10), today + timedelta(days=20)
    old = [{"phoneNumber": f"479111111{n}", "amount": 9900 + 100 * (n == 3), "start": "2026-01-01"} for n in range(4)]
    planted = _post(f"{control}/past-agreements", json.dumps({"agreements": old}).encode())["agreementIds"]
    lines = ["row_id,user_id,provider_agreement_id,price_minor,currency,period_start,period_end,interval"]
    lines += [f"{n},mover-{n},{one},9900,NOK,{start},{end},month" for n, one in enumerate(planted)]
    wish = {"subject": "mover", "audience": "avtale", "claims": {"roles": ["avtale:admin"]}}
    token = _post(f"{control}/identity/tokens", json.dumps(wish).encode())["accessToken"]
    path = f"{demo.shop}/api/v1/migrate/example/film/all-films/move-into-the-demo?dryRun"
    csv = {"Content-Type": "text/csv", "Authorization": f"Bearer {token}"}
    _post(path, "\n".join(lines).encode(), **csv)

    operate(page, demo)
    page.get_by_role("link", name="Imports").click()
    page.get_by_role("link", name="Agreements 4 rows").click()
    expect(page.get_by_text("Waits for you")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    expect(page.get_by_role("region", name="Why rows were not applied")).to_contain_text("vipps has 10000 NOK")
    assert page_faults(page) == []
    page.get_by_role("textbox").fill("The report is as it should be")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Done", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Report")).to_contain_text("Applied3")
    page.get_by_role("textbox").fill("A rehearsal")
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Undone", exact=True).first).to_be_visible()
    page.get_by_role("link", name="Log", exact=True).click()
    expect(page.get_by_text("Undo import: A rehearsal")).to_be_visible()


def test_a_customer_is_no_operator(demo: Demonstration, window: BrowserContext) -> None:
    page = window.new_page()
    sign_in(page, demo, "Ola Nordmann")
    expect(page.get_by_role("link", name="Operator")).to_be_hidden()
    answer = page.request.get(f"{demo.shop}/operator/")
    assert answer.status == 403
    assert "This is not for you" in answer.text()
    for path in ("live", "live/charges/01a1fe00-a9ff-7f92-82b9-5b5cab37f012"):
        assert page.request.get(f"{demo.shop}/operator/{path}").status == 403


def test_a_renewal_that_fails_is_told_to_both_sides(demo: Demonstration, chromium: Browser, page: Page) -> None:
    buy(page, demo, "Ola Nordmann", "Short films")
    with chromium.new_context() as aside:
        telephone = aside.new_page()
        telephone.goto(f"{demo.sandbox}/phone/4798765432")
        telephone.get_by_role("button", name="Take the money out").click()
        page.goto(f"{demo.shop}/shop/account")
        turn(page, "a week")
        turn(page, "a day")
        deal = page.get_by_role("region", name="Short films")
        expect(deal.get_by_text("There was no money on the card, or it was blocked")).to_be_visible()
        operator = aside.new_page()
        operate(operator, demo)
        reasons = operator.get_by_role("region", name="Why it was not paid")
        expect(reasons.get_by_text("No money on the card")).to_be_visible()
        operator.get_by_role("link", name="Dunning").click()
        dunned = operator.get_by_role("region").filter(has=operator.get_by_text("Not paid yet")).first
        for said in ("The customer sees to card or money", "Order 1 of 1, tried by Vipps", "Kept until"):
            expect(dunned.get_by_text(said)).to_be_visible()
        expect(dunned.get_by_text("The agreement is stopped")).to_be_visible()
        whose = dunned.get_by_role("heading").get_by_role("link")
        theirs = operator.locator(f'#part a[href="{whose.get_attribute("href")}"]')
        whose.click()
        expect(operator.get_by_role("region", name="Its history").get_by_text("A try failed")).to_be_visible()
        operator.go_back()
        expect(theirs).to_be_visible()
        turn(page, "a week")
        # The open page is kept true.
        expect(theirs).to_have_count(0)
        operator.goto(f"{demo.shop}/operator/dunning?state=lost")
        expect(operator.get_by_text("1 order failed for good").first).to_be_visible()
        operator.get_by_role("link", name="Today").click()
        expect(deal.get_by_text("Stopped because a payment failed")).to_be_visible()
        expect(reasons.get_by_text("No more tries")).to_be_visible()


def _agreement_of(page: Page, demo: Demonstration) -> str:
    """The reference that the shop gave the gateway: it is in the address that the person returns to."""
    export = page.request.get(f"{demo.sandbox}/_sandbox/requests?path=agreements").json()
    urls = [found for one in export["requests"] for found in re.findall(r"agreementId=([0-9a-f-]{36})", str(one))]
    return str(urls[-1])


def test_a_customer_adds_a_subscription_from_my_page_by_the_way_of_the_customer_api(
    demo: Demonstration, page: Page
) -> None:
    sign_in(page, demo, "Anna Berg")
    page.goto(f"{demo.shop}/shop/account")
    page.get_by_role("link", name="Add a subscription with Vipps").click()
    page.get_by_role("button", name="Add Short films").click()
    page.get_by_role("button", name="Reject").click()
    page.wait_for_url(f"{demo.shop}/shop/added?status=cancelled&transactionId=*")
    expect(page.get_by_role("heading", name="You said no")).to_be_visible()

    page.goto(f"{demo.shop}/shop/add")
    page.get_by_role("button", name="Add Short films").click()
    page.get_by_role("button", name="Pay 29\u00a0kr and approve").click()
    page.wait_for_url(f"{demo.shop}/shop/added?status=finished&transactionId=*")
    expect(page.get_by_role("heading", name="It is yours")).to_be_visible()
    page.get_by_role("link", name="Go to My page").click()
    expect(page.get_by_role("region", name="Short films").get_by_text("Active")).to_be_visible()
    page.goto(f"{demo.shop}/shop/add")
    expect(page.get_by_role("button", name="Add Short films")).to_be_hidden()


def test_a_film_is_rented_once_and_its_days_run_out(demo: Demonstration, chromium: Browser, page: Page) -> None:
    sign_in(page, demo, "Kari Solberg")
    choose(page, "One film, to rent")
    page.get_by_role("button", name="Reject").click()
    page.wait_for_url("**/shop/thanks?purchaseId=*")
    expect(page.get_by_role("heading", name="You said no")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Pay 49\u00a0kr").click()
    page.wait_for_url("**/shop/thanks?purchaseId=*")
    expect(page.get_by_role("heading", name="One film, to rent is yours")).to_be_visible()
    expect(page.get_by_role("link", name="No. ")).to_be_visible()
    page.get_by_role("link", name="Go to My page").click()
    bought = page.get_by_role("region", name="Bought once")
    expect(bought.get_by_text("Access until")).to_be_visible()
    expect(bought.get_by_text("Paid", exact=True)).to_be_visible()
    page.goto(f"{demo.shop}/shop/products/one-film")
    expect(page.get_by_text("You have this already.")).to_be_visible()
    page.goto(f"{demo.shop}/shop/account")
    turn(page, "a week")
    expect(bought.get_by_text("Access ended")).to_be_visible()
    bought.get_by_role("link", name="Receipt").click()
    expect(page.get_by_role("row", name=re.compile("Paid with Vipps 49.00"))).to_be_visible()
    page.goto(f"{demo.shop}/shop/products/one-film")
    expect(page.get_by_role("button", name="Pay with Vipps")).to_be_visible()
    with chromium.new_context() as desk:
        operator = desk.new_page()
        operate(operator, demo)
        operator.goto(f"{demo.shop}/operator/charges?state=paid&q=45678901")
        operator.get_by_role("region", name="Charges").get_by_role("link", name="One film, to rent").first.click()
        history = operator.get_by_role("region", name="Its history")
        for said in ("Checkout was started", "Paid", "Access ended", "Receipt"):
            expect(history.get_by_text(said).first).to_be_visible()


def test_a_card_pays_beside_vipps_after_a_no_and_a_word_with_the_bank(demo: Demonstration, page: Page) -> None:
    sign_in(page, demo, "Ola Nordmann")
    by_card(page, "Short films")
    page.get_by_role("button", name="Visa, declined").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="Visa, bank asks every time").click()
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/shop/thanks?*")
    expect(page.get_by_role("heading", name="Welcome to Short films")).to_be_visible()
    expect(page.get_by_role("link", name="No. ")).to_be_visible()
    page.goto(f"{demo.shop}/shop/")
    by_card(page, "One film, to rent")
    page.get_by_role("button", name="Visa, goes well").click()
    page.wait_for_url("**/shop/thanks?*")
    expect(page.get_by_role("heading", name="One film, to rent is yours")).to_be_visible()
    page.get_by_role("link", name="No. ").click()
    expect(page.get_by_role("row", name=re.compile("Paid with Stripe 49.00"))).to_be_visible()


def test_an_operator_takes_over_what_somebody_changed_in_stripes_dashboard(
    demo: Demonstration, chromium: Browser, page: Page
) -> None:
    sign_in(page, demo, "Anna Berg")
    by_card(page, "All films")
    page.get_by_role("button", name="Visa, goes well").click()
    expect(page.get_by_role("heading", name="Welcome to All films")).to_be_visible()
    anna = page.url.partition("agreementId=")[2][:36]
    subscription = _stripe(demo, "GET", "/subscriptions?limit=1")["data"][0]
    item = subscription["items"]["data"][0]
    form = {"items[0][id]": item["id"], "proration_behavior": "none"}
    data = "items[0][price_data]"
    form |= {f"{data}[currency]": "nok", f"{data}[product]": item["price"]["product"], f"{data}[unit_amount]": "3900"}
    form |= {f"{data}[recurring][interval]": item["price"]["recurring"]["interval"]}
    _stripe(demo, "POST", f"/subscriptions/{subscription['id']}", form)
    with chromium.new_context(viewport={"width": 1280, "height": 860}) as desk:
        desk.set_default_timeout(20_000)
        operator = desk.new_page()
        operate(operator, demo)
        look = operator.get_by_role("region", name="Needs a look")
        expect(look.get_by_text("Subscriptions that were changed at Stripe")).to_be_visible()
        look.get_by_role("link", name="What you can do about it").click()
        changed = operator.get_by_role("region", name="Subscriptions that were changed at Stripe")
        expect(changed.get_by_text("at Stripe 39\u00a0kr")).to_be_visible()
        operator.goto(f"{demo.shop}/operator/agreements/{anna}")
        expect(operator.get_by_text("somebody changed it there")).to_be_visible()
        operator.get_by_label("Why: Take Stripe’s price over").fill("Agreed on the telephone")
        operator.get_by_role("button", name="Take Stripe’s price over").click()
        expect(operator.get_by_text("somebody changed it there")).to_be_hidden()
        history = operator.get_by_role("region", name="Its history")
        expect(history.get_by_text("Agreed on the telephone")).to_be_visible()


def _stripe(demo: Demonstration, method: str, path: str, form: dict[str, str] | None = None) -> Any:
    """Call Stripe as its dashboard would."""
    body = urlencode(form).encode() if form else None
    headers = {"Authorization": "Bearer sk_test_dev"}
    asked = urllib.request.Request(f"{demo.sandbox}/stripe/v1{path}", data=body, headers=headers, method=method)
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def tour(demo: Demonstration, chromium: Browser) -> tuple[list[str], Any]:
    """One of every page of the console in its fullest state, and the cookies of somebody who may see them all."""
    with chromium.new_context() as context:
        context.set_default_timeout(20_000)
        page = context.new_page()
        operate(page, demo)
        addresses = ["/shop/", "/shop/products/short-films", "/shop/add", "/operator/", "/shop/nothing-here"]
        choose_at(page, demo, "all-films")
        page.get_by_role("button", name="Not now").click()
        addresses.append(f"/shop/thanks?agreementId={_agreement_of(page, demo)}")
        choose_at(page, demo, "one-film")
        page.get_by_role("button", name=re.compile("Pay .*")).click()
        expect(page.get_by_role("link", name="No. ")).to_be_visible()
        addresses.append(page.url.removeprefix(demo.shop))
        choose_at(page, demo, "short-films")
        page.get_by_role("button", name="Reject").click()
        page.wait_for_url("**/shop/thanks?*")
        addresses.append(page.url.removeprefix(demo.shop))
        choose_at(page, demo, "short-films")
        page.get_by_role("button", name=re.compile("Pay .* and approve")).click()
        expect(page.get_by_role("link", name="No. ")).to_be_visible()
        addresses += [page.url.removeprefix(demo.shop), "/shop/account"]
        page.goto(f"{demo.shop}/operator/")
        page.get_by_role("region", name="Money that moved").get_by_role("link").first.click()
        page.get_by_label("Amount").fill("5")
        page.get_by_label("Why").fill("A film was missing")
        page.get_by_role("button", name="Give back").click()
        expect(page.get_by_role("region", name="Documents").get_by_text("Credit note").first).to_be_visible()
        addresses.append(page.url.removeprefix(demo.shop))
        page.goto(f"{demo.shop}/operator/agreements")
        owned = page.get_by_role("region", name="Agreements").get_by_role("link").first
        addresses.append(str(owned.get_attribute("href")))
        desk = (
            "agreements",
            "charges?state=paid",
            "receipts",
            "dunning",
            "dunning?state=lost",
            "waiting",
            "figures",
            "log",
        )
        addresses += [f"/operator/{name}" for name in desk]
        page.goto(f"{demo.shop}/shop/account")
        papers = page.get_by_role("region", name="Receipts").get_by_role("link")
        addresses += [str(papers.nth(number).get_attribute("href")) for number in range(2)]
        return addresses, context.storage_state()


def choose_at(page: Page, demo: Demonstration, product: str) -> None:
    page.goto(f"{demo.shop}/shop/products/{product}")
    page.get_by_role("button", name="Pay with Vipps").click()
    # The operator has no telephone, so somebody's is asked for.
    page.get_by_role("button", name="Anna Berg").click()
    expect(page.get_by_role("button", name="Not now")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 700, 320])
def test_every_page_is_readable(
    demo: Demonstration,
    chromium: Browser,
    page_faults: Callable[[Page], list[str]],
    tour: tuple[list[str], Any],
    scheme: Any,
    width: int,
) -> None:
    addresses, cookies = tour
    faults: dict[str, list[str]] = {}
    with chromium.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}, storage_state=cookies
    ) as context:
        page = context.new_page()
        for address in addresses:
            page.goto(f"{demo.shop}{address}")
            page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true })")
            if found := page_faults(page):
                faults[address] = found
    assert not faults


def test_the_shop_sells_without_any_script(demo: Demonstration, chromium: Browser, tour: tuple[list[str], Any]) -> None:
    with chromium.new_context(java_script_enabled=False, storage_state=tour[1]) as context:
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.goto(f"{demo.shop}/shop/account")
        before = page.locator("#clock").text_content()
        page.get_by_role("button", name="a day", exact=True).click()
        page.wait_for_url(f"{demo.shop}/shop/account")
        assert page.locator("#clock").text_content() != before
        page.get_by_text("Stop Short films").click()
        page.get_by_role("button", name="Stop the subscription").click()
        expect(page.get_by_role("region", name="Short films").get_by_text("Stopped", exact=True).first).to_be_visible()


def test_pages_go_out_with_strict_headers_and_sealed_cookies(demo: Demonstration, tour: tuple[list[str], Any]) -> None:
    addresses, state = tour
    for address in addresses[:4]:
        with urllib.request.urlopen(f"{demo.shop}{address}") as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    ours = [cookie for cookie in state["cookies"] if cookie["name"].startswith("avtale_session_")]
    (session,) = ours
    assert (session["httpOnly"], session["sameSite"]) == (True, "Lax")
    assert "operator" not in session["value"]


@pytest.mark.parametrize("path", ["/shop/checkout", "/shop/clock", "/signin/out", "/shop/add"])
def test_a_form_of_another_site_does_nothing(demo: Demonstration, path: str) -> None:
    request = urllib.request.Request(
        f"{demo.shop}{path}",
        data=b"product=all-films&by=day",
        headers={"Origin": "https://elsewhere.test", "Sec-Fetch-Site": "cross-site"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 403
    refused.value.close()
