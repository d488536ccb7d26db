"""What an invoice of Stripe is for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from avtale.gateways.stripe.reading import read_agreement


def seconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC).timestamp())


def line(amount: int, start: str, end: str, **of: Any) -> dict[str, Any]:
    kind = next(iter(of))
    return {
        "amount": amount,
        "period": {"start": seconds(start), "end": seconds(end)},
        "parent": {"type": kind, "subscription_item_details": None, "invoice_item_details": None} | of,
    }


def test_what_the_dashboard_adds_to_a_renewal_moves_none_of_its_days() -> None:
    """Another plan in mid-period is billed by the day with the next invoice, as is what an operator adds."""
    lines = [
        line(-4950, "2027-02-01", "2027-02-15", subscription_item_details={"proration": True}),
        line(9900, "2027-02-01", "2027-02-15", subscription_item_details={"proration": True}),
        line(2500, "2027-02-03", "2027-02-03", invoice_item_details={"proration": False}),
        line(19800, "2027-02-15", "2027-03-15", subscription_item_details={"proration": False}),
    ]
    invoice = {
        "id": "in_1",
        "billing_reason": "subscription_cycle",
        "status": "paid",
        "total": 27250,
        "amount_due": 27250,
        "currency": "nok",
        "lines": {"data": lines},
        "parent": {"subscription_details": {"metadata": {}}},
    }
    subscription = {
        "id": "sub_1",
        "status": "canceled",
        "metadata": {},
        "customer": "cus_1",
        "start_date": seconds("2027-01-15"),
        "ended_at": seconds("2027-02-16"),
        "canceled_at": None,
        "default_payment_method": "pm_1",
        "items": {
            "data": [
                {
                    "id": "si_1",
                    "current_period_end": seconds("2027-03-15"),
                    "price": {
                        "id": "price_1",
                        "active": True,
                        "product": "prod_1",
                        "unit_amount": 19800,
                        "currency": "nok",
                        "recurring": {"interval": "month", "interval_count": 1},
                    },
                }
            ]
        },
    }
    (order,) = read_agreement(subscription, [invoice]).orders
    assert (order.starts_at.date(), order.ends_at.date()) == (date(2027, 2, 15), date(2027, 3, 15))
    assert order.amount.amount == 27250
    # A customer's credit has paid it: nothing was asked of them, and the period is theirs all the same.
    (credited,) = read_agreement(subscription, [invoice | {"amount_due": 0}]).orders
    assert (credited.amount.amount, credited.is_paid) == (0, True)
