"""Says money, time, prices and states the way a payment app says them to its owner."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from ..instants import SECOND
from ..vipps.recurring.resources import Agreement, Campaign, Charge, Interval

NARROW_SPACE = "\u202f"
NO_BREAK = "\u00a0"

_UNIT_WORDS = {"YEAR": "year", "MONTH": "month", "WEEK": "week", "DAY": "day"}
_CURRENCY_WORDS = {"NOK": "kr", "DKK": "kr", "SEK": "kr"}

# What a payer may share with a merchant, in the merchant's words for it (the scope) and in the payer's.
SCOPE_WORDS = {
    "name": "name",
    "address": "address",
    "email": "e-mail address",
    "phoneNumber": "phone number",
    "birthDate": "date of birth",
    "nin": "national identity number",
}

# Why a try to take money failed, as its owner is told.
FAILURE_WORDS = {
    "user_action_required": "There was no money on the card, or it was blocked",
    "charge_amount_too_high": "The amount is above your limit",
    "non_technical_error": "The payment could not be made",
    "technical_error": "Something went wrong on our side",
}


def money(minor: int, currency: str) -> str:
    """Say an amount of minor units: "99 kr", "1 299.50 kr", "€9.90"."""
    whole, rest = divmod(abs(minor), 100)
    digits = f"{whole:,}".replace(",", NARROW_SPACE) + (f".{rest:02d}" if rest else "")
    sign = "\u2212" if minor < 0 else ""
    if currency == "EUR":
        return f"{sign}€{digits}"
    return f"{sign}{digits}{NO_BREAK}{_CURRENCY_WORDS.get(currency, currency)}"


def every(interval: Interval | None) -> str:
    """Say how often: "every month", "every 2 weeks"; without an interval, "when you use it"."""
    if interval is None:
        return "when you use it"
    unit = _UNIT_WORDS.get(interval.unit, interval.unit.lower())
    return f"every {unit}" if interval.count == 1 else f"every {interval.count} {unit}s"


def span(interval: Interval) -> str:
    """Say a stretch of time after "the first": "month", "2 weeks"."""
    return every(interval).removeprefix("every ")


def day(moment: date) -> str:
    """Say a date: "1 March 2027"."""
    return f"{moment.day} {moment:%B %Y}"


def local(instant: int, zone: ZoneInfo) -> datetime:
    """Give the local date and time of an instant in milliseconds."""
    return datetime.fromtimestamp(instant // SECOND, UTC).astimezone(zone)


def local_day(instant: int, zone: ZoneInfo) -> str:
    """Say the local date of an instant in milliseconds."""
    return day(local(instant, zone).date())


def local_time(instant: int, zone: ZoneInfo) -> str:
    """Say the local time of day of an instant in milliseconds: "09:05"."""
    return f"{local(instant, zone):%H:%M}"


def price(agreement: Agreement) -> str:
    """Say what the agreement costs each time: a price, or the most it may be."""
    if agreement.pricing == "LEGACY":
        return money(agreement.amount, agreement.currency)
    if agreement.pricing == "VARIABLE":
        return f"Up to {money(limit_of(agreement), agreement.currency)}"
    return "The amount varies"


def limit_of(agreement: Agreement) -> int:
    """Give the most a VARIABLE agreement may take at a time: the payer's choice, else the suggestion."""
    return agreement.suggested_max_amount if agreement.max_amount is None else agreement.max_amount


def offered(campaign: Campaign, agreement: Agreement, zone: ZoneInfo) -> tuple[str, str]:
    """Say a campaign in two parts, its price and its extent: "49 kr", "every month until 1 March 2027"."""
    amount = money(campaign.price, agreement.currency)
    if campaign.type == "PERIOD_CAMPAIGN" and campaign.period is not None:
        return amount, f"for the first {span(campaign.period)}"
    end = local_day(campaign.end, zone)
    if campaign.type == "EVENT_CAMPAIGN":
        return amount, f"{campaign.text} ({end})" if campaign.text else f"until {end}"
    return amount, f"{every(agreement.interval)} until {end}"


def state(charge: Charge) -> tuple[str, str]:
    """Say a charge's state in a word or two, with its tone: good, bad, wait or none ("")."""
    match charge.status:
        case "PENDING" | "DUE" if charge.failure_reason is not None:
            return "Not paid yet", "bad"
        case "PENDING" | "DUE" | "PROCESSING":
            return "Upcoming", "wait"
        case "RESERVED":
            return "Reserved", "wait"
        case "CHARGED":
            return "Paid", "good"
        case "PARTIALLY_CAPTURED":
            return "Partly paid", "good"
        case "PARTIALLY_REFUNDED":
            return "Partly refunded", ""
        case "REFUNDED":
            return "Refunded", ""
        case "FAILED":
            return "Not paid", "bad"
    return "Cancelled", ""


def zone_of(phone_number: str) -> ZoneInfo:
    """Give the time zone of a telephone with this number: Danish and Finnish ones theirs, else Oslo's."""
    if phone_number.startswith("358"):
        return ZoneInfo("Europe/Helsinki")
    return ZoneInfo("Europe/Copenhagen" if phone_number.startswith("45") else "Europe/Oslo")
