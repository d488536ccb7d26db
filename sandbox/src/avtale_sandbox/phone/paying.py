"""The page at a payment's `redirectUrl`: what is to be paid on somebody's telephone, and their answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..pages.forms import NotAForm, pairs, read_form, same_origin
from ..pages.page import Pages, page_headers, safe_link, send_on
from ..people import Person
from ..vipps.epayment import qr
from ..vipps.epayment.landing import page as page_address
from ..vipps.epayment.resources import Payment
from . import phrases
from .bills import Bills
from .telephones import NotPossible, Telephones

_ANSWER_THERE = "Open the telephone again and answer there."
_OVER: dict[str, tuple[str, str, str]] = {
    "AUTHORIZED": ("good", "Paid", "{amount} is reserved for {merchant}."),
    "ABORTED": ("bad", "Rejected", "Nothing was taken."),
    "EXPIRED": ("wait", "This payment has expired", "Nobody answered in time. Nothing was taken."),
    "TERMINATED": ("wait", "Called off", "{merchant} called this payment off. Nothing was taken."),
}


class Paying:
    """The handlers of the payment page, and of the image that leads to it."""

    def __init__(self, telephones: Telephones, bills: Bills, path: str) -> None:
        """Take people and payments, and the path below which the apps and the stylesheet are."""
        self._telephones = telephones
        self._bills = bills
        self._path = path
        self._pages = Pages(Path(__file__).parent / "templates", {"money": phrases.money}, path=path)

    async def show(self, request: Request) -> Response:
        """Show what is to be paid, or what became of it."""
        asked = _query(request)
        payment = self._bills.payment_of(asked.get("token", ""))
        if payment is None:
            return self._unknown()
        if payment.state != "CREATED":
            return self._over(payment)
        if self._bills.link_is_dead(payment):
            return self._too_late(payment)
        person = self._whose(payment, asked.get("as", ""))
        if person is None:
            return self._ask_whose(payment, asked)
        # Looking at it is what keeps the link alive; whose telephone it is may still change.
        payment = await self._bills.fetch_options(self._bills.open(payment, person), person)
        return self._show_bill(payment, person, asked)

    async def decide(self, request: Request) -> Response:
        """Take the answer: pay or reject and go back to the merchant, or let the payment wait."""
        if not same_origin(request):
            return self._trouble(403, "This form was not sent from here", _ANSWER_THERE)
        asked = _query(request)
        try:
            answer = dict(await read_form(request))
        except NotAForm:
            return self._trouble(400, "This answer cannot be read", _ANSWER_THERE)
        payment = self._bills.payment_of(asked.get("token", ""))
        if payment is None:
            return self._unknown()
        person = self._telephones.person(answer.get("person", ""))
        if payment.state != "CREATED" or person is None:
            return self._again(request)
        try:
            if answer.get("decision") == "approve":
                if not self._bills.approve(payment, person, answer.get("delivery")):
                    return self._again(request, person)
            elif answer.get("decision") == "reject":
                self._bills.reject(payment, person)
            else:
                self._bills.open(payment, person)
                return self._to_app(person)
        except NotPossible:
            return self._again(request)
        back = _way_back(payment)
        return self._to_app(person) if back is None else send_on(back)

    async def image(self, request: Request) -> Response:
        """The QR image that leads to the page; gone once nobody can pay any more."""
        token = _query(request).get("token", "")
        payment = self._bills.payment_of(token)
        if payment is None or payment.ask.qr_format is None or payment.state != "CREATED":
            return Response(status_code=404)
        if self._bills.link_is_dead(payment):
            return Response(status_code=404)
        base = f"{request.url.scheme}://{request.url.netloc}"
        kind, content = qr.image(page_address(base, token), payment.ask.qr_format, payment.ask.qr_size)
        return Response(content, media_type=kind, headers={"Cache-Control": "no-store"})

    def _whose(self, payment: Payment, chosen: str) -> Person | None:
        for number in (chosen, payment.person, payment.ask.customer):
            if number and (person := self._telephones.person(number)) is not None:
                return person
        number = payment.ask.customer
        return None if not number else Person(phone_number=number)

    def _show_bill(self, payment: Payment, person: Person, asked: dict[str, str]) -> Response:
        zone = phrases.zone_of(person.phone_number)
        bill = self._bills.bill(payment, zone)
        values: dict[str, Any] = {
            "bill": bill,
            "person": person,
            "people": self._telephones.everybody(),
            "hinted": payment.ask.customer == person.phone_number,
            "has_money": self._telephones.has_money(person),
            "kept": _kept(asked),
            "leads_back": _way_back(payment) is not None,
            "clock": self._telephones.clock_words(zone),
        }
        return self._pages.answer("payment.html", values, leads_to=payment.ask.return_url)

    def _ask_whose(self, payment: Payment, asked: dict[str, str]) -> Response:
        values = {
            "merchant": self._bills.merchant_name(payment),
            "people": self._telephones.everybody(),
            "kept": _kept(asked),
            "clock": self._telephones.clock_words(phrases.zone_of("")),
        }
        return self._pages.answer("whose_first.html", values)

    def _over(self, payment: Payment) -> Response:
        merchant = self._bills.merchant_name(payment)
        person = self._telephones.person(payment.person or "")
        tone, heading, text = _OVER[payment.state]
        amount = phrases.money(payment.amount, payment.currency)
        values = {
            "tone": tone,
            "heading": heading,
            "text": text.format(amount=amount, merchant=merchant),
            "merchant": merchant,
            "back": safe_link(_way_back(payment) or ""),
            "person": person,
            "beside": "This payment is closed",
            "beside_text": "A link to a payment works until it is answered, called off or expires.",
        }
        return self._closed(values, person)

    def _too_late(self, payment: Payment) -> Response:
        merchant = self._bills.merchant_name(payment)
        values = {
            "tone": "wait",
            "heading": "This link was not opened in time",
            "text": f"{merchant} can ask for the payment again. Nothing was taken.",
            "merchant": merchant,
            "back": safe_link(_way_back(payment) or ""),
            "person": None,
            "beside": "Links to payments are short-lived",
            "beside_text": "One must be opened within five minutes; whoever has opened it has the rest of the ten.",
        }
        return self._closed(values, None)

    def _unknown(self) -> Response:
        text = "It may be cut off, come from another sandbox, or be from before a reset."
        return self._trouble(404, "This link is not known here", text)

    def _trouble(self, status: int, heading: str, text: str) -> Response:
        values = {
            "tone": "bad",
            "heading": heading,
            "text": text,
            "back": None,
            "merchant": "",
            "person": None,
            "beside": "Ask the merchant for a new link",
            "beside_text": "A merchant gets one each time it asks for a payment.",
        }
        return self._closed(values, None, status)

    def _closed(self, values: dict[str, Any], person: Person | None, status: int = 200) -> Response:
        zone = phrases.zone_of("" if person is None else person.phone_number)
        clock = self._telephones.clock_words(zone)
        return self._pages.answer("closed.html", values | {"clock": clock}, status=status)

    def _to_app(self, person: Person) -> Response:
        return RedirectResponse(f"{self._path}/{person.phone_number}", 303, headers=page_headers())

    def _again(self, request: Request, person: Person | None = None) -> Response:
        """Send the browser back to look at how things stand."""
        query = request.url.query
        if person is not None and "as" not in _query(request):
            query += f"&as={person.phone_number}"
        return RedirectResponse(f"{request.url.path}?{query}", 303, headers=page_headers())


def _way_back(payment: Payment) -> str | None:
    """Where the payer goes afterwards; a push, or a code on a till, leads nowhere."""
    return None if payment.ask.flow == "PUSH_MESSAGE" else payment.ask.return_url


def _query(request: Request) -> dict[str, str]:
    try:
        return dict(pairs(request.scope["query_string"]))
    except NotAForm:
        return {}


def _kept(asked: dict[str, str]) -> list[tuple[str, str]]:
    """Give what a form that chooses another person must send along."""
    return [("token", asked["token"])] if "token" in asked else []
