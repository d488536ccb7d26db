"""Who asks: a bearer token becomes a person and a role, or a refusal that says why."""

from __future__ import annotations

import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.util import urlsafe_b64decode

from avtale.api.keys import IssuerKeys
from avtale.domain.errors import Refusal
from avtale.service.checkout import Person
from avtale.storage.tenants import Issuer

#: Signatures that we take. Never `none`, and no shared secrets: a public key is not a secret to verify with.
ALGORITHMS = frozenset({"RS256", "PS256", "ES256", "EdDSA", "Ed25519"})
#: What a token may call itself: an access or an identity token, and nothing that was made for another purpose.
TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
#: How far the clocks of an issuer and of ours may be apart.
LEEWAY_SECONDS = 30
TOKEN_LENGTH_MAX = 16_384
SUBJECT_LENGTH_MAX = 255
#: How many tokens are remembered as signed, the latest of those that were proven.
TOKENS_COUNT_MAX = 1000


class NotSignedIn(Refusal):
    """There is no token, or none that holds here."""

    code = "token_invalid"


class AdminOnly(Refusal):
    """Somebody is signed in, but not as an administrator of this tenant."""

    code = "admin_only"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose token holds at the tenant that was asked."""

    person: Person
    is_admin: bool


@dataclass(frozen=True, slots=True)
class _Token:
    """What a token says, and which key has signed it, once that is known."""

    key_id: str | None
    claims: Mapping[str, Any]
    proven_by: Key | None = None


class Identity:
    """Verifies tokens against the issuers that a tenant has registered, in wall time.

    That a key has signed a token is remembered for as long as its issuer has that key, since it does not change. What
    the token says (until when, for whom) is held against the tenant and the time at each request.
    """

    def __init__(self, keys: IssuerKeys, wall: Callable[[], datetime]) -> None:
        self._keys = keys
        self._wall = wall
        self._proven: dict[str, _Token] = {}

    async def caller(self, issuers: Sequence[Issuer], authorization: Sequence[str]) -> Caller:
        """The caller, by the Authorization headers of a request (RFC 6750, RFC 9068).

        Raises NotSignedIn (`token_missing`, `token_invalid`, `token_expired`) or IssuerUnavailable.
        """
        token = _bearer(authorization)
        read = self._proven.get(token) or _peek(token)
        issuer = next((one for one in issuers if one.issuer == read.claims.get("iss")), None)
        if issuer is None:
            raise NotSignedIn("this tenant does not know the issuer of the token")
        candidates = await self._keys.candidates(issuer, read.key_id)
        if not any(key is read.proven_by for key in candidates):
            read = replace(read, proven_by=_signer(token, candidates))
            self._remember(token, read)
        claims = read.claims
        self._check(issuer, claims)
        subject = claims.get(issuer.subject_claim)
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH_MAX or not subject.isprintable():
            raise NotSignedIn(f"the token's claim {issuer.subject_claim} names nobody")
        return Caller(Person(issuer.issuer, subject), _is_admin(issuer, claims))

    async def ask(self, issuer: Issuer) -> None:
        """Have the keys of an issuer at hand. Raises IssuerUnavailable."""
        await self._keys.candidates(issuer, None)

    def _remember(self, token: str, read: _Token) -> None:
        if len(self._proven) >= TOKENS_COUNT_MAX:
            del self._proven[next(iter(self._proven))]
        self._proven[token] = read

    def _check(self, issuer: Issuer, claims: Mapping[str, Any]) -> None:
        now = self._wall().timestamp()
        if claims.get("iss") != issuer.issuer:
            raise NotSignedIn("the token is another issuer's")
        audience = claims.get("aud")
        if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
            raise NotSignedIn("the token is for another audience")
        if _instant(claims, "exp", required=True) <= now - LEEWAY_SECONDS:
            raise NotSignedIn("the token has expired; sign in again", code="token_expired")
        if _instant(claims, "nbf", required=False) > now + LEEWAY_SECONDS:
            raise NotSignedIn("the token is not valid yet")


class _Algorithms(JWSRegistry):
    """Our own list, and room for certificates in the header."""

    max_header_length = 8192

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_ALGORITHMS = _Algorithms(strict_check_header=False)


def _bearer(authorization: Sequence[str]) -> str:
    if not authorization:
        raise NotSignedIn("sign in, and send the token as a bearer", code="token_missing")
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "bearer":
        raise NotSignedIn("send the token as a bearer", code="token_missing")
    token = token.strip(" ")
    if len(authorization) > 1 or not token.isascii() or len(token) > TOKEN_LENGTH_MAX:
        raise NotSignedIn("this is not one bearer token")
    return token


def _peek(token: str) -> _Token:
    """A token before anything is proven: only to find the keys that could prove it."""
    parts = token.split(".")
    if len(parts) != 3:
        raise NotSignedIn("the token is not a signed JWT")
    header, claims = _object(parts[0]), _object(parts[1])
    if str(header.get("alg")) not in ALGORITHMS:
        raise NotSignedIn(f"tokens are signed with one of {', '.join(sorted(ALGORITHMS))}")
    if "crit" in header or "b64" in header:
        raise NotSignedIn("the token asks for an extension that is not known here")
    if str(header.get("typ", "JWT")).lower() not in TYPES:
        raise NotSignedIn("the token was made for another purpose")
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise NotSignedIn("the token's kid is no text")
    return _Token(key_id, claims)


def _object(segment: str) -> dict[str, Any]:
    try:
        found = json.loads(urlsafe_b64decode(segment.encode()))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise NotSignedIn("the token is not a signed JWT") from error
    if not isinstance(found, dict):
        raise NotSignedIn("the token is not a signed JWT")
    return found


def _signer(token: str, candidates: Sequence[Key]) -> Key:
    """Which of the keys has signed a token."""
    for key in candidates:
        try:
            deserialize_compact(token, key, registry=_ALGORITHMS)
        except (JoseError, ValueError, TypeError):
            continue
        return key
    raise NotSignedIn("none of the issuer's keys has signed the token")


def _instant(claims: Mapping[str, Any], name: str, *, required: bool) -> float:
    """Seconds since 1970 (RFC 7519, NumericDate)."""
    value = claims.get(name)
    if value is None and not required:
        return -math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NotSignedIn(f"the token's claim {name} is no instant")
    return value


def _is_admin(issuer: Issuer, claims: Mapping[str, Any]) -> bool:
    """Whether the roles name the tenant's admin role: a list, or a text of words as a scope is."""
    roles = _claim(claims, issuer.roles_claim)
    if isinstance(roles, str):
        roles = roles.split()
    return bool(issuer.admin_role) and isinstance(roles, list) and issuer.admin_role in roles


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """A claim by its name, which may be an address with dots in it, or by the way to it (`realm_access.roles`)."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found
