"""In which ways a merchant can say who is to pay: a number, a personal QR code, a token of a check-in."""

from __future__ import annotations

import hmac
import re
from typing import Any

from ...ids import Ids
from ..refusals import Refused, invalid

_PHONE = re.compile(r"[1-9]\d{8,14}\Z", re.ASCII)
_PERSONAL_QR = re.compile(r"https://qr\.vipps\.no/28/2/01/031/(\d{8,15})(\?v=\d+)?\Z", re.ASCII)


def number_of(customer: dict[str, Any], ids: Ids) -> str | None:
    """The phone number (MSISDN) that is meant, or None when nobody is named; raises Refused."""
    given = {name: customer[name] for name in _READERS if customer.get(name) is not None}
    if len(given) > 1:
        raise invalid("customer", "must name the customer in one way only")
    for name, value in given.items():
        return _READERS[name](value, ids)
    return None


def personal_qr(phone_number: str) -> str:
    """What a till reads from the personal QR code in somebody's app."""
    return f"https://qr.vipps.no/28/2/01/031/{phone_number}?v=1"


def check_in_token(phone_number: str, ids: Ids) -> str:
    """The token by which a merchant names somebody who has checked in."""
    return f"{phone_number}.{ids.sign('check-in', phone_number.encode()).hex()[:32]}"


def _phone(value: str, ids: Ids) -> str:
    if not _PHONE.match(value):
        raise Refused("4070", "A phone number begins with its country code, without + or zeros")
    return value


def _personal_qr(value: str, ids: Ids) -> str:
    found = _PERSONAL_QR.match(value)
    if found is None:
        raise Refused("4060", "This is not a personal QR code")
    return found[1]


def _token(value: str, ids: Ids) -> str:
    number = value.partition(".")[0]
    if not hmac.compare_digest(check_in_token(number, ids).encode(), value.encode("utf-8", "replace")):
        raise Refused("4050", "Nobody has this token")
    return number


_READERS = {"phoneNumber": _phone, "personalQr": _personal_qr, "customerToken": _token}
