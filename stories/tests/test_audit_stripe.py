"""The audit knows Stripe: an agreement whose charges are invoices, and whatever is planted in it is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stories.audit import audit
from stories.tests.pair import Life, Pair, pair

Json = dict[str, Any]


def at_stripe(made: Pair) -> Pair:
    """The same lives, lived with Stripe."""
    made.sandbox["stripe"] = {"subscriptions": [_subscription(a) for a in made.sandbox["agreements"]], "payments": []}
    made.sandbox["agreements"] = []
    for agreement in made.provider["agreements"]:
        for charge in agreement["charges"]:
            for attempt in charge["attempts"]:
                attempt["orderId"] = f"in_{attempt['attemptId']}"
    return made


def _subscription(theirs: Json) -> Json:
    return {
        "account": "acct_1",
        "subscription": theirs["agreementId"],
        "status": {"STOPPED": "canceled"}.get(theirs["status"], "active"),
        "created": theirs["start"],
        "endedAt": theirs["stop"],
        "invoices": [_invoice(charge) for charge in theirs["charges"]],
    }


def _invoice(charge: Json) -> Json:
    captures = [h for h in charge["history"] if h["event"] == "CAPTURE"]
    refunds = [h for h in charge["history"] if h["event"] == "REFUND"]
    return {
        "invoice": f"in_{charge['chargeId']}",
        "status": "paid",
        "reason": "subscription_cycle",
        "currency": charge["currency"],
        "amount": charge["amount"],
        "periodStart": f"{charge['due']}T09:00:00Z",
        "payment": {
            "captured": charge["captured"],
            "refunded": charge["refunded"],
            "captures": [{"charge": "ch_1", "amount": h["amount"], "at": h["occurred"]} for h in captures],
            "refunds": [{"refund": "re_1", "amount": h["amount"], "status": "succeeded"} for h in refunds],
            "disputes": [],
        },
    }


def clean() -> Pair:
    return at_stripe(pair(Life("anna", refunds={2: (3000,)}), Life("bo", end="stopped", paid=2)))


def codes(made: Pair) -> set[str]:
    return {difference.code for difference in audit(made.sandbox, made.provider, merchant="123456")}


def invoice(made: Pair, place: int) -> Json:
    found: Json = made.sandbox["stripe"]["subscriptions"][0]["invoices"][place]
    return found


def test_both_sides_agree() -> None:
    assert codes(clean()) == set()


def lose_dispute(made: Pair) -> None:
    invoice(made, 3)["payment"]["disputes"].append({"dispute": "du_1", "amount": 9900, "status": "lost"})


def take_twice(made: Pair) -> None:
    twice = invoice(made, 1) | {"invoice": "in_other"}
    made.sandbox["stripe"]["subscriptions"][0]["invoices"].insert(2, twice)


def have_a_stranger(made: Pair) -> None:
    stranger = made.sandbox["stripe"]["subscriptions"][0] | {"subscription": "sub_other", "invoices": []}
    made.sandbox["stripe"]["subscriptions"].append(stranger)


def take_more(made: Pair) -> None:
    invoice(made, 0)["payment"]["captured"] += 100
    invoice(made, 0)["payment"]["captures"][0]["amount"] += 100


def cancel(made: Pair) -> None:
    made.sandbox["stripe"]["subscriptions"][0]["status"] = "canceled"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lose_dispute, "refunded_differs"),
        (take_twice, "attempt_unknown"),
        (have_a_stranger, "agreement_matches_nothing"),
        (take_more, "captured_not_owed"),
        (cancel, "status_differs"),
    ],
)
def test_what_is_planted_is_found(spoil: Callable[[Pair], None], code: str) -> None:
    made = clean()
    spoil(made)
    assert code in codes(made)
