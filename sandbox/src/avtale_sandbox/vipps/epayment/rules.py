"""What a payment may be asked for: everything about a create call that its shape alone does not say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ...instants import DAY, parse_instant
from ...merchants import Merchant
from ..claims import SCOPES
from ..refusals import Refused, invalid
from .resources import QR_SIZE_DEFAULT, Ask

EXPRESS_SCOPE = frozenset({"name", "address", "email", "phoneNumber"})
# The least that may be asked for, in minor units (Vipps ePayment, amounts).
AMOUNT_MIN = {"NOK": 100, "DKK": 1, "EUR": 1, "SEK": 100, "USD": 1, "GBP": 1}
LONG_LIVING_DAYS_MAX = 60
METADATA_COUNT_MAX = 5
METADATA_KEY_MAX = 100
METADATA_VALUE_MAX = 500

# https, or an app's own scheme: http alone is refused, except on this machine, where shops are tried out.
_RETURN_URL = re.compile(r"(?!http:)[A-Za-z][A-Za-z0-9+.\-]*:(//)?\S+\Z", re.IGNORECASE)
_LOCAL_URL = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\]|[\w.-]+\.localhost)(:\d+)?(/\S*)?\Z", re.IGNORECASE)
_CALLBACK_URL = re.compile(r"https://[^\s/]\S*\Z", re.IGNORECASE)
_CALLBACK_TOKEN = re.compile(r"[a-zA-Z0-9-]{1,50}\Z")
_MARKET_WORDS = {"NO": "Norwegian", "DK": "Danish", "FI": "Finnish"}


def check_create(body: dict[str, Any], merchant: Merchant, now: int, least_life: int) -> None:
    """Raises Refused for the first thing that is wrong; what the shape says has been checked before.

    First everything about form, which carries no code, then what business forbids. `least_life` is the
    ordinary life of a payment in milliseconds, which a long-living one must exceed.
    """
    _check_form(body)
    for check in (_amount, _method, _urls, _scope, _metadata, _receipt, _flow, _shipping):
        check(body, merchant)
    _expiry(body, merchant, now, least_life)


def read_ask(body: dict[str, Any], customer: str | None) -> Ask:
    """Keep what a checked body asks for."""
    flow, qr = body["userFlow"], body.get("qrFormat") or {}
    expires = body.get("expiresAt")
    return Ask(
        flow=flow,
        return_url=body.get("returnUrl"),
        description=body.get("paymentDescription"),
        customer=customer,
        interaction=body.get("customerInteraction") or "CUSTOMER_NOT_PRESENT",
        minimum_age=body.get("minimumUserAge"),
        scope=(body.get("profile") or {}).get("scope") or None,
        expires=None if expires is None else parse_instant(expires),
        qr_format=(qr.get("format") or "IMAGE/SVG+XML") if flow == "QR" else None,
        qr_size=qr.get("size") or QR_SIZE_DEFAULT,
        blocked_sources=body["paymentMethod"].get("blockedSources") or [],
        metadata=body.get("metadata"),
        receipt=body.get("receipt"),
        receipt_url=body.get("receiptUrl"),
        industry=body.get("industryData"),
        shipping=body.get("shipping"),
        legal_links=body.get("merchantLegalLinks"),
    )


def check_no_doubled_metadata(text: bytes) -> None:
    """Raises Refused (4110) when a key of the metadata stands twice: once it is decoded, nobody can tell."""
    doubled = False

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal doubled
        found = dict(pairs)
        # Inner objects come first; the outermost knows which of them is the metadata.
        if isinstance(found.get("metadata"), _Doubled):
            doubled = True
        return found if len(found) == len(pairs) else _Doubled(found)

    json.loads(text, object_pairs_hook=note)
    if doubled:
        raise Refused("4110", "A key stands more than once in the metadata")


class _Doubled(dict[str, Any]):
    """An object in which a key stood twice."""


def _check_form(body: dict[str, Any]) -> None:
    wrong: list[tuple[str, str]] = []
    flow, method = body["userFlow"], body["paymentMethod"]["type"]
    named = [name for name, value in (body.get("customer") or {}).items() if name in _IDENTIFIERS and value is not None]
    if len(named) > 1:
        wrong.append(("customer", "must name the customer in one way only"))
    if flow == "PUSH_MESSAGE" and not named:
        wrong.append(("customer", "is required when userFlow is PUSH_MESSAGE"))
    if flow == "WEB_REDIRECT" and not body.get("returnUrl"):
        wrong.append(("returnUrl", "is required when userFlow is WEB_REDIRECT"))
    if body.get("qrFormat") is not None and flow != "QR":
        wrong.append(("qrFormat", "is only allowed when userFlow is QR"))
    if method == "CARD" and flow != "WEB_REDIRECT":
        wrong.append(("paymentMethod.type", "must be WALLET unless userFlow is WEB_REDIRECT"))
    if (body.get("cardPassthrough") is not None) != (method == "CARD_PASSTHROUGH"):
        wrong.append(("cardPassthrough", "goes with paymentMethod.type CARD_PASSTHROUGH and with no other"))
    if body["paymentMethod"].get("blockedSources") and method != "WALLET":
        wrong.append(("paymentMethod.blockedSources", "is only allowed when paymentMethod.type is WALLET"))
    for name in ("receipt", "expiresAt", "shipping"):
        if body.get(name) is not None and method != "WALLET":
            wrong.append((name, "is only allowed when paymentMethod.type is WALLET"))
    metadata = body.get("metadata")
    if metadata is not None and not all(isinstance(value, str) for value in metadata.values()):
        wrong.append(("metadata", "must hold text only"))
    if wrong:
        raise Refused("validation-error", "Input validation failed", wrong)


_IDENTIFIERS = ("phoneNumber", "personalQr", "customerToken")


def _amount(body: dict[str, Any], merchant: Merchant) -> None:
    amount = body["amount"]
    own = merchant.terms.currency
    if amount["currency"] != own:
        raise Refused("5040", f"The currency of this sales unit is {own}, not {amount['currency']}")
    if amount["value"] < AMOUNT_MIN[own]:
        raise Refused("6010", f"The least amount in {own} is {AMOUNT_MIN[own]}")


def _method(body: dict[str, Any], merchant: Merchant) -> None:
    method = body["paymentMethod"]
    if method["type"] == "CARD_PASSTHROUGH":
        raise Refused("4160", "Card passthrough is for payment service providers, which no sales unit here is")
    if method["type"] == "CARD":
        raise Refused("5070", "The test environment takes no payments by CARD")
    if method.get("blockedSources") and merchant.market == "NO":
        market = _MARKET_WORDS[merchant.market]
        raise Refused("5010", f"Payment sources cannot be blocked in the market '{market}'")


def _urls(body: dict[str, Any], merchant: Merchant) -> None:
    for name in ("returnUrl", "receiptUrl"):
        url = body.get(name)
        # A push leads nowhere, so its returnUrl does not matter.
        ignored = name == "returnUrl" and body["userFlow"] == "PUSH_MESSAGE"
        if url and not ignored and not may_lead_to(url):
            raise Refused("4090", f"{name} must begin with https:// or the scheme of an app")


def may_lead_to(url: str) -> bool:
    """Whether a payer may be sent there: https, an app, or a shop on this very machine."""
    return _RETURN_URL.match(url) is not None or _LOCAL_URL.match(url) is not None


def _scope(body: dict[str, Any], merchant: Merchant) -> None:
    words = ((body.get("profile") or {}).get("scope") or "").split()
    unknown = [word for word in words if word not in SCOPES]
    if unknown:
        raise Refused("4080", f"There is no scope {unknown[0]!r}")
    if "nin" in words and not merchant.nin_allowed:
        raise Refused("5030", "The sales unit may not ask for nin")


def _metadata(body: dict[str, Any], merchant: Merchant) -> None:
    metadata = body.get("metadata") or {}
    if len(metadata) > METADATA_COUNT_MAX:
        raise Refused("4100", f"Metadata may hold {METADATA_COUNT_MAX} pairs")
    if any(len(key) > METADATA_KEY_MAX for key in metadata):
        raise Refused("4120", f"A metadata key may be {METADATA_KEY_MAX} characters long")
    if any(len(value) > METADATA_VALUE_MAX for value in metadata.values()):
        raise Refused("4130", f"A metadata value may be {METADATA_VALUE_MAX} characters long")


def _receipt(body: dict[str, Any], merchant: Merchant) -> None:
    receipt = body.get("receipt")
    if receipt is None:
        return
    wrong = []
    for index, line in enumerate(receipt["orderLines"]):
        given = [name for name in ("taxRate", "taxPercentage") if line.get(name) is not None]
        if len(given) != 1:
            reason = "Both tax rate and tax percentage set" if given else "needs taxRate"
            wrong.append((f"receipt.orderLines[{index}].taxRate", reason))
    if receipt["bottomLine"]["currency"] != body["amount"]["currency"]:
        wrong.append(("receipt.bottomLine.currency", "must be the currency of the amount"))
    if wrong:
        raise Refused("validation-error", "Input validation failed", wrong)


def _flow(body: dict[str, Any], merchant: Merchant) -> None:
    if body["userFlow"] == "PUSH_MESSAGE" and not merchant.push_message_allowed:
        raise Refused("5080", "The sales unit may not use PUSH_MESSAGE")


def _shipping(body: dict[str, Any], merchant: Merchant) -> None:
    shipping = body.get("shipping")
    if shipping is None:
        return
    if set(((body.get("profile") or {}).get("scope") or "").split()) != EXPRESS_SCOPE:
        raise invalid("profile.scope", f"must be {' '.join(sorted(EXPRESS_SCOPE))} when shipping is given")
    fixed, dynamic = shipping.get("fixedOptions"), shipping.get("dynamicOptions")
    if (fixed is None) == (dynamic is None):
        raise invalid("shipping", "must have either fixedOptions or dynamicOptions")
    if dynamic is not None:
        if not (_CALLBACK_URL.match(dynamic["callbackUrl"]) or _LOCAL_URL.match(dynamic["callbackUrl"])):
            raise Refused("4090", "callbackUrl must begin with https://")
        token = dynamic.get("callbackAuthorizationToken")
        if token is not None and not _CALLBACK_TOKEN.match(token):
            raise invalid("shipping.dynamicOptions.callbackAuthorizationToken", "must be 1 to 50 letters, digits or -")
    if fixed is not None:
        check_groups(fixed, body["amount"]["currency"], lambda reason: invalid("shipping.fixedOptions", reason))
    if not merchant.express_allowed:
        raise Refused("5020", "The sales unit may not use Express")


def check_groups(groups: list[dict[str, Any]], currency: str, wrong: Callable[[str], Exception]) -> None:
    """Raises what `wrong` makes of the reason, unless shipping groups can be shown to a payer."""
    kinds = [(group["type"], group["brand"]) for group in groups]
    if not groups or not all(group["options"] for group in groups):
        raise wrong("must hold at least one option in each group")
    if len(set(kinds)) != len(kinds):
        raise wrong("must have one group for each type and brand")
    ids = [option["id"] for group in groups for option in group["options"]]
    if len(set(ids)) != len(ids):
        raise wrong("must give each option an id of its own")
    if any(option["amount"]["currency"] != currency for group in groups for option in group["options"]):
        raise wrong("must be in the currency of the payment")


def _expiry(body: dict[str, Any], merchant: Merchant, now: int, least_life: int) -> None:
    text = body.get("expiresAt")
    if text is None:
        return
    try:
        expires = parse_instant(text)
    except ValueError:
        raise invalid("expiresAt", "must be a date-time with its zone") from None
    if body.get("receipt") is None:
        raise Refused("6130", "A payment with expiresAt needs a receipt")
    if not merchant.long_living_allowed:
        raise Refused("5050", "The sales unit may not use long-living payments")
    if expires <= now + least_life:
        raise Refused("6120", f"expiresAt must be more than {least_life // 60_000} minutes ahead")
    if expires > now + LONG_LIVING_DAYS_MAX * DAY:
        raise Refused("6110", f"expiresAt must not be more than {LONG_LIVING_DAYS_MAX} days ahead")
