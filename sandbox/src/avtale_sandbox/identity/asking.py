"""Reads what an application asks of the authorization endpoint, and refuses it in OAuth's own words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from .clients import Client
from .issuer import Identity

SCOPES = ("openid", "profile", "email", "phone")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_SINGLE = (
    "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "prompt",
    "max_age", "login_hint", "code_challenge", "code_challenge_method",
)  # fmt: skip


class Unanswerable(ValueError):
    """The application or its address is not known, so the browser must not be sent there; shown as a page."""


class Refused(ValueError):
    """A refusal that the application hears of at its redirect address (RFC 6749, 4.1.2.1)."""

    def __init__(self, redirect_uri: str, state: str | None, error: str, description: str) -> None:
        """Take where to answer, the state to echo, the error code and a text for its developer."""
        super().__init__(description)
        self.redirect_uri = redirect_uri
        self.state = state
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a code that may be granted once somebody signs in."""

    client: Client
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    nonce: str | None
    challenge: str | None
    prompts: frozenset[str]
    age_seconds_max: int | None
    hint: str

    def refusal(self, error: str, description: str) -> Refused:
        """Make a refusal of this very request."""
        return Refused(self.redirect_uri, self.state, error, description)


def read(fields: list[tuple[str, str]], identity: Identity) -> Asked:
    """Read an authorization request; raises Unanswerable or Refused."""
    values = dict(fields)
    doubled = [name for name in _SINGLE if sum(name == given for given, _ in fields) > 1]
    client = identity.client(values.get("client_id", ""))
    if client is None or client.machine or "client_id" in doubled:
        raise Unanswerable("No application with this client_id is registered here for people to sign in to.")
    redirect_uri = values.get("redirect_uri", "")
    if "redirect_uri" in doubled or not client.may_return_to(redirect_uri):
        raise Unanswerable("The redirect_uri is missing, or is not one that this application may use.")
    state = values.get("state")

    def refuse(error: str, description: str) -> Refused:
        return Refused(redirect_uri, state, error, description)

    if doubled:
        raise refuse("invalid_request", f"The parameter {doubled[0]} is given more than once.")
    if "request" in values:
        raise refuse("request_not_supported", "Request objects are not supported.")
    if "request_uri" in values:
        raise refuse("request_uri_not_supported", "Request objects are not supported.")
    if values.get("response_type") != "code":
        given = "unsupported_response_type" if "response_type" in values else "invalid_request"
        raise refuse(given, "The only response_type is code.")
    if values.get("response_mode", "query") != "query":
        raise refuse("invalid_request", "The only response_mode is query.")
    challenge = values.get("code_challenge")
    if challenge is None and (client.client_secret is None or "code_challenge_method" in values):
        raise refuse("invalid_request", "A code_challenge is required (PKCE, S256).")
    if challenge is not None:
        if values.get("code_challenge_method") != "S256":
            raise refuse("invalid_request", "The only code_challenge_method is S256.")
        if not _CHALLENGE.match(challenge):
            raise refuse("invalid_request", "A code_challenge is 43 letters of base64url.")
    age = values.get("max_age")
    if age is not None and not (age.isascii() and age.isdigit() and len(age) <= 9):
        raise refuse("invalid_request", "max_age is a whole number of seconds.")
    prompts = frozenset(values.get("prompt", "").split())
    if "none" in prompts and len(prompts) > 1:
        raise refuse("invalid_request", "prompt=none stands alone.")
    # An unknown scope is left out, as OpenID Connect Core 3.1.2.1 advises, and the token's answer says so.
    scopes = tuple(scope for scope in dict.fromkeys(values.get("scope", "").split()) if scope in SCOPES)
    return Asked(
        client,
        redirect_uri,
        scopes,
        state,
        values.get("nonce"),
        challenge,
        prompts,
        None if age is None else int(age),
        values.get("login_hint", "").strip(),
    )


def extended(redirect_uri: str, answer: dict[str, str | None]) -> str:
    """Give the address with the answer's parameters behind the query that it already has."""
    parts = urlsplit(redirect_uri)
    added = urlencode({name: value for name, value in answer.items() if value is not None})
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))
