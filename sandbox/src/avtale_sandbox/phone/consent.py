"""The page at the confirmation address: an agreement's terms on somebody's telephone, and their answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..pages.forms import NotAForm, pairs, read_form, same_origin
from ..pages.page import Pages, page_headers, safe_link, send_on
from ..people import Person
from ..vipps.recurring.resources import Agreement
from . import phrases
from .telephones import NotPossible, Telephones

_ANSWER_THERE = "Open the telephone again and answer there."


class Consent:
    """The handlers of the confirmation page."""

    def __init__(self, telephones: Telephones, path: str) -> None:
        """Take the telephones, and the path below which the apps and the stylesheet are."""
        self._telephones = telephones
        self._path = path
        filters = {"money": phrases.money}
        self._pages = Pages(Path(__file__).parent / "templates", filters, path=path)

    async def show(self, request: Request) -> Response:
        """Show the terms, or what became of them."""
        asked = _query(request)
        agreement = self._telephones.agreement_of(asked.get("token", ""))
        if agreement is None:
            return self._unknown()
        if agreement.status != "PENDING":
            return self._decided(agreement)
        person = self._whose(agreement, asked.get("as", ""))
        if person is None:
            return self._ask_whose(agreement, asked)
        return self._terms(agreement, person, asked)

    async def decide(self, request: Request) -> Response:
        """Take the answer: approve or reject and go back to the merchant, or let the request wait."""
        if not same_origin(request):
            return self._trouble(403, "This form was not sent from here", _ANSWER_THERE)
        asked = _query(request)
        try:
            answer = dict(await read_form(request))
        except NotAForm:
            return self._trouble(400, "This answer cannot be read", _ANSWER_THERE)
        agreement = self._telephones.agreement_of(asked.get("token", ""))
        if agreement is None:
            return self._unknown()
        person = self._answering(agreement, answer.get("person", ""))
        if agreement.status != "PENDING" or person is None:
            return self._again(request)
        try:
            if answer.get("decision") == "approve":
                if not self._telephones.approve(agreement, person, self._limit(agreement, answer)):
                    return self._again(request, person)
            elif answer.get("decision") == "reject":
                self._telephones.reject(agreement, person)
            else:
                self._telephones.leave_waiting(agreement, person)
                return RedirectResponse(f"{self._path}/{person.phone_number}", 303, headers=page_headers())
        except NotPossible as problem:
            return self._terms(agreement, person, asked, str(problem), answer.get("limit"))
        return send_on(agreement.redirect_url)

    def _whose(self, agreement: Agreement, chosen: str) -> Person | None:
        for number in (chosen, agreement.person, agreement.phone_number):
            if number and (person := self._telephones.person(number)) is not None:
                return person
        return self._answering(agreement, agreement.phone_number or "")

    def _answering(self, agreement: Agreement, number: str) -> Person | None:
        person = self._telephones.person(number)
        if person is None and number and number == agreement.phone_number:
            # A number nobody has yet becomes a person when they answer, not when the page is looked at.
            return Person(phone_number=number)
        return person

    def _limit(self, agreement: Agreement, answer: dict[str, str]) -> int | None:
        limit = self._telephones.limit(agreement)
        if limit is None or "limit" not in answer:
            return None
        try:
            return limit.chosen(answer["limit"])
        except ValueError as problem:
            raise NotPossible(str(problem)) from problem

    def _terms(
        self,
        agreement: Agreement,
        person: Person,
        asked: dict[str, str],
        problem: str | None = None,
        typed: str | None = None,
    ) -> Response:
        zone = phrases.zone_of(person.phone_number)
        terms = self._telephones.terms(agreement, zone)
        people = self._telephones.everybody()
        if all(other.phone_number != person.phone_number for other in people):
            people.append(person)
        values: dict[str, Any] = {
            "terms": terms,
            "terms_link": safe_link(terms.terms_url or ""),
            "person": person,
            "people": people,
            "hinted": agreement.phone_number == person.phone_number,
            "has_money": self._telephones.has_money(person),
            "kept": _kept(asked),
            "problem": problem,
            "typed": typed,
            "clock": self._telephones.clock_words(zone),
        }
        status = 200 if problem is None else 400
        return self._pages.answer("consent.html", values, status=status, leads_to=agreement.redirect_url)

    def _ask_whose(self, agreement: Agreement, asked: dict[str, str]) -> Response:
        values = {
            "merchant": self._telephones.merchant_of(agreement).name,
            "people": self._telephones.everybody(),
            "kept": _kept(asked),
            "clock": self._telephones.clock_words(phrases.zone_of("")),
        }
        return self._pages.answer("whose_first.html", values)

    def _decided(self, agreement: Agreement) -> Response:
        merchant = self._telephones.merchant_of(agreement).name
        person = self._telephones.person(agreement.person or "")
        product = agreement.product_name
        if agreement.status == "ACTIVE":
            tone, heading = "good", "Approved"
            text = f"The agreement with {merchant} about {product} is active."
        elif agreement.status == "EXPIRED":
            tone, heading = "wait", "This request has expired"
            text = f"{merchant} can send a new one. Nothing was taken."
        elif agreement.start is not None:
            tone, heading = "bad", "Stopped"
            text = f"The agreement with {merchant} about {product} was stopped."
        else:
            tone, heading = "bad", "Rejected"
            text = f"{merchant} takes no payments for {product}."
        values = {
            "tone": tone,
            "heading": heading,
            "text": text,
            "merchant": merchant,
            "back": safe_link(agreement.redirect_url),
            "person": person,
            "beside": "Nobody answered in time" if tone == "wait" else "This request was answered",
            "beside_text": "A link to a payment request works until it is answered or expires.",
        }
        return self._closed(values, person)

    def _unknown(self) -> Response:
        heading = "This link is not known here"
        text = "It may be cut off, come from another sandbox, or be from before a reset."
        return self._trouble(404, heading, text)

    def _trouble(self, status: int, heading: str, text: str) -> Response:
        values = {
            "tone": "bad",
            "heading": heading,
            "text": text,
            "back": None,
            "merchant": "",
            "person": None,
            "beside": "Ask the merchant for a new link",
            "beside_text": "A merchant gets one each time it drafts an agreement.",
        }
        return self._closed(values, None, status)

    def _closed(self, values: dict[str, Any], person: Person | None, status: int = 200) -> Response:
        zone = phrases.zone_of("" if person is None else person.phone_number)
        clock = self._telephones.clock_words(zone)
        return self._pages.answer("closed.html", values | {"clock": clock}, status=status)

    def _again(self, request: Request, person: Person | None = None) -> Response:
        """Send the browser back to look at how things stand."""
        query = request.url.query
        if person is not None and "as" not in _query(request):
            query += f"&as={person.phone_number}"
        return RedirectResponse(f"{request.url.path}?{query}", 303, headers=page_headers())


def _query(request: Request) -> dict[str, str]:
    try:
        return dict(pairs(request.scope["query_string"]))
    except NotAForm:
        return {}


def _kept(asked: dict[str, str]) -> list[tuple[str, str]]:
    """Give what a form that chooses another person must send along."""
    return [(name, asked[name]) for name in ("v", "token") if name in asked]
