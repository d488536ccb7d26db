"""The audit knows agreements that moved in: what an earlier system took is none of ours, and nobody pays both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stories.audit import audit
from stories.tests.pair import Life, Pair, pair
from stories.tests.test_audit_stripe import at_stripe

#: Anna's second period began on 28 February, and was the last that was paid elsewhere.
MOVED_IN_AT = "2027-03-10T09:00:00Z"


def clean() -> Pair:
    made = pair(Life("anna"), Life("bo", paid=2))
    ours = made.agreement("anna") | {"movedInAt": MOVED_IN_AT}
    made.provider["agreements"][0] = ours
    elsewhere, last, *here = ours["charges"]
    ours["charges"] = [last | {"amount": 0, "status": "waived", "captured": 0, "attempts": []}, *here]
    for rows in (made.provider["ledger"], made.provider["receipts"]):
        rows[:] = [row for row in rows if row["chargeId"] not in (elsewhere["chargeId"], last["chargeId"])]
    for charge in made.gateway_agreement("anna")["charges"][:2]:
        charge["externalId"] = None
    return made


def codes(made: Pair) -> set[str]:
    return {difference.code for difference in audit(made.sandbox, made.provider, merchant="123456")}


def test_what_an_earlier_system_took_is_no_difference() -> None:
    assert codes(clean()) == set()
    assert codes(at_stripe(clean())) == set()


def take_twice(made: Pair) -> None:
    """The old system took the next period as well, the day before."""
    made.gateway_agreement("anna")["charges"][1]["due"] = "2027-03-31"


def take_later(made: Pair) -> None:
    """The old system goes on."""
    old: dict[str, Any] = made.gateway_agreement("anna")["charges"][1]
    old["history"] = [old["history"][0] | {"occurred": "2027-03-11T09:00:00Z"}]


def skip(made: Pair) -> None:
    """Its first period here is not charged."""
    made.agreement("anna")["charges"].pop(1)


def pretend(made: Pair) -> None:
    """One that was always here says that it moved in before it was charged."""
    made.agreement("bo")["movedInAt"] = "2027-01-01T09:00:00Z"
    made.gateway_charge("bo", 2)["externalId"] = None


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (take_twice, "paid_to_both"),
        (take_later, "charge_matches_nothing"),
        (skip, "attempt_unknown"),
        (pretend, "charge_matches_nothing"),
    ],
)
def test_what_is_planted_is_found(spoil: Callable[[Pair], None], code: str) -> None:
    made = clean()
    spoil(made)
    assert code in codes(made)
