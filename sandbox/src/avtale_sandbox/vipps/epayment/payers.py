"""Whether somebody can pay: money, age, and the amounts that the test environment refuses."""

from __future__ import annotations

from datetime import date

from ...instants import local_day, parse_day
from ...merchants import Merchant
from ...people import Person
from .resources import Payment

# Amounts of the test environment that cannot be paid, whatever is on the card (Vipps ePayment, special
# amounts), in words for the payer.
AMOUNTS_REFUSED = {
    151: "There is not enough money on the card",
    182: "The bank that issued the card said no",
    183: "The bank suspects fraud",
    184: "The amount is above the card's limit",
    186: "The card has expired",
    187: "The card is not valid",
    197: "The card's owner could not be verified",
    202: "The bank asks for a stronger proof of identity",
}
# Of these, the ones that only Norway knows.
_NORWEGIAN_AMOUNTS = frozenset({197, 202})
# Amounts that cannot be given back there: nobody to give them to, or too late.
REFUND_TO_NOBODY = 123
REFUND_TOO_LATE = 124
NO_MONEY = "There was no money on the card, or it was blocked"


def why_not(payment: Payment, person: Person, merchant: Merchant, now: int) -> str | None:
    """Why a try to pay fails, in words for the payer; None when it does not."""
    if not is_old_enough(person, payment.ask.minimum_age, now, merchant):
        return f"You must be at least {payment.ask.minimum_age} years old"
    if payment.amount in AMOUNTS_REFUSED and (merchant.market == "NO" or payment.amount not in _NORWEGIAN_AMOUNTS):
        return AMOUNTS_REFUSED[payment.amount]
    return None if person.has_funds(now, merchant.terms.zone) else NO_MONEY


def is_old_enough(person: Person, age: int | None, now: int, merchant: Merchant) -> bool:
    """Whether somebody whose age is asked for has it; whose birthday is not known has any age."""
    if not age or person.birth_date is None:
        return True
    born, today = parse_day(person.birth_date), local_day(now, merchant.terms.zone)
    return _birthday(born, age) <= today


def _birthday(born: date, age: int) -> date:
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1)
