"""The audit finds what is planted in the books of purchases."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from stories.audit import audit
from stories.nodes import ExportError
from stories.tests.pair import Pair, Rental, pair


def clean() -> Pair:
    return pair(
        Rental("henrik", refunds=(1000, 900)),
        Rental("ida", refunds=(3900,)),
        Rental("jonas", end="cancelled"),
        Rental("kari", end="aborted"),
        Rental("lars", end="expired"),
        Rental("mona", end="refused"),
        Rental("nils"),
    )


def codes(spoilt: Pair) -> set[str]:
    return {d.code for d in audit(spoilt.sandbox, spoilt.provider)}


def test_access_lasts_to_the_same_time_of_day() -> None:
    made = clean()
    # From 20:00 in winter to 20:00 two days later, in summer.
    assert made.purchase("nils")["accessUntil"] == "2027-03-29T18:00:00Z"
    assert made.purchase("ida")["accessUntil"] is None
    assert codes(made) == set()


def spoil_foreign(made: Pair) -> None:
    made.payment("nils")["reference"] = "somebody-elses"


def spoil_twice(made: Pair) -> None:
    twin = copy.deepcopy(made.payment("nils")) | {"reference": "nils-attempt-2"}
    made.sandbox["payments"].append(twin)
    made.purchase("nils")["charges"][0]["attempts"].append({"attemptId": "nils-attempt-2", "status": "captured"})


def spoil_part(made: Pair) -> None:
    made.payment("nils")["captured"] = 2000
    made.payment("nils")["history"][2]["amount"] = 2000


def spoil_forgotten(made: Pair) -> None:
    made.payment("jonas").update(cancelled=0, history=made.payment("jonas")["history"][:2])


def spoil_history(made: Pair) -> None:
    made.payment("henrik")["history"].pop()


def spoil_more_than_reserved(made: Pair) -> None:
    made.payment("nils")["authorized"] = 3899


def spoil_lost_refund(made: Pair) -> None:
    made.provider["ledger"].remove(made.entries("henrik", "refund")[1])


def spoil_lost_credit_note(made: Pair) -> None:
    made.provider["receipts"].remove(made.documents("ida", "credit_note")[0])


def spoil_charge(made: Pair) -> None:
    made.purchase("nils")["charges"][0]["captured"] = 0


def spoil_no_charge(made: Pair) -> None:
    made.purchase("mona")["charges"].clear()


def spoil_status(made: Pair) -> None:
    made.purchase("kari")["status"] = "expired"


def spoil_refusal(made: Pair) -> None:
    made.purchase("mona")["status"] = "paid"


def spoil_access(made: Pair) -> None:
    made.purchase("nils")["accessUntil"] = "2027-03-29T19:00:00Z"


def spoil_access_after_refund(made: Pair) -> None:
    made.purchase("ida")["accessUntil"] = made.purchase("nils")["accessUntil"]


def spoil_entitlement(made: Pair) -> None:
    made.provider["entitlements"].remove(made.entitlement("nils"))


def spoil_someone_elses_entitlement(made: Pair) -> None:
    made.entitlement("nils")["subject"] = "subject-ida"


def spoil_nobodys_entitlement(made: Pair) -> None:
    made.provider["entitlements"].append(dict(made.entitlement("nils"), purchaseId="nobody"))


def spoil_grant_before_the_yes(made: Pair) -> None:
    made.purchase("nils")["grantedAt"] = "2027-03-27T18:58:59Z"


def spoil_grant_after_the_money(made: Pair) -> None:
    made.purchase("nils")["grantedAt"] = "2027-03-27T19:01:01Z"


def spoil_bought_twice(made: Pair) -> None:
    made.purchase("nils")["subject"] = made.entitlement("nils")["subject"] = "subject-henrik"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (spoil_foreign, "payment_matches_nothing"),
        (spoil_foreign, "captured_differs"),
        (spoil_twice, "purchase_captured_twice"),
        (spoil_twice, "captured_differs"),
        (spoil_part, "captured_not_owed"),
        (spoil_part, "reservation_forgotten"),
        (spoil_forgotten, "reservation_forgotten"),
        (spoil_forgotten, "purchase_differs"),
        (spoil_history, "sandbox_history_differs"),
        (spoil_more_than_reserved, "sandbox_history_differs"),
        (spoil_lost_refund, "refunded_differs"),
        (spoil_lost_refund, "charge_total_differs"),
        (spoil_lost_credit_note, "credit_note_missing"),
        (spoil_charge, "charge_total_differs"),
        (spoil_no_charge, "purchase_without_charge"),
        (spoil_status, "purchase_differs"),
        (spoil_refusal, "purchase_differs"),
        (spoil_access, "access_differs"),
        (spoil_access_after_refund, "access_differs"),
        (spoil_entitlement, "access_differs"),
        (spoil_someone_elses_entitlement, "entitlement_misplaced"),
        (spoil_nobodys_entitlement, "entitlement_misplaced"),
        (spoil_grant_before_the_yes, "granted_at_a_wrong_time"),
        (spoil_grant_after_the_money, "granted_at_a_wrong_time"),
        (spoil_bought_twice, "bought_twice"),
    ],
)
def test_what_is_planted_is_found(spoil: Callable[[Pair], None], code: str) -> None:
    made = clean()
    spoil(made)
    assert code in codes(made)


def test_what_ended_or_was_given_back_may_be_bought_again() -> None:
    days = [datetime(2027, 4, day, 18, tzinfo=UTC) for day in (1, 3, 5)]
    given_back = Rental("first", days[0], days=30, refunds=(3900,), subject="anna")
    ended = Rental("second", days[1], subject="anna")
    assert codes(pair(given_back, ended, Rental("third", days[2], subject="anna"))) == set()


@pytest.mark.parametrize("second", ["18:59:30", "19:00:30"])
def test_two_clocks_that_run_may_be_seconds_apart(second: str) -> None:
    made = clean()
    made.purchase("nils")["grantedAt"] = f"2027-03-27T{second}Z"
    assert "granted_at_a_wrong_time" not in codes(made)


def test_a_difference_names_the_purchase() -> None:
    made = clean()
    spoil_forgotten(made)
    found = next(d for d in audit(made.sandbox, made.provider) if d.code == "reservation_forgotten")
    assert (found.agreement, found.period, found.sandbox, found.provider) == ("jonas", None, 3900, "cancelled")


@pytest.mark.parametrize("owner", [{"purchaseId": None}, {"agreementId": "anna"}])
def test_a_row_that_is_not_one_things_is_refused(owner: dict[str, str | None]) -> None:
    made = clean()
    made.provider["ledger"][0].update(owner)
    with pytest.raises(ExportError, match=r"provider\.ledger\[0\]: either an agreementId or a purchaseId"):
        audit(made.sandbox, made.provider)
