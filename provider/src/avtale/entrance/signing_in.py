"""Signs people in at the tenant's identity provider: authorization code with PKCE, and a session at the end."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from avtale.domain.errors import Refusal
from avtale.entrance.callers import CallOut, TokenReader
from avtale.entrance.sessions import ASKING_SECONDS_MAX, SESSION_SECONDS_MAX, Asking, Cookies, Session
from avtale.storage.sealing import Sealer
from avtale.storage.tenants import Issuer, Tenant

SCOPE = "openid profile phone"
CALL_SECONDS_MAX = 5.0
#: How long the identity provider's own description is believed, in seconds of wall time.
DISCOVERY_SECONDS_MAX = 60.0

_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")


class SignInFailed(Refusal):
    """Nobody was signed in, and trying again may help; `back` is where the person wanted to go, if that is known."""

    code = "sign_in_failed"

    def __init__(self, detail: str, *, back: str | None = None, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.back = back


class IssuerSilent(Refusal):
    """The identity provider does not answer, or not as OpenID Connect has it."""

    code = "issuer_unavailable"


class Entrance:
    """The two halves of a sign-in, for pages of any room; `discovery_url` is for an issuer that is found elsewhere."""

    def __init__(
        self,
        sealer: Sealer,
        read_token: TokenReader,
        call_out: CallOut,
        wall: Callable[[], datetime],
        client_id: str,
        discovery_url: str | None = None,
    ) -> None:
        self.cookies = Cookies(sealer)
        self._read_token = read_token
        self._call_out = call_out
        self._wall = wall
        self._client_id = client_id
        self._discovery_url = discovery_url
        self._discovered: dict[str, tuple[float, dict[str, Any]]] = {}

    def session(self, request: Request, tenant: Tenant, issuers: tuple[Issuer, ...]) -> Session | None:
        """Who is signed in at this browser, here and now."""
        return self.cookies.session(request, tenant, issuers, self._wall())

    async def begin(
        self,
        request: Request,
        tenant: Tenant,
        issuers: tuple[Issuer, ...],
        redirect_uri: str,
        back: str,
        prompt: str | None = None,
    ) -> Response:
        """Send the person to the identity provider (RFC 6749, 4.1.1; RFC 7636), to come to `back` in the end.

        `redirect_uri` is where `finish` is, under the tenant's public address; `back` a path of ours. Raises
        IssuerSilent.
        """
        issuer = _issuer(issuers)
        provider = await self._provider(issuer)
        asking = Asking(
            tenant=str(tenant.id),
            until=self._wall().timestamp() + ASKING_SECONDS_MAX,
            state=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            issuer=issuer.issuer,
            back=back,
        )
        question = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": asking.state,
            "code_challenge": _challenge(asking.verifier),
            "code_challenge_method": "S256",
        } | ({"prompt": prompt} if prompt else {})
        address = str(provider["authorization_endpoint"])
        response = Response(
            status_code=303, headers={"Location": f"{address}{'&' if '?' in address else '?'}{urlencode(question)}"}
        )
        self.cookies.ask(request, response, asking)
        return response

    async def finish(
        self, request: Request, tenant: Tenant, issuers: tuple[Issuer, ...], redirect_uri: str
    ) -> tuple[Session, str]:
        """The session that an answer of the identity provider begins, and where the person wanted to go.

        Raises SignInFailed (`sign_in_declined` when the person would not), or IssuerSilent.
        """
        wall = self._wall()
        asking = self.cookies.asking(request, tenant, wall)
        answer = request.query_params
        if asking is None or not secrets.compare_digest(answer.get("state", "").encode(), asking.state.encode()):
            raise SignInFailed("this sign-in was not begun here, or it took too long; try again")
        # RFC 9207: an answer that names another issuer was mixed up on its way.
        if answer.get("iss", asking.issuer) != asking.issuer:
            raise SignInFailed("the answer came from another identity provider; try again", back=asking.back)
        if "error" in answer:
            declined = "sign_in_declined" if answer["error"] == "access_denied" else None
            raise SignInFailed("nobody was signed in; try again", back=asking.back, code=declined)
        issuer = _issuer(issuers)
        provider = await self._provider(issuer)
        token, seconds = await self._redeem(provider, redirect_uri, answer.get("code", ""), asking.verifier)
        bearer = f"Bearer {token}"
        caller = await self._read_token(issuers, [bearer])
        if caller.person.issuer != asking.issuer:
            raise SignInFailed("the token is another issuer's; try again", back=asking.back)
        profile = await self._call("GET", str(provider["userinfo_endpoint"]), {"Authorization": bearer}, None)
        if issuer.subject_claim == "sub" and profile.get("sub") != caller.person.subject:
            raise SignInFailed("the profile is somebody else's; try again", back=asking.back)
        session = Session(
            tenant=str(tenant.id),
            until=wall.timestamp() + min(seconds, SESSION_SECONDS_MAX),
            issuer=caller.person.issuer,
            subject=caller.person.subject,
            name=_text(profile, "name") or "You",
            phone_number=_digits(_text(profile, "phone_number")),
            is_admin=caller.is_admin,
        )
        return session, asking.back

    def open(self, request: Request, response: Response, session: Session) -> None:
        """Begin the session at this browser, with this response."""
        self.cookies.open(request, response, session, self._wall())

    async def _provider(self, issuer: Issuer) -> dict[str, Any]:
        """The identity provider's endpoints (OpenID Connect Discovery). Raises IssuerSilent."""
        url = self._discovery_url or f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        known = self._discovered.get(url)
        if known is not None and time.monotonic() - known[0] < DISCOVERY_SECONDS_MAX:
            return known[1]
        found = await self._call("GET", url, {}, None)
        if found.get("issuer") != issuer.issuer or not all(_text(found, name) for name in _ENDPOINTS):
            raise IssuerSilent("the identity provider describes itself wrongly")
        self._discovered[url] = (time.monotonic(), found)
        return found

    async def _redeem(
        self, provider: Mapping[str, Any], redirect_uri: str, code: str, verifier: str
    ) -> tuple[str, int]:
        """The access token for a code, and for how many seconds it holds."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client_id,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        said = await self._call("POST", str(provider["token_endpoint"]), headers, urlencode(form).encode())
        token, seconds = _text(said, "access_token"), said.get("expires_in", 0)
        if token is None or not isinstance(seconds, int) or seconds <= 0:
            raise SignInFailed("the identity provider gave no token; try again")
        return token, seconds

    async def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> dict[str, Any]:
        try:
            status, said = await self._call_out(method, url, headers, body, CALL_SECONDS_MAX)
        except OSError as error:
            raise IssuerSilent("the identity provider does not answer; try again in a moment") from error
        if 400 <= status < 500:
            raise SignInFailed("the identity provider did not accept this sign-in; try again")
        if status != 200:
            raise IssuerSilent("the identity provider cannot answer just now; try again in a moment")
        return said


def _issuer(issuers: tuple[Issuer, ...]) -> Issuer:
    if not issuers:
        raise IssuerSilent("this tenant has no identity provider")
    return issuers[0]


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _text(said: Mapping[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) and value else None


def _digits(number: str | None) -> str | None:
    digits = (number or "").removeprefix("+")
    return digits if digits.isascii() and digits.isdigit() and 10 <= len(digits) <= 15 else None
