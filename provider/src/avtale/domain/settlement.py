"""The one function in which all roads meet: what a gateway states about an attempt becomes bookings and states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from avtale.domain.charge import (
    OPEN_ATTEMPTS,
    OPEN_REFUNDS,
    Attempt,
    AttemptStatus,
    Charge,
    ChargeStatus,
    Refund,
    Totals,
)


class GatewayChargeState(StrEnum):
    """What a gateway says of an order, in our words. `aborted`: the person said no; `expired`: said nothing."""

    WAITING = "waiting"
    RESERVED = "reserved"
    CAPTURED = "captured"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ObservedCharge:
    """One reading of an order at a gateway: its state, cumulative totals and, if it failed, why.

    `payment_id` is what took the money, where that has a name of its own; `failed_refunds` are those of ours whose
    money came back.
    """

    order_id: str
    state: GatewayChargeState
    totals: Totals
    failure_reason: str | None = None
    payment_id: str | None = None
    failed_refunds: tuple[UUID, ...] = ()


class BookingKind(StrEnum):
    """Which way money went. A `return` takes a refund back that failed after it was accepted."""

    CAPTURE = "capture"
    REFUND = "refund"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Booking:
    """Money that moved: `refund_id` names our own wish, None a capture or a refund made outside."""

    kind: BookingKind
    amount: int
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one reading changes: both states, both totals, the bookings and the refunds that are now certain."""

    attempt_status: AttemptStatus
    attempt_totals: Totals
    charge_status: ChargeStatus
    charge_totals: Totals
    failure_reason: str | None
    bookings: tuple[Booking, ...]
    failed_refunds: tuple[UUID, ...] = ()

    @property
    def accepted_refunds(self) -> tuple[UUID, ...]:
        """Our refunds that this reading proves."""
        return tuple(b.refund_id for b in self.bookings if b.refund_id is not None)


def apply(
    charge: Charge, attempt: Attempt, observed: ObservedCharge, open_refunds: Sequence[Refund] = ()
) -> Settlement:
    """Book the difference between what a gateway states and what we have; old or doubled readings book nothing.

    `open_refunds` are this attempt's wishes in the order in which they were written: a growth of the refunded
    total is given to them first, each whole, and what is left is an outside refund. Totals never shrink and an
    attempt that is final stays final, except that money which moved all the same is always booked.
    """
    totals = attempt.totals.grown_to(observed.totals)
    bookings: list[Booking] = []
    captured = totals.captured - attempt.totals.captured
    if captured:
        bookings.append(Booking(BookingKind.CAPTURE, captured))
    bookings.extend(_refund_bookings(totals.given - attempt.totals.given, open_refunds))
    returned = totals.returned - attempt.totals.returned
    if returned:
        bookings.append(Booking(BookingKind.RETURN, returned))

    attempt_status = _attempt_status(attempt.status, observed, totals)
    charge_totals = Totals(
        charge.totals.captured + captured,
        charge.totals.refunded + totals.refunded - attempt.totals.refunded,
        charge.totals.cancelled + totals.cancelled - attempt.totals.cancelled,
        charge.totals.returned + returned,
    )
    return Settlement(
        attempt_status=attempt_status,
        attempt_totals=totals,
        charge_status=_charge_status(charge.status, attempt.status, attempt_status, charge_totals),
        charge_totals=charge_totals,
        failure_reason=observed.failure_reason or charge.failure_reason,
        bookings=tuple(bookings),
        failed_refunds=observed.failed_refunds,
    )


def _refund_bookings(grown: int, open_refunds: Sequence[Refund]) -> list[Booking]:
    bookings = []
    for refund in open_refunds:
        if refund.status in OPEN_REFUNDS and refund.amount <= grown:
            bookings.append(Booking(BookingKind.REFUND, refund.amount, refund.id))
            grown -= refund.amount
    if grown:
        bookings.append(Booking(BookingKind.REFUND, grown))
    return bookings


def _attempt_status(current: AttemptStatus, observed: ObservedCharge, totals: Totals) -> AttemptStatus:
    if totals.captured:
        return AttemptStatus.CAPTURED
    if current not in OPEN_ATTEMPTS and current is not AttemptStatus.REJECTED:
        return current
    match observed.state:
        case GatewayChargeState.FAILED:
            return AttemptStatus.FAILED
        case GatewayChargeState.CANCELLED | GatewayChargeState.ABORTED | GatewayChargeState.EXPIRED:
            return AttemptStatus.CANCELLED
        case _:
            return AttemptStatus.ACCEPTED


def _charge_status(current: ChargeStatus, before: AttemptStatus, after: AttemptStatus, totals: Totals) -> ChargeStatus:
    if totals.captured:
        if totals.refunded >= totals.captured:
            return ChargeStatus.REFUNDED
        return ChargeStatus.PARTIALLY_REFUNDED if totals.refunded else ChargeStatus.PAID
    if before is after and after not in OPEN_ATTEMPTS:
        return current  # an old attempt says again what it said: a newer one may be under way
    if after is AttemptStatus.FAILED:
        return ChargeStatus.FAILED
    if after is AttemptStatus.CANCELLED:
        return ChargeStatus.CANCELLED
    return ChargeStatus.OPEN if after in OPEN_ATTEMPTS else current
