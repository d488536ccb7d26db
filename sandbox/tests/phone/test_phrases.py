"""Money, time and states are said as an app says them."""

from __future__ import annotations

from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from avtale_sandbox.instants import parse_instant
from avtale_sandbox.pages.page import hue, initials, safe_link, send_on, spoken
from avtale_sandbox.phone import phrases
from avtale_sandbox.vipps.recurring.resources import Agreement, Campaign, Charge, FailureReason, Interval
from avtale_sandbox.vipps.recurring.states import ChargeStatus

OSLO = ZoneInfo("Europe/Oslo")


def agreement(**changes: object) -> Agreement:
    known: dict[str, object] = {
        "id": "agr_1", "number": 1, "msn": "1", "uuid": "u", "created": 0, "pricing": "LEGACY",
        "amount": 39900, "currency": "NOK", "product_name": "Films", "redirect_url": "https://x",
        "interval": Interval("MONTH", 1),
    }  # fmt: skip
    return Agreement(**(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (9900, "NOK", "99\u00a0kr"),
        (129950, "NOK", "1\u202f299.50\u00a0kr"),
        (5, "DKK", "0.05\u00a0kr"),
        (990, "EUR", "€9.90"),
        (-9900, "NOK", "\u221299\u00a0kr"),
        (0, "NOK", "0\u00a0kr"),
    ],
)
def test_money(minor: int, currency: str, said: str) -> None:
    assert phrases.money(minor, currency) == said


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (Interval("MONTH", 1), "every month"),
        (Interval("WEEK", 2), "every 2 weeks"),
        (Interval("YEAR", 1), "every year"),
        (Interval("DAY", 10), "every 10 days"),
        (None, "when you use it"),
    ],
)
def test_how_often(interval: Interval | None, said: str) -> None:
    assert phrases.every(interval) == said


def campaign(**changes: object) -> Campaign:
    known: dict[str, object] = {
        "type": "PRICE_CAMPAIGN", "price": 4900, "end": parse_instant("2027-02-28T23:30:00Z"),
    }  # fmt: skip
    return Campaign(**(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("offer", "said"),
    [
        # Half past eleven in the evening in UTC is the next day in Oslo.
        (campaign(), ("49\u00a0kr", "every month until 1 March 2027")),
        (campaign(type="LEGACY_CAMPAIGN"), ("49\u00a0kr", "every month until 1 March 2027")),
        (
            campaign(type="PERIOD_CAMPAIGN", price=100, period=Interval("WEEK", 10)),
            ("1\u00a0kr", "for the first 10 weeks"),
        ),
        (
            campaign(type="PERIOD_CAMPAIGN", period=Interval("MONTH", 1)),
            ("49\u00a0kr", "for the first month"),
        ),
        (campaign(type="EVENT_CAMPAIGN", text="until Easter"), ("49\u00a0kr", "until Easter (1 March 2027)")),
    ],
)
def test_a_campaign(offer: Campaign, said: tuple[str, str]) -> None:
    assert phrases.offered(offer, agreement(campaign=offer), OSLO) == said


def test_the_price_of_each_kind_of_agreement() -> None:
    assert phrases.price(agreement()) == "399\u00a0kr"
    variable = agreement(pricing="VARIABLE", amount=0, suggested_max_amount=50000)
    assert phrases.price(variable) == "Up to 500\u00a0kr"
    variable.max_amount = 20000
    assert phrases.price(variable) == "Up to 200\u00a0kr"
    assert phrases.price(agreement(pricing="FLEXIBLE", amount=0)) == "The amount varies"


def test_every_state_of_a_charge_has_words() -> None:
    tones = {"good", "bad", "wait", ""}
    for status in get_args(ChargeStatus):
        charge = Charge(
            id="c", number=1, agreement_id="a", msn="1", type="RECURRING", transaction_type="DIRECT_CAPTURE",
            amount=1, currency="NOK", description="d", due="2027-01-01", created=0, status=status,
        )  # fmt: skip
        words, tone = phrases.state(charge)
        assert words
        assert tone in tones
    assert set(phrases.FAILURE_WORDS) == set(get_args(FailureReason))


@pytest.mark.parametrize(
    ("number", "zone"),
    [("4791234567", "Oslo"), ("4540112233", "Copenhagen"), ("358401234567", "Helsinki"), ("", "Oslo")],
)
def test_a_telephone_shows_the_time_of_its_country(number: str, zone: str) -> None:
    assert phrases.zone_of(number).key == f"Europe/{zone}"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("4791234567", "+47 912 34 567"),
        ("4540112233", "+45 40 11 22 33"),
        ("358401234567", "+358401234567"),
        ("4712345", "+4712345"),
    ],
)
def test_a_phone_number(number: str, said: str) -> None:
    assert spoken(number).replace("\u00a0", " ") == said


def test_a_face_without_a_picture() -> None:
    assert [initials(name) for name in ("Anna Berg", "Madonna", "a b c", "  ")] == ["AB", "M", "AC", "·"]
    assert {hue(name) for name in map(str, range(100))} == set(range(6))


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://shop.example/back", True),
        ("myApp://home", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("data:text/html,x", False),
        ("//shop.example", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_a_page_links_to_no_address_that_runs_code(url: str, linked: bool) -> None:
    assert (safe_link(url) is not None) is linked


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://x.example/a;b|c?d={e}&f=%2F'#g", "https://x.example/a;b|c?d={e}&f=%2F'#g"),
        ("myApp://home?x=a+b", "myApp://home?x=a+b"),
        ("https://x.example/æ b", "https://x.example/%C3%A6%20b"),
        ("https://x.example/\r\nSet-Cookie: a=b", "https://x.example/%0D%0ASet-Cookie:%20a=b"),
    ],
)
def test_a_redirect_is_not_touched_unless_no_header_can_carry_it(url: str, location: str) -> None:
    answer = send_on(url)
    assert (answer.status_code, answer.headers["Location"]) == (303, location)
