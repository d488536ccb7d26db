"""What tests and tools may ask of the issuer: a token without a sign-in, a new key, a new application."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .clients import DEFAULT_AUDIENCE, Client
from .issuer import TOKEN_SECONDS, Identity
from .keys import OLD_KEY_SECONDS
from .origin import origin

YEAR_SECONDS = 366 * 24 * 3600
BODY_BYTES_MAX = 64 * 1024

_RESERVED_CLAIMS = frozenset({"iss", "sub", "aud", "iat", "exp", "jti"})

Order = TypeVar("Order", bound=Struct)


class TokenOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """A token to sign; a negative lifetime orders one that has expired already."""

    subject: Annotated[str, Meta(min_length=1, max_length=255)]
    audience: Annotated[str, Meta(min_length=1)] = DEFAULT_AUDIENCE
    lifetime_seconds: Annotated[int, Meta(ge=-YEAR_SECONDS, le=YEAR_SECONDS)] = TOKEN_SECONDS
    claims: dict[str, Any] = {}


class RotationOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """A key to replace; 0 withdraws the old one at once, as after a theft."""

    keep_old_seconds: Annotated[int, Meta(ge=0, le=YEAR_SECONDS)] = OLD_KEY_SECONDS


class TokenGiven(TypedDict):
    """A signed access token, and how long it is good."""

    accessToken: str
    expiresIn: int


class KeyGiven(TypedDict):
    """The id of the new key."""

    kid: str


ClientShown = dict[str, Any]


class Control:
    """The handlers below `/_sandbox/identity`."""

    def __init__(self, identity: Identity) -> None:
        """Take the issuer."""
        self._identity = identity

    async def tokens(self, request: Request) -> Response:
        """Sign an access token for anybody."""
        try:
            order = await _order(request, TokenOrder)
        except ValueError as problem:
            return _problem(problem)
        if taken := sorted(_RESERVED_CLAIMS & order.claims.keys()):
            return _problem(ValueError(f"the claim {taken[0]} is set by the issuer"))
        token = self._identity.mint(
            self._identity.issuer(origin(request)),
            order.subject,
            order.audience,
            order.lifetime_seconds,
            order.claims,
        )
        return JSONResponse({"accessToken": token, "expiresIn": order.lifetime_seconds})

    async def rotate_key(self, request: Request) -> Response:
        """Sign with a new key from now on."""
        try:
            order = await _order(request, RotationOrder)
        except ValueError as problem:
            return _problem(problem)
        return JSONResponse({"kid": self._identity.keys.rotate(order.keep_old_seconds)})

    async def clients(self, request: Request) -> Response:
        """Register an application, or replace the one with its id; the answer keeps its secret to itself."""
        try:
            client = await _order(request, Client)
            self._identity.register(client)
        except ValueError as problem:
            return _problem(problem)
        shown = msgspec.to_builtins(client)
        shown.pop("clientSecret")
        return JSONResponse(shown)


async def _order(request: Request, kind: type[Order]) -> Order:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"the body is larger than {BODY_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(bytes(body) or b"{}", type=kind)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise ValueError(str(problem)) from problem


def _problem(problem: ValueError) -> Response:
    body = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": str(problem)}
    return JSONResponse(body, status_code=400, media_type="application/problem+json")
