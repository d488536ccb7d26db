"""Says money, time, prices and states the way a careful shop says them to its customers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from avtale.domain.agreement import Agreement, AgreementStatus, Terms
from avtale.domain.charge import ChargeStatus
from avtale.domain.money import Money
from avtale.domain.periods import Interval
from avtale.domain.purchase import PurchaseStatus, PurchaseTerms

NARROW_SPACE = "\u202f"
NO_BREAK = "\u00a0"

_CURRENCY_WORDS = {"NOK": "kr", "DKK": "kr", "SEK": "kr"}

#: Why Vipps could not take the money (Vipps Recurring, `failureReason`), as an operator reads it.
_REASONS = {
    "user_action_required": "No money on the card, or the card is blocked: the customer has to act",
    "charge_amount_too_high": "The amount is above the limit that the customer has set",
    "non_technical_error": "The customer’s bank said no",
    "technical_error": "A technical fault at Vipps or the bank",
    "authentication_required": "The customer’s bank wants their approval of this payment",
}

_REASONS_TO_CUSTOMERS = {
    "user_action_required": "There was no money on the card, or it was blocked",
    "charge_amount_too_high": "The amount is above the limit that you have set in Vipps",
    "authentication_required": "Your bank wants your approval of this payment",
}

_BOOKINGS = {"capture": ("Charged", "good"), "refund": ("Refunded", ""), "return": ("Refund came back", "bad")}

_REFUNDS = {
    "written": "Asked for; the credit note comes as soon as the money shows",
    "unknown": "Sent, without an answer so far; it is sent again until there is one",
    "accepted": "Given back",
    "rejected": "Refused by the payment company",
    "failed": "The bank sent it back: nothing is given back. Find another way with the customer",
}

_AGREEMENTS = {
    AgreementStatus.PENDING: ("Waits for approval", "wait"),
    AgreementStatus.ACTIVE: ("Active", "good"),
    AgreementStatus.STOPPING: ("Being stopped", "wait"),
    AgreementStatus.STOPPED: ("Stopped", ""),
    AgreementStatus.REJECTED: ("Rejected", ""),
    AgreementStatus.EXPIRED: ("Never answered", ""),
}

_PURCHASES = {
    PurchaseStatus.PENDING: ("Waits for approval", "wait"),
    PurchaseStatus.AUTHORIZED: ("Reserved", "wait"),
    PurchaseStatus.PAID: ("Paid", "good"),
    PurchaseStatus.RELEASING: ("Being released", "wait"),
    PurchaseStatus.CANCELLED: ("Cancelled", ""),
    PurchaseStatus.ABORTED: ("Rejected", ""),
    PurchaseStatus.EXPIRED: ("Never answered", ""),
    PurchaseStatus.REFUSED: ("Refused by the payment company", "bad"),
}

_ATTEMPTS = {
    "written": "written down, not sent yet",
    "unknown": "sent, without an answer so far",
    "accepted": "accepted",
    "rejected": "refused",
    "captured": "taken",
    "failed": "failed",
    "cancelled": "cancelled",
}

_CHARGES = {
    ChargeStatus.PAID: ("Paid", "good"),
    ChargeStatus.PARTIALLY_REFUNDED: ("Partly refunded", ""),
    ChargeStatus.REFUNDED: ("Refunded", ""),
    ChargeStatus.FAILED: ("Not paid", "bad"),
    ChargeStatus.CANCELLED: ("Cancelled", ""),
    ChargeStatus.WAIVED: ("Free", ""),
}


def money(minor: int, currency: str) -> str:
    """An amount of minor units: "99 kr", "1 299.50 kr", "€9.90"."""
    whole, rest = divmod(abs(minor), 100)
    digits = f"{whole:,}".replace(",", NARROW_SPACE) + (f".{rest:02d}" if rest else "")
    sign = "\u2212" if minor < 0 else ""
    if currency == "EUR":
        return f"{sign}€{digits}"
    return f"{sign}{digits}{NO_BREAK}{_CURRENCY_WORDS.get(currency, currency)}"


def major(minor: int) -> str:
    """Minor units as a plain number of the currency with both decimals, as documents and forms have it."""
    return f"{minor // 100}.{minor % 100:02d}"


#: What needs a look (storage.overview.Stuck): what it is, what it means, and what to do with it.
_STUCK = {
    "call_unanswered": (
        "Calls that have no answer",
        "What happened is not known yet. Each is made again with the same key and the same bytes, so that nothing "
        "happens twice. If they stay for an hour, look at the status page of Vipps or Stripe, and at our log.",
    ),
    "attempt_overdue": (
        "Charges without an end after their last try",
        "They are read again every six hours. If they stay, look them up in Vipps’ portal by the id.",
    ),
    "agreement_parked": (
        "Agreements with more than one late period",
        "After a long outage one late period is billed by itself, no more. Decide with the customer, and stop the "
        "agreement or give something back.",
    ),
    "agreement_asked": (
        "Subscriptions that were changed at Stripe",
        "Stripe asks another sum, or for another period, than was agreed here; what it takes is booked as it is taken. "
        "Take its price over, or change it back there.",
    ),
    "charge_parked": (
        "Charges that Vipps refused to create",
        "They are not tried again. The log says what Vipps said about each; mend that before the next period.",
    ),
    "refund_failed": (
        "Refunds that came to nothing",
        "Vipps or Stripe refused them, or the bank could not bring the money to its owner. Nothing is given back again "
        "by itself: do it once more, pay it in another way, or let it be.",
    ),
    "event_parked": (
        "Webhooks about nothing of ours",
        "They were authentic, but name no agreement or payment of this shop. Harmless, unless two systems share a "
        "sales unit: then each sees the other’s.",
    ),
}


#: What happened, in an agreement's history: in words, and its tone.
_HISTORY = {
    "checkout": ("Checkout was started", ""),
    "order": ("An order was written", "wait"),
    "agreement.activated": ("The agreement began", "good"),
    "agreement.stopped": ("The agreement was stopped", "bad"),
    "agreement.changed": ("The agreement was changed", "wait"),
    "charge.paid": ("Paid", "good"),
    "charge.failing": ("A try failed; it is tried again", "wait"),
    "charge.failed": ("Could not be paid", "bad"),
    "charge.refunded": ("Given back", ""),
    "charge.refund_failed": ("What was given back came back: the bank did not take it", "bad"),
    "access.extended": ("Access was extended", "good"),
    "access.shortened": ("Access was shortened", ""),
    "access.ended": ("Access ended", "bad"),
    "receipt": ("Receipt", ""),
    "credit_note": ("Credit note", ""),
}


class Told(Protocol):
    """A line of an agreement's history."""

    @property
    def kind(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def by(self) -> str: ...


class Tried(Protocol):
    """Charges of which a try failed, for one reason."""

    @property
    def reason(self) -> str: ...
    @property
    def recovered(self) -> bool: ...
    @property
    def count(self) -> int: ...


class Owed(Protocol):
    """A charge, as far as its state goes."""

    @property
    def status(self) -> ChargeStatus: ...
    @property
    def failure_reason(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Words:
    """Words for people in one time zone; every method gives text to be escaped."""

    zone: ZoneInfo

    def money(self, amount: int | Money, currency: str = "") -> str:
        """An amount of money."""
        return money(amount.amount, amount.currency) if isinstance(amount, Money) else money(amount, currency)

    def major(self, minor: int) -> str:
        """An amount as a plain number."""
        return major(minor)

    def every(self, interval: Interval) -> str:
        """How often: "every month", "every 2 weeks"."""
        unit = interval.unit.value
        return f"every {unit}" if interval.count == 1 else f"every {interval.count} {unit}s"

    def how_often(self, terms: Terms | PurchaseTerms) -> str:
        """How often a product is paid, and for how long that is: "every month", "once, for 2 days"."""
        if isinstance(terms, Terms):
            return self.every(terms.interval)
        return f"once, for {self.days(terms.access_days)}"

    def days(self, count: int) -> str:
        """A stretch of days: "1 day", "30 days"."""
        return self.count(count, "day")

    def count(self, count: int, noun: str) -> str:
        """So many of something: "1 row", "2 rows"."""
        return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

    def day(self, moment: date | datetime | str) -> str:
        """A date: "1 March 2027"; of an instant, its local date."""
        moment = date.fromisoformat(moment) if isinstance(moment, str) else moment
        local = self._local(moment)
        return f"{local.day} {local:%B %Y}"

    def short_day(self, moment: date | datetime) -> str:
        """A date without its year: "1 Mar"."""
        local = self._local(moment)
        return f"{local.day} {local:%b}"

    def month(self, day: date) -> str:
        """A month: "March 2027"."""
        return f"{day:%B %Y}"

    def short_month(self, day: date) -> str:
        """A month under a bar: "Mar", and "2027" in January's place."""
        return f"{day:%b}" if day.month != 1 else f"{day.year}"

    def time(self, instant: datetime) -> str:
        """A local time of day: "09:05"."""
        return f"{instant.astimezone(self.zone):%H:%M}"

    def moment(self, instant: datetime) -> str:
        """A local date and time: "Monday 1 March 2027, 09:05"."""
        local = instant.astimezone(self.zone)
        return f"{local:%A} {local.day} {local:%B %Y}, {local:%H:%M}"

    def iso(self, instant: datetime) -> str:
        """An instant for machines."""
        return instant.isoformat()

    def last_day(self, end: date | datetime) -> str:
        """The last day of a stretch that ends where the next day begins: access "until" it."""
        if isinstance(end, datetime):
            return self.day(end - timedelta(microseconds=1))
        return self.day(end - timedelta(days=1))

    def period(self, start: date, end: date) -> str:
        """A period from its first to its last day: "1 Feb – 28 Feb 2027"."""
        last = end - timedelta(days=1)
        return f"{self.short_day(start)} – {self.short_day(last)} {last.year}"

    def agreement(self, agreement: Agreement) -> tuple[str, str]:
        """An agreement's state in a word or two, with its tone: good, wait or none ("")."""
        return _AGREEMENTS[agreement.status]

    def state(self, status: str) -> tuple[str, str]:
        """As `agreement`, by the name of the state."""
        return _AGREEMENTS[AgreementStatus(status)]

    def charge(self, charge: Owed) -> tuple[str, str]:
        """A charge's state in a word or two, with its tone: good, bad, wait or none ("")."""
        if charge.status is ChargeStatus.OPEN:
            return ("Not paid yet", "bad") if charge.failure_reason else ("Upcoming", "wait")
        return _CHARGES[charge.status]

    def history(self, told: Told) -> tuple[str, str, str]:
        """A line of an agreement's history: what happened, more about it, and its tone."""
        if told.kind == "act":
            return f"{told.what.capitalize()}, by {self.person(told.by)}", told.detail, "wait"
        said, tone = _HISTORY.get(told.what, (told.what.replace(".", ": ").replace("_", " ").capitalize(), ""))
        if told.kind == "document":
            return f"{said} {told.detail}", "", tone
        return said, self._more(told), tone

    def _more(self, told: Told) -> str:
        if told.what.startswith("access."):
            return f"until {self.moment(datetime.fromisoformat(told.detail))}"
        try:
            return f"for the period from {self.day(told.detail)}"
        except ValueError:
            return self.reason(told.detail) if told.kind == "event" and told.detail else told.detail

    def reasons(self, tried: Iterable[Tried]) -> list[tuple[str, int, int]]:
        """Why tries failed: each reason with how many were recovered and how many were not, the most frequent first."""
        counts: dict[str, list[int]] = {}
        for one in tried:
            counts.setdefault(one.reason, [0, 0])[0 if one.recovered else 1] += one.count
        return sorted(
            ((reason, paid, failed) for reason, (paid, failed) in counts.items()), key=lambda one: -one[1] - one[2]
        )

    def booking(self, kind: str) -> tuple[str, str]:
        """Which way money went, with its tone."""
        return _BOOKINGS[kind]

    def purchase_state(self, status: str) -> tuple[str, str]:
        """A purchase's state in a word or two, with its tone."""
        return _PURCHASES[PurchaseStatus(status)]

    def attempt(self, status: str) -> str:
        """How one order at Vipps stands."""
        return _ATTEMPTS[status]

    def refund(self, status: str) -> str:
        """How a wish to give money back stands."""
        return _REFUNDS[status]

    def reason_to_customer(self, reason: str | None) -> str:
        """Why money was not taken, as its owner is told."""
        return _REASONS_TO_CUSTOMERS.get(reason or "", "The payment could not be made")

    def stuck(self, kind: str) -> tuple[str, str]:
        """What something that needs a look is, and what to do with it."""
        return _STUCK[kind]

    def person(self, subject: str) -> str:
        """Whom a subject names, as far as it says so itself: a phone number, or the subject as it is."""
        kind, _, number = subject.partition("|")
        return self.phone(number) if kind == "phone" and number.isdecimal() else subject

    def reason(self, reason: str | None) -> str:
        """Why money was not taken."""
        return _REASONS.get(reason or "", (reason or "no reason was given").replace("_", " "))

    def phone(self, number: str) -> str:
        """A phone number with its country code, grouped as Norwegians and Danes do: "+47 912 34 567"."""
        country, local = number[:2], number[2:]
        if len(local) != 8 or country not in ("47", "45"):
            return f"+{number}"
        groups = [local[:3], local[3:5], local[5:]] if country == "47" else [local[i : i + 2] for i in range(0, 8, 2)]
        return NO_BREAK.join([f"+{country}", *groups])

    def percent(self, basis_points: int) -> str:
        """A rate: "25 %", "12.5 %"."""
        return f"{basis_points / 100:g}{NO_BREAK}%"

    def _local(self, moment: date | datetime) -> date:
        return moment.astimezone(self.zone).date() if isinstance(moment, datetime) else moment
