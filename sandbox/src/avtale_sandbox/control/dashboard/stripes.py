"""Stripe on the dashboard: subscriptions, invoices and payments of all its accounts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .desk import Room, paged, when

_NOUNS = ("subscriptions", "invoices", "payments")


class StripeRoom(Room):
    """What is sold through Stripe."""

    title = "Stripe"
    path = "stripe"

    def routes(self) -> list[Route]:
        """One page, with a list of each noun."""
        return [Route("/stripe", self.listed, methods=["GET"])]

    async def listed(self, request: Request) -> Response:
        """The things of the noun that is asked for, newest first."""
        noun = request.query_params.get("noun", _NOUNS[0])
        noun = noun if noun in _NOUNS else _NOUNS[0]
        text = request.query_params.get("text", "").strip()
        found = (
            one
            for one in self._rows(noun)
            if not text or text.casefold() in " ".join(map(str, one.values())).casefold()
        )
        shown, pages = paged(request, found)
        values = {"rows": shown, "pages": pages, "nouns": _NOUNS, "noun": noun, "text": text}
        return self.page(request, "stripe_room.html", values)

    def _rows(self, noun: str) -> Iterator[dict[str, Any]]:
        """Each thing as the page shows it; amounts are minor units, instants milliseconds."""
        books = self.world.stripe.books
        if noun == "subscriptions":
            for one in books.subscriptions.newest():
                yield {
                    "id": one.id,
                    "under": f"until {_day(one.period_end)}",
                    "customer": self._customer(one.customer),
                    "amount": None,
                    "currency": one.currency.upper(),
                    "at": one.created * 1000,
                    "status": one.status,
                    "account": one.account,
                }
        elif noun == "invoices":
            for bill in books.invoices.newest():
                tried = f", {bill.attempts} attempts" if bill.attempts else ""
                yield {
                    "id": bill.id,
                    "under": f"{bill.subscription}{tried}",
                    "customer": self._customer(bill.customer),
                    "amount": bill.total,
                    "currency": bill.currency.upper(),
                    "at": bill.created * 1000,
                    "status": bill.status,
                    "account": bill.account,
                }
        else:
            for intent in books.intents.newest():
                yield {
                    "id": intent.id,
                    "under": intent.invoice or intent.description or "",
                    "customer": self._customer(intent.customer),
                    "amount": intent.amount,
                    "currency": intent.currency.upper(),
                    "at": intent.created * 1000,
                    "status": intent.status,
                    "account": intent.account,
                }

    def _customer(self, key: str | None) -> str:
        found = None if key is None else self.world.stripe.books.customers.find(key)
        return "" if found is None else found.email or found.name or found.id


def _day(seconds: int) -> str:
    return when(seconds * 1000).partition(",")[0]
