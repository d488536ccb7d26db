"""The access token API: merchant keys in, a signed JWT out, and the check of that JWT on every other call."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from ..clock import wall_now
from ..ids import Ids
from ..merchants import Merchant, Merchants, Partner
from ..settings import Settings
from ..store import Store
from .exchange import Answer, Request, json_answer
from .problems import KEY_MISSING, KEY_WRONG, gateway_answer

_RESOURCE = "00000002-0000-0000-c000-000000000000"
_CHECKED_COUNT_MAX = 10_000
SPECIALISED_LIFE_SECONDS = 900


class SigningKey(msgspec.Struct):
    """The private key (JWK), and the serial number below which tokens are no longer good."""

    jwk: dict[str, Any]
    serial: int = 0
    expired_below: int = 0


class _Claims(msgspec.Struct):
    exp: int
    appid: str
    serial: int


class Tokens:
    """Issues and checks access tokens (RS256, wall time); several of one merchant are good at once."""

    def __init__(self, store: Store, ids: Ids, settings: Settings) -> None:
        self._table = store.table("tokenkey", SigningKey)
        self._ids = ids
        self.life_seconds = settings.token_life_seconds
        self._checked: dict[str, _Claims] = {}
        self._recent: dict[tuple[str, int], tuple[int, str]] = {}

    def load(self) -> None:
        """Forget what was found out about tokens; the store knows better."""
        self._checked.clear()
        self._recent.clear()

    def issue(self, holder: Merchant | Partner, life_seconds: int | None = None) -> tuple[str, int]:
        """A token and the second it was made in; calls within one second get the same one."""
        issued = wall_now() // 1000
        life_seconds = self.life_seconds if life_seconds is None else life_seconds
        client_id = holder.client_id
        recent = self._recent.get((client_id, life_seconds))
        if recent is not None and recent[0] == issued and self.holder_of(recent[1]) == client_id:
            return recent[1], issued
        key = self._key()
        key.serial += 1
        self._table.put("vipps", key)
        token = _sign(
            key.jwk,
            {
                "aud": _RESOURCE,
                "iss": "https://sts.windows.net/e5116d55-1c2b-4c3d-8d6d-3e1d3a2b1f00/",
                "iat": issued,
                "nbf": issued,
                "exp": issued + life_seconds,
                "appid": client_id,
                "appidacr": "1",
                "idp": "https://sts.windows.net/e5116d55-1c2b-4c3d-8d6d-3e1d3a2b1f00/",
                "tid": "e5116d55-1c2b-4c3d-8d6d-3e1d3a2b1f00",
                "uti": self._ids.letters("token", key.serial, 22),
                "ver": "1.0",
                "serial": key.serial,
            },
        )
        self._recent[client_id, life_seconds] = (issued, token)
        return token, issued

    def holder_of(self, token: str) -> str | None:
        """The client id that the token was issued to, or None when it is not good (any more)."""
        claims = self._checked.get(token)
        if claims is None:
            claims = self._verify(token)
            if claims is None:
                return None
            if len(self._checked) >= _CHECKED_COUNT_MAX:
                self._checked.clear()
            self._checked[token] = claims
        if claims.exp * 1000 <= wall_now():
            return None
        return claims.appid

    def expire_all(self) -> None:
        """Make every token issued so far worthless, as time would."""
        key = self._key()
        key.expired_below = key.serial + 1
        self._table.put("vipps", key)
        self.load()

    def _verify(self, token: str) -> _Claims | None:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import RSAKey

        key = self._table.get("vipps")
        if key is None:
            return None
        try:
            found = jwt.decode(token, RSAKey.import_key(key.jwk), algorithms=["RS256"])
            claims = msgspec.convert(found.claims, _Claims)
        except (JoseError, ValueError, msgspec.ValidationError):
            return None
        return claims if claims.serial >= key.expired_below else None

    def _key(self) -> SigningKey:
        """The signing key, made on first use: that takes longer than everything else at the start."""
        key = self._table.get("vipps")
        if key is None:
            from joserfc.jwk import RSAKey

            key = SigningKey(jwk=RSAKey.generate_key(2048).as_dict(private=True))
            self._table.put("vipps", key)
        return key


class AccessTokenApi:
    """`POST /accesstoken/get`, and `POST /miami/v1/token` for keys of accountants and the like."""

    def __init__(self, tokens: Tokens, merchants: Merchants) -> None:
        self._tokens = tokens
        self._merchants = merchants

    def handlers(self) -> Mapping[str, Callable[[Request], Answer]]:
        """What does the work of the operation."""
        return {"fetchAuthorizationTokenUsingPost": self.get, "fetchToken": self.specialised}

    def get(self, request: Request) -> Answer:
        """Answer a request for a token; the body does not matter."""
        subscription_key = request.header(b"ocp-apim-subscription-key")
        if not subscription_key:
            return gateway_answer(401, KEY_MISSING)
        if not self._merchants.knows_subscription_key(subscription_key):
            return gateway_answer(401, KEY_WRONG)
        client_id, client_secret = request.header(b"client_id"), request.header(b"client_secret")
        if not client_id or not client_secret:
            missing = "client_secret" if client_id else "client_id"
            return _refused(400, "invalid_request", f"The header {missing} is missing.")
        holder = self._merchants.holder(client_id)
        if holder is None:
            return _refused(401, "unauthorized_client", "There is no client with this client_id.")
        if not _same(holder.client_secret, client_secret):
            return _refused(401, "invalid_client", "The client_secret is wrong.")
        if holder.subscription_key != subscription_key:
            return gateway_answer(401, KEY_WRONG)
        token, issued = self._tokens.issue(holder)
        life = self._tokens.life_seconds
        return json_answer(
            200,
            {
                "token_type": "Bearer",
                "expires_in": life,
                "ext_expires_in": life,
                "expires_on": issued + life,
                "not_before": issued,
                "resource": _RESOURCE,
                "access_token": token,
            },
        )

    def specialised(self, request: Request) -> Answer:
        """Answer a request for a token of 15 minutes, with HTTP Basic and without a subscription key."""
        pair = basic_credentials(request.header(b"authorization") or "")
        holder = None if pair is None else self._merchants.holder(pair[0])
        if pair is None or holder is None or not _same(holder.client_secret, pair[1]):
            return _refused(401, "invalid_client", "The client is unknown, or its secret is wrong.")
        if parse_qs(request.body.decode("latin-1")).get("grant_type") != ["client_credentials"]:
            return _refused(400, "unsupported_grant_type", "The grant_type must be client_credentials.")
        token, _ = self._tokens.issue(holder, SPECIALISED_LIFE_SECONDS)
        return json_answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": SPECIALISED_LIFE_SECONDS})


def basic_credentials(header: str) -> tuple[str, str] | None:
    """The two parts of an HTTP Basic header, or None for anything else (RFC 7617)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    name, colon, secret = decoded.partition(":")
    return (name, secret) if colon else None


def _same(secret: str, given: str) -> bool:
    return hmac.compare_digest(secret.encode("utf-8", "replace"), given.encode("utf-8", "replace"))


def _refused(status: int, error: str, description: str) -> Answer:
    return json_answer(status, {"error": error, "error_description": description})


def _sign(jwk: dict[str, Any], claims: dict[str, Any]) -> str:
    from joserfc import jwt
    from joserfc.jwk import RSAKey

    return jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, RSAKey.import_key(jwk))
