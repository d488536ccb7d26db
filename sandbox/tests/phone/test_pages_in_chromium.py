"""The pages in a real browser: used by keyboard, readable dark and small, asking nobody else for anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from avtale_sandbox.vipps.recurring.terms import CampaignTerms

ANNA = "4791234567"

RECEIPT = {
    "orderLines": [
        {
            "name": name,
            "id": name,
            "totalAmount": total,
            "totalAmountExcludingTax": total,
            "totalTaxAmount": 0,
            "taxRate": 0,
            "unitInfo": {"unitPrice": 1000, "quantity": count},
        }
        for name, total, count in (("The Long Winter", 2900, "1"), ("Popcorn", 2000, "2"))
    ],
    "bottomLine": {"currency": "NOK"},
}


def _press_until(page: Page, name: str) -> None:
    """Press Tab until the control with this name has the focus, as somebody without a mouse does."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.textContent.trim()")
        if focused == name:
            return
    raise AssertionError(f"the keyboard does not reach {name!r}")


def test_a_request_is_approved_by_keyboard_and_leads_through_to_the_shop(world: Any, page: Page) -> None:
    draft = world.draft(initial_charge=world.initial())
    page.goto(world.link(draft))
    _press_until(page, "Pay 49\u00a0kr and approve")
    page.keyboard.press("Enter")
    # The shop's own redirect crosses origins again, which a stricter form policy would have stopped.
    page.wait_for_url(f"{world.origin}/shop/thanks")
    assert world.status(draft) == "ACTIVE"


def test_a_request_is_rejected(world: Any, page: Page) -> None:
    draft = world.draft()
    page.goto(world.link(draft))
    page.get_by_role("button", name="Reject").click()
    page.wait_for_url("**/shop/thanks")
    assert world.status(draft) == "STOPPED"
    page.goto(world.link(draft))
    expect(page.get_by_role("heading", name="Rejected")).to_be_visible()
    page.get_by_role("link", name="Back to Nordlys Film").click()
    page.wait_for_url("**/shop/thanks")


def test_a_request_waits_fails_and_is_paid(world: Any, page: Page) -> None:
    draft = world.draft(initial_charge=world.initial())
    world.telephones.take_money_out(world.people.get(ANNA))
    page.goto(world.link(draft))
    page.get_by_role("button", name="Not now").click()
    page.get_by_role("link", name="All films").click()
    page.get_by_role("button", name="Pay 49\u00a0kr and approve").click()
    expect(page.get_by_role("alert")).to_contain_text("The payment did not go through")
    page.get_by_role("link", name="put some in").click()
    page.get_by_role("button", name="Put money in").click()
    expect(page.get_by_text("There is money on the card.")).to_be_visible()
    page.get_by_role("link", name="All films").click()
    page.get_by_role("button", name="Pay 49\u00a0kr and approve").click()
    page.wait_for_url("**/shop/thanks")
    assert world.status(draft) == "ACTIVE"


def test_somebody_else_answers(world: Any, page: Page) -> None:
    draft = world.draft()
    page.goto(world.link(draft))
    page.get_by_label("Answer with somebody else’s").select_option("4798765432")
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("heading", name="Ola Nordmann’s telephone")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/shop/thanks")
    assert world.recurring.shelf.agreement(draft.id).person == "4798765432"


def test_the_slider_and_the_amount_follow_each_other(world: Any, page: Page) -> None:
    draft = world.draft(pricing="VARIABLE", amount=None, suggested_max_amount=50000)
    page.goto(world.link(draft))
    amount, slider = page.get_by_role("textbox"), page.get_by_role("slider")
    expect(slider).to_have_value("500")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(amount).to_have_value("525")
    page.keyboard.press("Home")
    expect(amount).to_have_value("1")  # never below what may be chosen
    amount.fill("250")
    expect(slider).to_have_value("250")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/shop/thanks")
    assert world.recurring.shelf.agreement(draft.id).max_amount == 25000


def test_nothing_needs_the_script(world: Any, chromium: Browser) -> None:
    draft = world.draft(pricing="VARIABLE", amount=None, suggested_max_amount=50000)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(world.link(draft))
    expect(page.get_by_role("slider")).to_be_hidden()
    page.get_by_role("textbox").fill("300")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/shop/thanks")
    context.close()
    assert world.recurring.shelf.agreement(draft.id).max_amount == 30000


def test_a_film_is_paid_by_keyboard(world: Any, page: Page) -> None:
    payment = world.ask()
    page.goto(world.pay_link(payment))
    expect(page.get_by_role("heading", name="The Long Winter, a film")).to_be_visible()
    _press_until(page, "Pay 49\u00a0kr")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{world.origin}/shop/thanks")
    assert world.state_of(payment) == "AUTHORIZED"
    page.goto(world.pay_link(payment))
    expect(page.get_by_text("49\u00a0kr is reserved for Nordlys Film.")).to_be_visible()


def test_a_payment_waits_fails_and_is_rejected(world: Any, page: Page) -> None:
    payment = world.ask(receipt=RECEIPT)
    world.telephones.take_money_out(world.people.get(ANNA))
    page.goto(world.pay_link(payment))
    page.get_by_role("button", name="Not now").click()
    page.get_by_role("link", name="The Long Winter").click()
    page.get_by_role("button", name="Pay 49\u00a0kr").click()
    expect(page.get_by_role("alert")).to_contain_text("The payment did not go through")
    expect(page.get_by_text("Popcorn")).to_be_visible()
    page.get_by_role("button", name="Reject").click()
    page.wait_for_url("**/shop/thanks")
    assert world.state_of(payment) == "ABORTED"
    page.goto(f"{world.origin}/phone/{ANNA}")
    expect(page.get_by_role("heading", name="Bought once")).to_be_visible()
    expect(page.get_by_text("Rejected")).to_be_visible()


def test_an_agreement_is_changed_and_stopped_by_keyboard(world: Any, page: Page) -> None:
    draft = world.draft(pricing="VARIABLE", amount=None, suggested_max_amount=50000)
    world.recurring.approve(draft.id, ANNA)
    page.goto(f"{world.origin}/phone/{ANNA}")
    _press_until(page, "Change limit of All films")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("150")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Up to 150\u00a0kr every month")).to_be_visible()
    _press_until(page, "Stop All films")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Stopped")).to_be_visible()
    assert world.status(draft) == "STOPPED"


def test_a_person_signs_in_and_is_remembered(world: Any, page: Page) -> None:
    question = {
        "response_type": "code",
        "client_id": "dev-web",
        "redirect_uri": f"{world.shop}/thanks",
        "scope": "openid",
        "state": "s",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    address = f"{world.origin}/identity/authorize?{urlencode(question)}"
    page.goto(address)
    page.get_by_role("button", name="Anna Berg").click()
    page.wait_for_url(f"{world.shop}/thanks?code=*&state=s&iss=*")
    page.goto(address)
    page.wait_for_url(f"{world.shop}/thanks?code=*&state=s&iss=*")
    page.goto(f"{address}&prompt=login")
    page.get_by_label("Name", exact=True).fill("Kari Dahl")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{world.shop}/thanks?code=*")


@pytest.fixture
def addresses(world: Any) -> list[str]:
    """One of every page, in its fullest state."""
    campaign = CampaignTerms(type="PRICE_CAMPAIGN", price=4900, end="2027-06-01T00:00:00Z")
    films = world.draft(initial_charge=world.initial())
    gym = world.draft(pricing="VARIABLE", amount=None, suggested_max_amount=50000)
    reserved = world.initial(transaction_type="RESERVE_CAPTURE")
    dropped = world.draft(product_name="Audio books", initial_charge=reserved)
    for agreement, limit in ((films, None), (gym, 30000), (dropped, None)):
        world.recurring.approve(agreement.id, ANNA, limit)
    world.charge(films, "2027-02-15")
    world.charge(gym, "2027-02-16", amount=45000)
    world.recurring.stop_by_user(dropped.id)
    world.advance("2027-02-20T09:00:00Z")
    first = world.recurring.charges_of(films.id)[0]
    world.recurring.charges.refund(first, 1900, world.clock.now(), "k")
    world.charge(films, "2027-03-15")
    expired = world.draft()
    world.advance("2027-02-21T09:00:00Z")
    world.telephones.take_money_out(world.people.get(ANNA))
    full = world.draft(
        campaign=campaign,
        initial_charge=world.initial(),
        scope="name address email",
        product_description="x" * 100,
    )
    world.recurring.approve(full.id, ANNA)  # fails: there is no money
    variable = world.draft(pricing="VARIABLE", amount=None, suggested_max_amount=1234567)
    asking = {"response_type": "code", "client_id": "dev-web", "redirect_uri": world.shop, "prompt": "login"}
    pkce = {"code_challenge": "c" * 43, "code_challenge_method": "S256"}
    bought = world.ask()
    world.payments.approve(bought.id, "4798765432")
    waiting = world.ask(
        receipt=RECEIPT, profile={"scope": "name address"}, minimumUserAge=18, paymentDescription="x" * 100
    )
    world.payments.approve(waiting.id, ANNA)  # fails: there is no money
    return [
        *(world.pay_link(payment) for payment in (waiting, bought, world.ask(customer=...))),
        *(world.link(agreement) for agreement in (full, variable, films, dropped, expired)),
        world.link(world.draft(phone_number=None)),
        f"{world.origin}/phone/",
        f"{world.origin}/phone/{ANNA}",
        f"{world.origin}/identity/authorize?{urlencode(asking | pkce)}",
        f"{world.origin}/identity/end-session",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 700, 320])
def test_every_page_is_readable(
    chromium: Browser, addresses: list[str], page_faults: Callable[[Page], list[str]], scheme: Any, width: int
) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = context.new_page()
    faults: dict[str, list[str]] = {}
    for address in addresses:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true })")
        if found := page_faults(page):
            faults[page.title()] = found
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert not faults
    assert background == ("rgb(243, 242, 237)" if scheme == "light" else "rgb(14, 18, 17)")


def test_every_page_keeps_to_itself(addresses: list[str], page: Page) -> None:
    for address in addresses:
        page.goto(address)
        # Every control can be named by somebody who does not see it, and there is one heading for the page.
        nameless = page.locator("button, input:not([type=hidden]), select, a").evaluate_all(
            "all => all.filter(e => e.checkVisibility() && !(e.ariaLabel || e.textContent.trim() "
            "|| e.labels?.length)).map(e => e.outerHTML)"
        )
        assert not nameless
        assert page.locator("h1").count() == 1
