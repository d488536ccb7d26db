"""Agreements on the dashboard: the list, and the time line of each, in which everything that happened to it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...instants import parse_instant
from ...phone import phrases
from ...vipps.recurring import confirmation
from ...vipps.recurring.resources import Agreement, Charge
from ...vipps.recurring.states import AgreementStatus
from ...vipps.webhooks.deliveries import Delivery
from ..record import Sought
from .desk import PATH, Form, Room, paged, when

_CALLS_MAX = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened; at one instant, calls come before what they led to."""

    at: int
    rank: int
    kind: str
    what: str
    tone: str = ""
    more: str = ""
    link: str | None = None


class Agreements(Room):
    """Agreements of all merchants."""

    title = "Agreements"
    path = "agreements"

    def routes(self) -> list[Route]:
        """The list, one agreement, and what a payer can do with it."""
        return [
            Route("/agreements", self.listed, methods=["GET"]),
            Route("/agreements/{id}", self.one, methods=["GET"]),
            Route("/agreements/{id}/{verb}", self.form(self.decide), methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """The agreements that are asked for, newest first."""
        status, text = request.query_params.get("status", ""), request.query_params.get("text", "").strip()
        found = (
            one
            for one in self.world.recurring.shelf.newest_agreements()
            if status in ("", one.status) and _is_about(one, text)
        )
        shown, pages = paged(request, found)
        values = {
            "agreements": [(one, _price(one)) for one in shown],
            "pages": pages,
            "statuses": get_args(AgreementStatus),
            "status": status,
            "text": text,
            "counts": self.world.recurring.shelf.counts(),
        }
        return self.page(request, "agreements.html", values)

    async def one(self, request: Request) -> Response:
        """One agreement: its terms, its charges and its time line."""
        recurring = self.world.recurring
        agreement = recurring.shelf.find_agreement(request.path_params["id"])
        if agreement is None:
            return self.desk.trouble(request, self.title, 404, "There is no such agreement.")
        charges = recurring.shelf.charges_of(agreement.id)
        token = urlencode({"v": "2", "token": recurring.confirmation_token(agreement)})
        person = agreement.person or agreement.phone_number or ""
        values = {
            "agreement": agreement,
            "price": _price(agreement),
            "charges": charges[::-1],
            "moments": self._days(agreement, charges),
            "link": f"{confirmation.PATH}?{token}",
            "person": person,
            "name": getattr(self.world.people.get(person), "name", ""),
        }
        return self.page(request, "agreement.html", values, agreement.product_name)

    async def decide(self, request: Request, form: Form) -> Response:
        """Approve, reject or stop it in its payer's place."""
        recurring, agreement_id = self.world.recurring, request.path_params["id"]
        verb = request.path_params["verb"]
        agreement = recurring.shelf.agreement(agreement_id)
        number = form.get("person") or agreement.person or agreement.phone_number or ""
        if verb == "approve":
            agreement = recurring.approve(agreement_id, number)
        elif verb == "reject":
            agreement = recurring.reject(agreement_id, number or None)
        elif verb == "stop":
            agreement = recurring.stop_by_user(agreement_id)
        else:
            return self.desk.trouble(request, self.title, 404, "There is nothing like that to do.")
        return self.desk.to(f"{PATH}/agreements/{agreement_id}", f"The agreement is {agreement.status}.")

    def _days(self, agreement: Agreement, charges: list[Charge]) -> list[tuple[str, list[Moment]]]:
        """The time line by days, newest first."""
        moments = sorted(self._moments(agreement, charges), key=lambda one: (one.at, one.rank))[::-1]
        days: dict[str, list[Moment]] = {}
        for moment in moments:
            days.setdefault(when(moment.at).partition(",")[0], []).append(moment)
        return list(days.items())

    def _moments(self, agreement: Agreement, charges: list[Charge]) -> Iterator[Moment]:
        yield Moment(agreement.created, 2, "agreement", "Drafted")
        if agreement.start is not None:
            yield Moment(agreement.start, 2, "agreement", "Approved", "good")
        if agreement.stop is not None:
            yield Moment(agreement.stop, 2, "agreement", "Stopped" if agreement.start else "Rejected", "bad")
        for charge in charges:
            yield from _of_charge(charge)
        sought = Sought(about=agreement.id, limit=_CALLS_MAX)
        for call in self.world.record.exchanges(sought):
            status = call["status"]
            answer = "no answer" if status is None else str(status)
            is_bad = status is None or status >= 400
            link = f"{PATH}/record/{call['number']}"
            name = call["operationId"] or f"{call['method']} {call['path']}"
            yield Moment(parse_instant(call["now"]), 0, "call", f"{name} · {answer}", "bad" if is_bad else "", "", link)
        for event in self.world.record.events(sought):
            yield Moment(parse_instant(event["now"]), 3, "event", event["event"])
        for delivery in self.world.deliveries.newest():
            if delivery.attempts and agreement.id in delivery.body:
                yield _of_delivery(delivery)


def _of_delivery(delivery: Delivery) -> Moment:
    """A delivery at its last attempt."""
    last = delivery.attempts[-1]
    count = len(delivery.attempts)
    said = (last.error or "") if last.status is None else f"answered {last.status}"
    more = f"{delivery.url} {said}" if count == 1 else f"{delivery.url} {said}, {count} attempts"
    tone = {"delivered": "good", "dropped": "bad"}.get(delivery.state, "wait")
    link = f"{PATH}/webhooks?delivery={delivery.number}"
    return Moment(last.at, 4, "webhook", f"{delivery.event} {delivery.state}", tone, more, link)


def _of_charge(charge: Charge) -> Iterator[Moment]:
    for number, one in enumerate(charge.tries, 1):
        if one.reason is not None:
            why = phrases.FAILURE_WORDS.get(one.reason, one.reason)
            yield Moment(one.at, 1, "try", f"{charge.id}: try {number} failed", "bad", why)
    for line in charge.history:
        words, is_good = _HISTORY[line.event]
        amount = phrases.money(line.amount, charge.currency)
        due = f"due {charge.due}" if line.event == "CREATE" and charge.type == "RECURRING" else ""
        yield Moment(line.at, 2, "charge", f"{charge.id}: {amount} {words}", is_good, due)


_HISTORY = {
    "CREATE": ("to be charged", ""),
    "RESERVE": ("reserved", "wait"),
    "CAPTURE": ("captured", "good"),
    "REFUND": ("refunded", "wait"),
    "CANCEL": ("cancelled", ""),
    "FAIL": ("could not be taken", "bad"),
}


def _is_about(agreement: Agreement, text: str) -> bool:
    if not text:
        return True
    values: list[Any] = [
        agreement.id,
        agreement.external_id,
        agreement.product_name,
        agreement.person,
        agreement.phone_number,
        agreement.uuid,
    ]
    return any(text.casefold() in value.casefold() for value in values if value)


def _price(agreement: Agreement) -> str:
    return f"{phrases.price(agreement)} {phrases.every(agreement.interval)}"
