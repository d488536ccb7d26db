"""Which step leads from which state to which, for agreements and charges, as tables to read aloud."""

from __future__ import annotations

from typing import Literal

AgreementStatus = Literal["PENDING", "ACTIVE", "STOPPED", "EXPIRED"]
AgreementStep = Literal["approve", "reject", "expire", "stop", "update"]

# Vipps Recurring, agreement states. A rejection is STOPPED; only the webhook tells it from a stop.
AGREEMENT_STEPS: dict[tuple[AgreementStatus, AgreementStep], AgreementStatus] = {
    ("PENDING", "approve"): "ACTIVE",
    ("PENDING", "reject"): "STOPPED",
    ("PENDING", "expire"): "EXPIRED",
    ("ACTIVE", "update"): "ACTIVE",
    ("ACTIVE", "stop"): "STOPPED",
}

ChargeStatus = Literal[
    "PENDING",
    "DUE",
    "PROCESSING",
    "RESERVED",
    "PARTIALLY_CAPTURED",
    "CHARGED",
    "PARTIALLY_REFUNDED",
    "REFUNDED",
    "FAILED",
    "CANCELLED",
]
ChargeStep = Literal[
    "show", "take", "reserve", "fail", "cancel", "capture part", "capture rest", "refund part", "refund rest"
]

# Vipps Recurring, charge states. "show" makes a charge visible to the payer; "take" is a direct capture.
# What is not in the table is refused. PROCESSING is never seen: here, a try takes no time.
CHARGE_STEPS: dict[tuple[ChargeStatus, ChargeStep], ChargeStatus] = {
    ("PENDING", "show"): "DUE",
    ("PENDING", "take"): "CHARGED",
    ("PENDING", "reserve"): "RESERVED",
    ("PENDING", "fail"): "FAILED",
    ("PENDING", "cancel"): "CANCELLED",
    ("DUE", "take"): "CHARGED",
    ("DUE", "reserve"): "RESERVED",
    ("DUE", "fail"): "FAILED",
    ("DUE", "cancel"): "CANCELLED",
    # Only an initial charge comes here again, while its agreement still waits: the payer may change card
    # and retry.
    ("FAILED", "take"): "CHARGED",
    ("FAILED", "reserve"): "RESERVED",
    ("FAILED", "fail"): "FAILED",
    ("RESERVED", "capture part"): "PARTIALLY_CAPTURED",
    ("RESERVED", "capture rest"): "CHARGED",
    ("RESERVED", "cancel"): "CANCELLED",
    ("PARTIALLY_CAPTURED", "capture part"): "PARTIALLY_CAPTURED",
    ("PARTIALLY_CAPTURED", "capture rest"): "CHARGED",
    # The rest of the reservation is released; what was captured stays.
    ("PARTIALLY_CAPTURED", "cancel"): "CHARGED",
    ("PARTIALLY_CAPTURED", "refund part"): "PARTIALLY_REFUNDED",
    ("PARTIALLY_CAPTURED", "refund rest"): "PARTIALLY_REFUNDED",
    ("CHARGED", "refund part"): "PARTIALLY_REFUNDED",
    ("CHARGED", "refund rest"): "REFUNDED",
    ("PARTIALLY_REFUNDED", "refund part"): "PARTIALLY_REFUNDED",
    ("PARTIALLY_REFUNDED", "refund rest"): "REFUNDED",
}
