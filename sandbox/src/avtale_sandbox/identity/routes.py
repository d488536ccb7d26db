"""Where the issuer's endpoints are: its own below `/identity`, and the controls below `/_sandbox`."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from ..people import People
from ..phone.look.page import static_files
from .control import Control
from .issuer import Identity
from .signin import SignIn
from .tokens import Tokens


def routes(identity: Identity, people: People) -> list[BaseRoute]:
    """Give the routes to mount at `/identity`."""
    sign_in, tokens = SignIn(identity, people), Tokens(identity, people)
    open_to_pages = {
        "/.well-known/openid-configuration": (tokens.discovery, ["GET"]),
        "/jwks.json": (tokens.jwks, ["GET"]),
        "/token": (tokens.token, ["POST"]),
        "/userinfo": (tokens.userinfo, ["GET", "POST"]),
    }
    return [
        *(Route(path, handler, methods=methods) for path, (handler, methods) in open_to_pages.items()),
        *(Route(path, tokens.preflight, methods=["OPTIONS"]) for path in open_to_pages),
        Route("/authorize", sign_in.authorize, methods=["GET", "POST"]),
        Route("/sign-in", sign_in.sign_in, methods=["POST"]),
        Route("/end-session", sign_in.end_session, methods=["GET", "POST"]),
        static_files(),
    ]


def control_routes(identity: Identity) -> list[BaseRoute]:
    """Give the routes to mount at `/_sandbox`."""
    control = Control(identity)
    return [
        Route("/identity/tokens", control.tokens, methods=["POST"]),
        Route("/identity/rotate-key", control.rotate_key, methods=["POST"]),
        Route("/identity/clients", control.clients, methods=["POST"]),
    ]
