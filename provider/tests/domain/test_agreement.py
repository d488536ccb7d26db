"""What periods cost and where they begin: campaigns, prices that vary, and phases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.campaign import Campaign, CampaignKind
from avtale.domain.money import Money
from avtale.domain.periods import Interval, Unit

DAY = date(2027, 1, 31)
AT = datetime(2027, 1, 31, 9, tzinfo=UTC)
MONTH = Interval(Unit.MONTH)
TERMS = Terms("film", "Film", None, Money(9900, "NOK"), MONTH, 2500, "https://film.example/me")


def agreement(terms: Terms = TERMS, **more: object) -> Agreement:
    made = Agreement(
        *(UUID(int=1), "i", "anna", terms, AgreementStatus.ACTIVE, "agr_1", DAY, 1, None),
        *(AT, None, AT, None, None, None, 1),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_a_price_campaign_is_for_periods_that_begin_before_its_end() -> None:
    campaign = Campaign("spring", CampaignKind.PRICE, 4900, until=date(2027, 3, 31))
    deal = agreement(replace(TERMS, campaign=campaign))
    prices = [deal.price_of(deal.period(number)).amount for number in (1, 2, 3, 4)]
    assert prices == [4900, 4900, 9900, 9900]  # 31 January, 28 February, 31 March, 30 April


def test_a_period_campaign_is_one_first_period_and_the_others_follow_it() -> None:
    campaign = Campaign("quarter", CampaignKind.PERIOD, 14900, length=Interval(Unit.MONTH, 3))
    terms = replace(TERMS, campaign=campaign)
    first = terms.first_period(DAY)
    assert (first.start, first.end) == (DAY, date(2027, 4, 30))
    deal = agreement(terms, phase_period=2, phase_start=first.end)
    assert [(deal.period(n).number, deal.period(n).start) for n in (2, 3)] == [(2, first.end), (3, date(2027, 5, 30))]
    assert (terms.first_price.amount, deal.price_of(deal.next_period).amount) == (14900, 9900)
    with pytest.raises(ValueError, match="count from 1"):
        deal.period(1)


def test_an_event_ends_the_first_period_which_lasts_a_day_at_least() -> None:
    campaign = Campaign("cup", CampaignKind.EVENT, 4900, until=date(2027, 2, 10), text="to the cup")
    assert replace(TERMS, campaign=campaign).first_period(DAY).end == date(2027, 2, 10)
    assert replace(TERMS, campaign=campaign).first_period(date(2027, 2, 10)).end == date(2027, 2, 11)
    assert campaign.offered(date(2027, 2, 9))
    assert not campaign.offered(date(2027, 2, 10))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": CampaignKind.PRICE},
        {"kind": CampaignKind.PERIOD, "until": DAY},
        {"kind": CampaignKind.EVENT, "until": DAY},
        {"kind": CampaignKind.PRICE, "until": DAY, "price": -1},
        {"kind": CampaignKind.PRICE, "until": DAY, "length": MONTH},
    ],
)
def test_a_campaign_says_what_its_kind_needs_and_nothing_else(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="campaign"):
        Campaign(**{"id": "x", "price": 0} | wrong)  # type: ignore[arg-type]


def test_a_price_that_varies_is_the_one_that_was_said_for_the_next_period() -> None:
    deal = agreement(replace(TERMS, suggested_max=50000))
    assert deal.price_of(deal.next_period).amount == 9900
    assert replace(deal, next_amount=12345).price_of(deal.next_period).amount == 12345
