"""A purchase's table of steps, what a reading does to it, and how long it gives access."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from avtale.domain.charge import (
    Attempt,
    AttemptStatus,
    Charge,
    ChargeKind,
    ChargeStatus,
    Refund,
    RefundStatus,
    Totals,
)
from avtale.domain.errors import IllegalStep
from avtale.domain.money import Money
from avtale.domain.purchase import (
    OPEN_PURCHASES,
    PURCHASE_STEPS,
    Purchase,
    PurchaseStatus,
    PurchaseTerms,
    PurchaseVerb,
    access_end,
    purchase_access,
    read,
    step,
)
from avtale.domain.settlement import Booking, BookingKind, GatewayChargeState, ObservedCharge, apply

S, V, G = PurchaseStatus, PurchaseVerb, GatewayChargeState
PURCHASE_ID, CHARGE_ID, ATTEMPT_ID = UUID(int=1), UUID(int=2), UUID(int=3)
DAY = datetime(2027, 1, 15, 20, tzinfo=UTC)


def purchase(status: PurchaseStatus, granted_at: datetime | None = DAY) -> Purchase:
    terms = PurchaseTerms("film", "Film", None, Money(3900, "NOK"), 2, 2500)
    return Purchase(PURCHASE_ID, "i", "anna", "vipps", terms, status, None, DAY, DAY, granted_at, None, 1)


def test_every_step_is_decided():
    assert set(PURCHASE_STEPS) == {(status, verb) for status in S for verb in V}


def test_money_that_was_taken_is_paid_from_everywhere_and_stays_paid():
    assert {PURCHASE_STEPS[status, V.PAY] for status in S} == {S.PAID}
    assert {PURCHASE_STEPS[S.PAID, verb] for verb in V} <= {S.PAID, None}


def test_only_an_open_purchase_is_released():
    assert [status for status in S if PURCHASE_STEPS[status, V.RELEASE]] == [S.AUTHORIZED, S.RELEASING]
    assert {S.PENDING, S.AUTHORIZED, S.RELEASING} == OPEN_PURCHASES


def test_an_illegal_step_has_a_stable_code():
    with pytest.raises(IllegalStep) as refused:
        step(S.PAID, V.EXPIRE)
    assert refused.value.code == "illegal_step"


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        (S.PENDING, G.WAITING, S.PENDING),
        (S.PENDING, G.RESERVED, S.AUTHORIZED),
        (S.AUTHORIZED, G.CAPTURED, S.PAID),
        (S.PAID, G.RESERVED, S.PAID),
        (S.PAID, G.WAITING, S.PAID),
        (S.AUTHORIZED, G.WAITING, S.AUTHORIZED),
        (S.PENDING, G.ABORTED, S.ABORTED),
        (S.PENDING, G.EXPIRED, S.EXPIRED),
        (S.EXPIRED, G.WAITING, S.EXPIRED),
        (S.PENDING, G.CANCELLED, S.CANCELLED),
        (S.AUTHORIZED, G.CANCELLED, S.CANCELLED),
        (S.RELEASING, G.RESERVED, S.RELEASING),
        (S.RELEASING, G.CANCELLED, S.CANCELLED),
        (S.RELEASING, G.CAPTURED, S.PAID),
        (S.REFUSED, G.RESERVED, S.AUTHORIZED),
        (S.CANCELLED, G.RESERVED, S.CANCELLED),
    ],
)
def test_a_reading_moves_a_purchase(before, said, after):
    assert read(before, said) is after


@pytest.mark.parametrize(
    ("granted", "days", "ends"),
    [
        (datetime(2027, 1, 15, 20, tzinfo=UTC), 2, datetime(2027, 1, 17, 20, tzinfo=UTC)),
        # Norway changes its clocks on 28 March and 31 October: the time of day stays.
        (datetime(2027, 3, 27, 20, tzinfo=UTC), 1, datetime(2027, 3, 28, 19, tzinfo=UTC)),
        (datetime(2027, 10, 30, 19, tzinfo=UTC), 1, datetime(2027, 10, 31, 20, tzinfo=UTC)),
    ],
)
def test_access_ends_at_the_same_time_of_day(granted, days, ends):
    assert access_end(granted, days, "Europe/Oslo") == ends


@pytest.mark.parametrize(
    ("status", "charge", "gives"),
    [
        (S.PENDING, ChargeStatus.OPEN, False),
        (S.AUTHORIZED, ChargeStatus.OPEN, True),
        (S.PAID, ChargeStatus.PAID, True),
        (S.PAID, ChargeStatus.PARTIALLY_REFUNDED, True),
        (S.PAID, ChargeStatus.REFUNDED, False),
        (S.RELEASING, ChargeStatus.OPEN, False),
        (S.CANCELLED, ChargeStatus.CANCELLED, False),
    ],
)
def test_access_is_given_while_money_is_reserved_or_kept(status, charge, gives):
    assert (purchase_access(purchase(status), charge, "Europe/Oslo") is not None) == gives


NOTHING = Totals()


def charge(totals: Totals = NOTHING, status: ChargeStatus = ChargeStatus.OPEN) -> Charge:
    return Charge(
        id=CHARGE_ID,
        agreement_id=None,
        purchase_id=PURCHASE_ID,
        kind=ChargeKind.PURCHASE,
        period=None,
        period_start=DAY.date(),
        period_end=DAY.date(),
        due=DAY.date(),
        price=Money(3900, "NOK"),
        vat_basis_points=2500,
        status=status,
        totals=totals,
        failure_reason=None,
        version=1,
    )


@pytest.mark.parametrize(
    ("state", "totals", "attempt_status", "charge_status"),
    [
        (G.WAITING, Totals(), AttemptStatus.ACCEPTED, ChargeStatus.OPEN),
        (G.RESERVED, Totals(), AttemptStatus.ACCEPTED, ChargeStatus.OPEN),
        (G.CAPTURED, Totals(3900), AttemptStatus.CAPTURED, ChargeStatus.PAID),
        (G.CAPTURED, Totals(3900, 100), AttemptStatus.CAPTURED, ChargeStatus.PARTIALLY_REFUNDED),
        (G.ABORTED, Totals(), AttemptStatus.CANCELLED, ChargeStatus.CANCELLED),
        (G.EXPIRED, Totals(), AttemptStatus.CANCELLED, ChargeStatus.CANCELLED),
        (G.CANCELLED, Totals(0, 0, 3900), AttemptStatus.CANCELLED, ChargeStatus.CANCELLED),
    ],
)
def test_a_purchase_settles_as_every_charge_does(state, totals, attempt_status, charge_status):
    attempt = Attempt(ATTEMPT_ID, CHARGE_ID, AttemptStatus.WRITTEN, Totals(), None)
    settled = apply(charge(), attempt, ObservedCharge(str(ATTEMPT_ID), state, totals))
    assert (settled.attempt_status, settled.charge_status) == (attempt_status, charge_status)
    assert sum(b.amount for b in settled.bookings if b.kind is BookingKind.CAPTURE) == totals.captured


def test_a_refund_of_ours_is_told_from_one_made_outside():
    paid = charge(Totals(3900), ChargeStatus.PAID)
    attempt = Attempt(ATTEMPT_ID, CHARGE_ID, AttemptStatus.CAPTURED, Totals(3900), None)
    mine = Refund(UUID(int=4), CHARGE_ID, ATTEMPT_ID, 1000, "Sorry", RefundStatus.UNKNOWN)
    settled = apply(paid, attempt, ObservedCharge(str(ATTEMPT_ID), G.CAPTURED, Totals(3900, 1500)), [mine])
    assert settled.bookings == (Booking(BookingKind.REFUND, 1000, mine.id), Booking(BookingKind.REFUND, 500))


def test_a_refund_that_came_back_is_taken_back_once_and_an_old_answer_changes_nothing():
    given = Totals(3900, 1500)
    paid = charge(given, ChargeStatus.PARTIALLY_REFUNDED)
    attempt = Attempt(ATTEMPT_ID, CHARGE_ID, AttemptStatus.CAPTURED, given, None)
    failed = ObservedCharge(str(ATTEMPT_ID), G.CAPTURED, Totals(3900, 0, 0, 1500))
    settled = apply(paid, attempt, failed)
    assert [(one.kind, one.amount) for one in settled.bookings] == [(BookingKind.RETURN, 1500)]
    assert (settled.charge_status, settled.charge_totals) == (ChargeStatus.PAID, Totals(3900, 0, 0, 1500))
    after = replace(attempt, totals=settled.attempt_totals)
    late = ObservedCharge(str(ATTEMPT_ID), G.CAPTURED, Totals(3900, 1500))
    assert apply(replace(paid, totals=settled.charge_totals), after, late).bookings == ()


def test_a_charge_belongs_to_one_thing():
    assert charge().owner_id == PURCHASE_ID
