"""Who is signed in at this browser: a sealed cookie that nobody can read or make, and that ends with its token."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from avtale.service.checkout import Person
from avtale.storage.sealing import SealBroken, Sealer
from avtale.storage.tenants import Issuer, Tenant

#: A session lasts as long as the token that began it, and never longer than this (wall time).
SESSION_SECONDS_MAX = 8 * 3600
#: How long somebody may take to sign in.
ASKING_SECONDS_MAX = 600


class _Sealed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    tenant: str
    until: float


class Session(_Sealed):
    """Somebody who signed in at a tenant, until an instant of wall time."""

    issuer: str
    subject: str
    name: str
    phone_number: str | None
    is_admin: bool

    @property
    def person(self) -> Person:
        """The person as the use cases know them."""
        return Person(self.issuer, self.subject)


class Asking(_Sealed):
    """A sign-in under way: what the answer must bring, and where the person wanted to go."""

    state: str
    verifier: str
    issuer: str
    back: str


class Cookies:
    """Writes and reads both kinds of cookie."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def session(self, request: Request, tenant: Tenant, issuers: tuple[Issuer, ...], wall: datetime) -> Session | None:
        """The session of this request, if it holds here and now."""
        found = self._read(request, "session")
        try:
            session = None if found is None else Session.model_validate(found)
        except ValidationError:
            return None
        if session is None or session.tenant != str(tenant.id) or session.until <= wall.timestamp():
            return None
        return session if session.issuer in {issuer.issuer for issuer in issuers} else None

    def asking(self, request: Request, tenant: Tenant, wall: datetime) -> Asking | None:
        """The sign-in that this browser began, if it is not too long ago."""
        found = self._read(request, "asking")
        try:
            asking = None if found is None else Asking.model_validate(found)
        except ValidationError:
            return None
        return asking if asking and asking.tenant == str(tenant.id) and asking.until > wall.timestamp() else None

    def open(self, request: Request, response: Response, session: Session, wall: datetime) -> None:
        """Begin a session at this browser; what was asked is over."""
        self._write(request, response, "session", session, int(session.until - wall.timestamp()))
        self._drop(request, response, "asking")

    def ask(self, request: Request, response: Response, asking: Asking) -> None:
        """Remember at this browser that a sign-in has begun."""
        self._write(request, response, "asking", asking, ASKING_SECONDS_MAX)

    def close(self, request: Request, response: Response) -> None:
        """End the session."""
        self._drop(request, response, "session")

    def _write(self, request: Request, response: Response, kind: str, content: _Sealed, seconds: int) -> None:
        response.set_cookie(
            _name(request, kind),
            self._sealer.seal(json.dumps([kind, content.model_dump()])).decode(),
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )

    def _drop(self, request: Request, response: Response, kind: str) -> None:
        response.delete_cookie(_name(request, kind), path="/", httponly=True, samesite="lax")

    def _read(self, request: Request, kind: str) -> dict[str, Any] | None:
        sealed = request.cookies.get(_name(request, kind), "")
        try:
            said_kind, content = json.loads(self._sealer.open(sealed.encode("ascii", "replace")))
        except (SealBroken, ValueError, TypeError):
            return None
        return content if said_kind == kind and isinstance(content, dict) else None


def _name(request: Request, kind: str) -> str:
    # Cookies do not tell ports apart, and two consoles may run on one machine.
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"avtale_{kind}_{port if port.isdecimal() and port.isascii() else 0}"
