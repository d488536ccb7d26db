"""What a row must say, and where the periods of an agreement that moves in begin."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from avtale.domain.errors import Invalid
from avtale.domain.money import Money
from avtale.domain.moving import KNOWN, Place, check_columns, place, read_moved
from avtale.domain.observations import NEVER_OVER, FoundAgreement, GatewayAgreementState
from avtale.domain.periods import Interval, Unit

MONTH = Interval(Unit.MONTH)
NOW = datetime(2027, 2, 10, 9, tzinfo=UTC)
ROW = {
    "row_id": "1",
    "user_id": "auth0|anna",
    "provider_agreement_id": "agr_abc",
    "price_minor": "9900",
    "currency": "NOK",
    "period_start": "2027-01-31",
    "period_end": "28.2.2027",
    "phone": "+47 912 34 567",
    "email": "Anna@Film.Example",
}
FOUND = FoundAgreement(
    gateway_agreement_id="agr_abc",
    state=GatewayAgreementState.ACTIVE,
    price=Money(9900, "NOK"),
    interval=Interval(Unit.MONTH),
    started_at=datetime(2026, 10, 31, 12, tzinfo=UTC),
    last_due=date(2027, 1, 31),
)


def row(**other: str) -> dict[str, str]:
    return dict.fromkeys(KNOWN, "") | ROW | other


def test_a_row_is_read() -> None:
    moved = read_moved(row(), "film-month")
    assert (moved.subject, moved.agreement_id, moved.price) == ("auth0|anna", "agr_abc", Money(9900, "NOK"))
    assert (moved.period_start, moved.period_end) == (date(2027, 1, 31), date(2027, 2, 28))
    assert (moved.phone, moved.email, moved.provider) == ("4791234567", "anna@film.example", "vipps")


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"row_id": ""}, "id_invalid"),
        ({"row_id": "1;2"}, "id_invalid"),
        ({"user_id": ""}, "user_missing"),
        ({"provider_agreement_id": "agr/1"}, "agreement_id_invalid"),
        ({"price_minor": "99,00"}, "price_invalid"),
        ({"price_minor": "0"}, "price_invalid"),
        ({"price_minor": "2000001"}, "price_invalid"),
        ({"currency": "USD"}, "currency_unknown"),
        ({"period_end": "2027-02-30"}, "date_invalid"),
        ({"period_end": "2027-01-31"}, "period_invalid"),
        ({"next_charge_date": "2027-02-20"}, "charge_date_differs"),
        ({"next_charge_date": "2027-03-01"}, "charge_date_differs"),
        ({"status": "stopped"}, "status_not_active"),
        ({"campaign_end": "2027-04-01"}, "campaign_runs"),
        ({"provider": "cash"}, "provider_unknown"),
        ({"vat_rate": "125"}, "vat_invalid"),
        ({"interval": "fortnight"}, "interval_invalid"),
        ({"interval": "month", "interval_count": "32"}, "interval_invalid"),
        ({"email": "anna"}, "email_invalid"),
        ({"phone": "12"}, "phone_invalid"),
    ],
)
def test_a_row_that_cannot_be_meant(other: dict[str, str], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_moved(row(**other), "film-month")
    assert refused.value.code == code


def test_columns_that_are_missing_are_named_and_those_that_nobody_reads_are_told() -> None:
    with pytest.raises(Invalid, match="row_id"):
        check_columns(["user_id"], ["row_id", "user_id"], KNOWN)
    assert check_columns(["row_id", "shoe_size"], ["row_id"], KNOWN) == ["shoe_size"]


def test_the_day_of_the_month_on_which_it_began_is_kept() -> None:
    moved = read_moved(row(), "film-month")
    # 31 October and four months: 28 February, and then 31 March.
    assert place(moved, MONTH, FOUND, NOW, "Europe/Oslo") == Place(date(2026, 10, 31), 4)


def test_periods_that_do_not_follow_from_its_beginning_are_counted_from_the_next_one() -> None:
    moved = read_moved(row(period_start="2027-01-20", period_end="2027-02-20"), "film-month")
    assert place(moved, MONTH, FOUND, NOW, "Europe/Oslo") == Place(date(2027, 2, 20), 0)


@pytest.mark.parametrize(
    ("found", "other", "code"),
    [
        ({"state": GatewayAgreementState.STOPPED}, {}, "not_active"),
        ({"price": Money(12900, "NOK")}, {}, "price_differs"),
        ({"price": Money(9900, "DKK")}, {}, "price_differs"),
        ({"price": None}, {}, "price_varies"),
        ({"interval": Interval(Unit.YEAR)}, {}, "interval_differs"),
        ({"reduced_until": datetime(2027, 3, 1, 12, tzinfo=UTC)}, {}, "campaign_runs"),
        ({"reduced_until": NEVER_OVER}, {}, "campaign_runs"),
        ({"last_due": date(2027, 2, 28)}, {}, "charged_meanwhile"),
        ({}, {"period_start": "2027-02-11", "period_end": "2027-03-11"}, "period_not_begun"),
        ({}, {"period_end": "2027-06-30"}, "period_too_long"),
        ({"last_due": None}, {"period_start": "2026-12-09", "period_end": "2027-01-09"}, "period_over"),
    ],
)
def test_what_the_gateway_and_the_calendar_do_not_bear_out(
    found: dict[str, object], other: dict[str, str], code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        place(read_moved(row(**other), "film-month"), MONTH, replace(FOUND, **found), NOW, "Europe/Oslo")  # type: ignore[arg-type]
    assert refused.value.code == code


def test_a_campaign_that_ends_with_the_paid_period_keeps_nobody_back() -> None:
    found = replace(FOUND, reduced_until=datetime(2027, 2, 27, 23, tzinfo=UTC))
    moved = read_moved(row(campaign_end="2027-02-28"), "film-month")
    assert place(moved, MONTH, found, NOW, "Europe/Oslo") == Place(date(2026, 10, 31), 4)


def test_twelve_months_are_a_year() -> None:
    twelve = Interval(Unit.MONTH, 12)
    found = replace(FOUND, interval=Interval(Unit.YEAR), started_at=None)
    moved = read_moved(row(period_start="2026-03-01", period_end="2027-03-01"), "film-year")
    assert place(moved, twelve, found, NOW, "Europe/Oslo") == Place(date(2027, 3, 1), 0)
