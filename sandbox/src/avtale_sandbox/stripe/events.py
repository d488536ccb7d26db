"""What is told of everything that happens: events, kept for thirty days and sent to whoever wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .books import Books
from .resources import Dispute, Event, InvoicePayment, Row
from .wire.speller import Speller

KEPT_SECONDS = 30 * 86_400
KEPT_COUNT_MAX = 50_000
_encode = msgspec.json.Encoder().encode

# (event, lane: what is told in the order in which it happened)
Send = Callable[[Event, str], None]


class Events:
    """The log of what happened."""

    def __init__(self, books: Books, speller: Speller, send: Send) -> None:
        self._books = books
        self._speller = speller
        self._send = send

    def tell(self, type: str, row: Row, spelled: dict[str, Any] | None = None) -> str:
        """Note that something happened to an object, as it is now; gives the event's id."""
        return self._tell(type, row, self._speller.spell(row) if spelled is None else spelled, None)

    def changed(self, type: str, row: Row, before: dict[str, Any]) -> None:
        """Note that an object differs from what it was `before`, unless it does not."""
        after = self._speller.spell(row)
        previous = difference(before, after)
        if previous:
            self._tell(type, row, after, previous)

    def spell(self, row: Row) -> dict[str, Any]:
        """How an object is spelled now, to compare with later."""
        return self._speller.spell(row)

    def _tell(self, type: str, row: Row, spelled: dict[str, Any], previous: dict[str, Any] | None) -> str:
        books = self._books
        key, number = books.new_id("evt")
        event = Event(
            id=key,
            number=number,
            account=row.account,
            created=books.now,
            type=type,
            object=_encode(spelled).decode(),
            previous=None if previous is None else _encode(previous).decode(),
            request=books.asking.id,
            idempotency_key=books.asking.idempotency_key,
        )
        books.events.put(event)
        self._send(event, self._whose(row))
        self._forget_old(row.account)
        return key

    def _whose(self, row: Row) -> str:
        """What is told about one customer is told in order; about things without a customer, each for itself."""
        if isinstance(row, InvoicePayment):
            row = self._books.invoices.at(row.invoice)
        elif isinstance(row, Dispute):
            row = self._books.charges.at(row.charge)
        return getattr(row, "customer", None) or row.id

    def _forget_old(self, account: str) -> None:
        events, limit = self._books.events, self._books.now - KEPT_SECONDS
        while (oldest := events.oldest(account)) is not None and (
            oldest.created < limit or len(events) > KEPT_COUNT_MAX
        ):
            events.delete(oldest)


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What stood in the members that have changed; nested objects by member, lists as a whole."""
    changed: dict[str, Any] = {}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        changed[name] = difference(old, new) if isinstance(old, dict) and isinstance(new, dict) else old
    return changed
