"""Where payments stand: one table, and the look-up by person."""

from __future__ import annotations

from collections.abc import Iterator

from ...clock import Agenda
from ...ids import Ids
from ...store import Store
from ..refusals import Refused
from .resources import Payment, payment_id


class Shelf:
    """All payments, with their due instants on the agenda. What is given back is a copy."""

    def __init__(self, store: Store, ids: Ids, agenda: Agenda) -> None:
        self._payments = store.table("payment", Payment)
        self._ids = ids
        self._agenda = agenda
        self._by_person: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._payments)

    def load(self) -> None:
        """Build the look-up and the agenda from what the store holds."""
        self._by_person.clear()
        for payment in self._payments.values():
            self._ids.reached(payment.number)
            self._note(payment)

    def has(self, msn: str, reference: str) -> bool:
        """Whether the sales unit has used the reference."""
        return payment_id(msn, reference) in self._payments

    def find(self, key: str) -> Payment | None:
        """The payment with this id, or None."""
        return self._payments.get(key)

    def get(self, msn: str, reference: str) -> Payment:
        """A sales unit's payment; raises Refused (5090)."""
        found = self._payments.get(payment_id(msn, reference))
        if found is None:
            raise Refused("5090", f"The reference `{reference}` does not exist for MSN {msn}")
        return found

    def save(self, payment: Payment) -> None:
        """Store a new or changed payment."""
        self._payments.put(payment.id, payment)
        self._note(payment)

    def all(self) -> Iterator[Payment]:
        """Every payment, oldest first."""
        return self._payments.values()

    def newest(self) -> Iterator[Payment]:
        """Every payment, newest first."""
        return self._payments.newest()

    def of_person(self, phone_number: str) -> list[Payment]:
        """What a person has in their app, oldest first."""
        found = (self._payments.get(key) for key in self._by_person.get(phone_number, {}))
        return [payment for payment in found if payment is not None and payment.person == phone_number]

    def due_at(self, key: str) -> int | None:
        """When something happens to the payment by itself, or None."""
        found = self._payments.get(key)
        return None if found is None else found.next_at

    def _note(self, payment: Payment) -> None:
        if payment.person is not None:
            self._by_person.setdefault(payment.person, {})[payment.id] = None
        if payment.next_at is not None:
            self._agenda.add(payment.next_at, "payment", payment.number, payment.id)
