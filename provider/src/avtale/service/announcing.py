"""Announce facts to other systems: written in the transaction of the fact, so that neither exists without the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

from avtale.domain.agreement import Agreement
from avtale.domain.change import Change, ChangeKind
from avtale.domain.charge import Attempt, Charge, ChargeStatus
from avtale.domain.dunning import Dunning
from avtale.domain.event import EventKind, Fact
from avtale.domain.money import Money
from avtale.domain.purchase import Purchase
from avtale.domain.settlement import BookingKind, Settlement
from avtale.service.ids import new_id
from avtale.storage import entitlements, events
from avtale.storage.database import Transaction
from avtale.storage.entitlements import Entitlement

#: What money that moved is told as.
_MONEY = {
    BookingKind.CAPTURE: EventKind.CHARGE_PAID,
    BookingKind.REFUND: EventKind.CHARGE_REFUNDED,
    BookingKind.RETURN: EventKind.CHARGE_REFUND_FAILED,
}


async def announce(tx: Transaction, facts: Iterable[Fact]) -> None:
    """Tell other systems of these, in this order, once the transaction has committed.

    To be called where the fact is written, with its agreement or purchase locked: that is what keeps the events of
    one agreement in the order in which they happened. Facts of one transaction are best announced in one call.
    """
    await events.add(tx, [(new_id(), fact) for fact in facts])


def activated(agreement: Agreement) -> Fact:
    """A person's agreement has begun, at a gateway or as a gift."""
    return Fact(
        EventKind.AGREEMENT_ACTIVATED,
        agreement,
        {
            "activatedAt": instant(agreement.activated_at),
            "price": money(agreement.terms.price),
            "interval": {"unit": agreement.terms.interval.unit.value, "count": agreement.terms.interval.count},
            "gift": agreement.gift_reason is not None,
        },
    )


def stopped(agreement: Agreement) -> Fact:
    """An agreement has ended for good; what is paid still gives access. Its owner may have said why."""
    return Fact(
        EventKind.AGREEMENT_STOPPED,
        agreement,
        {
            "stoppedAt": instant(agreement.stopped_at),
            "reason": agreement.stop_reason,
            "comment": agreement.stop_comment,
        },
    )


def changed(agreement: Agreement, change: Change) -> Fact:
    """A change of an agreement is planned for its day, has been taken into it, or was dropped."""
    is_price = change.kind is ChangeKind.PRICE
    return Fact(
        EventKind.AGREEMENT_CHANGED,
        agreement,
        {
            "changeId": str(change.id),
            "change": change.kind.value,
            "status": change.status.value,
            "version": change.version,
            "takesEffect": _day(change.takes_effect or (change.day if is_price else None)),
            "deferred": change.deferred,
            "price": money(replace(agreement.terms.price, amount=change.amount or 0)) if is_price else None,
            "productId": change.product_id,
        },
    )


def failing(agreement: Agreement, charge: Charge, dunning: Dunning, last_try_until: datetime | None) -> Fact:
    """The first try of a charge has failed: why, what to do about it, and until when it is tried again."""
    more = {
        "reason": dunning.reason,
        "advice": dunning.advice.value,
        "lastTryUntil": instant(last_try_until),
    }
    return Fact(EventKind.CHARGE_FAILING, agreement, _charge(charge) | more)


def of_settlements(
    owners: Mapping[UUID, Agreement | Purchase], settled: Sequence[tuple[Charge, Attempt, Settlement]]
) -> list[Fact]:
    """What readings have brought to light about charges: money that moved, and tries that have come to an end."""
    facts = []
    for charge, _, settlement in settled:
        owner = owners[charge.owner_id]
        about = _charge(charge)
        for booking in settlement.bookings:
            kind = _MONEY[booking.kind]
            more: dict[str, object] = {"amount": booking.amount}
            if kind is EventKind.CHARGE_REFUNDED:
                more["refundId"] = None if booking.refund_id is None else str(booking.refund_id)
            facts.append(Fact(kind, owner, about | more))
        failed = settlement.charge_status is ChargeStatus.FAILED
        if failed and charge.status is not ChargeStatus.FAILED:
            facts.append(Fact(EventKind.CHARGE_FAILED, owner, about | {"reason": settlement.failure_reason}))
    return facts


async def give_access(
    tx: Transaction, owners: Mapping[UUID, Agreement | Purchase], given: Collection[Entitlement]
) -> None:
    """Write until when these locked agreements and purchases give access (who is not in `given` gives none), and
    announce what that changes."""
    before = await entitlements.entitlements_of(tx, owners)
    now_given = {access.id: access for access in given}
    await entitlements.end_entitlements(tx, [owner_id for owner_id in owners if owner_id not in now_given])
    await entitlements.save_entitlements(tx, given)
    facts = []
    for owner_id in sorted(owners):
        had, has = before.get(owner_id), now_given.get(owner_id)
        until = has.access_until if has is not None else tx.now
        if fact := _access(tx.now, owners[owner_id], had.access_until if had is not None else None, until):
            facts.append(fact)
    await announce(tx, facts)


async def end_access(tx: Transaction, owners: Mapping[UUID, Agreement | Purchase]) -> None:
    """Announce that the access of these has come to its end by itself, and remember that."""
    await entitlements.mark_ended(tx, owners)
    access = await entitlements.entitlements_of(tx, owners)
    await announce(
        tx,
        [
            Fact(EventKind.ACCESS_ENDED, owners[i], {"accessUntil": instant(access[i].access_until)})
            for i in sorted(owners)
        ],
    )


def _access(now: datetime, owner: Agreement | Purchase, before: datetime | None, until: datetime) -> Fact | None:
    """What has become of somebody's access; nothing is told of access that was over and stays so."""
    before = now if before is None else before
    if before == until or (before <= now and until <= now):
        return None
    kind = EventKind.ACCESS_EXTENDED if until > before else EventKind.ACCESS_SHORTENED
    return Fact(EventKind.ACCESS_ENDED if until <= now else kind, owner, {"accessUntil": instant(until)})


def _charge(charge: Charge) -> dict[str, object]:
    return {
        "chargeId": str(charge.id),
        "kind": charge.kind.value,
        "period": charge.period,
        "periodStart": charge.period_start.isoformat(),
        "periodEnd": charge.period_end.isoformat(),
        "dueDate": charge.due.isoformat(),
        "price": money(charge.price),
    }


def money(sum_: Money) -> dict[str, object]:
    """A sum as JSON."""
    return {"amount": sum_.amount, "currency": sum_.currency}


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def instant(at: datetime | None) -> str | None:
    """An instant as ISO 8601 in UTC, with Z."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
