"""A payer opens a merchant's link, sees the terms, and answers."""

from __future__ import annotations

from typing import Any

import pytest

from avtale_sandbox.merchants import Merchant
from avtale_sandbox.vipps.recurring.resources import Interval
from avtale_sandbox.vipps.recurring.terms import CampaignTerms

ANNA, OLA = "4791234567", "4798765432"


async def test_the_terms_are_said_in_full(world: Any, browser: Any) -> None:
    draft = world.draft(
        product_description="Every film we have",
        campaign=CampaignTerms(type="PRICE_CAMPAIGN", price=4900, end="2027-06-01T00:00:00Z"),
        initial_charge=world.initial(),
        scope="name email",
    )
    page = await browser.open(world.link(draft))
    assert page.status == 200
    for words in (
        "Nordlys Film asks for your approval",
        "All films",
        "Every film we have",
        "49 kr",
        "every month until 1 June 2027",
        "Then 99 kr every month",
        "First month",
        "Pay 49 kr and approve",
        "Name, e-mail address",
        "Anna Berg",
        "it expires at 10:10",
    ):
        assert words in page.text, words
    assert 'href="https://film.example/terms"' in page.html


async def test_what_merchants_write_cannot_break_the_page(world: Any, browser: Any) -> None:
    evil = '"><script>x</script>'
    world.merchants.save(
        Merchant(client_id="e", client_secret="e", subscription_key="e", merchant_serial_number="9999", name=evil)
    )
    draft = world.draft(
        world.merchants.of_msn("9999"),
        product_name=evil,
        product_description=evil,
        initial_charge=world.initial(description=evil),
        agreement_url="javascript:alert(1)",
        is_app=True,
    )
    page = await browser.open(world.link(draft))
    assert page.status == 200
    assert "<script" not in page.html
    assert "javascript:" not in page.html


async def test_approving_leads_back_to_the_address_as_it_was_given(world: Any, browser: Any) -> None:
    back = "https://shop.example/r;x?a=%2f&b={c}&d=e f#g"
    for url, location in (
        (back.replace(" ", "+"), back.replace(" ", "+")),
        ("shopApp://home", "shopApp://home"),
    ):
        draft = world.draft(redirect_url=url)
        answer = await browser.send(world.link(draft), decision="approve", person=ANNA)
        assert (answer.status, answer.location) == (303, location)
        assert world.status(draft) == "ACTIVE"
        assert world.after_a_crash(draft) == "ACTIVE"


async def test_rejecting_leads_back_to_the_same_address(world: Any, browser: Any) -> None:
    draft = world.draft()
    answer = await browser.send(world.link(draft), decision="reject", person=ANNA)
    assert (answer.status, answer.location) == (303, draft.redirect_url)
    assert world.status(draft) == "STOPPED"
    assert world.after_a_crash(draft) == "STOPPED"


async def test_letting_it_wait_puts_the_request_into_the_app(world: Any, browser: Any) -> None:
    draft = world.draft()
    answer = await browser.send(world.link(draft), decision="wait", person=OLA)
    assert (answer.status, answer.location) == (303, f"/phone/{OLA}")
    assert world.status(draft) == "PENDING"
    app = await browser.open(answer.location)
    assert "Waits for you All films" in app.text.replace("NF ", "")
    # On whose telephone it waits is remembered, whatever number the merchant wrote.
    assert "You are Ola Nordmann" in (await browser.open(world.link(draft))).text


async def test_an_initial_charge_that_fails_can_be_tried_again(world: Any, browser: Any) -> None:
    draft = world.draft(initial_charge=world.initial())
    world.telephones.take_money_out(world.people.get(ANNA))
    answer = await browser.send(world.link(draft), decision="approve", person=ANNA)
    assert answer.status == 303
    page = await browser.open(answer.location)
    assert "The payment did not go through" in page.text
    assert world.status(draft) == "PENDING"
    world.telephones.put_money_in(world.people.get(ANNA))
    answer = await browser.send(world.link(draft), decision="approve", person=ANNA)
    assert answer.location == draft.redirect_url
    assert world.status(draft) == "ACTIVE"


async def test_a_reservation_is_called_one(world: Any, browser: Any) -> None:
    draft = world.draft(initial_charge=world.initial(transaction_type="RESERVE_CAPTURE"))
    page = await browser.open(world.link(draft))
    assert "Reserve 49 kr and approve" in page.text
    assert "Reserved now" in page.text


async def test_the_payer_chooses_the_limit_of_a_variable_agreement(world: Any, browser: Any) -> None:
    draft = world.draft(pricing="VARIABLE", amount=None, suggested_max_amount=50000)
    page = await browser.open(world.link(draft))
    assert "Up to 500 kr" in page.text
    assert "Between 1 kr and 1 000 kr" in page.text
    for wrong in ("", "0", "0.99", "1000.01", "abc", "1.234", "-5", "1e3", "٥٠٠", "9" * 40):
        answer = await browser.send(world.link(draft), decision="approve", person=ANNA, limit=wrong)
        assert answer.status == 400, wrong
        assert "The limit must be" in answer.text
        assert f'value="{wrong}"' in answer.html  # what was typed is still there
    answer = await browser.send(world.link(draft), decision="approve", person=ANNA, limit="1 000,00")
    assert answer.status == 303
    assert world.recurring.shelf.agreement(draft.id).max_amount == 100_000


async def test_a_link_that_was_answered_says_so(world: Any, browser: Any) -> None:
    approved, rejected, stopped, expired = (world.draft() for _ in range(4))
    world.recurring.approve(approved.id, ANNA)
    world.recurring.reject(rejected.id, ANNA)
    world.recurring.approve(stopped.id, ANNA)
    world.recurring.stop_by_user(stopped.id)
    world.advance("2027-01-15T09:10:00Z")
    for draft, heading in (
        (approved, "Approved"),
        (rejected, "Rejected"),
        (stopped, "Stopped"),
        (expired, "This request has expired"),
    ):
        page = await browser.open(world.link(draft))
        assert page.status == 200
        assert f"<h1>{heading}</h1>" in page.html
        assert f'href="{draft.redirect_url}"' in page.html
        # An answer that comes too late changes nothing and shows what is the case.
        before = world.status(draft)
        answer = await browser.send(world.link(draft), decision="approve", person=ANNA)
        assert (answer.status, answer.location) == (303, world.link(draft).removeprefix(world.origin))
        assert world.status(draft) == before


@pytest.mark.parametrize("query", ["", "?token=", "?token=a.b.c", "?v=2&token=%FF%00", "?token=x&token=y"])
async def test_a_link_nobody_made_is_not_known(world: Any, browser: Any, query: str) -> None:
    path = "/dwo-api-application/v1/deeplink/vippsgateway"
    assert (await browser.open(path + query)).status == 404
    assert (await browser.send(path + query, decision="approve", person=ANNA)).status == 404


async def test_without_a_number_the_telephone_is_chosen_first(world: Any, browser: Any) -> None:
    draft = world.draft(phone_number=None)
    page = await browser.open(world.link(draft))
    assert "Whose telephone is it?" in page.text
    assert 'name="token"' in page.html
    page = await browser.open(f"{world.link(draft)}&as={OLA}")
    assert "You are Ola Nordmann" in page.text
    answer = await browser.send(world.link(draft), decision="approve", person="nobody")
    assert answer.status == 303
    assert world.status(draft) == "PENDING"


async def test_a_number_nobody_had_becomes_a_person_who_answers_and_not_one_who_looks(world: Any, browser: Any) -> None:
    draft = world.draft(phone_number="4740000000")
    page = await browser.open(world.link(draft))
    assert "+47 400 00 000" in page.text
    assert world.people.get("4740000000") is None
    await browser.send(world.link(draft), decision="approve", person="4740000000")
    assert world.people.get("4740000000") is not None
    assert world.status(draft) == "ACTIVE"


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1", "http://["])
async def test_another_site_cannot_answer(world: Any, browser: Any, origin: str | None) -> None:
    draft = world.draft()
    answer = await browser.send(world.link(draft), origin, decision="approve", person=ANNA)
    assert answer.status == 403
    assert world.status(draft) == "PENDING"


async def test_what_is_no_form_is_no_answer(world: Any, browser: Any) -> None:
    draft = world.draft()
    url, headers = world.link(draft), {"Origin": world.origin}
    async with browser.http.post(url, json={"decision": "approve"}, headers=headers) as answer:
        assert answer.status == 400
    async with browser.http.post(url, data={"decision": "x" * 70_000}, headers=headers) as answer:
        assert answer.status == 400
    assert world.status(draft) == "PENDING"


async def test_the_page_says_what_it_may_do(world: Any, browser: Any) -> None:
    page = await browser.open(world.link(world.draft(redirect_url="shopApp://home", is_app=True)))
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "form-action 'self' http: https: shopapp:;" in policy
    assert "unsafe" not in policy
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Cache-Control"] == "no-store"
    assert "style=" not in page.html


async def test_an_agreement_without_an_interval_is_used_when_it_is_used(world: Any, browser: Any) -> None:
    page = await browser.open(world.link(world.draft(pricing="FLEXIBLE", amount=None, interval=None)))
    assert "The amount varies when you use it" in page.text
    page = await browser.open(world.link(world.draft(interval=Interval("WEEK", 2))))
    assert "99 kr every 2 weeks" in page.text
