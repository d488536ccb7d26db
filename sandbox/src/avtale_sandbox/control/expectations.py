"""Looks whether what a test expects has come to pass, and says in words why or why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from ..vipps.epayment.resources import Payment, payment_id
from ..vipps.recurring.resources import Agreement, Charge
from ..world import World
from .record import Sought


class ChargeExpected(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which charges are meant, and how each of them is to be; `count` is how many there are (one, if not said).

    Amounts are minor units. `captures` counts captures in the history: 1 means captured once and no more.
    """

    id: str | None = None
    external_id: str | None = None
    agreement_id: str | None = None
    due: str | None = None
    count: int = 1
    status: str | None = None
    amount: int | None = None
    captured: int | None = None
    refunded: int | None = None
    cancelled: int | None = None
    captures: int | None = None
    tries: int | None = None
    failure_reason: str | None = None


class AgreementExpected(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which agreements are meant, and how each is to be; `captured` is the sum over an agreement's charges."""

    id: str | None = None
    external_id: str | None = None
    phone_number: str | None = None
    count: int = 1
    status: str | None = None
    charges: int | None = None
    captured: int | None = None
    refunded: int | None = None


class PaymentExpected(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which single payments are meant, and how each is to be; `captures` counts its captures."""

    reference: str
    merchant_serial_number: str | None = None
    count: int = 1
    state: str | None = None
    amount: int | None = None
    authorized: int | None = None
    captured: int | None = None
    refunded: int | None = None
    cancelled: int | None = None
    captures: int | None = None


class EventExpected(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An event that is to have happened `count` times (at least once, if not said) about this id."""

    event: str
    about: str | None = None
    count: int | None = None


class DeliveryExpected(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A webhook that is to have been delivered `count` times (at least once, if not said)."""

    event: str
    about: str | None = None
    state: str = "delivered"
    count: int | None = None


class RequestExpected(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A call that is to have been made `count` times (at least once, if not said)."""

    operation_id: str | None = None
    method: str | None = None
    path: str | None = None
    status: str | None = None
    about: str | None = None
    text: str | None = None
    count: int | None = None


class Expectation(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One expectation: exactly one of these."""

    charge: ChargeExpected | None = None
    agreement: AgreementExpected | None = None
    payment: PaymentExpected | None = None
    event: EventExpected | None = None
    delivery: DeliveryExpected | None = None
    request: RequestExpected | None = None


class Outcome(Struct, frozen=True):
    """Whether an expectation holds, and what was found."""

    holds: bool
    why: str


def outcomes(world: World, expected: Iterable[Expectation]) -> list[Outcome]:
    """Look at each expectation; raises ValueError for one that says nothing, or two things."""
    return [_outcome(world, number, one) for number, one in enumerate(expected)]


def _outcome(world: World, number: int, expected: Expectation) -> Outcome:
    given = [name for name in expected.__struct_fields__ if getattr(expected, name) is not None]
    if len(given) != 1:
        raise ValueError(f"expect[{number}] must have exactly one of {', '.join(expected.__struct_fields__)}")
    if expected.charge is not None:
        return _charges(world, expected.charge)
    if expected.agreement is not None:
        return _agreements(world, expected.agreement)
    if expected.payment is not None:
        return _payments(world, expected.payment)
    if expected.event is not None:
        wanted = expected.event
        count = len(world.record.events(Sought(event=wanted.event, about=wanted.about)))
        return _counted(f"the event {wanted.event} happened", count, wanted.count)
    if expected.delivery is not None:
        return _deliveries(world, expected.delivery)
    assert expected.request is not None
    return _requests(world, expected.request)


def _charges(world: World, wanted: ChargeExpected) -> Outcome:
    if wanted.id is None and wanted.external_id is None and wanted.agreement_id is None:
        raise ValueError("a charge is named by id, externalId or agreementId")
    shelf = world.recurring.shelf
    agreements = [wanted.agreement_id] if wanted.agreement_id else [one.id for one in shelf.all_agreements()]
    found = [
        charge
        for agreement_id in agreements
        for charge in shelf.charges_of(agreement_id)
        if wanted.id in (None, charge.id)
        and wanted.external_id in (None, charge.external_id)
        and wanted.due in (None, charge.due)
    ]
    return _compared("charge", found, wanted, _CHARGE_FACTS, lambda charge: charge.id)


def _agreements(world: World, wanted: AgreementExpected) -> Outcome:
    if wanted.id is None and wanted.external_id is None and wanted.phone_number is None:
        raise ValueError("an agreement is named by id, externalId or phoneNumber")
    shelf = world.recurring.shelf
    found = [
        (agreement, shelf.charges_of(agreement.id))
        for agreement in shelf.all_agreements()
        if wanted.id in (None, agreement.id)
        and wanted.external_id in (None, agreement.external_id)
        and wanted.phone_number in (None, agreement.person)
    ]
    return _compared("agreement", found, wanted, _AGREEMENT_FACTS, lambda pair: pair[0].id)


def _payments(world: World, wanted: PaymentExpected) -> Outcome:
    msns = [one.merchant_serial_number for one in world.merchants.all()]
    found = [
        payment
        for msn in msns
        if wanted.merchant_serial_number in (None, msn)
        and (payment := world.payments.shelf.find(payment_id(msn, wanted.reference))) is not None
    ]
    return _compared("payment", found, wanted, _PAYMENT_FACTS, lambda payment: payment.reference)


_CHARGE_FACTS: dict[str, Callable[[Charge], Any]] = {
    "status": lambda charge: charge.status,
    "amount": lambda charge: charge.amount,
    "captured": lambda charge: charge.captured,
    "refunded": lambda charge: charge.refunded,
    "cancelled": lambda charge: charge.cancelled,
    "captures": lambda charge: sum(line.event == "CAPTURE" and line.success for line in charge.history),
    "tries": lambda charge: len(charge.tries),
    "failure_reason": lambda charge: charge.failure_reason,
}
_PAYMENT_FACTS: dict[str, Callable[[Payment], Any]] = {
    "state": lambda payment: payment.state,
    "amount": lambda payment: payment.amount,
    "authorized": lambda payment: payment.authorized,
    "captured": lambda payment: payment.captured,
    "refunded": lambda payment: payment.refunded,
    "cancelled": lambda payment: payment.cancelled,
    "captures": lambda payment: sum(line.name == "CAPTURED" for line in payment.log),
}
_AGREEMENT_FACTS: dict[str, Callable[[tuple[Agreement, list[Charge]]], Any]] = {
    "status": lambda pair: pair[0].status,
    "charges": lambda pair: len(pair[1]),
    "captured": lambda pair: sum(charge.captured for charge in pair[1]),
    "refunded": lambda pair: sum(charge.refunded for charge in pair[1]),
}


def _compared(
    noun: str, found: list[Any], wanted: Any, facts: dict[str, Callable[[Any], Any]], name: Callable[[Any], str]
) -> Outcome:
    if len(found) != wanted.count:
        return Outcome(False, f"{len(found)} {noun}s are like that, and not {wanted.count}")
    wrong = [
        f"{noun} {name(one)}: {fact} is {is_now!r}, and not {should!r}"
        for one in found
        for fact, of in facts.items()
        if (should := getattr(wanted, fact)) is not None and (is_now := of(one)) != should
    ]
    names = ", ".join(name(one) for one in found[:5])
    return Outcome(
        not wrong, "; ".join(wrong) or f"{noun} {names} is as expected" if found else f"no {noun}, as expected"
    )


def _deliveries(world: World, wanted: DeliveryExpected) -> Outcome:
    count = sum(
        one.event == wanted.event and one.state == wanted.state and (not wanted.about or wanted.about in one.body)
        for one in world.deliveries.all()
    )
    return _counted(f"deliveries of {wanted.event} are {wanted.state}:", count, wanted.count)


def _requests(world: World, wanted: RequestExpected) -> Outcome:
    sought = Sought(
        operation_id=wanted.operation_id,
        method=wanted.method,
        path=wanted.path,
        status=wanted.status,
        about=wanted.about,
        text=wanted.text,
    )
    return _counted("calls like that were made:", len(world.record.exchanges(sought)), wanted.count)


def _counted(what: str, count: int, wanted: int | None) -> Outcome:
    holds = count > 0 if wanted is None else count == wanted
    expected = "at least once" if wanted is None else str(wanted)
    return Outcome(holds, f"{what} {count} times" + ("" if holds else f", and not {expected}"))
