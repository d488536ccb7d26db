"""The endpoints of Login: where everything is, who signs in, and tokens for a code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus
from uuid import uuid4

from starlette.responses import Response

from ...merchants import Merchant, Merchants
from ...pages.forms import NotAForm, pairs
from ...pages.page import Pages, send_on
from ...people import People, Person
from ..accesstoken import basic_credentials
from ..claims import claims_of
from ..consents import Consents
from ..exchange import Answer, Request, json_answer
from . import asking
from .asking import SCOPES, Asked, Bounced, Unanswerable
from .grants import Grant, Grants

BASE = "/access-management-1.0/access"
# What the real host says of a token that lives for an hour.
EXPIRES_IN_SECONDS = 3599
# The stylesheet is served with the telephones.
_STYLE_PATH = "/phone"
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")
_UNCACHED = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


class OAuthError(Exception):
    """An error of the token endpoint."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


class LoginApi:
    """All operations; all addresses in answers are on the host that was asked."""

    def __init__(self, merchants: Merchants, people: People, consents: Consents, grants: Grants) -> None:
        self._merchants = merchants
        self._people = people
        self._consents = consents
        self._grants = grants
        self._pages: Pages | None = None

    def handlers(self) -> Mapping[str, Callable[[Request], Answer]]:
        """What does the work of each operation."""
        return {
            "discoverOpenIDConfiguration": self.discovery,
            "wellKnown": self.jwks,
            "oauthAuth": self.authorize,
            "oauthAuthAnswer": self.answered,
            "oauth2Token": self.token,
        }

    def discovery(self, request: Request) -> Answer:
        """Where everything is (OpenID Connect Discovery, 3)."""
        base = request.base_url + BASE
        document = {
            "issuer": _issuer(request),
            "authorization_endpoint": f"{base}/oauth2/auth",
            "token_endpoint": f"{base}/oauth2/token",
            "jwks_uri": f"{base}/.well-known/jwks.json",
            "userinfo_endpoint": f"{request.base_url}/vipps-userinfo-api/userinfo",
            "scopes_supported": list(SCOPES),
            "claims_supported": [
                "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "name", "given_name", "family_name",
                "email", "email_verified", "phone_number", "phone_number_verified", "birthdate", "address", "nin",
            ],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public", "pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "require_request_uri_registration": False,
        }  # fmt: skip
        return json_answer(200, document, headers=((b"cache-control", b"max-age=3600"),))

    def jwks(self, request: Request) -> Answer:
        """The public keys (RFC 7517)."""
        return json_answer(200, self._grants.keys.published())

    def authorize(self, request: Request) -> Answer:
        """Send a person on who has made up their mind, or ask who it is.

        The one named by `login_hint`, or the only one there is, needs no page if they approve or reject whatever
        they are asked.
        """
        try:
            asked = asking.read(_query(request), self._merchants)
            person = self._expected(asked)
            if person is not None and person.temperament == "approves":
                return _found(self._granted(asked, person))
            if person is not None and person.temperament == "rejects":
                raise asked.bounce("access_denied", "The user rejected the request.")
            return self._page(request, asked)
        except (Unanswerable, NotAForm) as problem:
            return _unanswerable(problem)
        except Bounced as bounced:
            return _found(bounced.location)

    def answered(self, request: Request) -> Answer:
        """Take the choice made on the page; what the merchant asked is in the query as it came."""
        try:
            asked = asking.read(_query(request), self._merchants)
            choice = dict(pairs(request.body))
            if "cancel" in choice:
                raise asked.bounce("access_denied", "The user rejected the request.")
            person = self._people.get(choice.get("person", ""))
            if person is None:
                return self._page(request, asked, "That person is no longer here. Choose another.", 400)
            return _found(self._granted(asked, person))
        except (Unanswerable, NotAForm) as problem:
            return _unanswerable(problem)
        except Bounced as bounced:
            return _found(bounced.location)

    def token(self, request: Request) -> Answer:
        """Tokens for a code."""
        try:
            return json_answer(200, self._token(request), headers=_UNCACHED)
        except NotAForm as problem:
            error = OAuthError("invalid_request", str(problem))
        except OAuthError as problem:
            error = problem
        headers: tuple[tuple[bytes, bytes], ...] = _UNCACHED
        if error.status == 401:
            headers += ((b"www-authenticate", b'Basic realm="Vipps Login"'),)
        return json_answer(error.status, _oauth_body(error.error, error.description, error.status), headers=headers)

    def _token(self, request: Request) -> dict[str, Any]:
        media_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/x-www-form-urlencoded":
            raise OAuthError("invalid_request", "The body must be application/x-www-form-urlencoded.")
        values = dict(pairs(request.body))
        client = self._authenticated(request, values)
        if values.get("grant_type") != "authorization_code":
            problem = "unsupported_grant_type" if values.get("grant_type") else "invalid_request"
            raise OAuthError(problem, "The grant_type must be authorization_code.")
        grant = self._redeemed(client, values)
        access_token = self._grants.issue(grant)
        person = self._people.get(grant.phone_number)
        claims = {} if person is None else claims_of(person, grant.scopes)
        sub = self._consents.sub(grant.msn, grant.phone_number)
        return {
            "access_token": access_token,
            "id_token": self._grants.id_token(grant, _issuer(request), sub, access_token, claims),
            "expires_in": EXPIRES_IN_SECONDS,
            "scope": " ".join(grant.scopes),
            "token_type": "bearer",
        }

    def _authenticated(self, request: Request, values: dict[str, str]) -> Merchant:
        """The merchant, by client_secret_basic or client_secret_post; raises OAuthError."""
        header = request.header(b"authorization")
        pair = (
            (values.get("client_id", ""), values.get("client_secret", ""))
            if header is None
            else basic_credentials(header)
        )
        if pair is not None:
            # RFC 6749 2.3.1 has both parts form-encoded first; many clients do not, so both are taken.
            for client_id, secret in (pair, (unquote_plus(pair[0]), unquote_plus(pair[1]))):
                merchant = self._merchants.of_client(client_id)
                if merchant is not None and hmac.compare_digest(_octets(merchant.client_secret), _octets(secret)):
                    return merchant
        raise OAuthError("invalid_client", "The client is unknown, or its secret is wrong.", 401)

    def _redeemed(self, client: Merchant, values: dict[str, str]) -> Grant:
        for name in ("code", "redirect_uri"):
            if not values.get(name):
                raise OAuthError("invalid_request", f"The {name} is missing.")
        grant = self._grants.redeem(values["code"], client.client_id)
        if grant is None:
            raise OAuthError("invalid_grant", "The code is unknown, was used before, or is too old.")
        if grant.redirect_uri != values["redirect_uri"]:
            raise OAuthError("invalid_grant", "The redirect_uri is not the one that the code was sent to.")
        verifier = values.get("code_verifier")
        if grant.challenge is None:
            if verifier is not None:
                raise OAuthError("invalid_grant", "The code was asked for without a code_challenge.")
        elif verifier is None or not _VERIFIER.match(verifier) or not _answers(verifier, grant):
            raise OAuthError("invalid_grant", "The code_verifier does not answer the code_challenge.")
        return grant

    def _granted(self, asked: Asked, person: Person) -> str:
        """The address to send the browser to, with a code for this person."""
        grant = Grant(
            msn=asked.merchant.merchant_serial_number,
            client_id=asked.merchant.client_id,
            redirect_uri=asked.redirect_uri,
            phone_number=person.phone_number,
            scopes=asked.scopes,
            nonce=asked.nonce,
            challenge=asked.challenge,
            challenge_method=asked.challenge_method,
            sid=str(uuid4()),
            since=self._grants.now(),
        )
        answer = {"code": self._grants.give_code(grant), "state": asked.state, "scope": " ".join(asked.scopes)}
        return asking.extended(asked.redirect_uri, answer)

    def _expected(self, asked: Asked) -> Person | None:
        people = self._people.all()
        return self._people.get(asked.hint) if asked.hint else people[0] if len(people) == 1 else None

    def _page(self, request: Request, asked: Asked, problem: str | None = None, status: int = 200) -> Answer:
        if self._pages is None:
            self._pages = Pages(Path(__file__).parent / "templates", path=_STYLE_PATH)
        values: dict[str, Any] = {
            "merchant": asked.merchant.name,
            "shared": [scope for scope in asked.scopes if scope != "openid"],
            "query": request.query_string.decode("latin-1"),
            "people": sorted(self._people.all(), key=lambda person: person.phone_number != asked.hint),
            "problem": problem,
        }
        return _answer_of(self._pages.answer("log_in.html", values, status=status, leads_to=asked.redirect_uri))


def _issuer(request: Request) -> str:
    return f"{request.base_url}{BASE}/"


def _query(request: Request) -> dict[str, str]:
    return dict(pairs(request.query_string))


def _found(location: str) -> Answer:
    """Send the browser on (302, as the real host does)."""
    answer = _answer_of(send_on(location))
    answer.status = 302
    return answer


def _answer_of(response: Response) -> Answer:
    content_type = response.headers.get("content-type", "text/html").encode()
    left_out = (b"content-length", b"content-type")
    headers = tuple((name, value) for name, value in response.raw_headers if name not in left_out)
    return Answer(response.status_code, bytes(response.body), content_type, headers)


def _unanswerable(problem: Unanswerable | NotAForm) -> Answer:
    if isinstance(problem, Unanswerable):
        return json_answer(401, _oauth_body(problem.error, problem.description, 401))
    return json_answer(400, _oauth_body("invalid_request", str(problem), 400))


def _oauth_body(error: str, description: str, status: int) -> dict[str, Any]:
    return {"error": error, "error_description": description, "error_code": status, "error_debug": description}


def _answers(verifier: str, grant: Grant) -> bool:
    if grant.challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(verifier.encode(), _octets(grant.challenge or ""))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "replace")
