"""People on the dashboard: what each of them does with requests, and what their money and their age allow."""

from __future__ import annotations

from typing import Any, cast, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...instants import local_day
from ...people import Person, Temperament, Window
from ...phone import phrases
from .desk import PATH, Form, Room

TEMPERAMENTS = {
    "asks": "leaves the answer to whoever holds the phone",
    "approves": "approves requests at once",
    "rejects": "rejects requests at once",
    "waits": "lets requests wait until they expire",
}


class PeopleRoom(Room):
    """Everybody with a telephone."""

    title = "People"
    path = "people"

    def routes(self) -> list[Route]:
        """The list, and a form for each."""
        return [
            Route("/people", self.listed, methods=["GET"]),
            Route("/people", self.form(self.add), methods=["POST"]),
            Route("/people/{number}", self.form(self.change), methods=["POST"]),
            Route("/people/{number}/leave", self.form(self.leave), methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """Everybody, in order of appearance."""
        now = self.world.clock.now()
        people = []
        for person in self.world.people.all():
            zone = phrases.zone_of(person.phone_number)
            people.append(
                {
                    "person": person,
                    "has_money": person.has_funds(now, zone),
                    "is_under_age": person.is_under_age(local_day(now, zone)),
                    "windows": [window for window in person.no_funds if window.from_ or window.until],
                    "agreements": len(self.world.recurring.agreements_of(person.phone_number)),
                }
            )
        return self.page(request, "people_room.html", {"people": people, "temperaments": TEMPERAMENTS})

    async def add(self, request: Request, form: Form) -> Response:
        """Make a person."""
        number = "".join(form.get("number", "").split()).lstrip("+")
        if self.world.people.get(number) is not None:
            raise ValueError("Somebody has this number already.")
        person = Person(phone_number=number, name=form.get("name", "").strip()[:80] or "Test Person")
        person.temperament = _temperament(form)
        self.world.people.save(person)
        return self.desk.to(f"{PATH}/people#p{number}", f"{person.name} is there.")

    async def change(self, request: Request, form: Form) -> Response:
        """Change what the form says of a person."""
        person = self._person(request)
        changed: dict[str, Any] = {
            "temperament": _temperament(form),
            "shares": form.get("shares") == "yes",
            "birth_date": form.get("birth_date", "").strip() or None,
            "max_amount": _minor(form.get("limit", "")),
        }
        person = msgspec.structs.replace(person, **changed)
        broke_until = form.get("broke_until", "").strip()
        if form.get("money") == "in":
            person.no_funds = []
        elif form.get("money") == "out":
            person.no_funds = [Window(None, broke_until or None)]
        self.world.people.save(person)
        return self.desk.to(f"{PATH}/people#p{person.phone_number}", f"{person.name} is changed.")

    async def leave(self, request: Request, form: Form) -> Response:
        """Delete a person's profile."""
        person = self._person(request)
        self.world.recurring.stop_by_leaving(person.phone_number)
        self.world.people.delete(person.phone_number)
        return self.desk.to(f"{PATH}/people", f"{person.name} has left; their agreements are stopped.")

    def _person(self, request: Request) -> Person:
        person = self.world.people.get(request.path_params["number"])
        if person is None:
            raise ValueError("Nobody has this number.")
        return person


def _temperament(form: Form) -> Temperament:
    chosen = form.get("temperament", "asks")
    if chosen not in get_args(Temperament):
        raise ValueError("There is no such temperament.")
    return cast(Temperament, chosen)


def _minor(text: str) -> int | None:
    """An amount as typed, "150" or "99.50", in minor units; None for nothing; raises ValueError."""
    plain = "".join(text.split()).replace(",", ".")
    if not plain:
        return None
    whole, point, rest = plain.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 9):
        raise ValueError("The limit must be an amount of money.")
    if point and not (rest.isascii() and rest.isdigit() and len(rest) <= 2):
        raise ValueError("The limit must be an amount of money.")
    return int(whole) * 100 + int(rest.ljust(2, "0") or 0)
