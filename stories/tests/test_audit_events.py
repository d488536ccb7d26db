"""The audit of what was told finds each way in which a stream, a listener and the books can part."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from stories.audit_events import audit_events

NOW = "2027-03-01T00:00:00Z"
UNTIL = "2027-03-20T23:00:00Z"


def event(cursor: int, seq: int, kind: str, **data: Any) -> dict[str, Any]:
    return {
        "id": f"e{cursor}",
        "cursor": str(cursor),
        "type": kind,
        "agreementId": "anna",
        "purchaseId": None,
        "agreementSeq": seq,
        "data": data,
    }


STREAM = [
    event(1, 1, "agreement.activated"),
    event(2, 2, "charge.paid", chargeId="c1", amount=9900),
    event(3, 3, "access.extended", accessUntil=UNTIL),
    event(4, 4, "charge.refunded", chargeId="c1", amount=900),
]
BOOKS: dict[str, Any] = {
    "ledger": [
        {"chargeId": "c1", "kind": "capture", "amount": 9900},
        {"chargeId": "c1", "kind": "refund", "amount": 900},
    ],
    "entitlements": [{"agreementId": "anna", "purchaseId": None, "accessUntil": UNTIL}],
}

Spoil = Callable[[list[Any], list[Any], dict[str, Any]], object]

SPOILED: dict[str, tuple[str, Spoil]] = {
    "a gap in the cursors": ("event_cursors", lambda stream, taken, books: stream[3].update(cursor="5")),
    "disorder in an agreement": (
        "event_order",
        lambda stream, taken, books: (stream[1].update(agreementSeq=3), stream[2].update(agreementSeq=2)),
    ),
    "money that was not told": (
        "event_money",
        lambda stream, taken, books: books["ledger"].append({"chargeId": "c2", "kind": "capture", "amount": 1}),
    ),
    "money that was told otherwise": (
        "event_money",
        lambda stream, taken, books: books["ledger"][0].update(amount=9800),
    ),
    "access that ends otherwise": (
        "event_access",
        lambda stream, taken, books: books["entitlements"][0].update(accessUntil="2027-04-20T22:00:00Z"),
    ),
    "an event that was never delivered": ("event_lost", lambda stream, taken, books: taken.pop()),
    "deliveries in disorder": ("event_delivered", lambda stream, taken, books: taken.reverse()),
    "a delivery that says something else": (
        "event_differs",
        lambda stream, taken, books: taken[1]["data"].update(amount=1),
    ),
}


def test_what_was_told_and_what_is_booked_agree_also_when_an_event_came_twice() -> None:
    assert audit_events(STREAM, [*STREAM[:2], *STREAM], BOOKS, NOW) == []
    assert audit_events(STREAM, None, BOOKS, NOW) == []


@pytest.mark.parametrize("what", SPOILED)
def test_each_fault_is_found(what: str) -> None:
    code, spoil = SPOILED[what]
    stream, taken, books = deepcopy(STREAM), deepcopy(STREAM), deepcopy(BOOKS)
    spoil(stream, taken, books)
    assert code in {difference.code for difference in audit_events(stream, taken, books, NOW)}
