"""What was drawn up at either payment company, read out of the sandbox's export in one shape to tell stories of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]


def drawn_up(sandbox: Json) -> dict[str, Json]:
    """By its id, every agreement at Vipps and every subscription at Stripe: times, and orders under `charges`.

    An order has the shape of a charge of the export (`type`, `due`, `tries`, `history`), and its `company`.
    """
    stripe = sandbox.get("stripe", {"subscriptions": []})
    agreements = [a | {"charges": [c | {"company": "Vipps"} for c in a["charges"]]} for a in sandbox["agreements"]] + [
        _subscription(s) for s in stripe["subscriptions"]
    ]
    return {a["agreementId"]: a for a in agreements}


def orders_of(drawn: Iterable[Json]) -> dict[str, Json]:
    """The orders of some agreements, by the name that `order_of` gives."""
    return {order["chargeId"]: order for agreement in drawn for order in agreement["charges"]}


def order_of(attempt: Json) -> str:
    """What the payment company calls an attempt of the provider's: Stripe has a name of its own for it."""
    return str(attempt.get("orderId") or attempt["attemptId"])


def _subscription(theirs: Json) -> Json:
    paid = [i["paidAt"] for i in theirs["invoices"] if i["paidAt"]]
    return {
        "agreementId": theirs["subscription"],
        "created": theirs["created"],
        "start": min(paid, default=None),
        "stop": theirs["endedAt"],
        "charges": [_invoice(i) for i in theirs["invoices"]],
    }


def _invoice(theirs: Json) -> Json:
    payment = theirs["payment"] or {"tries": [], "captures": [], "refunds": [], "disputes": []}
    return {
        "company": "Stripe",
        "chargeId": theirs["invoice"],
        "type": "INITIAL" if theirs["reason"] == "subscription_create" else "RECURRING",
        "due": theirs["periodStart"],
        "currency": theirs["currency"],
        "tries": payment["tries"],
        "history": sorted(_history(theirs, payment), key=lambda step: str(step["occurred"])),
    }


def _history(theirs: Json, payment: Json) -> Iterator[Json]:
    """An invoice's moves; a lost dispute is money given back, at the time of the bank's last word."""
    yield _step("CREATE", theirs["amount"], theirs["created"])
    for capture in payment["captures"]:
        yield _step("CAPTURE", capture["amount"], capture["at"])
    for refund in payment["refunds"]:
        yield _step("REFUND", refund["amount"], refund["at"], refund["status"] == "succeeded")
    for dispute in payment["disputes"]:
        yield _step("DISPUTE", dispute["amount"], dispute["at"])
        if dispute["closedAt"]:
            yield _step("REFUND", dispute["amount"], dispute["closedAt"], dispute["status"] == "lost")


def _step(event: str, amount: int, at: str, success: bool = True) -> Json:
    return {"event": event, "amount": amount, "occurred": at, "success": success}
