"""What a telephone shows, in words: the terms of a request for approval, and its owner's overview."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from ..merchants import Merchant
from ..vipps.recurring.resources import Agreement, Charge
from . import phrases

_STEPS = (1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000)
_STEP_COUNT_MAX = 40

SHOWN_CHARGES_MAX = 12


@dataclass(frozen=True, slots=True)
class Limit:
    """The most a payer lets a merchant take at a time; all in minor units, `step` being the slider's."""

    value: int
    low: int
    high: int
    step: int
    currency: str

    def chosen(self, text: str) -> int:
        """Read what the payer typed, "1 250" or "99.50", as minor units; raises ValueError."""
        plain = "".join(text.split()).replace(",", ".")
        whole, point, rest = plain.partition(".")
        if not (whole.isascii() and whole.isdigit() and len(whole) <= 9):
            raise ValueError("The limit must be an amount of money.")
        if point and not (rest.isascii() and rest.isdigit() and len(rest) <= 2):
            raise ValueError("The limit must be an amount of money.")
        minor = int(whole) * 100 + int(rest.ljust(2, "0") or 0)
        if not self.low <= minor <= self.high:
            low, high = (phrases.money(edge, self.currency) for edge in (self.low, self.high))
            raise ValueError(f"The limit must be between {low} and {high}.")
        return minor

    @property
    def typed(self) -> str:
        """The value as the payer would type it."""
        return major(self.value)


@dataclass(frozen=True, slots=True)
class Terms:
    """An agreement that waits for its payer, as the app words it."""

    merchant: str
    product: str
    description: str | None
    price: str
    how_often: str
    afterwards: str | None
    now: str | None
    now_for: str
    reserved: bool
    failed: str | None
    shares: str
    limit: Limit | None
    terms_url: str | None
    until: str

    @property
    def approve(self) -> str:
        """The words on the button that gives consent: what it costs at once is part of them."""
        if self.now is None:
            return "Approve"
        return f"Reserve {self.now} and approve" if self.reserved else f"Pay {self.now} and approve"


@dataclass(frozen=True, slots=True)
class Line:
    """One payment in the overview; `day` is when it is or was due."""

    title: str
    about: str
    amount: str
    day: str
    state: str
    tone: str
    why: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """One agreement in the overview; `limit` is there when the payer may set one."""

    agreement_id: str
    merchant: str
    product: str
    terms: str
    since: str
    stopped: str | None
    limit: Limit | None
    limit_words: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything one person sees in their app."""

    active: list[Card]
    stopped: list[Card]
    upcoming: list[Line]
    past: list[Line]
    older_count: int


def terms_of(agreement: Agreement, initial: Charge | None, merchant: Merchant, zone: ZoneInfo) -> Terms:
    """Word the terms of an agreement with its initial charge, if it has one; times are local to `zone`."""
    price, how_often, afterwards = phrases.price(agreement), phrases.every(agreement.interval), None
    if agreement.pricing == "LEGACY" and (campaign := agreement.campaign) is not None:
        afterwards = f"Then {price} {how_often}"
        price, how_often = phrases.offered(campaign, agreement, zone)
    asked_for = (agreement.scope or "").split()
    shared = [words for scope, words in phrases.SCOPE_WORDS.items() if scope in asked_for]
    failed = None
    if initial is not None and initial.status == "FAILED":
        failed = phrases.FAILURE_WORDS.get(initial.failure_reason or "", "The payment could not be made")
    return Terms(
        merchant=merchant.name,
        product=agreement.product_name,
        description=agreement.product_description,
        price=price,
        how_often=how_often,
        afterwards=afterwards,
        now=None if initial is None else phrases.money(initial.amount, initial.currency),
        now_for="" if initial is None else initial.description,
        reserved=initial is not None and initial.transaction_type == "RESERVE_CAPTURE",
        failed=failed,
        shares=", ".join(shared).capitalize(),
        limit=limit_for(agreement, merchant),
        terms_url=agreement.agreement_url,
        until="" if agreement.next_at is None else phrases.local_time(agreement.next_at, zone),
    )


def limit_for(agreement: Agreement, merchant: Merchant) -> Limit | None:
    """Give the range of a VARIABLE agreement's limit: up to twice what the merchant suggested."""
    if agreement.pricing != "VARIABLE":
        return None
    market = merchant.terms
    value = phrases.limit_of(agreement)
    high = max(value, min(2 * agreement.suggested_max_amount, market.suggested_max_amount_max))
    step = next((step for step in _STEPS if high <= step * _STEP_COUNT_MAX), _STEPS[-1])
    return Limit(value, market.amount_min, high, step, agreement.currency)


def overview_of(agreements: Iterable[tuple[Agreement, Merchant, list[Charge]]], zone: ZoneInfo) -> Overview:
    """Word a person's agreements, newest first, and their payments that payers can see already."""
    active: list[Card] = []
    stopped: list[Card] = []
    upcoming: list[tuple[str, int, Line]] = []
    past: list[tuple[str, int, Line]] = []
    for agreement, merchant, charges in sorted(agreements, key=lambda entry: -entry[0].number):
        if agreement.status == "ACTIVE":
            active.append(_card(agreement, merchant, zone))
        elif agreement.status == "STOPPED" and agreement.start is not None:
            stopped.append(_card(agreement, merchant, zone))
        for charge in charges:
            if charge.status in ("DUE", "PROCESSING"):
                upcoming.append((charge.due, charge.number, _line(charge, agreement, merchant)))
            elif charge.status != "PENDING":
                past.append((charge.due, charge.number, _line(charge, agreement, merchant)))
    upcoming.sort(key=lambda entry: entry[:2])
    past.sort(key=lambda entry: entry[:2], reverse=True)
    shown = [line for _, _, line in past[:SHOWN_CHARGES_MAX]]
    return Overview(active, stopped, [line for _, _, line in upcoming], shown, len(past) - len(shown))


def major(minor: int) -> str:
    """Give minor units as a plain number of the currency, as forms hold it: "99" or "99.50"."""
    whole, rest = divmod(minor, 100)
    return f"{whole}.{rest:02d}" if rest else str(whole)


def _card(agreement: Agreement, merchant: Merchant, zone: ZoneInfo) -> Card:
    how_often = phrases.every(agreement.interval)
    words = phrases.price(agreement)
    limit = limit_for(agreement, merchant)
    return Card(
        agreement_id=agreement.id,
        merchant=merchant.name,
        product=agreement.product_name,
        terms=f"{words} {how_often}",
        since="" if agreement.start is None else phrases.local_day(agreement.start, zone),
        stopped=None if agreement.stop is None else phrases.local_day(agreement.stop, zone),
        limit=limit,
        limit_words=None if limit is None else phrases.money(limit.value, limit.currency),
    )


def _line(charge: Charge, agreement: Agreement, merchant: Merchant) -> Line:
    state, tone = phrases.state(charge)
    why = None
    if charge.failure_reason is not None and charge.status in ("DUE", "FAILED"):
        why = phrases.FAILURE_WORDS.get(charge.failure_reason)
    elif charge.status in ("PARTIALLY_CAPTURED", "CHARGED") and charge.captured < charge.amount:
        why = f"{phrases.money(charge.captured, charge.currency)} was taken"
    elif charge.refunded:
        why = f"{phrases.money(charge.refunded, charge.currency)} came back"
    return Line(
        title=agreement.product_name,
        about=f"{merchant.name} · {charge.description}",
        amount=phrases.money(charge.amount, charge.currency),
        day=phrases.day(date.fromisoformat(charge.due)),
        state=state,
        tone=tone,
        why=why,
    )
