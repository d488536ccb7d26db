"""Which step leads a payment from which state to which, as a table to read aloud."""

from __future__ import annotations

from typing import Literal

PaymentState = Literal["CREATED", "AUTHORIZED", "ABORTED", "EXPIRED", "TERMINATED"]
PaymentStep = Literal["authorize", "abort", "expire", "terminate", "capture", "cancel", "refund"]

# Vipps ePayment, states. Four of the five are final: after AUTHORIZED, where the money is stands in four sums
# and not in the state. What is not in the table is refused.
PAYMENT_STEPS: dict[tuple[PaymentState, PaymentStep], PaymentState] = {
    ("CREATED", "authorize"): "AUTHORIZED",
    ("CREATED", "abort"): "ABORTED",
    ("CREATED", "expire"): "EXPIRED",
    ("CREATED", "terminate"): "TERMINATED",
    ("AUTHORIZED", "capture"): "AUTHORIZED",
    ("AUTHORIZED", "cancel"): "AUTHORIZED",
    ("AUTHORIZED", "refund"): "AUTHORIZED",
}
