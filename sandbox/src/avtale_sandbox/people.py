"""The people who own the telephones: how they decide, and when they have no money."""

from __future__ import annotations

from datetime import date
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from .instants import DAY, local_instant, parse_day, parse_instant
from .store import Store

Temperament = Literal["asks", "approves", "rejects", "waits"]


class Window(Struct, rename={"from_": "from"}):
    """A stretch of time; each end is a date (local midnight) or a date-time; `until` is not part of it."""

    from_: str | None = None
    until: str | None = None

    def covers(self, instant: int, zone: ZoneInfo) -> bool:
        """Whether the instant (milliseconds) lies in the window, dates being those of `zone`."""
        if self.from_ is not None and instant < _edge(self.from_, zone):
            return False
        return self.until is None or instant < _edge(self.until, zone)

    def check(self) -> None:
        """Raises ValueError unless both ends can be read and are in order."""
        zone = ZoneInfo("UTC")
        start = None if self.from_ is None else _edge(self.from_, zone)
        end = None if self.until is None else _edge(self.until, zone)
        # A day of slack: an end given as a date and a beginning given as an instant may differ by their
        # zones.
        if start is not None and end is not None and end < start - DAY:
            raise ValueError("a window must not end before it begins")


def _edge(text: str, zone: ZoneInfo) -> int:
    return local_instant(parse_day(text), 0, zone) if len(text) == 10 else parse_instant(text)


class Address(Struct, frozen=True, rename="camel"):
    """Where somebody lives; `country` is two letters."""

    street_address: str = ""
    postal_code: str = ""
    region: str = ""
    country: str = ""


class Person(Struct, kw_only=True, rename="camel", omit_defaults=False):
    """Somebody with a telephone.

    `temperament` is what happens when a payment request is opened: `asks` leaves it to whoever holds the
    phone, `waits` does nothing until it expires. In a `no_funds` window every try to take money fails.
    Whoever is under 18 by `birth_date` cannot approve: the request expires. Who does not share data
    (`shares`) rejects what asks for it. `max_amount` (minor units) is the limit that they set with VARIABLE
    pricing, in place of the suggested one.
    """

    phone_number: str
    name: str = "Test Person"
    email: str | None = None
    birth_date: str | None = None
    nin: str | None = None
    address: Address | None = None
    temperament: Temperament = "asks"
    no_funds: list[Window] = field(default_factory=list)
    shares: bool = True
    max_amount: int | None = None

    def is_under_age(self, today: date) -> bool:
        """Whether the person is known to be younger than 18 on the day."""
        if self.birth_date is None:
            return False
        born = parse_day(self.birth_date)
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day)) < 18

    def has_funds(self, instant: int, zone: ZoneInfo) -> bool:
        """Whether a try at the instant finds money."""
        return not any(window.covers(instant, zone) for window in self.no_funds)


DEFAULT_PERSON = Person(phone_number="4791234567", name="Anna Berg", email="anna.berg@example.com")


class People:
    """All people by phone number (MSISDN, digits only); an unknown number becomes a person on first use."""

    def __init__(self, store: Store) -> None:
        self._table = store.table("person", Person)
        # The telephone numbers of those who have an e-mail address, in order of appearance.
        self._by_email: dict[str, dict[str, None]] = {}

    def load(self) -> None:
        """Build the look-up, and make the default person when there is nobody."""
        self._by_email.clear()
        for person in self._table.values():
            self._note(person)
        if not len(self._table):
            self.save(DEFAULT_PERSON)

    def all(self) -> list[Person]:
        """Everybody, in order of appearance."""
        return list(self._table.values())

    def get(self, phone_number: str) -> Person | None:
        """The person with this number, if there is one."""
        return self._table.get(phone_number)

    def with_email(self, email: str) -> Person | None:
        """The first person with this e-mail address, whatever its letters' case, or None."""
        for phone_number in self._by_email.get(email.lower(), ()):
            return self._table.get(phone_number)
        return None

    def meet(self, phone_number: str) -> Person:
        """The person with this number, made now if need be; raises ValueError when it is no phone number."""
        person = self._table.get(phone_number)
        if person is None:
            person = Person(phone_number=phone_number)
            self.save(person)
        return person

    def save(self, person: Person) -> None:
        """Add or replace a person; raises ValueError when something about them cannot be."""
        digits = person.phone_number
        if not (digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15):
            raise ValueError("a phone number is 8 to 15 digits, country code first, such as 4791234567")
        if person.nin is not None and not (person.nin.isascii() and person.nin.isdigit() and len(person.nin) == 11):
            raise ValueError("a national identity number is 11 digits")
        for window in person.no_funds:
            window.check()
        if person.birth_date is not None:
            parse_day(person.birth_date)
        if person.max_amount is not None and person.max_amount < 1:
            raise ValueError("maxAmount must be at least 1")
        before = self._table.get(person.phone_number)
        if before is not None and before.email != person.email:
            self._drop(before)
        self._table.put(person.phone_number, person)
        self._note(person)

    def delete(self, phone_number: str) -> bool:
        """Forget a person; says whether there was one."""
        person = self._table.get(phone_number)
        if person is not None:
            self._drop(person)
        return self._table.delete(phone_number)

    def _note(self, person: Person) -> None:
        if person.email:
            self._by_email.setdefault(person.email.lower(), {})[person.phone_number] = None

    def _drop(self, person: Person) -> None:
        if person.email:
            self._by_email.get(person.email.lower(), {}).pop(person.phone_number, None)
