"""An agreement that moves in from another system: what its row must say, and where its next period begins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from avtale.domain.errors import Invalid
from avtale.domain.money import BASIS_POINTS, Money
from avtale.domain.observations import NEVER_OVER, FoundAgreement, GatewayAgreementState
from avtale.domain.periods import Interval, Unit, local_date, plus

#: Amounts beyond this are mistakes of a digit (Vipps takes NOK 20 000 at most).
PRICE_MAX = 2_000_000
CURRENCIES = ("NOK", "DKK", "EUR")
PROVIDERS = ("vipps", "stripe")

#: Columns that a file of agreements must have, and every other that is read.
NEEDED = ("row_id", "user_id", "provider_agreement_id", "price_minor", "currency", "period_start", "period_end")
KNOWN = (
    *NEEDED,
    *("issuer", "email", "phone", "provider", "provider_customer_id", "old_agreement_id", "product_group_id"),
    *("product_payment_id", "vat_rate", "interval", "interval_count", "next_charge_date", "status", "campaign_end"),
    *("voucher", "payment_method_id", "scheme_transaction_id", "consent_at"),
)
#: What version 2 needs besides.
NEEDED_V2 = (*NEEDED, "provider", "product_payment_id")

_ID = re.compile(r"[A-Za-z0-9_.:|-]{1,255}")
_AGREEMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_NORWEGIAN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
_CAMPAIGN = "which holds for the next period too; only full prices move in: wait until it is over"
#: An agreement whose paid period ended longer ago than one interval has been charged by nobody for a while.
_UNITS = {"day": Unit.DAY, "week": Unit.WEEK, "month": Unit.MONTH, "year": Unit.YEAR}


@dataclass(frozen=True, slots=True)
class Moved:
    """What a row says of one agreement; the period from `period_start` up to `period_end` was paid elsewhere.

    None where the row leaves something to the product (`vat_basis_points`, `interval`) or to the tenant (`issuer`).
    """

    row_id: str
    issuer: str | None
    subject: str
    email: str | None
    phone: str | None
    provider: str
    agreement_id: str
    product_id: str
    price: Money
    vat_basis_points: int | None
    interval: Interval | None
    period_start: date
    period_end: date


@dataclass(frozen=True, slots=True)
class Place:
    """From where the periods of a moved agreement are counted, and the last of them that was charged elsewhere."""

    anchor: date
    last_period: int


def check_columns(header: Sequence[str], needed: Sequence[str], known: Sequence[str]) -> list[str]:
    """The columns that are not read. Raises Invalid (`columns_missing`)."""
    missing = [name for name in needed if name not in header]
    if missing:
        raise Invalid(f"the file has no column {', '.join(missing)}", code="columns_missing")
    return [name for name in header if name not in known]


def read_moved(row: Mapping[str, str], product_id: str | None) -> Moved:
    """What a row says; `product_id` is what every row is about, else the row names it. Raises Invalid."""
    start, end = day(row, "period_start"), day(row, "period_end")
    if start >= end:
        raise Invalid(f"period_end {end} is not after period_start {start}", code="period_invalid")
    following = row.get("next_charge_date", "")
    if following and (said := day(row, "next_charge_date")) != end:
        where = "in the period that was charged already" if said < end else "after a time that nobody was charged for"
        raise Invalid(f"next_charge_date {said} is {where}: it is period_end, {end}", code="charge_date_differs")
    status = row.get("status", "").lower() or "active"
    if status != "active":
        raise Invalid(f"the row says that the agreement is {status[:40]}", code="status_not_active")
    if row.get("campaign_end") and (reduced := day(row, "campaign_end")) > end:
        raise Invalid(f"a campaign lasts until {reduced}, {_CAMPAIGN}", code="campaign_runs")
    provider = row.get("provider", "").lower() or "vipps"
    if provider not in PROVIDERS:
        raise Invalid(f"provider is {' or '.join(PROVIDERS)}, not {provider[:40]}", code="provider_unknown")
    agreement_id = row["provider_agreement_id"]
    if not _AGREEMENT_ID.fullmatch(agreement_id):
        raise Invalid("provider_agreement_id is missing or no id", code="agreement_id_invalid")
    return Moved(
        row_id=identifier(row, "row_id"),
        issuer=row.get("issuer") or None,
        subject=subject(row, "user_id"),
        email=email(row),
        phone=phone(row),
        provider=provider,
        agreement_id=agreement_id,
        product_id=product_id or row.get("product_payment_id") or row.get("product_group_id") or "",
        price=_price(row),
        vat_basis_points=_vat(row.get("vat_rate", "")),
        interval=_interval(row),
        period_start=start,
        period_end=end,
    )


def place(moved: Moved, interval: Interval, found: FoundAgreement, now: datetime, zone: str) -> Place:
    """Where its next period begins: the day after the last that was paid elsewhere, and never in a paid one.

    The days of the agreement's own start at the gateway are kept (31 January, 28 February, 31 March) where they lead
    there. Raises Invalid where the gateway says something else than the row, or the dates cannot be.
    """
    if found.state is not GatewayAgreementState.ACTIVE:
        raise Invalid(f"the agreement is {found.state.value} at {moved.provider}", code="not_active")
    if found.price is None:
        raise Invalid(f"the price varies at {moved.provider}; only fixed prices move in", code="price_varies")
    if found.price != moved.price:
        theirs = f"{found.price.amount} {found.price.currency}"
        said = f"{moved.provider} has {theirs}, the row {moved.price.amount} {moved.price.currency}"
        raise Invalid(said, code="price_differs")
    if found.interval is not None and _length(found.interval) != _length(interval):
        said = f"{moved.provider} has {_words(found.interval)}, and this would be {_words(interval)}"
        raise Invalid(said, code="interval_differs")
    if found.last_due is not None and found.last_due >= moved.period_end:
        raise Invalid(
            f"{moved.provider} has a charge that is due {found.last_due}, when the next period would be charged: "
            "it was charged after the file was written, or will be",
            code="charged_meanwhile",
        )
    if found.paid_until is not None and (until := local_date(found.paid_until, zone)) != moved.period_end:
        said = f"{moved.provider} has billed up to {until}, and the row says {moved.period_end}"
        raise Invalid(said, code="period_differs")
    if found.reduced_until is not None and (until := local_date(found.reduced_until, zone)) > moved.period_end:
        said = "" if found.reduced_until == NEVER_OVER else f" until {until}"
        raise Invalid(f"{moved.provider} has a reduced price{said}, {_CAMPAIGN}", code="campaign_runs")
    check_dates(moved, interval, local_date(now, zone))
    if found.started_at is not None:
        began = local_date(found.started_at, zone)
        number = _count(began, interval, moved.period_end)
        if number is not None:
            return Place(began, number)
    return Place(moved.period_end, 0)


def check_dates(moved: Moved, interval: Interval, today: date) -> None:
    """Raises Invalid for a paid period that has not begun, ends too far ahead, or ended too long ago."""
    if moved.period_start > today:
        raise Invalid(f"the period that was paid begins {moved.period_start}, after today", code="period_not_begun")
    if moved.period_end > plus(today, interval, 2) + timedelta(days=31):
        raise Invalid(f"the period that was paid ends {moved.period_end}: too far ahead", code="period_too_long")
    if plus(moved.period_end, interval, 1) <= today:
        said = f"what was paid ended {moved.period_end}, and a whole period has passed since: charge or stop it first"
        raise Invalid(said, code="period_over")


def _count(anchor: date, interval: Interval, end: date) -> int | None:
    """How many whole periods lie between an anchor and the end of one of them; None where it is no end of any."""
    about = max(1, round((end - anchor).days / max(1, (plus(anchor, interval, 1) - anchor).days)))
    return next((n for n in range(max(1, about - 2), about + 3) if plus(anchor, interval, n) == end), None)


def _length(interval: Interval) -> tuple[str, int]:
    if interval.unit in (Unit.MONTH, Unit.YEAR):
        return "months", interval.count * (12 if interval.unit is Unit.YEAR else 1)
    return "days", interval.count * (7 if interval.unit is Unit.WEEK else 1)


def _words(interval: Interval) -> str:
    return f"every {interval.count} {interval.unit.value}{'s' if interval.count > 1 else ''}"


def identifier(row: Mapping[str, str], name: str) -> str:
    """An id of the other system's. Raises Invalid (`id_invalid`)."""
    value = row.get(name, "")
    if not _ID.fullmatch(value):
        raise Invalid(f"{name} is missing, or has other signs than letters, digits and _ . : | -", code="id_invalid")
    return value


def subject(row: Mapping[str, str], name: str) -> str:
    """Whom an issuer vouches for. Raises Invalid (`user_missing`)."""
    value = row.get(name, "")
    if not value or len(value) > 255 or not value.isprintable():
        raise Invalid(f"{name} is missing, or cannot be a user's id", code="user_missing")
    return value


def day(row: Mapping[str, str], name: str) -> date:
    """A date, 2027-02-01 or 1.2.2027. Raises Invalid (`date_invalid`)."""
    value = row.get(name, "")
    try:
        if norwegian := _NORWEGIAN_DAY.fullmatch(value):
            found = date(int(norwegian[3]), int(norwegian[2]), int(norwegian[1]))
        else:
            found = date.fromisoformat(value)
        if not 2000 <= found.year < 2100:
            raise ValueError(value)
        return found
    except ValueError:
        raise Invalid(f"{name} is no date such as 2027-02-01: {value[:20]!r}", code="date_invalid") from None


def email(row: Mapping[str, str]) -> str | None:
    """An e-mail address in small letters, if there is one. Raises Invalid (`email_invalid`)."""
    value = row.get("email", "").lower()
    if value and not _EMAIL.fullmatch(value):
        raise Invalid("email is no address", code="email_invalid")
    return value or None


def phone(row: Mapping[str, str]) -> str | None:
    """A phone number's digits with country code, if there is one; eight digits are Norwegian. Raises Invalid."""
    said = re.sub(r"[\s()-]", "", row.get("phone", "")).removeprefix("+").removeprefix("00")
    if said and not re.fullmatch(r"[0-9]{8,15}", said):
        raise Invalid("phone is no number of 8 to 15 digits", code="phone_invalid")
    return (f"47{said}" if len(said) == 8 else said) or None


def _price(row: Mapping[str, str]) -> Money:
    said, currency = row["price_minor"], row["currency"].upper()
    if not re.fullmatch(r"[0-9]{1,9}", said):
        raise Invalid(f"price_minor is a whole number of minor units, not {said[:20]!r}", code="price_invalid")
    if not 0 < int(said) <= PRICE_MAX:
        raise Invalid(f"price_minor is 1 to {PRICE_MAX}, not {said}", code="price_invalid")
    if currency not in CURRENCIES:
        raise Invalid(f"currency is one of {', '.join(CURRENCIES)}, not {currency[:10]!r}", code="currency_unknown")
    return Money(int(said), currency)


def _vat(said: str) -> int | None:
    if not said:
        return None
    try:
        points = Decimal(said.replace(",", ".").removesuffix("%").strip()) * BASIS_POINTS / 100
    except InvalidOperation:
        points = Decimal("NaN")
    if not (points.is_finite() and 0 <= points <= BASIS_POINTS and points == int(points)):
        raise Invalid(f"vat_rate is a percentage such as 25 or 11.11, not {said[:20]!r}", code="vat_invalid")
    return int(points)


def _interval(row: Mapping[str, str]) -> Interval | None:
    said, count = row.get("interval", "").lower(), row.get("interval_count", "") or "1"
    if not said:
        return None
    if said not in _UNITS or not re.fullmatch(r"[0-9]{1,2}", count) or not 1 <= int(count) <= 31:
        raise Invalid("interval is day, week, month or year, and interval_count 1 to 31", code="interval_invalid")
    return Interval(_UNITS[said], int(count))
