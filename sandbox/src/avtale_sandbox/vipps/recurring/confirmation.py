"""The token in the address that a payer opens to see a draft: a JWT that ends with the draft."""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import parse_qs, urlsplit

import msgspec

from ...ids import Ids

PATH = "/dwo-api-application/v1/deeplink/vippsgateway"

_HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")


class Claims(msgspec.Struct, frozen=True):
    """Who the token is about (an agreement id) and its life in seconds since 1970, business time."""

    sub: str
    iat: int
    exp: int


class NotAConfirmation(ValueError):
    """The token is not one of this sandbox's."""


def issue(ids: Ids, agreement_id: str, created: int, life_seconds: int) -> str:
    """The token of a draft made at `created` (milliseconds); the same draft always has the same token."""
    issued = created // 1000
    claims = msgspec.json.encode(Claims(agreement_id, issued, issued + life_seconds))
    signed = _HEADER + b"." + base64.urlsafe_b64encode(claims).rstrip(b"=")
    return (signed + b"." + _signature(ids, signed)).decode()


def read(ids: Ids, token: str) -> Claims:
    """Give back what a token says, expired or not; raises NotAConfirmation."""
    signed, _, signature = token.encode("utf-8", "replace").rpartition(b".")
    if not hmac.compare_digest(_signature(ids, signed), signature):
        raise NotAConfirmation("this token was not issued here")
    try:
        payload = signed.split(b".")[1]
        return msgspec.json.decode(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)), type=Claims)
    except (msgspec.DecodeError, binascii.Error, IndexError) as problem:
        raise NotAConfirmation("this token cannot be read") from problem


def token_of(url: str) -> str:
    """The token in a confirmation address, of the web or of an app; raises NotAConfirmation."""
    try:
        tokens = parse_qs(urlsplit(url).query).get("token")
    except ValueError as problem:
        raise NotAConfirmation("this is not an address") from problem
    if not tokens:
        raise NotAConfirmation("this address has no token")
    return tokens[0]


def address(base_url: str, token: str, is_app: bool) -> str:
    """The address to send the payer to: a page on the host that was asked, or a link into the app."""
    return f"vipps://?token={token}" if is_app else f"{base_url}{PATH}?v=2&token={token}"


def _signature(ids: Ids, signed: bytes) -> bytes:
    return base64.urlsafe_b64encode(ids.sign("confirmation", signed)).rstrip(b"=")
