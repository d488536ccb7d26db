"""The token and userinfo endpoints, and the two documents in which an application finds everything."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Any
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..pages.forms import NotAForm, read_form
from ..people import People
from .asking import SCOPES
from .clients import Client
from .issuer import ACCESS_TOKEN, PATH, Grant, Identity
from .keys import ALGORITHM, BadToken
from .origin import origin
from .profiles import of_subject

# Any page may read these answers: they hold nothing that a cookie opened.
_OPEN = {"Access-Control-Allow-Origin": "*"}
_PRIVATE = {**_OPEN, "Cache-Control": "no-store", "Pragma": "no-cache"}
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


class OAuthError(Exception):
    """An error of the token endpoint (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        """Take the code, a text for the developer, and the HTTP status."""
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


class Tokens:
    """The handlers of the endpoints that applications call themselves."""

    def __init__(self, identity: Identity, people: People) -> None:
        """Take the issuer and the people whose claims it tells."""
        self._identity = identity
        self._people = people

    async def discovery(self, request: Request) -> Response:
        """Give the provider metadata (OpenID Connect Discovery, 3)."""
        # An issuer with a name of its own is still reached where it was asked.
        here = origin(request)
        at = f"{here}{PATH}"
        document: dict[str, Any] = {
            "issuer": self._identity.issuer(here),
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "userinfo_endpoint": f"{at}/userinfo",
            "end_session_endpoint": f"{at}/end-session",
            "jwks_uri": f"{at}/jwks.json",
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "select_account"],
            "authorization_response_iss_parameter_supported": True,
            "request_uri_parameter_supported": False,
            "claims_supported": [
                "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "name", "given_name",
                "family_name", "email", "email_verified", "phone_number", "phone_number_verified", "roles",
            ],
        }  # fmt: skip
        return JSONResponse(document, headers=_OPEN)

    async def jwks(self, request: Request) -> Response:
        """Give the public keys (RFC 7517)."""
        return JSONResponse(self._identity.keys.published(), headers={**_OPEN, "Cache-Control": "no-cache"})

    async def token(self, request: Request) -> Response:
        """Give tokens for a code, or to a machine in its own name."""
        try:
            return JSONResponse(await self._token(request), headers=_PRIVATE)
        except NotAForm as problem:
            error = OAuthError("invalid_request", str(problem))
        except OAuthError as problem:
            error = problem
        headers = dict(_PRIVATE)
        if error.status == 401 and "authorization" in request.headers:
            headers["WWW-Authenticate"] = 'Basic realm="sandbox identity"'
        body = {"error": error.error, "error_description": error.description}
        return JSONResponse(body, status_code=error.status, headers=headers)

    async def userinfo(self, request: Request) -> Response:
        """Give what is known about the person that the access token is about (OpenID Connect Core, 5.3)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return _challenge(401, None, "Send the access token as a bearer token.")
        try:
            claims = self._identity.keys.verify(token.strip(), kind=ACCESS_TOKEN)
        except BadToken as problem:
            return _challenge(401, "invalid_token", f"{problem}.".capitalize())
        scopes = str(claims.get("scope", "")).split()
        if "openid" not in scopes:
            return _challenge(403, "insufficient_scope", "The access token has no openid scope.")
        subject = str(claims["sub"])
        profile = of_subject(subject, self._people) or self._identity.profile(subject)
        answer = {"sub": subject} if profile is None else profile.claims(scopes)
        return JSONResponse(answer, headers=_PRIVATE)

    async def preflight(self, request: Request) -> Response:
        """Let pages of other origins call the endpoints above (CORS)."""
        allowed = {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": "600",
        }
        return Response(status_code=204, headers={**_OPEN, **allowed})

    async def _token(self, request: Request) -> dict[str, Any]:
        fields = await read_form(request)
        values = dict(fields)
        if len(values) != len(fields):
            raise OAuthError("invalid_request", "A parameter is given more than once.")
        client = self._authenticated(request, values)
        grant_type = values.get("grant_type")
        if grant_type is None:
            raise OAuthError("invalid_request", "The grant_type is missing.")
        issuer = self._identity.issuer(origin(request))
        if grant_type == "authorization_code":
            if client.machine:
                raise OAuthError("unauthorized_client", "This application signs nobody in.")
            return self._identity.tokens_for(self._redeemed(client, values), client, issuer)
        if grant_type == "client_credentials":
            if not client.machine:
                raise OAuthError("unauthorized_client", "This application may not act in its own name.")
            return self._identity.machine_token(client, issuer, values.get("scope", ""))
        text = "The grant types are authorization_code and client_credentials."
        raise OAuthError("unsupported_grant_type", text)

    def _authenticated(self, request: Request, values: dict[str, str]) -> Client:
        header = request.headers.get("authorization")
        if header is not None:
            if "client_secret" in values:
                raise OAuthError("invalid_request", "Authenticate in one way only.")
            pair = _basic(header)
            if pair is None:
                raise OAuthError("invalid_client", "The Authorization header is not Basic.", 401)
            client_id, secret = pair
            if values.get("client_id", client_id) not in (client_id, unquote_plus(client_id)):
                raise OAuthError("invalid_request", "The client_id is not the one that authenticates.")
            # RFC 6749 2.3.1 has both parts form-encoded first; many applications do not, so both are taken.
            client = self._identity.client(client_id) or self._identity.client(unquote_plus(client_id))
            known = client is not None and (client.knows(secret) or client.knows(unquote_plus(secret)))
        else:
            client = self._identity.client(values.get("client_id", ""))
            if client is not None and client.client_secret is None:
                known = "client_secret" not in values
            else:
                known = client is not None and client.knows(values.get("client_secret", ""))
        if client is None or not known:
            raise OAuthError("invalid_client", "The application is unknown, or its secret is wrong.", 401)
        return client

    def _redeemed(self, client: Client, values: dict[str, str]) -> Grant:
        for name in ("code", "redirect_uri"):
            if not values.get(name):
                raise OAuthError("invalid_request", f"The {name} is missing.")
        grant = self._identity.redeem_code(values["code"], client.client_id)
        if grant is None:
            raise OAuthError("invalid_grant", "The code is unknown, was used before, or is too old.")
        if grant.redirect_uri != values["redirect_uri"]:
            raise OAuthError("invalid_grant", "The redirect_uri is not the one that the code was sent to.")
        verifier = values.get("code_verifier")
        if grant.challenge is None:
            if verifier is not None:
                raise OAuthError("invalid_grant", "The code was asked for without a code_challenge.")
        elif verifier is None or not _VERIFIER.match(verifier) or not _answers(verifier, grant.challenge):
            raise OAuthError("invalid_grant", "The code_verifier does not answer the code_challenge.")
        return grant


def _answers(verifier: str, challenge: str) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    client_id, colon, secret = decoded.partition(":")
    return (client_id, secret) if colon else None


def _challenge(status: int, error: str | None, description: str) -> Response:
    # RFC 6750 3.1: a request without any token is told no error code.
    said = "" if error is None else f', error="{error}", error_description="{description}"'
    headers = {**_PRIVATE, "WWW-Authenticate": f'Bearer realm="sandbox identity"{said}'}
    body = {"error": error or "invalid_request", "error_description": description}
    return JSONResponse(body, status_code=status, headers=headers)
