"""The audit's rules about purchases: every payment is known, taken once and whole, and gives what it should."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from stories.almanac import iso
from stories.books import Books, Difference
from stories.exports import GatewayPayment, Purchase

#: The provider's word for a purchase, by the gateway's for a payment whose money did not move.
_STATES = {"CREATED": "pending", "ABORTED": "aborted", "EXPIRED": "expired", "TERMINATED": "cancelled"}


#: Clocks that run are two clocks: what happened within this time may have any order.
CLOCKS_APART_MAX = timedelta(minutes=1)


def payments_are_known(books: Books) -> Iterator[Difference]:
    """Every payment at the gateway is an attempt of a purchase, and every purchase has one charge."""
    for payment in books.unclaimed:
        yield Difference(
            "payment_matches_nothing",
            None,
            None,
            payment.captured,
            None,
            f"The gateway holds payment {payment.reference} ({payment.state}), which is no attempt of the provider.",
        )
    for purchase in books.provider.purchases:
        if len(purchase.charges) != 1:
            yield _of(purchase, "purchase_without_charge", None, len(purchase.charges), "A purchase has one charge.")


def payments_add_up(books: Books) -> Iterator[Difference]:
    """The sandbox's sums are those of its own history, within what was authorized: else it is no witness."""
    for purchase_id, payments in books.paid_for.items():
        for payment in payments:
            sums = (payment.cancelled, payment.captured, payment.refunded)
            history = (payment.history_cancelled, payment.history_captured, payment.history_refunded)
            within = payment.state == "TERMINATED" or payment.captured + payment.cancelled <= payment.authorized
            if sums != history or not within or payment.refunded > payment.captured:
                yield Difference(
                    "sandbox_history_differs",
                    purchase_id,
                    None,
                    payment.captured,
                    None,
                    f"Payment {payment.reference} says {sums} cancelled, captured and refunded of "
                    f"{payment.authorized}, its history {history}.",
                )


def paid_once_and_whole(books: Books) -> Iterator[Difference]:
    """A purchase is taken by one payment and as a whole; what is not taken is not left reserved either."""
    for purchase in books.provider.purchases:
        payments = books.paid_for.get(purchase.purchase_id, [])
        taken = [payment for payment in payments if payment.captured]
        price = sum(charge.amount for charge in purchase.charges)
        if len(taken) > 1:
            sentence = "It was taken by " + ", ".join(payment.reference for payment in taken) + "."
            yield _of(purchase, "purchase_captured_twice", sum(p.captured for p in taken), price, sentence)
        elif taken and taken[0].captured != price:
            sentence = f"It costs {price}, and {taken[0].captured} was captured."
            yield _of(purchase, "captured_not_owed", taken[0].captured, price, sentence)
        for payment in payments:
            if (left := _reserved(payment)) > 0:
                sentence = f"{left} of payment {payment.reference} is reserved, neither taken nor given up."
                yield _of(purchase, "reservation_forgotten", left, purchase.status, sentence)


def purchase_states_agree(books: Books) -> Iterator[Difference]:
    """A purchase is in the state that its payment is in; one without a payment was refused."""
    for purchase in books.provider.purchases:
        payments = books.paid_for.get(purchase.purchase_id, [])
        allowed = {_state(payment) for payment in payments} or {"refused"}
        if purchase.status not in allowed:
            theirs = ", ".join(payment.state for payment in payments) or None
            sentence = f"The provider says {purchase.status}; the gateway's means {' or '.join(sorted(allowed))}."
            yield _of(purchase, "purchase_differs", theirs, purchase.status, sentence)


def purchase_access_is_paid_for(books: Books) -> Iterator[Difference]:
    """Access lasts as many days as were sold, from between the yes and the money; nothing without money."""
    for purchase in books.provider.purchases:
        expected = expected_access(books, purchase)
        rights = [e for e in books.provider.entitlements if e.owner_id == purchase.purchase_id]
        ends = [e.access_until for e in rights]
        if purchase.access_until != expected or ends != ([expected] if expected else []):
            sentence = f"What is kept at the gateway gives access until {expected}; the provider says otherwise."
            yield _of(purchase, "access_differs", _text(expected), _text(purchase.access_until), sentence)
        for right in rights:
            if right.subject != purchase.subject:
                sentence = f"The purchase is {purchase.subject}'s, its entitlement is {right.subject}'s."
                yield _of(purchase, "entitlement_misplaced", None, right.subject, sentence)
        for payment in books.paid_for.get(purchase.purchase_id, []):
            first, taken = min(payment.authorizations, default=None), min(payment.captures, default=None)
            given = purchase.granted_at
            apart = CLOCKS_APART_MAX
            # Stripe takes the money at the yes, so that access comes after both, as soon as that is read.
            latest = given if payment.company == "stripe" else taken
            if taken and not (first and given and latest and first - apart <= given <= latest + apart):
                sentence = f"It was approved {first}, access was given {given}, and the money was taken {taken}."
                yield _of(purchase, "granted_at_a_wrong_time", _text(first), _text(given), sentence)


def nobody_pays_twice_for_the_same(books: Books) -> Iterator[Difference]:
    """What a person has is not sold to them again before it ends."""
    owned: dict[tuple[str, str], list[tuple[datetime, datetime, Purchase]]] = defaultdict(list)
    for purchase in books.provider.purchases:
        until = expected_access(books, purchase)
        if until is not None and purchase.granted_at is not None:
            owned[purchase.subject, purchase.product_id].append((purchase.granted_at, until, purchase))
    for windows in owned.values():
        ordered = sorted(windows, key=lambda window: window[0])
        for (_, until, before), (given, _, after) in pairwise(ordered):
            if given < until:
                sentence = f"{after.subject} had {after.product_id} until {until} by purchase {before.purchase_id}."
                yield _of(after, "bought_twice", _text(until), _text(given), sentence)


def expected_access(books: Books, purchase: Purchase) -> datetime | None:
    """When access ends by the gateway's money: as many local days after it was given, at the same time of day.

    None unless something was taken and not given back in full; a refund of a part takes nothing away.
    """
    kept = any(payment.kept > 0 for payment in books.paid_for.get(purchase.purchase_id, []))
    if not kept or purchase.granted_at is None:
        return None
    local = purchase.granted_at.astimezone(purchase.zone).replace(tzinfo=None)
    return (local + timedelta(days=purchase.access_days)).replace(tzinfo=purchase.zone).astimezone(UTC)


def _reserved(payment: GatewayPayment) -> int:
    """What may still be taken of it."""
    if payment.state != "AUTHORIZED":
        return 0
    return payment.authorized - payment.cancelled - payment.captured


def _state(payment: GatewayPayment) -> str:
    if payment.captured:
        return "paid"
    if payment.state == "AUTHORIZED":
        return "cancelled" if payment.cancelled else "authorized"
    return _STATES.get(payment.state, payment.state)


def _of(
    purchase: Purchase, code: str, sandbox: int | str | None, provider: int | str | None, sentence: str
) -> Difference:
    return Difference(code, purchase.purchase_id, None, sandbox, provider, sentence)


def _text(instant: datetime | None) -> str | None:
    return iso(instant) if instant else None
