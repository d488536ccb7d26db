"""What a change makes of an agreement's next period."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from avtale.domain.billing import BillingRules
from avtale.domain.change import (
    at_price,
    check_charge_day,
    move_charge_day,
    next_start,
    pause,
    resume,
    take_plan,
    unbegun,
    with_amount_said,
)
from avtale.domain.charge import Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.errors import Invalid
from avtale.domain.money import Money
from avtale.domain.periods import Interval, Unit

from .test_agreement import AT, DAY, TERMS, agreement

RULES, OSLO = BillingRules(), "Europe/Oslo"
NOW = datetime(2027, 2, 10, 9, tzinfo=UTC)


def charge(number: int, start: date, end: date, status: ChargeStatus = ChargeStatus.PAID) -> Charge:
    captured = Totals(9900 if status is ChargeStatus.PAID else 0)
    return Charge(
        *(UUID(int=number), UUID(int=1), None, ChargeKind.RECURRING, number, start, end, start),
        *(Money(9900, "NOK"), 2500, status, captured, None, 1),
    )


FIRST = charge(1, DAY, date(2027, 2, 28))
SECOND = charge(2, date(2027, 2, 28), date(2027, 3, 31), ChargeStatus.OPEN)


def test_only_a_charge_whose_period_has_not_begun_is_in_the_way() -> None:
    assert unbegun([FIRST, SECOND], date(2027, 2, 27)) == [SECOND]
    assert unbegun([FIRST, SECOND], date(2027, 2, 28)) == []


def test_the_days_of_a_cancelled_charge_come_next_and_those_of_a_captured_one_do_not() -> None:
    deal = agreement(last_period=2)
    cancelled = replace(SECOND, status=ChargeStatus.CANCELLED)
    assert next_start(deal, [FIRST, cancelled], 2) == (date(2027, 2, 28), False)
    captured = replace(SECOND, status=ChargeStatus.PAID, totals=Totals(9900))
    assert next_start(deal, [FIRST, captured], 2) == (date(2027, 3, 31), True)
    # One that somebody cancelled at the gateway, for no change of ours, stays skipped.
    assert next_start(deal, [FIRST, cancelled], None) == (date(2027, 3, 31), False)


def test_a_pause_without_an_end_charges_nothing_until_it_is_resumed() -> None:
    held = pause(agreement(), date(2027, 2, 28), None, NOW, RULES, OSLO).agreement
    assert (held.paused_at, held.paused_from, held.next_charge_at) == (NOW, date(2027, 2, 28), None)
    start, _ = next_start(held, [FIRST], None)
    going = resume(held, max(start, date(2027, 5, 17)), RULES, OSLO)
    assert going.agreement.paused_at is None
    assert going.agreement.next_period.start == date(2027, 5, 17)
    assert going.agreement.next_charge_at == datetime(2027, 5, 13, 22, tzinfo=UTC)
    assert (going.stretches[0].from_period, going.stretches[0].start) == (2, date(2027, 5, 17))


def test_whoever_goes_on_before_the_pause_begins_is_charged_on_the_last_day_of_each_month_as_before() -> None:
    held = pause(agreement(), date(2027, 2, 28), None, NOW, RULES, OSLO)
    going = resume(held.agreement, date(2027, 2, 28), RULES, OSLO)
    assert (held.stretches, going.stretches) == ((), ())
    assert (going.agreement.next_period.start, going.agreement.next_period.end) == (
        date(2027, 2, 28),
        date(2027, 3, 31),
    )


def test_a_pause_with_an_end_goes_on_by_itself_and_can_be_ended_sooner() -> None:
    held = pause(agreement(), date(2027, 2, 28), date(2027, 6, 1), NOW, RULES, OSLO).agreement
    assert (held.resumes_on, held.next_period.start) == (date(2027, 6, 1), date(2027, 6, 1))
    assert next_start(held, [FIRST], None) == (date(2027, 2, 28), False)
    short = pause(agreement(), date(2027, 2, 28), date(2027, 2, 20), NOW, RULES, OSLO).agreement
    # What is paid is not paused, so that its renewal has its grace.
    assert (short.next_period.start, short.paused_at, short.resumes_on) == (date(2027, 2, 28), None, None)


def test_another_charge_day_is_bridged_by_a_share_of_the_price() -> None:
    moved = move_charge_day(agreement(), date(2027, 2, 28), 15, 100, RULES, OSLO).agreement
    bridge = moved.next_period
    assert (bridge.number, bridge.start, bridge.end) == (2, date(2027, 2, 28), date(2027, 3, 15))
    assert moved.price_of(bridge).amount == 5304  # 15 of the 28 days to 28 March
    after = replace(moved, last_period=2, bridge_start=None, next_amount=None)
    assert (after.next_period.start, after.next_period.end) == (date(2027, 3, 15), date(2027, 4, 15))
    assert after.price_of(after.next_period).amount == 9900


def test_the_share_of_days_that_come_to_nothing_is_the_price_of_no_others() -> None:
    bridged = move_charge_day(agreement(), date(2027, 2, 28), 15, 100, RULES, OSLO).agreement
    again = move_charge_day(bridged, date(2027, 2, 28), 20, 100, RULES, OSLO).agreement
    assert again.price_of(again.next_period).amount == 7071  # 20 of the 28 days to 28 March
    back = move_charge_day(bridged, date(2027, 2, 28), 28, 100, RULES, OSLO).agreement
    held = pause(bridged, date(2027, 2, 28), None, NOW, RULES, OSLO).agreement
    later = pause(bridged, date(2027, 2, 28), date(2027, 5, 17), NOW, RULES, OSLO).agreement
    for whole in (back, later, resume(held, date(2027, 5, 17), RULES, OSLO).agreement):
        assert whole.price_of(whole.next_period).amount == 9900
    # What the merchant has said of the next period holds whenever that begins.
    said = replace(agreement(), next_amount=4900)
    assert pause(said, date(2027, 2, 28), date(2027, 5, 17), NOW, RULES, OSLO).agreement.next_amount == 4900


def test_what_was_said_of_a_period_is_still_to_come_when_its_charge_was_cancelled_for_a_change() -> None:
    varying = agreement(replace(TERMS, suggested_max=50000), last_period=2)
    said = replace(SECOND, status=ChargeStatus.CANCELLED, price=Money(31200, "NOK"))
    deal = with_amount_said(varying, [FIRST, said], 2)
    held = pause(deal, said.period_start, date(2027, 5, 17), NOW, RULES, OSLO).agreement
    assert held.price_of(held.next_period).amount == 31200
    usual = replace(said, price=Money(9900, "NOK"))
    shared = replace(varying, phase_period=3, phase_start=SECOND.period_end)
    for before, charged, from_period in (
        (varying, usual, 2),
        (varying, said, None),
        (varying, replace(said, status=ChargeStatus.PAID), 2),
        (shared, said, 2),
        (replace(varying, next_amount=0), said, 2),
        (agreement(last_period=2), said, 2),
    ):
        assert with_amount_said(before, [FIRST, charged], from_period) is before


def test_a_share_is_one_of_the_price_that_holds_when_its_days_begin() -> None:
    bridged = move_charge_day(agreement(), date(2027, 2, 28), 15, 100, RULES, OSLO).agreement
    cheaper = at_price(bridged, 4900, 100)
    assert (cheaper.next_period, cheaper.price_of(cheaper.next_period).amount) == (bridged.next_period, 2625)
    assert at_price(cheaper, 150, 100).next_amount == 0
    varying = replace(bridged, terms=replace(TERMS, suggested_max=50000), next_amount=12345)
    assert at_price(varying, 4900, 100).next_amount == 12345
    plain = at_price(agreement(), 4900, 100)
    assert (plain.next_amount, plain.price_of(plain.next_period).amount) == (None, 4900)


def test_a_share_that_cannot_be_charged_is_given() -> None:
    cheap = agreement(replace(TERMS, price=Money(500, "NOK")))
    moved = move_charge_day(cheap, date(2027, 2, 26), 28, 100, RULES, OSLO).agreement
    assert moved.price_of(moved.next_period).amount == 0


@pytest.mark.parametrize(("day", "unit"), [(29, Unit.MONTH), (0, Unit.MONTH), (15, Unit.WEEK)])
def test_a_charge_day_is_one_that_every_month_has(day: int, unit: Unit) -> None:
    with pytest.raises(Invalid) as refused:
        check_charge_day(agreement(replace(TERMS, interval=Interval(unit))), day)
    assert refused.value.code == "charge_day_unsuited"


def test_another_plan_is_counted_by_its_own_interval_from_the_next_period() -> None:
    year = replace(TERMS, product_id="year", price=Money(99000, "NOK"), interval=Interval(Unit.YEAR))
    deal = agreement(next_charge_at=AT)
    onto = take_plan(deal, date(2027, 2, 28), year, RULES, OSLO)
    assert (onto.agreement.next_period.start, onto.agreement.next_period.end) == (date(2027, 2, 28), date(2028, 2, 28))
    assert onto.agreement.price_of(onto.agreement.next_period).amount == 99000
    assert onto.stretches[0].interval == Interval(Unit.YEAR)
    # One with periods of the same length has them on the same days.
    dear = replace(TERMS, product_id="dear", price=Money(19900, "NOK"))
    same = take_plan(deal, date(2027, 2, 28), dear, RULES, OSLO)
    assert (same.agreement.next_period.end, same.stretches) == (date(2027, 3, 31), ())
    assert same.agreement.price_of(same.agreement.next_period).amount == 19900
    # Another charge day is counted from that day, also where the next period begins on it.
    moved = move_charge_day(deal, date(2027, 2, 28), 28, 100, RULES, OSLO)
    assert moved.agreement.next_period.end == date(2027, 3, 28)
