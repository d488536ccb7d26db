"""Who can sign in: the sandbox's test persons, its operators, and whoever gives a name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from ..people import People, Person

NAME_LETTERS_MAX = 80

_PHONE_SUBJECT = "phone|"
_LOCAL_NUMBER_DIGITS = 8


class NotAPerson(ValueError):
    """What was typed on the sign-in page names nobody; the text says why, for the one who typed it."""


class Profile(Struct, frozen=True, omit_defaults=True):
    """What the issuer can say about somebody."""

    subject: str
    name: str
    phone_number: str | None = None
    email: str | None = None
    roles: tuple[str, ...] = ()

    def claims(self, scopes: Iterable[str]) -> dict[str, Any]:
        """Give the claims that the scopes ask for (OpenID Connect Core, 5.4); roles come with every scope."""
        asked = set(scopes)
        claims: dict[str, Any] = {"sub": self.subject}
        if "profile" in asked:
            given, _, family = self.name.rpartition(" ")
            claims["name"] = self.name
            if given:
                claims |= {"given_name": given, "family_name": family}
        if "phone" in asked and self.phone_number is not None:
            claims |= {"phone_number": f"+{self.phone_number}", "phone_number_verified": True}
        if "email" in asked and self.email is not None:
            claims |= {"email": self.email, "email_verified": True}
        if self.roles:
            claims["roles"] = list(self.roles)
        return claims


DEFAULT_OPERATORS = (Profile("operator|demo", "Demo operator", email="operator@example.com", roles=("avtale:admin",)),)


def of_person(person: Person) -> Profile:
    """Give the profile of a test person; the subject is `phone|` and their number."""
    return Profile(_PHONE_SUBJECT + person.phone_number, person.name, person.phone_number, person.email)


def of_subject(subject: str, people: People) -> Profile | None:
    """Give the test person that a subject names, or None."""
    if not subject.startswith(_PHONE_SUBJECT):
        return None
    person = people.get(subject.removeprefix(_PHONE_SUBJECT))
    return None if person is None else of_person(person)


def of_typed(name: str, phone_number: str, people: People) -> Profile:
    """Give a profile for a name, a number, or both; a new number becomes a test person; raises NotAPerson."""
    name = " ".join(name.split())
    if len(name) > NAME_LETTERS_MAX:
        raise NotAPerson(f"A name has at most {NAME_LETTERS_MAX} letters.")
    if number := re.sub(r"[\s().+-]", "", phone_number):
        # Eight digits are a Norwegian number as people there say it.
        if len(number) == _LOCAL_NUMBER_DIGITS and people.get(number) is None:
            number = f"47{number}"
        person = people.get(number)
        if person is None:
            person = Person(phone_number=number, name=name) if name else Person(phone_number=number)
            try:
                people.save(person)
            except ValueError:
                text = "A phone number has 8 to 15 digits, with the country code first."
                raise NotAPerson(text) from None
        return of_person(person)
    if not name:
        raise NotAPerson("Give a name or a phone number.")
    mark = hashlib.sha256(name.casefold().encode("utf-8", "replace")).hexdigest()[:20]
    return Profile(f"name|{mark}", name)
