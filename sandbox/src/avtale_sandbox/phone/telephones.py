"""What people do with their telephones, and what is on them: a payer's side of the model."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ..clock import Clock
from ..instants import iso
from ..merchants import Merchant, Merchants
from ..people import People, Person, Window
from ..vipps.recurring import confirmation
from ..vipps.recurring.model import Recurring
from ..vipps.recurring.resources import Agreement, Charge
from ..vipps.refusals import Refused
from . import phrases, screens


class NotPossible(Exception):
    """What was asked of the telephone cannot be done; the text says why, for its owner."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for an answer on a telephone; `token` opens it, `until` is when it expires."""

    token: str
    merchant: str
    product: str
    until: str


class Telephones:
    """All telephones. Instants are business time; amounts are minor units."""

    def __init__(self, recurring: Recurring, people: People, merchants: Merchants, clock: Clock) -> None:
        """Take the model and the look-ups it stands on."""
        self._recurring = recurring
        self._people = people
        self._merchants = merchants
        self._clock = clock

    def everybody(self) -> list[Person]:
        """Give all people, in order of appearance."""
        return self._people.all()

    def person(self, phone_number: str) -> Person | None:
        """Give who has this number."""
        return self._people.get(phone_number)

    def add(self, name: str, phone_number: str) -> Person:
        """Give a new person a telephone; raises NotPossible when the number is none, or somebody else's."""
        number = phone_number.translate(_UNSPOKEN)
        if self._people.get(number) is not None:
            raise NotPossible("Somebody has this number already.")
        name = " ".join(name.split())
        person = Person(phone_number=number, name=name) if name else Person(phone_number=number)
        try:
            self._people.save(person)
        except ValueError:
            raise NotPossible("A phone number has 8 to 15 digits, with the country code first.") from None
        return person

    def has_money(self, person: Person) -> bool:
        """Whether a payment would find money at this moment."""
        return person.has_funds(self._clock.now(), phrases.zone_of(person.phone_number))

    def put_money_in(self, person: Person) -> None:
        """End the windows without money that the moment lies in; those to come stay."""
        now, zone = self._clock.now(), phrases.zone_of(person.phone_number)
        windows = []
        for window in person.no_funds:
            if not window.covers(now, zone):
                windows.append(window)
            elif not window.covers(now - 1, zone):
                continue  # it began this very moment, and nothing can have failed in it
            else:
                windows.append(Window(window.from_, iso(now)))
        person.no_funds = windows
        self._people.save(person)

    def take_money_out(self, person: Person) -> None:
        """Begin a window without money at this moment, with no end."""
        if self.has_money(person):
            person.no_funds.append(Window(iso(self._clock.now()), None))
            self._people.save(person)

    def agreement_of(self, token: str) -> Agreement | None:
        """Give the agreement that a confirmation address is about, whatever its state."""
        try:
            return self._recurring.resolve_confirmation(token)
        except Refused:
            return None

    def token_in(self, address: str) -> str | None:
        """Give the token in a confirmation address of the web or of an app."""
        try:
            return confirmation.token_of(address.strip())
        except confirmation.NotAConfirmation:
            return None

    def merchant_of(self, agreement: Agreement) -> Merchant:
        """Give the sales unit that drafted an agreement; one that is gone keeps its number as its name."""
        return self._merchants.of_msn(agreement.msn) or Merchant(
            client_id="",
            client_secret="",
            subscription_key="",
            merchant_serial_number=agreement.msn,
            name=f"Merchant {agreement.msn}",
        )

    def terms(self, agreement: Agreement, zone: ZoneInfo) -> screens.Terms:
        """Word what an agreement asks of its payer."""
        charges = [] if agreement.initial_charge is None else self._recurring.charges_of(agreement.id)
        initial = next((charge for charge in charges if charge.id == agreement.initial_charge), None)
        return screens.terms_of(agreement, initial, self.merchant_of(agreement), zone)

    def limit(self, agreement: Agreement) -> screens.Limit | None:
        """Give the range in which the payer may set the limit, if the agreement has one."""
        return screens.limit_for(agreement, self.merchant_of(agreement))

    def approve(self, agreement: Agreement, person: Person, limit: int | None) -> bool:
        """Say yes; false when the initial charge failed and the request still waits; raises NotPossible."""
        try:
            return self._recurring.approve(agreement.id, person.phone_number, limit).status == "ACTIVE"
        except Refused as refused:
            raise NotPossible(_said(refused)) from refused

    def reject(self, agreement: Agreement, person: Person) -> None:
        """Say no; raises NotPossible."""
        try:
            self._recurring.reject(agreement.id, person.phone_number)
        except Refused as refused:
            raise NotPossible(_said(refused)) from refused

    def leave_waiting(self, agreement: Agreement, person: Person) -> None:
        """Put the request into the person's app without an answer; raises NotPossible."""
        try:
            self._recurring.open(agreement.id, person.phone_number)
        except Refused as refused:
            raise NotPossible(_said(refused)) from refused

    def stop(self, person: Person, agreement_id: str) -> None:
        """Stop an agreement of this person; raises NotPossible."""
        try:
            self._recurring.stop_by_user(self._own(person, agreement_id).id)
        except Refused as refused:
            raise NotPossible(_said(refused)) from refused

    def set_limit(self, person: Person, agreement_id: str, text: str) -> None:
        """Change how much may be taken at a time, as typed; raises NotPossible."""
        agreement = self._own(person, agreement_id)
        limit = self.limit(agreement)
        if limit is None:
            raise NotPossible("This agreement has no limit.")
        try:
            self._recurring.set_max_amount(agreement.id, limit.chosen(text))
        except ValueError as problem:
            raise NotPossible(str(problem)) from problem
        except Refused as refused:
            raise NotPossible(_said(refused)) from refused

    def overview(self, person: Person) -> screens.Overview:
        """Word what the person has in their app."""
        known: list[tuple[Agreement, Merchant, list[Charge]]] = [
            (agreement, self.merchant_of(agreement), self._recurring.charges_of(agreement.id))
            for agreement in self._agreements(person)
        ]
        return screens.overview_of(known, phrases.zone_of(person.phone_number))

    def waiting(self, person: Person) -> list[Waiting]:
        """Give the requests that wait for this person's answer, oldest first."""
        zone = phrases.zone_of(person.phone_number)
        return [
            Waiting(
                token=self._recurring.confirmation_token(agreement),
                merchant=self.merchant_of(agreement).name,
                product=agreement.product_name,
                until="" if agreement.next_at is None else phrases.local_time(agreement.next_at, zone),
            )
            for agreement in self._agreements(person)
            if agreement.status == "PENDING"
        ]

    def clock_words(self, zone: ZoneInfo) -> dict[str, str]:
        """Say what a telephone in that zone shows as date and time."""
        now = self._clock.now()
        return {"day": phrases.local_day(now, zone), "time": phrases.local_time(now, zone)}

    def _agreements(self, person: Person) -> list[Agreement]:
        # A request that moved to another telephone is no longer on the one that had it before.
        number = person.phone_number
        return [agreement for agreement in self._recurring.agreements_of(number) if agreement.person == number]

    def _own(self, person: Person, agreement_id: str) -> Agreement:
        for agreement in self._agreements(person):
            if agreement.id == agreement_id:
                return agreement
        raise NotPossible("This agreement is not on this telephone.")


_UNSPOKEN = str.maketrans("", "", " \t\u00a0\u202f().+-")


def _said(refused: Refused) -> str:
    if refused.problem == "illegal-agreement-update":
        return "That is no longer possible: the agreement has changed meanwhile."
    return "; ".join(reason for _, reason in refused.fields) or refused.detail
