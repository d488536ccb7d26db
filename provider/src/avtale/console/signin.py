"""Signs people in at the tenant's identity provider: authorization code with PKCE, and a session at the end."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from avtale.console.forms import read_form
from avtale.console.house import ConsoleHouse
from avtale.console.look.page import send_on
from avtale.console.rooms import Room, Visit
from avtale.console.sessions import ASKING_SECONDS_MAX, SESSION_SECONDS_MAX, Asking, Session
from avtale.domain.errors import Refusal
from avtale.storage.tenants import Issuer

SCOPE = "openid profile phone"
CALL_SECONDS_MAX = 5.0
#: How long the identity provider's own description is believed, in seconds of wall time.
DISCOVERY_SECONDS_MAX = 60.0

_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")


class SignInFailed(Refusal):
    """Nobody was signed in, and trying again may help."""

    code = "sign_in_failed"


class IssuerSilent(Refusal):
    """The identity provider does not answer, or not as OpenID Connect has it."""

    code = "issuer_unavailable"


class SignIn(Room):
    """The pages below `/signin`: they only send people on."""

    def __init__(self, house: ConsoleHouse) -> None:
        super().__init__(house)
        self._discovered: dict[str, tuple[float, dict[str, Any]]] = {}

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/", self.guarded(self.begin), methods=["GET"]),
            Route("/callback", self.guarded(self.finish), methods=["GET"]),
            Route("/out", self.guarded(self.leave), methods=["POST"]),
        ]

    async def begin(self, request: Request, visit: Visit) -> Response:
        """Send the person to the identity provider (RFC 6749, 4.1.1; RFC 7636)."""
        public = visit.tenant.public_url.rstrip("/")
        if request.headers.get("host", "").lower() != urlsplit(public).netloc:
            # The answer comes to the public address, and so must the browser's cookie.
            return send_on(f"{public}/signin/?{urlencode({'back': own_path(request.query_params.get('back'))})}")
        issuer = self._issuer(visit)
        provider = await self._provider(issuer)
        asking = Asking(
            tenant=str(visit.tenant.id),
            until=self.house.wall().timestamp() + ASKING_SECONDS_MAX,
            state=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            issuer=issuer.issuer,
            back=own_path(request.query_params.get("back")),
        )
        question = {
            "response_type": "code",
            "client_id": self.house.client_id,
            "redirect_uri": _redirect_uri(visit),
            "scope": SCOPE,
            "state": asking.state,
            "code_challenge": _challenge(asking.verifier),
            "code_challenge_method": "S256",
            # Whoever is signed in there may be somebody else than wants to enter here.
            "prompt": "select_account",
        }
        response = send_on(f"{provider['authorization_endpoint']}?{urlencode(question)}")
        self.cookies.ask(request, response, asking)
        return response

    async def finish(self, request: Request, visit: Visit) -> Response:
        """Take the answer, redeem its code, and begin a session. Raises SignInFailed."""
        wall = self.house.wall()
        asking = self.cookies.asking(request, visit.tenant, wall)
        answer = request.query_params
        if asking is None or not secrets.compare_digest(answer.get("state", "").encode(), asking.state.encode()):
            raise SignInFailed("this sign-in was not begun here, or it took too long; try again")
        # RFC 9207: an answer that names another issuer was mixed up on its way.
        if answer.get("iss", asking.issuer) != asking.issuer:
            raise SignInFailed("the answer came from another identity provider; try again")
        if "error" in answer:
            if answer["error"] == "access_denied":
                return send_on(asking.back if not asking.back.startswith("/operator") else "/shop/")
            raise SignInFailed("the identity provider refused; try again")
        issuer = self._issuer(visit)
        provider = await self._provider(issuer)
        token, seconds = await self._redeem(provider, visit, answer.get("code", ""), asking.verifier)
        bearer = f"Bearer {token}"
        caller = await self.house.read_token(visit.issuers, [bearer])
        if caller.person.issuer != asking.issuer:
            raise SignInFailed("the token is another issuer's; try again")
        profile = await self._call("GET", str(provider["userinfo_endpoint"]), {"Authorization": bearer}, None)
        if issuer.subject_claim == "sub" and profile.get("sub") != caller.person.subject:
            raise SignInFailed("the profile is somebody else's; try again")
        session = Session(
            tenant=str(visit.tenant.id),
            until=wall.timestamp() + min(seconds, SESSION_SECONDS_MAX),
            issuer=caller.person.issuer,
            subject=caller.person.subject,
            name=_text(profile, "name") or "You",
            phone_number=_digits(_text(profile, "phone_number")),
            is_admin=caller.is_admin,
        )
        response = send_on(asking.back)
        self.cookies.open(request, response, session, wall)
        return response

    async def leave(self, request: Request, visit: Visit) -> Response:
        """End the session here; at the identity provider it goes on."""
        await read_form(request)
        response = send_on("/shop/")
        self.cookies.close(request, response)
        return response

    def _issuer(self, visit: Visit) -> Issuer:
        if not visit.issuers:
            raise IssuerSilent("this tenant has no identity provider")
        return visit.issuers[0]

    async def _provider(self, issuer: Issuer) -> dict[str, Any]:
        """The identity provider's endpoints (OpenID Connect Discovery). Raises IssuerSilent."""
        url = self.house.discovery_url or f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        known = self._discovered.get(url)
        if known is not None and time.monotonic() - known[0] < DISCOVERY_SECONDS_MAX:
            return known[1]
        found = await self._call("GET", url, {}, None)
        if found.get("issuer") != issuer.issuer or not all(_text(found, name) for name in _ENDPOINTS):
            raise IssuerSilent("the identity provider describes itself wrongly")
        self._discovered[url] = (time.monotonic(), found)
        return found

    async def _redeem(self, provider: Mapping[str, Any], visit: Visit, code: str, verifier: str) -> tuple[str, int]:
        """The access token for a code, and for how many seconds it holds."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self.house.client_id,
            "code": code,
            "redirect_uri": _redirect_uri(visit),
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
            status, said = await self.house.call_out(method, url, headers, body, CALL_SECONDS_MAX)
        except OSError as error:
            raise IssuerSilent("the identity provider does not answer; try again in a moment") from error
        if 400 <= status < 500:
            raise SignInFailed("the identity provider did not accept this sign-in; try again")
        if status != 200:
            raise IssuerSilent("the identity provider cannot answer just now; try again in a moment")
        return said


def _redirect_uri(visit: Visit) -> str:
    # The stored address, not the received Host: the identity provider compares it to the letter.
    return f"{visit.tenant.public_url.rstrip('/')}/signin/callback"


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def own_path(path: str | None) -> str:
    """A path of ours to return to; anything that could lead elsewhere becomes the shop."""
    wanted = path or ""
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and " " not in wanted
    if not plain or not wanted.startswith(("/shop/", "/operator/")) or "//" in wanted or len(wanted) > 500:
        return "/shop/"
    return wanted


def _text(said: Mapping[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) and value else None


def _digits(number: str | None) -> str | None:
    digits = (number or "").removeprefix("+")
    return digits if digits.isascii() and digits.isdigit() and 10 <= len(digits) <= 15 else None
