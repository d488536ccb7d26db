"""The public keys of issuers: fetched when needed, renewed as they age or rotate, kept while an issuer is down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from avtale.api.house import FetchJson
from avtale.domain.errors import Refusal
from avtale.storage.tenants import Issuer

#: Keys older than this are fetched anew in the background; wall seconds, as all times here.
SOFT_SECONDS_MAX = 600.0
#: Keys older than this are not believed any more, even if the issuer does not answer.
HARD_SECONDS_MAX = 24 * 3600.0
#: An issuer is asked at most this often, whatever key ids strangers make up.
REFETCH_SECONDS_MIN = 5.0
#: An issuer that did not answer, and whose keys we lack, is asked again after this.
RETRY_SECONDS_MIN = 1.0
KEYS_COUNT_MAX = 50
RSA_BITS_MIN = 2048

log = structlog.get_logger()


class IssuerUnavailable(Refusal):
    """The issuer did not tell its keys, so that nobody can say whether a token is genuine."""

    code = "issuer_unavailable"
    retry_after_seconds = REFETCH_SECONDS_MIN


@dataclass(slots=True)
class _Kept:
    keys: tuple[Key, ...] = ()
    fetched: float | None = None
    tried: float | None = None
    failed: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class IssuerKeys:
    """The keys of every issuer that tenants have registered, for one process."""

    def __init__(self, fetch_json: FetchJson, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch_json = fetch_json
        self._monotonic = monotonic
        self._kept: dict[tuple[str, str | None], _Kept] = {}
        self._renewals: set[asyncio.Task[None]] = set()

    async def candidates(self, issuer: Issuer, key_id: str | None) -> Sequence[Key]:
        """The keys that may have signed a token with this `kid` header: none when the issuer has no such key.

        Raises IssuerUnavailable when that cannot be known, because the issuer did not answer.
        """
        kept = self._kept.setdefault((issuer.issuer, issuer.jwks_url), _Kept())
        age = self._age(kept.fetched)
        if age > HARD_SECONDS_MAX:
            await self._fetch(issuer, kept)
            if self._age(kept.fetched) > HARD_SECONDS_MAX:
                raise IssuerUnavailable(f"the issuer {issuer.issuer} does not tell its keys; try again")
        elif age > SOFT_SECONDS_MAX:
            self._renew(issuer, kept)
        found = _with_id(kept.keys, key_id)
        if not found:
            await self._fetch(issuer, kept)
            found = _with_id(kept.keys, key_id)
        if not found and kept.failed:
            raise IssuerUnavailable(f"the issuer {issuer.issuer} does not tell its newest keys; try again")
        return found

    def _renew(self, issuer: Issuer, kept: _Kept) -> None:
        """Fetch in the background: who asks meanwhile is served with what is there."""
        if not kept.turn.locked() and self._age(kept.tried) >= REFETCH_SECONDS_MIN:
            renewal = asyncio.create_task(self._fetch(issuer, kept))
            self._renewals.add(renewal)
            renewal.add_done_callback(self._renewals.discard)

    async def _fetch(self, issuer: Issuer, kept: _Kept) -> None:
        """Ask the issuer, unless somebody just did; a failure leaves what was there."""
        async with kept.turn:
            pause = RETRY_SECONDS_MIN if kept.failed and not kept.keys else REFETCH_SECONDS_MIN
            if self._age(kept.tried) < pause:
                return
            try:
                kept.keys = await self._keys_of(issuer)
                kept.fetched = self._monotonic()
                kept.failed = False
            except (OSError, ValueError, RecursionError) as error:
                kept.failed = True
                log.warning("issuer_keys_not_fetched", issuer=issuer.issuer, reason=str(error))
            finally:
                kept.tried = self._monotonic()

    async def _keys_of(self, issuer: Issuer) -> tuple[Key, ...]:
        url: object = issuer.jwks_url
        if url is None:
            address = f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
            document = await self._fetch_json(address)
            # An answer that speaks for another issuer is no answer (OpenID Connect Discovery, 4.3).
            if document.get("issuer") != issuer.issuer:
                raise ValueError(f"{address} names another issuer")
            url = document.get("jwks_uri")
        if not isinstance(url, str):
            raise ValueError("the discovery document names no jwks_uri")
        listed = (await self._fetch_json(url)).get("keys")
        if not isinstance(listed, list):
            raise ValueError(f"{url} lists no keys")
        return tuple(key for entry in listed[:KEYS_COUNT_MAX] if (key := _read_key(entry)) is not None)

    def _age(self, since: float | None) -> float:
        return float("inf") if since is None else self._monotonic() - since


def _with_id(keys: Sequence[Key], key_id: str | None) -> list[Key]:
    """Keys with this id; one without an id may be any, and a token that names none may be of any."""
    return [key for key in keys if key_id is None or key.kid is None or key.kid == key_id]


def _read_key(entry: Any) -> Key | None:
    """A public key that signs, or None: a set may also hold what is not for us, or what we cannot read."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(entry)
        if not isinstance(key, RSAKey | ECKey | OKPKey):
            return None
        opened = key.get_op_key("verify")
    except Exception as error:  # the libraries below have many ways to say that this is no key
        log.warning("issuer_key_unreadable", reason=type(error).__name__)
        return None
    if isinstance(opened, RSAPublicKey) and opened.key_size < RSA_BITS_MIN:
        log.warning("issuer_key_too_small", bits=opened.key_size)
        return None
    return key
