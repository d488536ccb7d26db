"""Reads what a merchant asks of Login when it sends somebody there, and refuses it in OAuth's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from ...merchants import Merchant, Merchants
from ..claims import SCOPES as CLAIM_SCOPES

SCOPES = ("openid", *CLAIM_SCOPES)
STATE_LETTERS_MIN = 8
_METHODS = ("plain", "S256")


class Unanswerable(ValueError):
    """The client or its address is not known, so the browser must not be sent there."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class Bounced(ValueError):
    """A refusal that the merchant hears of at its redirect address (RFC 6749, 4.1.2.1)."""

    def __init__(self, redirect_uri: str, state: str | None, error: str, description: str) -> None:
        super().__init__(description)
        answer = {"error": error, "error_description": description, "state": state}
        self.location = extended(redirect_uri, answer)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a code, to be granted when somebody has signed in."""

    merchant: Merchant
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    nonce: str | None
    challenge: str | None
    challenge_method: str
    hint: str

    def bounce(self, error: str, description: str) -> Bounced:
        """A refusal of this very request."""
        return Bounced(self.redirect_uri, self.state, error, description)


def read(values: dict[str, str], merchants: Merchants) -> Asked:
    """Read an authorization request; raises Unanswerable or Bounced."""
    merchant = merchants.of_client(values.get("client_id", ""))
    if merchant is None:
        raise Unanswerable("invalid_client", "There is no client with this client_id.")
    redirect_uri = values.get("redirect_uri", "")
    if not merchant.may_return_to(redirect_uri):
        raise Unanswerable("invalid_request", "The redirect_uri is missing, or is not one that this client registered.")
    state = values.get("state")

    def bounced(error: str, description: str) -> Bounced:
        return Bounced(redirect_uri, state, error, description)

    if state is None or len(state) < STATE_LETTERS_MIN:
        raise bounced("invalid_state", f"The state is missing or has less than {STATE_LETTERS_MIN} characters.")
    if values.get("response_type") != "code":
        raise bounced("unsupported_response_type", "The only response_type is code.")
    # A scope that the merchant may not have is left out without a word.
    scopes = tuple(scope for scope in dict.fromkeys(values.get("scope", "").split()) if scope in SCOPES)
    if "openid" not in scopes:
        raise bounced("invalid_scope", "The scope must hold openid.")
    challenge, method = values.get("code_challenge") or None, values.get("code_challenge_method") or "plain"
    if method not in _METHODS:
        raise bounced("invalid_request", "The code_challenge_method must be S256 or plain.")
    if challenge is None and "code_challenge_method" in values:
        raise bounced("invalid_request", "The code_challenge is missing.")
    hint = "".join(letter for letter in values.get("login_hint", "") if letter.isdigit())
    return Asked(merchant, redirect_uri, scopes, state, values.get("nonce"), challenge, method, hint)


def extended(redirect_uri: str, answer: Mapping[str, str | None]) -> str:
    """The address with the answer's parameters behind the query that it already has."""
    parts = urlsplit(redirect_uri)
    added = urlencode({name: value for name, value in answer.items() if value is not None})
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))
