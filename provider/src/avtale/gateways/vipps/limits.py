"""What Vipps Recurring v3 takes: limits of terms and amounts, kept before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from avtale.domain.agreement import Terms
from avtale.domain.campaign import Campaign
from avtale.domain.money import Money
from avtale.domain.periods import Interval, Unit
from avtale.gateways.vipps.wording import length

PRODUCT_NAME_LENGTH_MAX = 45
PRODUCT_DESCRIPTION_LENGTH_MAX = 100
URL_LENGTH_MAX = 1024
EXTERNAL_ID_LENGTH_MAX = 64
RETRY_DAYS_MAX = 14
AMOUNT_MAX = 2**31 - 1

INTERVAL_COUNT_MAX = 31
EVENT_TEXT_LENGTH_MAX = 15
SUGGESTED_MAX_MIN = 100
#: The highest limit that can be suggested in each currency, in minor units (Vipps Recurring, price ceilings).
SUGGESTED_MAX_MAX: Mapping[str, int] = {"NOK": 2_000_000, "DKK": 30_000_000, "EUR": 200_000}

#: The smallest amount of each currency that a sales unit can charge in, in minor units.
AMOUNT_MIN: Mapping[str, int] = {"NOK": 100, "DKK": 1, "EUR": 1}

#: A telephone number with its country, digits only.
MSISDN = re.compile(r"[0-9]{8,15}")


def check_terms(terms: Terms) -> None:
    """Raises ValueError where Vipps would refuse a draft with these terms, saying which of them and why."""
    check_text("the product's name", terms.name, PRODUCT_NAME_LENGTH_MAX)
    if terms.description is not None:
        check_text("the product's description", terms.description, PRODUCT_DESCRIPTION_LENGTH_MAX)
    check_text("agreement_url", terms.agreement_url, URL_LENGTH_MAX)
    if not terms.agreement_url.startswith(("https://", "http://")):
        raise ValueError("agreement_url is a web address")
    _check_price(terms.price)
    counted(terms.interval)
    if terms.suggested_max is not None:
        _check_suggested_max(terms.price, terms.suggested_max)
    if terms.campaign is not None:
        _check_campaign(terms, terms.campaign)


def _check_suggested_max(price: Money, suggested_max: int) -> None:
    most = SUGGESTED_MAX_MAX[price.currency]
    if not SUGGESTED_MAX_MIN <= suggested_max <= most:
        raise ValueError(f"a suggested limit in {price.currency} is {SUGGESTED_MAX_MIN} to {most} minor units")
    if price.amount > suggested_max:
        raise ValueError("the price is more than the suggested limit")


def _check_campaign(terms: Terms, campaign: Campaign) -> None:
    if terms.suggested_max is not None:
        raise ValueError("a product whose price may vary has no campaigns")
    if campaign.price:
        _check_price(Money(campaign.price, terms.price.currency))
    if campaign.text is not None:
        check_text("event_text", campaign.text, EVENT_TEXT_LENGTH_MAX)
    if campaign.length is not None:
        counted(campaign.length)


def counted(interval: Interval) -> dict[str, Any]:
    """An interval as Vipps counts it: 1 to 31 units, so that many months must be whole years.

    Raises ValueError.
    """
    unit, count = interval.unit, interval.count
    if unit is Unit.MONTH and count > INTERVAL_COUNT_MAX and count % 12 == 0:
        unit, count = Unit.YEAR, count // 12
    if count > INTERVAL_COUNT_MAX:
        raise ValueError(f"Vipps counts 1 to {INTERVAL_COUNT_MAX} {unit.value}s in an interval, not {count}")
    return {"unit": unit.value.upper(), "count": count}


def _check_price(price: Money) -> None:
    """Nothing is not a price to Vipps: what is free needs no agreement there."""
    least = AMOUNT_MIN.get(price.currency)
    if least is None:
        raise ValueError(f"Vipps charges in {', '.join(AMOUNT_MIN)}, not {price.currency}")
    if not least <= price.amount <= AMOUNT_MAX:
        raise ValueError(f"a price in {price.currency} is {least} to {AMOUNT_MAX} minor units")


def check_text(what: str, value: str, length_max: int) -> None:
    """Raises ValueError where a text is empty or too long."""
    if not value.strip():
        raise ValueError(f"{what} is empty")
    if length(value) > length_max:
        raise ValueError(f"{what} is longer than {length_max} characters")


def check_amount(amount: int) -> None:
    """Raises ValueError unless Vipps can charge, or give back, so many minor units."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 1 <= amount <= AMOUNT_MAX:
        raise ValueError(f"an amount is 1 to {AMOUNT_MAX} minor units, not {amount!r}")
