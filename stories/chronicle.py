"""What happened, read out of both exports: events with their business time, to be told in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Any

from stories.almanac import parse_instant
from stories.orders import drawn_up, order_of, orders_of

Json = dict[str, Any]

#: The states of an agreement that somebody or something brings about; the rest has words of its own.
ENDINGS = {
    "active": "agreement is active",
    "stopped": "agreement has stopped",
    "rejected": "agreement is rejected, nothing is owed",
    "expired": "draft has expired, nothing is owed",
}


#: The same of a purchase.
PURCHASE_ENDINGS = {
    "paid": "film is theirs to see",
    "cancelled": "reservation is given up, nothing is taken",
    "aborted": "payment is rejected, nothing is owed",
    "expired": "payment has expired, nothing is owed",
}


class Mark(IntEnum):
    """What kind of event it is; of two at the same moment the lower is told first."""

    ACT = 0
    CREATED = 1
    DECLINED = 2
    PAID = 3
    REFUNDED = 4
    CANCELLED = 5
    STATE = 6


@dataclass(frozen=True)
class Event:
    """One thing that happened to one person; `document` is the receipt or credit note that it made."""

    at: datetime
    mark: Mark
    who: str
    text: str
    document: str | None = None


@dataclass
class Chronicle:
    """Remembers what was told, and knows whose agreement or purchase is whose (`names`, by the provider's id)."""

    names: dict[str, str] = field(default_factory=dict)
    states: dict[str, list[tuple[str, datetime]]] = field(default_factory=dict)
    _told: set[Event] = field(default_factory=set)

    def news(self, sandbox: Json, provider: Json) -> list[Event]:
        """The events that the exports tell of and that were not told before, in order."""
        fresh = [e for e in self._all(sandbox, provider) if e not in self._told]
        self._told.update(fresh)
        return sorted(fresh, key=lambda e: (e.at, e.mark, e.who))

    def _all(self, sandbox: Json, provider: Json) -> Iterator[Event]:
        now = parse_instant(sandbox["now"])
        drawn = drawn_up(sandbox)
        for ours in provider["agreements"]:
            who = self.names.get(ours["agreementId"])
            if who is None:
                continue
            theirs = [drawn[i] for i in ours["gatewayAgreementIds"] if i in drawn]
            yield from self._state(ours, theirs, who, now)
            orders = orders_of(theirs)
            for charge in ours["charges"]:
                yield from _charge_events(charge, orders, provider["receipts"], who)
        payments = {p["reference"]: p for p in sandbox["payments"]}
        for ours in provider["purchases"]:
            who = self.names.get(ours["purchaseId"])
            if who is None:
                continue
            theirs = [payments[i] for c in ours["charges"] for i in _attempts(c) if i in payments]
            yield from self._purchase_state(ours, theirs, who, now)
            for payment in theirs:
                yield from _payment_events(payment, ours["charges"][0], provider["receipts"], who)

    def _purchase_state(self, ours: Json, theirs: list[Json], who: str, now: datetime) -> Iterator[Event]:
        """A change of state, at the last instant at which anything happened to the money."""
        seen = self.states.setdefault(ours["purchaseId"], [])
        status = ours["status"]
        if seen and seen[-1][0] == status:
            return
        moves = [
            parse_instant(step["occurred"]) for p in theirs for step in p["history"] if step["event"] != "REFUNDED"
        ]
        at = max(moves, default=now)
        seen.append((status, at))
        if status in PURCHASE_ENDINGS:
            yield Event(at, Mark.STATE, who, PURCHASE_ENDINGS[status])

    def _state(self, ours: Json, theirs: list[Json], who: str, now: datetime) -> Iterator[Event]:
        """A change of state, at the gateway's own time for it where that is known, else when it was seen."""
        seen = self.states.setdefault(ours["agreementId"], [])
        status = ours["status"]
        if seen and seen[-1][0] == status:
            return
        key = {"pending": "created", "active": "start", "stopped": "stop", "rejected": "stop"}.get(status)
        times = [parse_instant(a[key]) for a in theirs if key and a.get(key)]
        at = min(times, default=now)
        seen.append((status, at))
        if status in ENDINGS:
            yield Event(at, Mark.STATE, who, ENDINGS[status])


def span(charge: Json) -> str:
    """The days of a charge's period, first and last: `28 Feb – 30 Mar`."""
    first, after = (date.fromisoformat(charge[key]) for key in ("periodStart", "periodEnd"))
    return f"{_day(first)} – {_day(after - timedelta(days=1))}"


def money(amount: int, currency: str) -> str:
    """Minor units as people write them: `NOK 99.00`."""
    whole, parts = divmod(amount, 100)
    return f"{currency} {whole}.{parts:02d}"


def documents_of(charge: Json, series: str, receipts: list[Json]) -> list[Json]:
    """The receipts, or the credit notes, of a charge in the order of their numbers."""
    found = [r for r in receipts if r["chargeId"] == charge["chargeId"] and r["series"] == series]
    return sorted(found, key=lambda r: int(r["number"]))


def _attempts(charge: Json) -> list[str]:
    return [attempt["attemptId"] for attempt in charge["attempts"]]


def _payment_events(payment: Json, charge: Json, receipts: list[Json], who: str) -> Iterator[Event]:
    """What moved the money of a purchase: reserved, taken, given back or given up."""
    papers = {
        "CAPTURED": iter(documents_of(charge, "receipt", receipts)),
        "REFUNDED": iter(documents_of(charge, "credit_note", receipts)),
    }
    for step in payment["history"]:
        at, name = parse_instant(step["occurred"]), step["event"]
        sum_of_money = money(step["amount"], payment["currency"])
        paper = next(papers.get(name, iter(())), None)
        number = None if paper is None else f"{paper['number']}"
        match name:
            case "AUTHORIZED":
                yield Event(at, Mark.CREATED, who, f"{sum_of_money} is reserved at Vipps")
            case "CAPTURED":
                yield Event(at, Mark.PAID, who, f"paid {sum_of_money} for {span(charge)}", number)
            case "REFUNDED":
                yield Event(at, Mark.REFUNDED, who, f"given back {sum_of_money} of {span(charge)}", number)
            case "CANCELLED" | "TERMINATED":
                yield Event(at, Mark.CANCELLED, who, f"{sum_of_money} is given up, nothing is taken")
            case _:
                continue


def _charge_events(charge: Json, orders: dict[str, Json], receipts: list[Json], who: str) -> Iterator[Event]:
    days = span(charge)
    for attempt in charge["attempts"]:
        order = orders.get(order_of(attempt))
        if order is None:
            continue
        for count, one in enumerate(order["tries"], start=1):
            if not one["ok"]:
                text = f"{order['company']} gets no money for {days}, try {count}"
                yield Event(parse_instant(one["at"]), Mark.DECLINED, who, text)
        papers = {
            "CAPTURE": iter(documents_of(charge, "receipt", receipts)),
            "REFUND": iter(documents_of(charge, "credit_note", receipts)),
        }
        for step in order["history"]:
            if step["success"]:
                yield from _step_events(step, order, days, papers, who)


def _step_events(step: Json, order: Json, days: str, papers: dict[str, Iterator[Json]], who: str) -> Iterator[Event]:
    at, name = parse_instant(step["occurred"]), step["event"]
    sum_of_money = money(step["amount"] or 0, order["currency"])
    paper = next(papers.get(name, iter(())), None)
    number = None if paper is None else f"{paper['number']}"
    match name:
        case "CREATE" if order["type"] != "INITIAL":
            due = _day(date.fromisoformat(order["due"][:10]))
            yield Event(at, Mark.CREATED, who, f"charge of {sum_of_money} created at {order['company']}, due {due}")
        case "CAPTURE":
            yield Event(at, Mark.PAID, who, f"paid {sum_of_money} for {days}", number)
        case "DISPUTE":
            yield Event(at, Mark.DECLINED, who, f"the bank takes {sum_of_money} for {days} back: a dispute")
        case "REFUND":
            yield Event(at, Mark.REFUNDED, who, f"given back {sum_of_money} of {days}", number)
        case "CANCEL":
            yield Event(at, Mark.CANCELLED, who, f"charge for {days} is cancelled, nothing is taken")
        case _:
            return


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"
