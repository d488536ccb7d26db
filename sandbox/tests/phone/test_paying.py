"""The page of a single payment: what it shows, what each answer does, and whom it does not believe."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

ANNA = "4791234567"
OLA = "4798765432"
NUTS = {"unitPrice": 1, "quantity": "0.25", "quantityUnit": "KG"}


async def test_the_bill_is_shown_as_it_was_asked_for(world: Any, browser: Any) -> None:
    line = {"id": "1", "totalAmountExcludingTax": 0, "totalTaxAmount": 0, "taxRate": 0}
    lines = [
        line | {"name": "Popcorn", "totalAmount": 6000, "unitInfo": {"unitPrice": 3000, "quantity": "2"}},
        line | {"name": "Bottle", "totalAmount": 200, "isReturn": True},
        line
        | {"name": "Nuts", "totalAmount": 950, "unitInfo": {"unitPrice": 1, "quantity": "0.25", "quantityUnit": "KG"}},
    ]
    receipt = {"orderLines": lines, "bottomLine": {"currency": "NOK"}}
    payment = world.ask(receipt=receipt, profile={"scope": "name email"}, minimumUserAge=15)
    seen = await browser.open(world.pay_link(payment))
    assert seen.status == 200
    for words in (
        "Pay Nordlys Film",
        "The Long Winter, a film",
        "Pay 49 kr",
        "Popcorn × 2 60 kr",
        "Bottle \u22122 kr",
        "Nuts 0.25 kg 9.50 kr",
        "At least 15 years",
        "Name, e-mail address",
        "expires at 10:10",
    ):
        assert words in seen.text, words
    assert world.state_of(payment) == "CREATED"


@pytest.mark.parametrize(
    ("decision", "state", "leads_to"),
    [("approve", "AUTHORIZED", "shop"), ("reject", "ABORTED", "shop"), ("wait", "CREATED", "app")],
)
async def test_each_button_does_what_it_says(
    world: Any, browser: Any, decision: str, state: str, leads_to: str
) -> None:
    payment = world.ask()
    seen = await browser.send(world.pay_link(payment), person=ANNA, decision=decision)
    assert seen.status == 303
    assert seen.location == (f"{world.shop}/return?order=7" if leads_to == "shop" else f"/phone/{ANNA}")
    assert world.state_of(payment) == state
    shown = (await browser.open(f"/phone/{ANNA}")).text
    assert ("Waits for you" in shown) == (state == "CREATED")
    assert ("Bought once" in shown) == (state != "CREATED")


async def test_without_a_number_the_page_asks_whose_telephone_it_is(world: Any, browser: Any) -> None:
    payment = world.ask(customer=...)
    assert "Whose telephone is it?" in (await browser.open(world.pay_link(payment))).text
    seen = await browser.open(f"{world.pay_link(payment)}&as={OLA}")
    assert "Ola Nordmann" in seen.text
    await browser.send(f"{world.pay_link(payment)}&as={OLA}", person=OLA, decision="approve")
    assert world.payments.of_person(OLA)[0].state == "AUTHORIZED"


async def test_a_payment_that_is_over_is_told_and_not_changed(world: Any, browser: Any) -> None:
    paid, rejected, expired, terminated = (world.ask() for _ in range(4))
    world.payments.approve(paid.id, ANNA)
    world.payments.reject(rejected.id, ANNA)
    world.payments.cancel(world.film, terminated.reference, False, None)
    world.advance("2027-01-15T09:10:00Z")
    for payment, words in (
        (paid, "49 kr is reserved for Nordlys Film."),
        (rejected, "Rejected"),
        (expired, "This payment has expired"),
        (terminated, "Nordlys Film called this payment off."),
    ):
        before = world.state_of(payment)
        assert words in (await browser.open(world.pay_link(payment))).text
        assert (await browser.send(world.pay_link(payment), person=ANNA, decision="approve")).status == 303
        assert world.state_of(payment) == before


async def test_a_link_must_be_opened_within_five_minutes(world: Any, browser: Any) -> None:
    opened, ignored = world.ask(), world.ask()
    await browser.open(world.pay_link(opened))
    world.advance("2027-01-15T09:05:00Z")
    assert "was not opened in time" in (await browser.open(world.pay_link(ignored))).text
    await browser.send(world.pay_link(ignored), person=ANNA, decision="approve")
    assert world.state_of(ignored) == "CREATED"
    world.advance("2027-01-15T09:09:59Z")
    await browser.send(world.pay_link(opened), person=ANNA, decision="approve")
    assert world.state_of(opened) == "AUTHORIZED"


async def test_no_other_site_can_pay_in_somebodys_name(world: Any, browser: Any) -> None:
    payment = world.ask()
    for origin in ("https://evil.example", None):
        seen = await browser.send(world.pay_link(payment), origin, person=ANNA, decision="approve")
        assert seen.status == 403
    assert world.state_of(payment) == "CREATED"


async def test_links_that_lead_nowhere(world: Any, browser: Any) -> None:
    link = world.pay_link(world.ask())
    agreement = world.link(world.draft()).partition("token=")[2]
    for url in ("/pay", "/pay?token=x", f"/pay?token={agreement}", link[:-3], link.replace("token", "other")):
        assert (await browser.open(url)).status == 404
        assert (await browser.send(url, person=ANNA, decision="approve")).status == 404


async def test_the_telephones_own_field_opens_every_kind_of_address(world: Any, browser: Any) -> None:
    payment = world.ask(userFlow="NATIVE_REDIRECT")
    token = world.payments.token(payment)
    for url in (f"vipps://?token={token}", world.pay_link(payment), f"{world.origin}/qr-image/v1?token={token}"):
        seen = await browser.open(f"{world.origin}/phone/open?{urlencode({'url': url})}")
        assert (seen.status, seen.location) == (303, f"/pay?token={token}")


async def test_a_push_ends_on_the_telephone(world: Any, browser: Any) -> None:
    world.film.push_message_allowed = True
    payment = world.ask(userFlow="PUSH_MESSAGE")
    world.advance("2027-01-15T09:00:00Z")
    assert "The Long Winter" in (await browser.open(f"/phone/{ANNA}")).text
    seen = await browser.send(world.pay_link(payment), person=ANNA, decision="approve")
    assert seen.location == f"/phone/{ANNA}"
    assert world.state_of(payment) == "AUTHORIZED"
