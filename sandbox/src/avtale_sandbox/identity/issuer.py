"""What the issuer knows and promises: applications, sessions, single-use codes, and the tokens it signs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct

from ..store import Store
from .clients import DEFAULT_AUDIENCE, DEFAULT_CLIENTS, Client
from .keys import SigningKeys, StoredKey
from .profiles import DEFAULT_OPERATORS, Profile

PATH = "/identity"
CODE_SECONDS = 120
TOKEN_SECONDS = 3600
SESSION_SECONDS = 8 * 3600
CODE_COUNT_MAX = 10_000
TYPED_COUNT_MAX = 10_000
ACCESS_TOKEN = "at+jwt"  # the header's typ, RFC 9068
ID_TOKEN = "JWT"

_ROW = "issuer"


class Session(Struct, frozen=True):
    """Somebody who signed in with this browser; `since` is wall time in whole seconds."""

    session_id: str
    subject: str
    since: int


class Grant(Struct, frozen=True):
    """What a code stands for until it is redeemed; `expires` is wall time."""

    client_id: str
    redirect_uri: str
    profile: Profile
    session: Session
    scopes: tuple[str, ...]
    nonce: str | None
    challenge: str | None
    expires: float


class Kept(Struct, frozen=True):
    """What outlives the process. Codes do not: they live for two minutes."""

    secret: bytes
    keys: list[StoredKey]
    clients: list[Client]
    typed: list[Profile]


class Identity:
    """The issuer's state. All its times are wall time: a turned clock must not age a token in flight."""

    def __init__(
        self,
        store: Store,
        *,
        clients: Iterable[Client] = DEFAULT_CLIENTS,
        operators: Iterable[Profile] = DEFAULT_OPERATORS,
        base_url: str | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Take the configuration. `base_url`, without a slash at its end, fixes the issuer's name.

        Without it the issuer is named after the host that a request asked.
        """
        self._table = store.table("identity", Kept)
        self._configured = {client.client_id: client for client in clients}
        self.operators = tuple(operators)
        self._base_url = base_url
        self._wall = wall
        self._secret = b""
        self._registered: dict[str, Client] = {}
        self._typed: dict[str, Profile] = {}
        self._grants: dict[str, Grant] = {}
        self.keys = SigningKeys(wall, self._keep)

    def load(self) -> None:
        """Take over what the store has. When it was emptied, keys and applications stay and sessions end."""
        kept = self._table.get(_ROW)
        self._grants.clear()
        self._secret = secrets.token_bytes(32) if kept is None else kept.secret
        self._typed = {} if kept is None else {profile.subject: profile for profile in kept.typed}
        if kept is not None:
            self._registered = {client.client_id: client for client in kept.clients}
            self.keys.restore(kept.keys)
        self._keep()

    def issuer(self, origin: str) -> str:
        """Give the issuer's name for a request that came to this origin (scheme and authority)."""
        return (self._base_url or origin) + PATH

    # Applications

    def client(self, client_id: str) -> Client | None:
        """Give a registered application."""
        return self._registered.get(client_id) or self._configured.get(client_id)

    def register(self, client: Client) -> None:
        """Add an application, or replace the one with its id; raises ValueError."""
        client.check()
        self._registered[client.client_id] = client
        self._keep()

    # People and their sessions

    def remember(self, profile: Profile) -> None:
        """Keep the profile of somebody who gave only a name, so that userinfo can tell it later."""
        if self._typed.get(profile.subject) != profile:
            while len(self._typed) >= TYPED_COUNT_MAX:
                del self._typed[next(iter(self._typed))]
            self._typed[profile.subject] = profile
            self._keep()

    def profile(self, subject: str) -> Profile | None:
        """Give an operator or somebody who gave a name; test persons are in the phone book, not here."""
        for operator in self.operators:
            if operator.subject == subject:
                return operator
        return self._typed.get(subject)

    def open_session(self, subject: str) -> tuple[Session, str]:
        """Begin a session now, and give it with the cookie value that proves it."""
        session = Session(secrets.token_urlsafe(12), subject, int(self._wall()))
        body = base64.urlsafe_b64encode(msgspec.json.encode(session)).decode()
        return session, f"{body}.{self._mark(body)}"

    def read_session(self, cookie: str) -> Session | None:
        """Give the session that a cookie value proves, or None: not ours, or older than SESSION_SECONDS."""
        body, _, mark = cookie.partition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(body).encode()):
            return None
        try:
            session = msgspec.json.decode(base64.urlsafe_b64decode(body), type=Session)
        except (msgspec.DecodeError, binascii.Error):
            return None
        return session if session.since + SESSION_SECONDS > self._wall() else None

    def age_seconds(self, session: Session) -> float:
        """Give how long ago the person signed in."""
        return self._wall() - session.since

    # Codes

    def give_code(
        self,
        client: Client,
        redirect_uri: str,
        profile: Profile,
        session: Session,
        *,
        scopes: tuple[str, ...],
        nonce: str | None,
        challenge: str | None,
    ) -> str:
        """Make a code that can be redeemed once within CODE_SECONDS."""
        now = self._wall()
        # Grants are in the order of their expiry, so the outdated ones are all in front.
        while self._grants:
            oldest = next(iter(self._grants))
            if self._grants[oldest].expires > now and len(self._grants) < CODE_COUNT_MAX:
                break
            del self._grants[oldest]
        code = secrets.token_urlsafe(32)
        self._grants[code] = Grant(
            client.client_id, redirect_uri, profile, session, scopes, nonce, challenge, now + CODE_SECONDS
        )
        return code

    def redeem_code(self, code: str, client_id: str) -> Grant | None:
        """Give what a code stands for and use it up; None if unknown, used, too old or not this client's."""
        grant = self._grants.get(code)
        if grant is None or grant.client_id != client_id:
            return None
        del self._grants[code]
        return grant if grant.expires > self._wall() else None

    # Tokens

    def tokens_for(self, grant: Grant, client: Client, issuer: str) -> dict[str, Any]:
        """Give the token endpoint's answer to a redeemed code (OpenID Connect Core, 3.1.3.3)."""
        profile = grant.profile
        access_token = self.mint(
            issuer,
            profile.subject,
            client.audience,
            TOKEN_SECONDS,
            {
                "client_id": client.client_id,
                "scope": " ".join(grant.scopes),
                "auth_time": grant.session.since,
                **({"roles": list(profile.roles)} if profile.roles else {}),
            },
        )
        answer: dict[str, Any] = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": " ".join(grant.scopes),
        }
        if "openid" in grant.scopes:
            half_of_hash = hashlib.sha256(access_token.encode()).digest()[:16]
            claims = profile.claims(grant.scopes) | {
                "auth_time": grant.session.since,
                "sid": grant.session.session_id,
                "azp": client.client_id,
                "at_hash": base64.urlsafe_b64encode(half_of_hash).rstrip(b"=").decode(),
            }
            if grant.nonce is not None:
                claims["nonce"] = grant.nonce
            answer["id_token"] = self.mint(
                issuer, profile.subject, client.client_id, TOKEN_SECONDS, claims, kind=ID_TOKEN
            )
        return answer

    def machine_token(self, client: Client, issuer: str, scope: str) -> dict[str, Any]:
        """Give the answer to a machine that asks in its own name (RFC 6749, 4.4)."""
        claims: dict[str, Any] = {"client_id": client.client_id, "roles": list(client.roles)}
        if scope:
            claims["scope"] = scope
        token = self.mint(issuer, client.client_id, client.audience, TOKEN_SECONDS, claims)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return answer | ({"scope": scope} if scope else {})

    def mint(
        self,
        issuer: str,
        subject: str,
        audience: str = DEFAULT_AUDIENCE,
        lifetime_seconds: int = TOKEN_SECONDS,
        claims: dict[str, Any] | None = None,
        *,
        kind: str = ACCESS_TOKEN,
    ) -> str:
        """Sign a token; a negative lifetime gives one that expired so long ago, issued the second before."""
        now = int(self._wall())
        expires = now + lifetime_seconds
        standard = {
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "iat": min(now, expires - 1),
            "exp": expires,
            "jti": secrets.token_urlsafe(12),
        }
        return self.keys.sign({**(claims or {}), **standard}, kind=kind)

    def _keep(self) -> None:
        clients, typed = list(self._registered.values()), list(self._typed.values())
        self._table.put(_ROW, Kept(self._secret, self.keys.to_state(), clients, typed))

    def _mark(self, body: str) -> str:
        return hmac.new(self._secret, body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
