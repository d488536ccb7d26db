"""Money, dates and states as a shop says them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from avtale.console.look.words import Words, money
from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import AttemptStatus, RefundStatus
from avtale.domain.event import EventKind
from avtale.domain.periods import Interval, Unit
from avtale.domain.purchase import PurchaseStatus, PurchaseTerms
from avtale.domain.settlement import BookingKind
from avtale.service.browsing import Moment

WORDS = Words(ZoneInfo("Europe/Oslo"))


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (9900, "NOK", "99\u00a0kr"),
        (129950, "NOK", "1\u202f299.50\u00a0kr"),
        (5, "DKK", "0.05\u00a0kr"),
        (0, "NOK", "0\u00a0kr"),
        (-3000, "NOK", "\u221230\u00a0kr"),
        (990, "EUR", "€9.90"),
    ],
)
def test_money(minor: int, currency: str, said: str) -> None:
    assert money(minor, currency) == said


def test_a_day_is_the_local_one() -> None:
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert WORDS.day(new_year) == "1 January 2027"
    assert WORDS.moment(new_year) == "Friday 1 January 2027, 00:30"


def test_what_lasts_until_a_midnight_lasts_to_the_day_before() -> None:
    assert WORDS.last_day(datetime(2027, 1, 26, 23, tzinfo=UTC)) == "26 January 2027"
    assert WORDS.last_day(date(2027, 3, 1)) == "28 February 2027"
    assert WORDS.period(date(2026, 12, 21), date(2027, 1, 21)) == "21 Dec – 20 Jan 2027"


def test_how_often() -> None:
    assert WORDS.every(Interval(Unit.MONTH)) == "every month"
    assert WORDS.every(Interval(Unit.WEEK, 2)) == "every 2 weeks"
    rent = PurchaseTerms("film", "Film", None, price=None, access_days=1, vat_basis_points=2500)  # type: ignore[arg-type]
    assert WORDS.how_often(rent) == "once, for 1 day"


def test_one_is_one_and_others_are_many() -> None:
    assert [WORDS.count(count, "row") for count in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


@pytest.mark.parametrize("status", AgreementStatus)
def test_every_state_of_an_agreement_has_words(status: AgreementStatus) -> None:
    assert WORDS.state(status.value)[0]


@pytest.mark.parametrize("status", PurchaseStatus)
def test_every_state_of_a_purchase_has_words(status: PurchaseStatus) -> None:
    assert WORDS.purchase_state(status.value)[0]


@pytest.mark.parametrize("status", AttemptStatus)
def test_every_state_of_an_attempt_has_words(status: AttemptStatus) -> None:
    assert WORDS.attempt(status.value)


@pytest.mark.parametrize("status", RefundStatus)
def test_every_state_of_a_refund_has_words(status: RefundStatus) -> None:
    assert WORDS.refund(status.value)


def test_a_reason_that_nobody_foresaw_is_shown_to_operators_and_spared_customers() -> None:
    assert WORDS.reason("something_new") == "something new"
    assert WORDS.reason_to_customer("something_new") == "The payment could not be made"


def test_people_are_named_as_far_as_their_subject_tells() -> None:
    assert WORDS.person("phone|4791234567") == "+47\u00a0912\u00a034\u00a0567"
    assert WORDS.person("auth0|66f") == "auth0|66f"


def test_money_that_went_any_way_has_words_of_its_own() -> None:
    assert len({WORDS.booking(kind.value) for kind in BookingKind}) == len(BookingKind)


@pytest.mark.parametrize("kind", EventKind)
def test_every_event_has_its_line_in_a_history(kind: EventKind) -> None:
    detail = "2027-02-01T00:00:00Z" if kind.value.startswith("access.") else ""
    said, _, _ = WORDS.history(Moment(datetime(2027, 1, 15, tzinfo=UTC), "event", kind.value, detail))
    # What nobody has found words for is its own name.
    assert said != kind.value.replace(".", ": ").replace("_", " ").capitalize()
