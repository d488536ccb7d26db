"""The people's apps: who has a telephone, and what each of them can see and do on theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..pages.forms import NotAForm, pairs, read_form, same_origin
from ..pages.page import Pages, page_headers
from ..people import Person
from ..vipps.epayment import landing
from ..vipps.recurring import confirmation
from . import bills, phrases
from .bills import Bills
from .telephones import NotPossible, Telephones

# What a person does with a payment request when no hand is on their telephone: in a word, and in a sentence.
_TEMPERAMENTS = {
    "asks": ("you answer", "leaves the answer to you"),
    "approves": ("approves", "approves them"),
    "rejects": ("rejects", "rejects them"),
    "waits": ("lets requests wait", "lets them wait until they expire"),
}


class Apps:
    """The handlers below `/phone`."""

    def __init__(self, telephones: Telephones, bills: Bills, path: str) -> None:
        """Take the telephones, what is to be paid once, and the path that this is mounted at."""
        self._telephones = telephones
        self._bills = bills
        self._path = path
        self._pages = Pages(Path(__file__).parent / "templates", path=path)

    async def people(self, request: Request) -> Response:
        """List everybody's telephone."""
        return self._people()

    async def add(self, request: Request) -> Response:
        """Make a new person from the form."""
        form = await self._form(request)
        if form is None:
            return self._refused()
        typed = {"name": form.get("name", "")[:80], "phone": form.get("phone", "")}
        try:
            person = self._telephones.add(typed["name"], typed["phone"])
        except NotPossible as problem:
            return self._people(str(problem), typed)
        return self._to(person)

    async def open(self, request: Request) -> Response:
        """Go to the page of a confirmation address, also of one that is made for an app."""
        try:
            asked = dict(pairs(request.scope["query_string"]))
        except NotAForm:
            asked = {}
        token = self._telephones.token_in(asked.get("url", ""))
        if token is None:
            return self._people("That is not the address of a payment request.")
        if self._bills.payment_of(token) is not None:
            return RedirectResponse(landing.page("", token), 303, headers=page_headers())
        query = urlencode({"v": "2", "token": token})
        return RedirectResponse(f"{confirmation.PATH}?{query}", 303, headers=page_headers())

    async def app(self, request: Request) -> Response:
        """Show one person's app."""
        person = self._person(request)
        return self._nobody() if person is None else self._app(person)

    async def money(self, request: Request) -> Response:
        """Put money on the person's card, or take it away."""
        person, form = self._person(request), await self._form(request)
        if form is None:
            return self._refused()
        if person is None:
            return self._nobody()
        if form.get("money") == "in":
            self._telephones.put_money_in(person)
        elif form.get("money") == "out":
            self._telephones.take_money_out(person)
        return self._to(person)

    async def stop(self, request: Request) -> Response:
        """Stop an agreement."""
        person, form = self._person(request), await self._form(request)
        if form is None:
            return self._refused()
        if person is None:
            return self._nobody()
        try:
            self._telephones.stop(person, request.path_params["agreement_id"])
        except NotPossible as problem:
            return self._app(person, str(problem))
        return self._to(person)

    async def limit(self, request: Request) -> Response:
        """Change how much an agreement may take at a time."""
        person, form = self._person(request), await self._form(request)
        if form is None:
            return self._refused()
        if person is None:
            return self._nobody()
        try:
            self._telephones.set_limit(person, request.path_params["agreement_id"], form.get("limit", ""))
        except NotPossible as problem:
            return self._app(person, str(problem))
        return self._to(person)

    def _person(self, request: Request) -> Person | None:
        return self._telephones.person(request.path_params["number"])

    async def _form(self, request: Request) -> dict[str, str] | None:
        """Give the form, or None when it is none, or another site's page sent it."""
        if not same_origin(request):
            return None
        try:
            return dict(await read_form(request))
        except NotAForm:
            return None

    def _app(self, person: Person, problem: str | None = None) -> Response:
        waiting = [
            {
                "link": f"{confirmation.PATH}?{urlencode({'v': '2', 'token': request.token})}",
                "merchant": request.merchant,
                "product": request.product,
                "until": request.until,
            }
            for request in self._telephones.waiting(person)
        ] + [
            {"link": bills.link(bill), "merchant": bill.merchant, "product": bill.product, "until": bill.until}
            for bill in self._bills.waiting(person)
        ]
        values: dict[str, Any] = {
            "person": person,
            "temperament": _TEMPERAMENTS[person.temperament][1],
            "overview": self._telephones.overview(person),
            "waiting": waiting,
            "paid": self._bills.paid(person),
            "has_money": self._telephones.has_money(person),
            "problem": problem,
            "clock": self._telephones.clock_words(phrases.zone_of(person.phone_number)),
        }
        return self._pages.answer("app.html", values, status=200 if problem is None else 400)

    def _people(self, problem: str | None = None, typed: dict[str, str] | None = None) -> Response:
        people = [
            {
                "name": person.name,
                "phone_number": person.phone_number,
                "temperament": _TEMPERAMENTS[person.temperament][0],
                "has_money": self._telephones.has_money(person),
            }
            for person in self._telephones.everybody()
        ]
        values = {
            "people": people,
            "problem": problem,
            "typed": typed or {"name": "", "phone": ""},
            "clock": self._telephones.clock_words(phrases.zone_of("")),
        }
        return self._pages.answer("people.html", values, status=200 if problem is None else 400)

    def _nobody(self) -> Response:
        return self._trouble(404, "Nobody has this number", "Look for the person among all telephones.")

    def _refused(self) -> Response:
        return self._trouble(403, "This form was not sent from here", "Open the telephone and try there.")

    def _trouble(self, status: int, heading: str, text: str) -> Response:
        values = {
            "tone": "bad",
            "heading": heading,
            "text": text,
            "back": None,
            "person": None,
            "merchant": "",
            "beside": "Telephones",
            "beside_text": "Each test person has one, under their phone number.",
            "clock": self._telephones.clock_words(phrases.zone_of("")),
        }
        return self._pages.answer("closed.html", values, status=status)

    def _to(self, person: Person) -> Response:
        return RedirectResponse(f"{self._path}/{person.phone_number}", 303, headers=page_headers())
