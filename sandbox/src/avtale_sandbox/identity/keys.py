"""The issuer's signing keys: made once, rotated on request, published while their tokens live."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

# What signs and verifies is read when it is first needed: it is a sixth of the time of a start.
ALGORITHM = "RS256"
KEY_BITS = 2048
OLD_KEY_SECONDS = 24 * 3600


class BadToken(ValueError):
    """A token that this issuer did not sign, or whose time has passed."""


class StoredKey(Struct, frozen=True):
    """A private key as it is kept; `published_until` is wall time, or None for the key that signs now."""

    jwk: dict[str, Any]
    published_until: float | None = None


class SigningKeys:
    """RSA keys, the newest of which signs. Times are wall time, in seconds since 1970."""

    def __init__(
        self,
        wall: Callable[[], float],
        changed: Callable[[], None],
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(12),
    ) -> None:
        """Take the wall clock, what to call after the set of keys has changed, and how a new key is named."""
        self._wall = wall
        self._changed = changed
        self._new_id = new_id
        self._keys: list[tuple[RSAKey, float | None]] = []  # the key that signs comes first

    def sign(self, claims: dict[str, Any], *, kind: str) -> str:
        """Give a compact JWS over the claims; `kind` goes into the header as `typ`."""
        from joserfc import jwt

        key = self._current()
        return jwt.encode({"alg": ALGORITHM, "typ": kind, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])

    def verify(self, token: str, *, kind: str, even_expired: bool = False) -> dict[str, Any]:
        """Give the claims of a token of this issuer and of that `typ`; raises BadToken."""
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        self._current()
        self._drop_outdated()
        try:
            decoded = jwt.decode(token, KeySet([key for key, _ in self._keys]), algorithms=[ALGORITHM])
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as problem:
            raise BadToken("the token is not one of this issuer's") from problem
        claims = decoded.claims
        if decoded.header.get("typ") != kind:
            raise BadToken(f"the token is not of the kind {kind}")
        if not even_expired and claims["exp"] <= self._wall():
            raise BadToken("the token has expired")
        return dict(claims)

    def rotate(self, keep_old_seconds: int = OLD_KEY_SECONDS) -> str:
        """Begin to sign with a new key and give its id; the old one stays published for so many seconds."""
        self._current()
        until = self._wall() + keep_old_seconds
        old = [(key, until if published is None else published) for key, published in self._keys]
        self._keys = [(self._new_key(), None), *old]
        self._drop_outdated()
        self._changed()
        return str(self._keys[0][0].kid)

    def published(self) -> dict[str, list[dict[str, Any]]]:
        """Give the JSON Web Key Set: public parts only, the key that signs first."""
        self._current()
        self._drop_outdated()
        return {"keys": [dict(key.as_dict(private=False)) for key, _ in self._keys]}

    def to_state(self) -> list[StoredKey]:
        """Give the private keys; the opposite of `restore`."""
        return [StoredKey(dict(key.as_dict(private=True)), published) for key, published in self._keys]

    def restore(self, state: list[StoredKey]) -> None:
        """Take over the keys that `to_state` gave."""
        from joserfc.jwk import RSAKey

        self._keys = [(RSAKey.import_key(entry.jwk), entry.published_until) for entry in state]

    def _current(self) -> RSAKey:
        # Making an RSA key takes a tenth of a second, which a sandbox that nobody signs in to need not spend.
        if not self._keys:
            self._keys = [(self._new_key(), None)]
            self._changed()
        return self._keys[0][0]

    def _drop_outdated(self) -> None:
        now = self._wall()
        self._keys = [(key, published) for key, published in self._keys if published is None or published > now]

    def _new_key(self) -> RSAKey:
        from joserfc.jwk import RSAKey

        return RSAKey.generate_key(KEY_BITS, {"use": "sig", "alg": ALGORITHM, "kid": self._new_id()})
