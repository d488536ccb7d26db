"""What the page about dunning says was tried, comes next, and comes then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from avtale.console.dunning import Course, course
from avtale.console.look.words import Words
from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.charge import Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.dunning import Dunning, DunningEnd, DunningRules, DunningStatus
from avtale.domain.gateway import GatewayName
from avtale.domain.money import Money
from avtale.domain.periods import Interval, Unit
from avtale.service.dunning import DunningView

WORDS = Words(ZoneInfo("Europe/Oslo"))
OPENED = datetime(2027, 2, 28, 9, tzinfo=UTC)
PRICE = Money(9900, "NOK")
TERMS = Terms("film-month", "Film, monthly", None, PRICE, Interval(Unit.MONTH, 1), 2500, "https://film.example/deal")
DEAL = Agreement(
    *(UUID(int=1), "https://id.example", "phone|4791234567", TERMS, AgreementStatus.ACTIVE, "agr_1"),
    *(date(2027, 1, 31), 2, None, OPENED, None, OPENED, None, None, None, 1),
)
CHARGE = Charge(
    *(UUID(int=2), UUID(int=1), None, ChargeKind.RECURRING, 2, date(2027, 2, 28), date(2027, 3, 31)),
    *(date(2027, 2, 28), PRICE, 2500, ChargeStatus.OPEN, Totals(), "user_action_required", 1),
)
FAILED = Dunning(CHARGE.id, DEAL.id, DunningStatus.OPEN, "user_action_required", 0, None, OPENED)
SEEN = DunningView(FAILED, DEAL, CHARGE, datetime(2027, 3, 5, 23, tzinfo=UTC), None)
ONCE, THRICE = DunningRules(), DunningRules(orders=2, wait_days=3, end=DunningEnd.HOLD)


def test_the_only_order_is_tried_to_its_end_and_then_the_agreement_stops() -> None:
    tried = "Order 1 of 1, tried by Vipps"
    assert course(SEEN, ONCE, WORDS) == Course(tried, "Twice a day until 5 March 2027", "The agreement is stopped")


def test_orders_follow_each_other_and_the_last_one_holds_the_agreement() -> None:
    held = "the agreement is held until somebody resumes it"
    assert course(SEEN, THRICE, WORDS).then == f"2 more orders, each 3 days after the last. In the end: {held}"
    waiting = replace(SEEN, dunning=replace(FAILED, orders=1, next_order_on=date(2027, 3, 9)))
    said = course(waiting, THRICE, WORDS)
    assert (said.tried, said.next_try) == ("1 order failed for good", "A new order on 9 March 2027")
    assert said.then == f"One more order, 3 days after the last. In the end: {held}"
    last = replace(SEEN, dunning=replace(FAILED, orders=2))
    assert course(last, THRICE, WORDS).tried == "Order 3 of 3, tried by Vipps"
    assert course(last, THRICE, WORDS).then == "The agreement is held until somebody resumes it"


def test_an_extra_charge_stops_nothing_and_stripe_decides_by_itself() -> None:
    extra = replace(SEEN, charge=replace(CHARGE, kind=ChargeKind.ONE_OFF, period=None))
    assert course(extra, THRICE, WORDS).then == "The charge is given up; nothing is stopped"
    billed = replace(SEEN, agreement=replace(DEAL, gateway=GatewayName.STRIPE), last_try_until=None)
    assert "Stripe" in course(billed, THRICE, WORDS).next_try
    stopped = replace(SEEN, agreement=replace(DEAL, status=AgreementStatus.STOPPED))
    assert "stopped already" in course(stopped, THRICE, WORDS).then


def test_what_has_ended_says_how() -> None:
    lost = replace(FAILED, status=DunningStatus.LOST, orders=3, closed_at=OPENED)
    held = replace(SEEN, dunning=lost, agreement=replace(DEAL, paused_at=OPENED))
    assert course(held, THRICE, WORDS) == Course("3 orders failed for good", "", "The agreement is held")
    paid = replace(SEEN, dunning=replace(lost, status=DunningStatus.RECOVERED, orders=0))
    assert course(paid, THRICE, WORDS) == Course("1 order", "", "The agreement is active")
