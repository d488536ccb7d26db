"""What Login remembers: its signing key, single-use codes, and access tokens that can be shown for some minutes."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

from msgspec import Struct

from ...identity.keys import SigningKeys, StoredKey
from ...store import Store

CODE_SECONDS = 120
USERINFO_SECONDS = 600
ID_TOKEN_SECONDS = 3600
KEPT_COUNT_MAX = 10_000

_ROW = "login"
Entry = TypeVar("Entry")


class Grant(Struct, frozen=True, kw_only=True):
    """Somebody's sign-in at a merchant. Times are wall time: a turned clock must not age a code in flight."""

    msn: str
    client_id: str
    redirect_uri: str
    phone_number: str
    scopes: tuple[str, ...]
    nonce: str | None
    challenge: str | None
    challenge_method: str
    sid: str
    since: int


class Kept(Struct, frozen=True):
    """What outlives the process; codes and access tokens do not."""

    keys: list[StoredKey]


class Grants:
    """Codes, access tokens and the key behind id tokens."""

    def __init__(self, store: Store, wall: Callable[[], float] = time.time) -> None:
        self._table = store.table("login", Kept)
        self._wall = wall
        self._codes: dict[str, tuple[float, Grant]] = {}
        self._tokens: dict[str, tuple[float, Grant]] = {}
        self.keys = SigningKeys(wall, self._keep, lambda: f"public:{uuid4()}")

    def load(self) -> None:
        """Take over what the store has. When it was emptied, the key stays and sign-ins end."""
        kept = self._table.get(_ROW)
        self._codes.clear()
        self._tokens.clear()
        if kept is not None:
            self.keys.restore(kept.keys)
        elif self.keys.to_state():
            self._keep()

    def now(self) -> int:
        """Wall time in whole seconds."""
        return int(self._wall())

    def give_code(self, grant: Grant) -> str:
        """Make a code that can be redeemed once within CODE_SECONDS."""
        code = secrets.token_urlsafe(32)
        self._add(self._codes, code, grant, CODE_SECONDS)
        return code

    def redeem(self, code: str, client_id: str) -> Grant | None:
        """What a code stands for, once; None if unknown, used, too old or of another client."""
        found = self._codes.get(code)
        if found is None or found[1].client_id != client_id:
            return None
        del self._codes[code]
        return found[1] if found[0] > self._wall() else None

    def issue(self, grant: Grant) -> str:
        """An access token (opaque, of two parts) with which the person's data can be read."""
        token = f"{secrets.token_urlsafe(32)}.{secrets.token_urlsafe(32)}"
        self._add(self._tokens, token, grant, USERINFO_SECONDS)
        return token

    def of_token(self, token: str) -> Grant | None:
        """The sign-in that an access token belongs to, as long as it can be shown."""
        found = self._tokens.get(token)
        return found[1] if found is not None and found[0] > self._wall() else None

    def id_token(self, grant: Grant, issuer: str, sub: str, access_token: str, claims: dict[str, Any]) -> str:
        """Sign who it is (OpenID Connect Core, 2), with the claims that were asked for."""
        now = self.now()
        half_of_hash = hashlib.sha256(access_token.encode()).digest()[:16]
        standard: dict[str, Any] = {
            "iss": issuer,
            "sub": sub,
            "aud": [grant.client_id],
            "iat": now,
            "exp": now + ID_TOKEN_SECONDS,
            "auth_time": grant.since,
            "rat": grant.since,
            "jti": str(uuid4()),
            "sid": grant.sid,
            "msn": grant.msn,
            "at_hash": urlsafe_b64encode(half_of_hash).rstrip(b"=").decode(),
        }
        if grant.nonce is not None:
            standard["nonce"] = grant.nonce
        return self.keys.sign(claims | standard, kind="JWT")

    def _add(self, entries: dict[str, tuple[float, Entry]], key: str, entry: Entry, seconds: int) -> None:
        now = self._wall()
        # Entries are in the order of their end, so the outdated ones are all in front.
        while entries:
            oldest = next(iter(entries))
            if entries[oldest][0] > now and len(entries) < KEPT_COUNT_MAX:
                break
            del entries[oldest]
        entries[key] = (now + seconds, entry)

    def _keep(self) -> None:
        self._table.put(_ROW, Kept(self.keys.to_state()))
