"""Lets a shop be asked for its ways of delivery before somebody pays it."""

from __future__ import annotations

from ...people import Person
from .courier import Courier, NoDelivery
from .model import Payments
from .resources import Payment


async def fetch_options(payments: Payments, courier: Courier, payment: Payment, person: Person | None) -> Payment:
    """The payment with the shop's answer for this person's address, where one is wanted; else as it is."""
    address = payments.wants_options(payment, person)
    if address is None:
        return payment
    try:
        groups = await courier.ask(payment, address)
    except NoDelivery as problem:
        return payments.set_options(payment.id, None, str(problem))
    return payments.set_options(payment.id, groups)
