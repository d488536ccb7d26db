"""Login's one page in a real browser: chosen by keyboard, readable, and back at the merchant with a code."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

AUTHORIZE = "/access-management-1.0/access/oauth2/auth"
BACK = re.compile(r"/phone/\?")


@pytest.fixture
def question(threaded: Any) -> str:
    query = {
        "response_type": "code",
        "client_id": "dev-client-id",
        "redirect_uri": f"{threaded.url}/phone/",
        "scope": "openid name email",
        "state": "a state & more",
    }
    return f"{threaded.url}{AUTHORIZE}?{urlencode(query)}"


def returned(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_person_is_chosen_by_keyboard(question: str, page: Page, page_faults: Callable[[Page], list[str]]) -> None:
    page.goto(question)
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in at Demo merchant")
    expect(page.get_by_text("will be told: name, email")).to_be_visible()
    assert page_faults(page) == []
    page.get_by_role("button", name="Anna Berg").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(BACK)
    answer = returned(page)
    assert answer["state"] == "a state & more"
    assert answer["code"]


def test_somebody_goes_back_without_signing_in(question: str, page: Page) -> None:
    page.goto(question)
    page.get_by_role("button", name="Cancel and go back").click()
    page.wait_for_url(BACK)
    assert returned(page)["error"] == "access_denied"
