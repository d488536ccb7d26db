"""What an agreement or a charge may look like: amounts, ceilings, addresses, campaigns."""

from __future__ import annotations

import re

from ...instants import add_units, iso, local_day, parse_instant
from ...merchants import Market, Merchant
from ..refusals import Refused, invalid
from .resources import Agreement, Campaign
from .terms import CampaignTerms, ChargeTerms, DraftTerms, UpdateTerms

SCOPES = frozenset({"name", "address", "email", "phoneNumber", "birthDate", "nin"})
# A charge under a fixed price may be at most this many times the price (Vipps Recurring, amount limits).
LEGACY_CEILING_FACTOR = 5
SUGGESTED_MAX_AMOUNT_MIN = 100

_ANY_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://\S+\Z")
_WEB_SCHEME = re.compile(r"https?://[^\s/]\S*\Z", re.IGNORECASE)
_PHONE = re.compile(r"\d{8,15}\Z")


def check_draft(terms: DraftTerms, merchant: Merchant) -> None:
    """Raises Refused with every field that is wrong at once, except for the limit of a suggested amount."""
    market = merchant.terms
    wrong: list[tuple[str, str]] = []
    if terms.currency != market.currency:
        wrong.append(("pricing.currency", f"must be {market.currency}, the currency of the sales unit"))
    if terms.pricing == "LEGACY":
        if terms.amount is None:
            wrong.append(("pricing.amount", "must not be null"))
        elif terms.amount < market.amount_min:
            wrong.append(("pricing.amount", f"must be greater than or equal to {market.amount_min}"))
    if terms.pricing == "VARIABLE" and terms.suggested_max_amount is None:
        wrong.append(("pricing.suggestedMaxAmount", "must not be null"))
    if terms.campaign is not None and terms.pricing != "LEGACY":
        wrong.append(("campaign", f"is not allowed with {terms.pricing} pricing"))
    if not terms.is_app and not _ANY_SCHEME.match(terms.redirect_url):
        wrong.append(("merchantRedirectUrl", "must be a valid URL"))
    if terms.agreement_url is None:
        if market.agreement_url_required:
            wrong.append(("merchantAgreementUrl", "must not be null"))
    elif not terms.is_app and not _WEB_SCHEME.match(terms.agreement_url):
        wrong.append(("merchantAgreementUrl", "must be a valid URL"))
    if terms.phone_number is not None and not _PHONE.match(terms.phone_number):
        wrong.append(("phoneNumber", "must be digits only, with country code"))
    if terms.skip_landing_page and terms.phone_number is None:
        wrong.append(("phoneNumber", "must be given to skip the landing page"))
    if terms.scope is not None and not set(terms.scope.split()) <= SCOPES:
        wrong.append(("scope", f"may hold {' '.join(sorted(SCOPES))}"))
    if terms.initial_charge is not None and terms.initial_charge.amount < market.amount_min:
        wrong.append(("initialCharge.amount", f"must be greater than or equal to {market.amount_min}"))
    if wrong:
        raise Refused("validation-error", "Input validation failed", wrong)
    if terms.suggested_max_amount is not None and terms.pricing == "VARIABLE":
        check_suggested_max_amount(terms.suggested_max_amount, market)
    if terms.campaign is not None and terms.campaign.type == "FULL_FLEX_CAMPAIGN" and not merchant.full_flex_allowed:
        raise Refused("unsupported-feature", "The sales unit may not offer campaigns with an interval of their own")
    if terms.skip_landing_page and not merchant.skip_landing_page_allowed:
        raise Refused("unsupported-feature", "The sales unit may not skip the landing page")


def check_suggested_max_amount(amount: int, market: Market) -> None:
    """Raises Refused unless the amount lies within the market's limits."""
    lowest, highest = SUGGESTED_MAX_AMOUNT_MIN, market.suggested_max_amount_max
    if not lowest <= amount <= highest:
        reason = f"must be between {lowest} and {highest}"
        raise Refused(
            "invalid-suggested-max-amount",
            "The suggested max amount is not valid",
            [("pricing.suggestedMaxAmount", reason)],
        )


def campaign_of(terms: CampaignTerms, price_after: int, now: int, market: Market) -> Campaign:
    """The campaign to store, its end worked out; raises Refused when it is over or its date is no date."""
    if terms.price < 0:
        raise invalid("campaign.price", "must be greater than or equal to 0")
    if terms.type == "PERIOD_CAMPAIGN":
        if terms.period is None:
            raise invalid("campaign.period", "must not be null")
        end = add_units(now, terms.period.unit, terms.period.count)
    else:
        name = "eventDate" if terms.type == "EVENT_CAMPAIGN" else "end"
        text = terms.event_date if terms.type == "EVENT_CAMPAIGN" else terms.end
        if text is None:
            raise invalid(f"campaign.{name}", "must not be null")
        try:
            end = parse_instant(text)
        except ValueError:
            raise invalid(f"campaign.{name}", "must be a date-time in UTC") from None
        if end < now:
            raise invalid(f"campaign.{name}", f"must not be in the past; it is now {iso(now)}")
    day = local_day(end, market.zone)
    whole, part = divmod(price_after, 100)
    price = f"{whole},{part:02d}" if part else str(whole)
    return Campaign(
        type=terms.type,
        price=terms.price,
        start=now,
        end=end,
        period=terms.period if terms.type in ("PERIOD_CAMPAIGN", "FULL_FLEX_CAMPAIGN") else None,
        text=terms.event_text,
        explanation=f"Ordinary price {price} {'€' if market.currency == 'EUR' else 'kr'} "
        f"starts {day.day}/{day.month}/{day.year}",
    )


def check_update(terms: UpdateTerms, agreement: Agreement, market: Market) -> None:
    """Raises Refused when a field may not be changed, or not to this."""
    if terms.amount is not None:
        if agreement.pricing != "LEGACY":
            raise invalid("pricing.amount", f"cannot be changed with {agreement.pricing} pricing")
        least = market.amount_min if terms.amount_min is None else terms.amount_min
        if terms.amount < least:
            raise invalid("pricing.amount", f"must be greater than or equal to {least}")
    if terms.campaign is not None and agreement.pricing != "LEGACY":
        raise invalid("campaign", f"is not allowed with {agreement.pricing} pricing")
    if terms.suggested_max_amount is not None:
        if agreement.pricing != "VARIABLE":
            raise invalid("pricing.suggestedMaxAmount", f"cannot be changed with {agreement.pricing} pricing")
        check_suggested_max_amount(terms.suggested_max_amount, market)
    if terms.agreement_url is not None and not agreement.is_app and not _WEB_SCHEME.match(terms.agreement_url):
        raise invalid("merchantAgreementUrl", "must be a valid URL")


def check_charge(terms: ChargeTerms, merchant: Merchant) -> None:
    """Raises Refused for what is wrong with a charge whatever its agreement says."""
    least = merchant.terms.amount_min
    if terms.amount < least:
        raise invalid("amount", f"must be greater than or equal to {least}")
    if terms.type == "UNSCHEDULED":
        if not merchant.unscheduled_allowed:
            raise Refused("charge-creation-failed", "Cannot create a charge with type 'UNSCHEDULED'")
        if terms.due is not None:
            raise invalid("due", "is not allowed for UNSCHEDULED charges")
        if terms.retry_days:
            raise invalid("retryDays", "must be 0 for UNSCHEDULED charges")
        if terms.processing_mode is not None:
            raise invalid("processingMode", "is not allowed for UNSCHEDULED charges")
        return
    if terms.due is None:
        raise invalid("due", "must not be null")
    if terms.retry_days is None:
        raise invalid("retryDays", "must not be null")
    if terms.processing_mode == "SINGLE_ATTEMPT" and terms.retry_days != 0:
        raise invalid("retryDays", "must be 0 when processingMode is SINGLE_ATTEMPT")


def check_ceiling(amount: int, agreement: Agreement) -> None:
    """Raises Refused when a charge is more than its agreement allows (Vipps Recurring, amount limits)."""
    if agreement.pricing == "LEGACY":
        ceiling = LEGACY_CEILING_FACTOR * agreement.amount
    elif agreement.pricing == "VARIABLE":
        ceiling = max(agreement.suggested_max_amount, agreement.max_amount or 0)
    else:
        return
    if amount > ceiling:
        raise Refused(
            "charge-amount-too-high",
            "The amount is too high",
            [("amount", f"must be less than or equal to {ceiling}")],
        )
