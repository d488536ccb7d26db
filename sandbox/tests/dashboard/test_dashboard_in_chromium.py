"""The dashboard in a real browser: what it shows, what its forms do, by keyboard, small and dark."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from avtale_sandbox.testing import VippsSandbox

ANNA = "4791234567"
KARI = "4790000001"
V3 = "/recurring/v3/agreements"
ROOMS = [
    "Overview",
    "Agreements",
    "Charges",
    "Payments",
    "Stripe",
    "Webhooks",
    "People",
    "Faults",
    "Record",
    "Clock",
    "For programs",
]


class Shop:
    """A merchant who has sold something."""

    def __init__(self, vipps: VippsSandbox) -> None:
        self.vipps = vipps
        self._key = 0
        keys = vipps.credentials
        self._headers = {
            "client_id": keys.client_id,
            "client_secret": keys.client_secret,
            "Ocp-Apim-Subscription-Key": keys.subscription_key,
        }
        token = self.call("POST", "/accesstoken/get")["access_token"]
        self._headers |= {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self._key += 1
        headers = self._headers | {"Idempotency-Key": f"key-{self._key}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.vipps.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def draft(self, product: str = "All films", **changes: Any) -> Any:
        body = {
            "pricing": {"type": "LEGACY", "amount": 9900, "currency": "NOK"},
            "interval": {"unit": "MONTH", "count": 1},
            "merchantRedirectUrl": "https://film.example/back",
            "merchantAgreementUrl": "https://film.example/my-page",
            "productName": product,
        }
        return self.call("POST", V3, body | changes)

    def agree(self, product: str = "All films", person: str = ANNA) -> str:
        draft = self.draft(product)
        self.vipps.phone(person).approve(draft["vippsConfirmationUrl"])
        return str(draft["agreementId"])

    def charge(self, agreement_id: str, name: str, due: str = "2027-02-01", **changes: Any) -> None:
        body = {
            "amount": 9900,
            "description": f"Films, {name}",
            "due": due,
            "retryDays": 1,
            "transactionType": "DIRECT_CAPTURE",
            "orderId": name,
        }
        self.call("POST", f"{V3}/{agreement_id}/charges", body | changes)


@pytest.fixture
def shop(vipps_sandbox: VippsSandbox) -> Shop:
    return Shop(vipps_sandbox)


def visit(page: Page, shop: Shop, path: str = "/_sandbox/") -> None:
    answer = page.goto(shop.vipps.url + path)
    assert answer is not None
    assert answer.status == 200, path


def test_a_newcomer_is_told_how_to_begin(shop: Shop, page: Page) -> None:
    visit(page, shop)
    expect(page.get_by_role("heading", name="Nothing has happened yet")).to_be_visible()
    for told in (shop.vipps.url, "dev-client-id", "dev-client-secret", "dev-subscription-key", "123456"):
        expect(page.get_by_text(told, exact=True)).to_be_visible()


def test_a_month_passes_in_the_page(shop: Shop, page: Page) -> None:
    agreement_id = shop.agree()
    shop.charge(agreement_id, "february")
    visit(page, shop, f"/_sandbox/ui/agreements/{agreement_id}")
    expect(page.get_by_text("15 Jan 2027, 10:00").first).to_be_visible()
    page.get_by_role("button", name="+ month").click()
    expect(page.get_by_role("status")).to_contain_text("It is now 15 Feb 2027, 10:00")
    expect(page.get_by_role("heading", name="All films")).to_be_visible()  # where one was
    expect(page.get_by_role("row", name="february")).to_contain_text("Charged")
    line = page.get_by_role("region", name="Time line")
    for told in ("DraftAgreementV3 · 201", "Approved", "february: 99 kr to be charged", "february: 99 kr captured"):
        expect(line.get_by_text(told)).to_be_visible()
    expect(line.get_by_text("recurring.charge-captured.v1")).to_be_visible()


def test_a_request_is_approved_rejected_and_stopped_in_the_payers_place(shop: Shop, page: Page) -> None:
    films, sauna = shop.draft("All films"), shop.draft("Sauna")
    visit(page, shop)
    page.get_by_role("link", name="All films").click()
    page.get_by_label("Telephone of who decides").fill(KARI)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status")).to_have_text("The agreement is ACTIVE.")
    page.get_by_role("button", name="Stop it as the payer").click()
    expect(page.get_by_role("status")).to_have_text("The agreement is STOPPED.")
    visit(page, shop, f"/_sandbox/ui/agreements/{sauna['agreementId']}")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("status")).to_have_text("The agreement is STOPPED.")
    shop.vipps.expect(agreement={"id": films["agreementId"], "status": "STOPPED"})
    assert [one["eventType"] for one in shop.vipps.webhooks.events()] == [
        "recurring.agreement-activated.v1",
        "recurring.agreement-stopped.v1",
        "recurring.agreement-rejected.v1",
    ]


def test_agreements_and_charges_are_found(shop: Shop, page: Page) -> None:
    one = shop.agree("All films")
    shop.agree("Sauna", KARI)
    shop.draft("Chess")
    shop.charge(one, "february")
    shop.charge(one, "june", "2027-06-01")
    visit(page, shop, "/_sandbox/ui/agreements")
    assert page.locator("tbody a").all_inner_texts() == ["Chess", "Sauna", "All films"]
    page.get_by_role("searchbox").fill("sau")
    page.keyboard.press("Enter")
    expect(page.locator("tbody a")).to_have_text(["Sauna"])
    visit(page, shop, "/_sandbox/ui/agreements")
    page.get_by_role("link", name="Pending").click()
    expect(page.locator("tbody a")).to_have_text(["Chess"])
    visit(page, shop, "/_sandbox/ui/charges")
    page.get_by_role("link", name="Due", exact=True).click()
    expect(page.locator("tbody a")).to_have_text(["february"])
    page.locator("tbody a").click()
    expect(page.get_by_role("heading", name="All films")).to_be_visible()


def test_long_lists_have_pages(shop: Shop, page: Page) -> None:
    for number in range(51):
        shop.draft(f"Product {number}")
    visit(page, shop, "/_sandbox/ui/agreements?status=PENDING")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tbody a")).to_have_text(["Product 0"])
    page.get_by_role("link", name="Newer").click()
    expect(page.locator("tbody tr")).to_have_count(50)


def test_a_lost_webhook_is_sent_again(shop: Shop, page: Page) -> None:
    event = "recurring.agreement-activated.v1"
    shop.call("POST", "/webhooks/v1/webhooks", {"url": "http://127.0.0.1:9/hook", "events": [event]})
    visit(page, shop, "/_sandbox/ui/faults")
    page.get_by_label("The next", exact=True).select_option(event)
    page.get_by_role("button", name="Write for webhooks").click()
    expect(page.get_by_text(f"{event} is lost")).to_be_visible()
    shop.agree()
    visit(page, shop, "/_sandbox/ui/webhooks")
    expect(page.get_by_text("http://127.0.0.1:9/hook", exact=True)).to_be_visible()
    deliveries = page.get_by_role("region", name="Deliveries").locator("li.row")
    expect(deliveries).to_have_count(1)
    expect(deliveries).to_contain_text("Dropped")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status")).to_contain_text("Sent once more")
    expect(deliveries).to_have_count(2)
    expect(deliveries.first).to_contain_text("once more")
    shop.vipps.clock.advance("PT1S")
    page.reload()
    deliveries.first.locator("summary").click()
    expect(deliveries.first).to_contain_text("Cannot connect")
    expect(deliveries.first.locator("pre")).to_contain_text('"eventType": "recurring.agreement-activated.v1"')


def test_a_person_is_changed_by_keyboard(shop: Shop, page: Page) -> None:
    shop.vipps.phone(KARI, name="Kari Dahl")
    visit(page, shop, "/_sandbox/ui/people")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Change Kari Dahl":
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.get_by_label("Born").locator("visible=true").fill("2012-06-01")
    page.get_by_label("Own limit").locator("visible=true").fill("99,50")
    page.get_by_label("Shares what is asked for").locator("visible=true").uncheck()
    page.get_by_label("Money").locator("visible=true").select_option("out")
    page.get_by_role("button", name="Save Kari Dahl").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Kari Dahl is changed.")
    card = page.get_by_role("region", name="Kari Dahl")
    for badge in ("No money", "Under 18", "Shares nothing", "Limit 99.5", "approves requests at once"):
        expect(card.get_by_text(badge).first).to_be_visible()
    kari = shop.vipps.command("GET", f"/people/{KARI}")
    assert (kari["temperament"], kari["birthDate"], kari["maxAmount"], kari["shares"]) == (
        "approves",
        "2012-06-01",
        9950,
        False,
    )
    assert kari["noFunds"] == [{"from": None, "until": None}]


def test_people_come_and_go(shop: Shop, page: Page) -> None:
    agreement_id = shop.agree()
    visit(page, shop, "/_sandbox/ui/people")
    page.get_by_label("Name", exact=True).fill("Ola")
    page.get_by_label("Phone number, country code first").fill("+47 900 00 002")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("region", name="Ola")).to_be_visible()
    anna = page.get_by_role("region", name="Anna Berg")
    anna.locator("summary").click()
    anna.get_by_role("button", name="Delete the profile").click()
    expect(page.get_by_role("status")).to_contain_text("Anna Berg has left")
    shop.vipps.expect(agreement={"id": agreement_id, "status": "STOPPED"})


def test_faults_are_written_and_removed(shop: Shop, page: Page) -> None:
    visit(page, shop, "/_sandbox/ui/faults")
    page.get_by_label("The next call of").select_option("ListAgreementsV3")
    page.get_by_label("Status, if any").fill("429")
    page.get_by_label("How many calls").fill("3")
    page.get_by_role("button", name="Write for calls").click()
    expect(page.get_by_text("ListAgreementsV3 is refused with a status: 429")).to_be_visible()
    shown = shop.vipps.command("GET", "/faults")["faults"]
    assert [(one["match"], one["action"]["status"], one["times"]) for one in shown] == [
        ({"operationId": "ListAgreementsV3"}, 429, 3)
    ]
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("None: every call and every webhook goes as it should.")).to_be_visible()
    page.get_by_label("Seed").fill("7")
    page.get_by_label("A call is answered late, %").fill("2,5")
    page.get_by_role("button", name="Throw").click()
    expect(page.get_by_text("Thrown with the seed 7")).to_be_visible()
    assert shop.vipps.command("GET", "/faults/random")["random"]["calls"] == {"delay": 0.025}
    page.get_by_role("button", name="Put them away").click()
    expect(page.get_by_role("button", name="Throw")).to_be_visible()


def test_charges_fail_by_order(shop: Shop, page: Page) -> None:
    visit(page, shop, "/_sandbox/ui/charges")
    page.get_by_label("Charge id, also one to come").fill("february")
    page.get_by_label("How many tries").fill("2")
    page.get_by_label("Why").select_option("technical_error")
    page.get_by_role("button", name="Let them fail").click()
    expect(page.get_by_text("the first 2 tries")).to_be_visible()
    shop.charge(shop.agree(), "february")
    shop.vipps.clock.advance("P1M")
    shop.vipps.expect(charge={"id": "february", "tries": 3, "status": "CHARGED"})
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("the first 2 tries")).to_have_count(0)


def test_a_call_is_found_and_read_without_its_secrets(shop: Shop, page: Page) -> None:
    shop.draft("Sauna")
    visit(page, shop, "/_sandbox/ui/record")
    page.get_by_label("Anything in it").fill("sauna")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody a")).to_have_text(["DraftAgreementV3"])
    page.locator("tbody a").click()
    expect(page.get_by_label("Body that was sent")).to_contain_text('"productName": "Sauna"')
    expect(page.get_by_text("***").first).to_be_visible()
    assert shop.vipps.credentials.subscription_key not in page.content()
    page.get_by_role("link", name="Record", exact=True).first.click()
    page.get_by_role("link", name="Events").click()
    expect(page.get_by_text("No event like that is kept.")).to_be_visible()


def test_the_way_back(shop: Shop, page: Page) -> None:
    shop.agree("All films")
    visit(page, shop, "/_sandbox/ui/clock")
    page.get_by_label("Name").fill("signed up")
    page.get_by_role("button", name="Keep").click()
    page.get_by_label("To noon of a day").fill("2027-12-24")
    page.get_by_role("button", name="Go there").click()
    expect(page.get_by_role("heading", name="24 Dec 2027, 12:00")).to_be_visible()
    page.get_by_role("button", name="Go back to signed up").click()
    expect(page.get_by_role("heading", name="15 Jan 2027, 10:00")).to_be_visible()
    page.get_by_role("button", name="Let it run").click()
    expect(page.get_by_text("The clock runs, as fast as yours.")).to_be_visible()
    page.get_by_role("button", name="Let it stand still").click()
    page.get_by_text("Begin again").click()
    page.get_by_role("button", name="Forget everything").click()
    expect(page.get_by_role("status")).to_contain_text("Everything is forgotten")
    assert shop.vipps.command("GET", "/export")["agreements"] == []


def test_a_mistake_is_said_and_changes_nothing(shop: Shop, chromium: Browser) -> None:
    page = chromium.new_page()
    visit(page, shop, "/_sandbox/ui/clock")
    page.get_by_label("To noon of a day").fill("2020-01-01")
    page.get_by_role("button", name="Go there").click()
    expect(page.get_by_role("alert")).to_have_text("Time does not go back while anything is stored.")
    page.close()
    assert shop.vipps.clock.now == "2027-01-15T09:00:00Z"


@pytest.fixture
def full(shop: Shop) -> list[str]:
    """One of every page, in its fullest state."""
    event = "recurring.agreement-activated.v1"
    shop.call("POST", "/webhooks/v1/webhooks", {"url": "http://127.0.0.1:9/hook", "events": [event]})
    shop.vipps.phone(KARI, name="Kari Dahl", temperament="rejects", birthDate="2012-01-01", shares=False, maxAmount=1)
    one = shop.agree("A product whose name is as long as may be")
    for month, changes in ((2, {}), (3, {"transactionType": "RESERVE_CAPTURE"}), (9, {})):
        shop.charge(one, f"month-{month}", f"2027-0{month}-01", **changes)
    shop.vipps.fail_charge("month-2")
    shop.vipps.clock.advance(to="2027-03-02T00:00:00Z")
    shop.draft("Chess")
    shop.vipps.snapshot("kept")
    shop.vipps.fail_next("ListAgreementsV3", status=503, times=2)
    shop.vipps.command("PUT", "/faults/random", {"calls": {"delay": 0.0001}})
    shop.vipps.command("POST", "/clock/participants", {"name": "shop", "url": "http://127.0.0.1:9/clock"})
    call = shop.vipps.requests(operationId="DraftAgreementV3")[0]["number"]
    below = (
        "charges",
        "payments",
        "stripe",
        "webhooks",
        "people",
        "faults",
        "record",
        "record/events",
        f"record/{call}",
        "clock",
    )
    return [
        "/_sandbox/",
        "/_sandbox/docs",
        f"/_sandbox/ui/agreements/{one}",
        "/_sandbox/ui/agreements",
        *(f"/_sandbox/ui/{path}" for path in below),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 700, 320])
def test_every_room_is_readable(
    chromium: Browser, shop: Shop, full: list[str], page_faults: Callable[[Page], list[str]], scheme: Any, width: int
) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = context.new_page()
    faults: dict[str, list[str]] = {}
    for path in full:
        visit(page, shop, path)
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true })")
        if found := page_faults(page):
            faults[path] = found
    context.close()
    shop.vipps.command("DELETE", "/clock/participants/shop")
    shop.vipps.command("DELETE", "/snapshots/kept")
    assert not faults


def test_every_room_keeps_to_itself(shop: Shop, full: list[str], page: Page) -> None:
    for path in full:
        visit(page, shop, path)
        nameless = page.locator("button, input:not([type=hidden]), select, a").evaluate_all(
            "all => all.filter(e => e.checkVisibility() && !(e.ariaLabel || e.textContent.trim() "
            "|| e.labels?.length)).map(e => e.outerHTML)"
        )
        assert not nameless, path
        assert page.locator("h1").count() == 1, path
        assert page.get_by_role("navigation", name="Rooms").get_by_role("link").all_inner_texts() == ROOMS
        ids = page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
        assert len(ids) == len(set(ids)), path
    shop.vipps.command("DELETE", "/clock/participants/shop")
    shop.vipps.command("DELETE", "/snapshots/kept")
