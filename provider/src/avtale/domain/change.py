"""What owners and merchants change in a running agreement, and what its next period is after it. Pure.

Each change is about the periods that have no charge yet. Where a charge of a period that has not begun had to be
cancelled for it, that period's days are what comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from uuid import UUID

from avtale.domain.agreement import Agreement, Terms
from avtale.domain.billing import BillingRules, plan_at
from avtale.domain.charge import Charge, ChargeStatus
from avtale.domain.errors import Invalid
from avtale.domain.periods import Interval, Period, Unit

#: Every month has these days.
CHARGE_DAYS = range(1, 29)


class ChangeKind(StrEnum):
    """What is changed."""

    PAUSE = "pause"
    RESUME = "resume"
    CHARGE_DAY = "charge_day"
    PLAN = "plan"
    PRICE = "price"


class ChangeStatus(StrEnum):
    """Where a change stands. `waiting`: for the fate of a charge that is created already; `planned`: for its day;
    `dropped`: the agreement ended first, or another change took its place."""

    WAITING = "waiting"
    PLANNED = "planned"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Change:
    """A wish to change an agreement, and what became of it.

    `day` is the last day of a pause (not included), when to resume, or from when a price holds; `amount` the price
    in minor units, or what Stripe is to ask for the days until another charge day; `charge_day` a day of the month,
    `product_id` the product of another plan. `version` counts the changes of an agreement. With `from_period` the
    charges from that period on were to be cancelled first; `deferred` says that one of them was captured all the same,
    so that the change holds from the period after it.
    """

    id: UUID
    agreement_id: UUID
    kind: ChangeKind
    status: ChangeStatus
    version: int
    requested_by: str
    created_at: datetime
    day: date | None = None
    amount: int | None = None
    charge_day: int | None = None
    product_id: str | None = None
    noticed_on: date | None = None
    from_period: int | None = None
    takes_effect: date | None = None
    deferred: bool = False
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Periods from a number on are counted from a day, each as long as the interval."""

    from_period: int
    start: date
    interval: Interval


@dataclass(frozen=True, slots=True)
class Taken:
    """An agreement after a change, and how its periods are counted from now on (none: as before)."""

    agreement: Agreement
    stretches: tuple[Stretch, ...] = ()


#: Changes that cancel what is created for periods that have not begun; a price leaves it as it is.
CANCELLING = frozenset({ChangeKind.PAUSE, ChangeKind.CHARGE_DAY, ChangeKind.PLAN})


def unbegun(charges: Sequence[Charge], today: date) -> list[Charge]:
    """Open charges of periods that have not begun, in order: what a change may still cancel."""
    found = [c for c in charges if c.period is not None and c.status is ChargeStatus.OPEN and c.period_start > today]
    return sorted(found, key=lambda charge: charge.period or 0)


def next_start(agreement: Agreement, charges: Sequence[Charge], from_period: int | None) -> tuple[date, bool]:
    """The first day that no charge covers, and whether a charge that was to be cancelled was captured instead.

    While an agreement is paused that is where the pause begins.
    """
    if agreement.paused_from is not None:
        return agreement.paused_from, False
    periods = sorted((c for c in charges if c.period is not None), key=lambda c: c.period or 0)
    start = agreement.next_period.start
    while periods and from_period is not None and (periods[-1].period or 0) >= from_period:
        if periods[-1].status is not ChargeStatus.CANCELLED:
            break
        start = periods.pop().period_start
    touched = [c for c in charges if c.period is not None and from_period is not None and c.period >= from_period]
    return start, any(charge.totals.captured for charge in touched)


def with_amount_said(agreement: Agreement, charges: Sequence[Charge], from_period: int | None) -> Agreement:
    """Where the price may vary, what the merchant had said of a period is still to come when its charge was cancelled
    for a change; the share of days until another charge day is not."""
    if agreement.terms.suggested_max is None or agreement.next_amount is not None or from_period is None:
        return agreement
    periods = sorted((c for c in charges if c.period is not None), key=lambda c: c.period or 0)
    come_next = None
    while periods and (periods[-1].period or 0) >= from_period and periods[-1].status is ChargeStatus.CANCELLED:
        come_next = periods.pop()
    if come_next is None or come_next.period is None:
        return agreement
    is_bridge = (come_next.period + 1, come_next.period_end) == (agreement.phase_period, agreement.phase_start)
    usual = agreement.price_of(Period(come_next.period, come_next.period_start, come_next.period_end))
    if is_bridge or come_next.price == usual:
        return agreement
    return replace(agreement, next_amount=come_next.price.amount)


def pause(
    agreement: Agreement, start: date, until: date | None, now: datetime, rules: BillingRules, zone: str
) -> Taken:
    """Charge nothing more from `start` on; with `until` it goes on by itself on that day, and what is paid longer than
    that is not paused."""
    if until is not None and until <= start:
        return resume(agreement, start, rules, zone)
    if until is None:
        held = _counted(agreement, start)
        paused = replace(held.agreement, paused_at=now, paused_from=start, resumes_on=None, next_charge_at=None)
        return Taken(paused, held.stretches)
    shifted = _counted(agreement, until)
    return Taken(
        replace(
            shifted.agreement,
            paused_at=now,
            paused_from=start,
            resumes_on=until,
            next_charge_at=plan_at(until, rules, zone),
        ),
        shifted.stretches,
    )


def resume(agreement: Agreement, start: date, rules: BillingRules, zone: str) -> Taken:
    """Go on: the next period begins on `start`."""
    shifted = _counted(agreement, start)
    going = replace(shifted.agreement, paused_at=None, paused_from=None, resumes_on=None, pause_reason=None)
    return Taken(replace(going, next_charge_at=plan_at(start, rules, zone)), shifted.stretches)


def move_charge_day(
    agreement: Agreement, start: date, charge_day: int, amount_min: int, rules: BillingRules, zone: str
) -> Taken:
    """Charge on another day of the month: the days until it are one short period at its share of the price.

    Shares that are less than a gateway can charge (`amount_min`) are given.
    """
    first = _on_or_after(start, charge_day)
    number = agreement.last_period + 1
    if first == start:
        moved = _counted_anew(agreement, start)
        return Taken(replace(moved.agreement, next_charge_at=plan_at(start, rules, zone)), moved.stretches)
    bridge = replace(
        agreement,
        bridge_start=start,
        phase_period=number + 1,
        phase_start=first,
        next_amount=_share_until(agreement, start, first, amount_min),
        next_charge_at=plan_at(start, rules, zone),
    )
    return Taken(
        bridge,
        (
            Stretch(number, start, Interval(Unit.DAY, (first - start).days)),
            Stretch(number + 1, first, agreement.terms.interval),
        ),
    )


def at_price(agreement: Agreement, amount: int, amount_min: int) -> Agreement:
    """At another price from the next period on; days until another charge day cost their share of that one."""
    terms = agreement.terms
    priced = replace(agreement, terms=replace(terms, price=replace(terms.price, amount=amount)))
    # Where the price may vary, the merchant's last word about the next period counts, whatever the others cost.
    if agreement.bridge_start is None or agreement.phase_start is None or terms.suggested_max is not None:
        return priced
    share = _share_until(priced, agreement.bridge_start, agreement.phase_start, amount_min)
    return replace(priced, next_amount=share)


def take_plan(agreement: Agreement, start: date, terms: Terms, rules: BillingRules, zone: str) -> Taken:
    """Go on with another product's terms from `start`; what is paid stays what it was."""
    onto = replace(agreement, terms=terms, next_amount=None)
    moved = _counted(onto, start) if terms.interval == agreement.terms.interval else _counted_anew(onto, start)
    if agreement.next_charge_at is None:
        return moved
    return Taken(replace(moved.agreement, next_charge_at=plan_at(start, rules, zone)), moved.stretches)


def check_charge_day(agreement: Agreement, charge_day: int) -> None:
    """Raise Invalid for a day that not every month has, or for periods that are not counted in months."""
    if charge_day not in CHARGE_DAYS:
        raise Invalid("a charge day is one that every month has: 1 to 28", code="charge_day_unsuited")
    if agreement.terms.interval.unit not in (Unit.MONTH, Unit.YEAR):
        raise Invalid("only periods of months or years have a charge day", code="charge_day_unsuited")


def _counted(agreement: Agreement, start: date) -> Taken:
    """The next period begins on `start`. Where it did anyhow nothing is counted anew: who is charged on the last day of
    each month still is."""
    if agreement.bridge_start is None and start == agreement.next_period.start:
        return Taken(agreement)
    return _counted_anew(agreement, start)


def _counted_anew(agreement: Agreement, start: date) -> Taken:
    """The next period begins on `start`, and those after it are counted from there.

    Days until another charge day that are not charged yet come to nothing, and so does their share of the price.
    """
    number = agreement.last_period + 1
    said = agreement.next_amount if agreement.bridge_start is None else None
    moved = replace(agreement, bridge_start=None, phase_period=number, phase_start=start, next_amount=said)
    return Taken(moved, (Stretch(number, start, agreement.terms.interval),))


def _on_or_after(day: date, charge_day: int) -> date:
    this = day.replace(day=charge_day)
    if this >= day:
        return this
    year, month0 = divmod(day.year * 12 + day.month, 12)
    return date(year, month0 + 1, charge_day)


def _share_until(agreement: Agreement, start: date, first: date, amount_min: int) -> int:
    """What the days from `start` until `first` cost: nothing, if that is less than a gateway can charge."""
    whole = _counted_anew(agreement, start).agreement
    period = whole.next_period
    share = _share(whole.price_of(period).amount, (first - start).days, (period.end - start).days)
    return share if share >= amount_min else 0


def _share(amount: int, days: int, of_days: int) -> int:
    return int((Decimal(amount) * days / of_days).quantize(Decimal(1), rounding=ROUND_HALF_UP))
