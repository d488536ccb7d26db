"""A person looks into their app, stops agreements, changes limits, and runs out of money."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avtale_sandbox.people import Person, Window

ANNA, OLA = "4791234567", "4798765432"


async def test_everybody_has_a_telephone(world: Any, browser: Any) -> None:
    page = await browser.open("/phone/")
    assert "Anna Berg +47 912 34 567 · you answer" in page.text
    assert "Ola Nordmann +47 987 65 432 · approves" in page.text


async def test_a_new_person_gets_a_telephone(world: Any, browser: Any) -> None:
    answer = await browser.send("/phone/", name="Kari <Dahl>", phone="+47 900 11 222")
    assert (answer.status, answer.location) == (303, "/phone/4790011222")
    assert "Kari &lt;Dahl&gt;" in (await browser.open(answer.location)).html
    for number in ("4790011222", "12", "", "abc", "4" * 40):
        answer = await browser.send("/phone/", name="Per", phone=number)
        assert answer.status == 400, number
        assert 'value="Per"' in answer.html
    assert len(world.people.all()) == 3


async def test_the_app_shows_agreements_and_payments(world: Any, browser: Any) -> None:
    films = world.draft(initial_charge=world.initial())
    world.recurring.approve(films.id, ANNA)
    world.charge(films, "2027-02-15", description="February")
    world.charge(films, "2027-04-30", description="April")
    page = await browser.open(f"/phone/{ANNA}")
    assert "All films Nordlys Film Active 99 kr every month · since 15 January 2027" in page.text
    assert "Coming payments" not in page.text  # a payer sees a charge 30 days before it is due
    assert "Nordlys Film · First month 15 January 2027 49 kr Paid" in page.text

    world.advance("2027-02-01T00:00:00Z")
    page = await browser.open(f"/phone/{ANNA}")
    assert "Nordlys Film · February 15 February 2027 99 kr Upcoming" in page.text
    assert "April" not in page.text

    world.telephones.take_money_out(world.people.get(ANNA))
    world.advance("2027-02-17T00:00:00Z")
    page = await browser.open(f"/phone/{ANNA}")
    assert "There was no money on the card, or it was blocked 99 kr Not paid" in page.text
    first = world.recurring.charges_of(films.id)[0]
    world.recurring.charges.refund(first, 1900, world.clock.now(), "k")
    assert "19 kr came back 49 kr Partly refunded" in (await browser.open(f"/phone/{ANNA}")).text


async def test_many_payments_are_cut_short(world: Any, browser: Any) -> None:
    films = world.draft()
    world.recurring.approve(films.id, ANNA)
    for day in range(16, 31):
        world.charge(films, f"2027-01-{day}", description=f"Day {day}")
    world.advance("2027-01-31T12:00:00Z")
    page = await browser.open(f"/phone/{ANNA}")
    assert "And 3 older." in page.text
    assert "Day 30" in page.text
    assert "Day 18" not in page.text


async def test_a_person_sees_nothing_of_others(world: Any, browser: Any) -> None:
    draft = world.draft()
    world.recurring.open(draft.id, ANNA)
    world.recurring.approve(draft.id, OLA)
    assert "All films" not in (await browser.open(f"/phone/{ANNA}")).text
    assert "All films" in (await browser.open(f"/phone/{OLA}")).text
    answer = await browser.send(f"/phone/{ANNA}/agreements/{draft.id}/stop")
    assert answer.status == 400
    assert world.status(draft) == "ACTIVE"


async def test_stopping_an_agreement(world: Any, browser: Any) -> None:
    draft = world.draft()
    world.recurring.approve(draft.id, ANNA)
    answer = await browser.send(f"/phone/{ANNA}/agreements/{draft.id}/stop")
    assert (answer.status, answer.location) == (303, f"/phone/{ANNA}")
    assert world.status(draft) == "STOPPED"
    page = await browser.open(answer.location)
    assert "Nordlys Film · stopped 15 January 2027" in page.text
    again = await browser.send(f"/phone/{ANNA}/agreements/{draft.id}/stop")
    assert again.status == 400
    assert "no longer possible" in again.text


async def test_what_was_rejected_is_not_listed_as_stopped(world: Any, browser: Any) -> None:
    draft = world.draft()
    world.recurring.reject(draft.id, ANNA)
    assert "All films" not in (await browser.open(f"/phone/{ANNA}")).text


async def test_changing_the_limit(world: Any, browser: Any) -> None:
    draft = world.draft(pricing="VARIABLE", amount=None, suggested_max_amount=50000)
    world.recurring.approve(draft.id, ANNA)
    url = f"/phone/{ANNA}/agreements/{draft.id}/limit"
    assert (await browser.send(url, limit="250.50")).status == 303
    assert world.recurring.shelf.agreement(draft.id).max_amount == 25050
    assert "Up to 250.50 kr every month" in (await browser.open(f"/phone/{ANNA}")).text
    wrong = await browser.send(url, limit="5000")
    assert wrong.status == 400
    assert "between 1 kr and 1 000 kr" in wrong.text
    fixed = world.draft()
    world.recurring.approve(fixed.id, ANNA)
    answer = await browser.send(f"/phone/{ANNA}/agreements/{fixed.id}/limit", limit="5")
    assert answer.status == 400


async def test_money_goes_out_and_comes_back(world: Any, browser: Any) -> None:
    url = f"/phone/{ANNA}/money"
    assert (await browser.send(url, money="out")).location == f"/phone/{ANNA}"
    assert "There is no money on the card." in (await browser.open(f"/phone/{ANNA}")).text
    assert "No money" in (await browser.open("/phone/")).text
    await browser.send(url, money="out")  # twice is once
    assert world.people.get(ANNA).no_funds == [Window("2027-01-15T09:00:00Z", None)]

    world.advance("2027-01-20T09:00:00Z")
    await browser.send(url, money="in")
    assert world.people.get(ANNA).no_funds == [Window("2027-01-15T09:00:00Z", "2027-01-20T09:00:00Z")]
    assert "There is money on the card." in (await browser.open(f"/phone/{ANNA}")).text
    assert (await browser.send(url, money="burn")).status == 303
    assert world.telephones.has_money(world.people.get(ANNA))


def test_money_that_was_out_for_no_time_leaves_no_trace(world: Any) -> None:
    anna = world.people.get(ANNA)
    world.telephones.take_money_out(anna)
    world.telephones.put_money_in(anna)
    assert world.people.get(ANNA).no_funds == []


def test_putting_money_in_leaves_the_windows_to_come(world: Any) -> None:
    anna = world.people.get(ANNA)
    later = Window("2027-03-01", "2027-03-02")
    anna.no_funds = [Window(None, "2027-02-01"), Window("2027-01-10", "2027-01-20"), later]
    world.people.save(anna)
    world.telephones.put_money_in(anna)
    now = "2027-01-15T09:00:00Z"
    assert world.people.get(ANNA).no_funds == [Window(None, now), Window("2027-01-10", now), later]
    assert world.telephones.has_money(world.people.get(ANNA))


async def test_a_link_made_for_an_app_can_be_opened(world: Any, browser: Any) -> None:
    draft = world.draft(is_app=True)
    token = world.recurring.confirmation_token(draft)
    for url in (f"vipps://?token={token}", f"  {world.link(draft)} "):
        async with browser.http.get(f"{world.origin}/phone/open", params={"url": url}) as answer:
            assert answer.status == 200
            assert "Nordlys Film asks for your approval" in await answer.text()
    for url in ("", "nonsense", "http://[", "vipps://?code=1"):
        async with browser.http.get(f"{world.origin}/phone/open", params={"url": url}) as answer:
            assert answer.status == 400


@pytest.mark.parametrize(
    "path", ["/", f"/{ANNA}/money", f"/{ANNA}/agreements/agr_x/stop", f"/{ANNA}/agreements/agr_x/limit"]
)
@pytest.mark.parametrize("origin", [None, "http://evil.example"])
async def test_another_site_can_do_nothing(world: Any, browser: Any, path: str, origin: str | None) -> None:
    answer = await browser.send(f"/phone{path}", origin, money="out", name="x", phone="4740000000")
    assert answer.status == 403
    assert world.telephones.has_money(world.people.get(ANNA))
    assert len(world.people.all()) == 2


async def test_a_browser_that_says_where_a_form_is_from_is_believed(world: Any, browser: Any) -> None:
    url = f"{world.origin}/phone/{ANNA}/money"
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        headers = {"Sec-Fetch-Site": site}
        async with browser.http.post(url, data={}, headers=headers, allow_redirects=False) as answer:
            assert answer.status == status


@pytest.mark.parametrize("number", ["nobody", "4700000000", "%00"])
async def test_a_number_nobody_has(world: Any, browser: Any, number: str) -> None:
    assert (await browser.open(f"/phone/{number}")).status == 404
    assert (await browser.send(f"/phone/{number}/money", money="out")).status == 404
    assert world.people.all()[0] == Person(phone_number=ANNA, name="Anna Berg", email="anna.berg@example.com")


async def test_the_stylesheet_comes_from_here(world: Any, browser: Any) -> None:
    style = await browser.open("/phone/static/look.css")
    assert style.headers["Content-Type"].startswith("text/css")
    assert "url(" not in style.html
    assert "@import" not in style.html


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_nothing_a_browser_sends_is_answered_with_5xx(world: Any, browser: Any, data: Any) -> None:
    agreement = world.recurring.approve(
        world.draft(pricing="VARIABLE", amount=None, suggested_max_amount=50000).id, ANNA
    )
    waiting = world.link(world.draft(phone_number=None)).removeprefix(world.origin)
    own = f"/phone/{ANNA}/agreements/{agreement.id}"
    path = data.draw(st.sampled_from([waiting, "/phone/", f"/phone/{ANNA}/money", f"{own}/stop", f"{own}/limit"]))
    words = st.one_of(st.text(max_size=20), st.sampled_from([ANNA, "approve", "reject", "in", "out", "100"]))
    names = st.sampled_from(["person", "decision", "limit", "money", "name", "phone", "as"])
    form = {
        name: value.encode("utf-8", "replace").decode()
        for name, value in data.draw(st.dictionaries(names, words, max_size=5)).items()
    }
    answer = await browser.send(path, **form)
    assert answer.status in (200, 303, 400), answer.status
