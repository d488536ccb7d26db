"""When charges are seen, tried and given up, on ordinary days and on those when the clocks are turned."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from avtale_sandbox.instants import add_duration, add_units, iso, local_instant, parse_instant
from avtale_sandbox.merchants import MARKETS
from avtale_sandbox.vipps.recurring.resources import Charge, Try
from avtale_sandbox.vipps.recurring.timerules import next_try

ANNA = "4791234567"
V3 = "/recurring/v3/agreements"


def slots(market: str, due: str, retry_days: int, **traits: Any) -> list[str]:
    """All instants at which a charge that never works is tried."""
    charge = Charge(
        id="c",
        number=1,
        agreement_id="a",
        msn="123456",
        type="RECURRING",
        transaction_type="DIRECT_CAPTURE",
        amount=100,
        currency="NOK",
        description="x",
        due=due,
        created=0,
        retry_days=retry_days,
        **traits,
    )
    found: list[str] = []
    at = next_try(charge, MARKETS[market], None)
    while at is not None:
        found.append(iso(at))
        charge.tries = [*charge.tries, Try(at, "technical_error")]
        at = next_try(charge, MARKETS[market], at)
    return found


@pytest.mark.shows("rule:T7")
@pytest.mark.parametrize(
    ("market", "due", "retry_days", "expected"),
    [
        ("NO", "2027-01-20", 0, ["2027-01-20T08:00:00Z", "2027-01-20T16:00:00Z"]),
        (
            "NO",
            "2027-03-27",
            1,  # the clocks go forward on 28 March at two
            ["2027-03-27T08:00:00Z", "2027-03-27T16:00:00Z", "2027-03-28T07:00:00Z", "2027-03-28T15:00:00Z"],
        ),
        (
            "NO",
            "2027-10-30",
            1,  # and back on 31 October at three
            ["2027-10-30T07:00:00Z", "2027-10-30T15:00:00Z", "2027-10-31T08:00:00Z", "2027-10-31T16:00:00Z"],
        ),
        # In Finland three o'clock does not exist on that night: it is tried as the clocks show four.
        ("FI", "2027-03-28", 0, [f"2027-03-28T{hour:02}:00:00Z" for hour in (1, 10, 15, 17, 19, 20)]),
        # And it comes twice in autumn: the first of the two.
        ("FI", "2027-10-31", 0, [f"2027-10-31T{hour:02}:00:00Z" for hour in (0, 11, 16, 18, 20, 21)]),
        ("DK", "2027-10-31", 0, [f"2027-10-31T{hour:02}:00:00Z" for hour in (2, 12, 17, 19, 21, 22)]),
    ],
)
def test_the_slots_are_local_hours(market: str, due: str, retry_days: int, expected: list[str]) -> None:
    assert slots(market, due, retry_days) == expected


def test_every_day_of_the_longest_retry_has_its_slots() -> None:
    assert len(slots("NO", "2027-02-20", 14)) == 2 * 15
    assert len(slots("DK", "2027-02-20", 14)) == 6 * 15


def test_a_single_attempt_has_one_slot() -> None:
    assert slots("NO", "2027-02-20", 0, processing_mode="SINGLE_ATTEMPT") == ["2027-02-20T08:00:00Z"]


@pytest.mark.shows("rule:T7", "rule:T8")
async def test_a_declined_charge_is_paid_when_the_money_comes(sandbox: Any, hooked: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id, due="2027-03-01", retryDays=5)
    await sandbox.person(ANNA, noFunds=[{"from": "2027-02-01", "until": "2027-03-05"}])
    await sandbox.advance_to("2027-03-04T23:00:00Z")
    waiting = await sandbox.fetch(agreement_id, charge_id)
    assert (waiting["status"], waiting["failureReason"]) == ("DUE", "user_action_required")
    assert waiting["failureDescription"] == "User action required"
    await sandbox.advance_to("2027-03-06T00:00:00Z")
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "CHARGED"
    tries = (await sandbox.exported_charge(charge_id))["tries"]
    assert len(tries) == 9
    assert [one["ok"] for one in tries] == [False] * 8 + [True]
    assert tries[-1] == {"at": "2027-03-05T08:00:00Z", "ok": True, "reason": None}
    assert hooked.events == ["recurring.agreement-activated.v1", "recurring.charge-captured.v1"]


async def test_a_window_may_begin_and_end_between_two_slots(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id, due="2027-03-01", retryDays=1)
    window = {"from": "2027-03-01T07:59:59Z", "until": "2027-03-01T16:00:00Z"}
    await sandbox.person(ANNA, noFunds=[window])
    await sandbox.advance_to("2027-03-02T00:00:00Z")
    tries = (await sandbox.exported_charge(charge_id))["tries"]
    assert tries == [
        {"at": "2027-03-01T08:00:00Z", "ok": False, "reason": "user_action_required"},
        {"at": "2027-03-01T16:00:00Z", "ok": True, "reason": None},
    ]


@pytest.mark.shows("event:recurring.charge-failed.v1", "rule:T9")
async def test_the_last_slot_fails_the_charge_and_only_then_it_is_told(sandbox: Any, hooked: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id, due="2027-03-01", retryDays=2)
    await sandbox.person(ANNA, noFunds=[{"from": "2027-02-01"}])
    await sandbox.advance_to("2027-03-03T15:59:59Z")
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "DUE"
    assert hooked.events == ["recurring.agreement-activated.v1"]
    await sandbox.advance_to("2027-03-03T16:00:00Z")
    failed = await sandbox.fetch(agreement_id, charge_id)
    assert (failed["status"], failed["failureReason"]) == ("FAILED", "user_action_required")
    assert [one["event"] for one in failed["history"]] == ["CREATE", "FAIL"]
    assert hooked.events[1:] == ["recurring.charge-failed.v1"]
    assert hooked.got[1]["failureReason"] == "user_action_required"
    await sandbox.person(ANNA)
    await sandbox.advance_to("2027-04-01T00:00:00Z")
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "FAILED"


@pytest.mark.shows("rule:T6")
async def test_a_charge_is_seen_thirty_days_before_it_is_due(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id, due="2027-04-15")
    new = await sandbox.fetch(agreement_id, charge_id)
    assert (new["status"], new["transactionId"]) == ("PENDING", None)
    await sandbox.advance_to("2027-03-15T22:59:59Z")
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "PENDING"
    await sandbox.advance_to("2027-03-15T23:00:00Z")  # midnight in Oslo
    seen = await sandbox.fetch(agreement_id, charge_id)
    assert seen["status"] == "DUE"
    assert seen["transactionId"].isdigit()


@pytest.mark.shows("rule:T22")
async def test_merchants_hear_nothing_of_what_the_payer_is_told_the_day_before(sandbox: Any, hooked: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id)
    before = (await sandbox.fetch(agreement_id, charge_id)).body
    await sandbox.advance_to("2027-02-01T07:59:59Z")
    assert (await sandbox.fetch(agreement_id, charge_id)).body == before
    assert hooked.events == ["recurring.agreement-activated.v1"]


@pytest.mark.shows("rule:T11")
async def test_a_reservation_is_released_after_180_days_in_norway(sandbox: Any, hooked: Any) -> None:
    agreement_id = await sandbox.agree()
    whole = await sandbox.charge(agreement_id, transactionType="RESERVE_CAPTURE")
    part = await sandbox.charge(agreement_id, transactionType="RESERVE_CAPTURE")
    back = await sandbox.charge(agreement_id, transactionType="RESERVE_CAPTURE")
    await sandbox.advance_to("2027-02-01T08:00:00Z")
    await sandbox.on_charge("capture", agreement_id, part, 4000)
    await sandbox.on_charge("capture", agreement_id, back, 4000)
    await sandbox.on_charge("refund", agreement_id, back, 4000)
    assert (await sandbox.fetch(agreement_id, back))["status"] == "PARTIALLY_REFUNDED"
    await sandbox.advance_to("2027-07-31T07:59:59Z")
    assert (await sandbox.fetch(agreement_id, whole))["status"] == "RESERVED"
    await sandbox.advance_to("2027-07-31T08:00:00Z")
    shown = [await sandbox.fetch(agreement_id, charge_id) for charge_id in (whole, part, back)]
    assert [(one["status"], one["summary"]["cancelled"]) for one in shown] == [
        ("CANCELLED", 9900),
        ("CHARGED", 5900),
        ("REFUNDED", 5900),
    ]
    assert hooked.events[-3:] == ["recurring.charge-canceled.v1"] * 3
    assert (await sandbox.on_charge("capture", agreement_id, whole, 9900)).status == 400


@pytest.mark.shows("rule:T11")
@pytest.mark.parametrize(("market", "currency"), [("DK", "DKK"), ("FI", "EUR")])
@pytest.mark.parametrize(("late", "days"), [(False, 14), (True, 180)])
async def test_elsewhere_a_reservation_lasts_two_weeks_unless_late_capture_is_agreed(
    sandbox: Any, market: str, currency: str, late: bool, days: int
) -> None:
    merchant = (await sandbox.control("GET", "/merchants"))["merchants"][0]
    await sandbox.control("POST", "/merchants", merchant | {"market": market, "lateCaptureAllowed": late})
    pricing = {"type": "LEGACY", "amount": 9900, "currency": currency}
    agreement_id = await sandbox.agree(pricing=pricing, merchantAgreementUrl=...)
    charge_id = await sandbox.charge(agreement_id, transactionType="RESERVE_CAPTURE")
    await sandbox.advance_to("2027-02-01T12:00:00Z")
    reserved = next(
        one for one in (await sandbox.fetch(agreement_id, charge_id))["history"] if one["event"] == "RESERVE"
    )
    end = parse_instant(reserved["occurred"]) + days * 86_400_000
    await sandbox.advance_to(iso(end - 1000))
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "RESERVED"
    await sandbox.advance_to(iso(end))
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "CANCELLED"


@pytest.mark.shows("rule:T12")
async def test_the_refund_window_is_a_year_from_the_capture(sandbox: Any) -> None:
    agreement_id = await sandbox.agree()
    charge_id = await sandbox.charge(agreement_id)
    await sandbox.advance_to("2028-02-01T08:00:00Z")
    assert (await sandbox.on_charge("refund", agreement_id, charge_id, 100)).status == 204
    await sandbox.advance_to("2028-02-01T08:00:01Z")
    assert (await sandbox.on_charge("refund", agreement_id, charge_id, 100)).status == 400
    assert (await sandbox.fetch(agreement_id, charge_id))["summary"]["refunded"] == 100


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("2027-01-15T09:00:00Z", "2027-01-15T09:00:00Z"),
        ("2027-01-15T10:00:00+01:00", "2027-01-15T09:00:00Z"),
        ("2027-01-15T09:00:00.5Z", "2027-01-15T09:00:00.500Z"),
        ("2027-01-15T09:00:00.000001Z", "2027-01-15T09:00:00.001Z"),
    ],
)
def test_instants_are_read_and_never_rounded_down(text: str, spelled: str) -> None:
    assert iso(parse_instant(text)) == spelled


@pytest.mark.parametrize("text", ["2027-01-15", "2027-01-15T09:00:00", "now", "", "2027-13-01T00:00:00Z"])
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError):
        parse_instant(text)


@pytest.mark.parametrize(
    ("duration", "then"),
    [
        ("P1M", "2027-02-28T09:00:00Z"),
        ("P1Y1D", "2028-02-01T09:00:00Z"),
        ("PT10M", "2027-01-31T09:10:00Z"),
        ("P3D", "2027-02-03T09:00:00Z"),
        ("P2WT1H1S", "2027-02-14T10:00:01Z"),
    ],
)
def test_durations_follow_the_calendar(duration: str, then: str) -> None:
    assert iso(add_duration(parse_instant("2027-01-31T09:00:00Z"), duration)) == then


@pytest.mark.parametrize("duration", ["P", "PT", "1M", "P1H", "P-1D", "P9999Y", "P1M ", ""])
def test_what_is_no_duration(duration: str) -> None:
    with pytest.raises(ValueError):
        add_duration(0, duration)


def test_years_and_weeks() -> None:
    leap = parse_instant("2028-02-29T12:00:00Z")
    assert iso(add_units(leap, "YEAR", 1)) == "2029-02-28T12:00:00Z"
    assert iso(add_units(leap, "WEEK", 2)) == "2028-03-14T12:00:00Z"
    assert iso(local_instant(date(2027, 7, 1), 0, MARKETS["NO"].zone)) == "2027-06-30T22:00:00Z"
