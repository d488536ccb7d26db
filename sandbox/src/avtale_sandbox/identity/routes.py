"""Where the issuer's endpoints are: its own below `/identity`, and the controls below `/_sandbox`."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from ..control.wire import Door
from ..pages.page import static_files
from ..people import People
from .clients import Client
from .control import ClientShown, Control, KeyGiven, RotationOrder, TokenGiven, TokenOrder
from .issuer import Identity
from .signin import SignIn
from .tokens import Tokens


def routes(identity: Identity, people: People) -> list[BaseRoute]:
    """Give the routes to mount at `/identity`; whoever mounts them commits the store before an answer leaves."""
    sign_in, tokens = SignIn(identity, people), Tokens(identity, people)

    open_to_pages = [
        Route("/.well-known/openid-configuration", tokens.discovery, methods=["GET"]),
        Route("/jwks.json", tokens.jwks, methods=["GET"]),
        Route("/token", tokens.token, methods=["POST"]),
        Route("/userinfo", tokens.userinfo, methods=["GET", "POST"]),
    ]
    return [
        *open_to_pages,
        *(Route(opened.path, tokens.preflight, methods=["OPTIONS"]) for opened in open_to_pages),
        Route("/authorize", sign_in.authorize, methods=["GET", "POST"]),
        Route("/sign-in", sign_in.sign_in, methods=["POST"]),
        Route("/end-session", sign_in.end_session, methods=["GET", "POST"]),
        static_files(),
    ]


def control_routes(identity: Identity) -> list[BaseRoute]:
    """Give the routes to mount at `/_sandbox`; whoever mounts them commits likewise."""
    control = Control(identity)
    return [
        Door("POST", "/identity/tokens", control.tokens, body=TokenOrder, gives=TokenGiven),
        Door("POST", "/identity/rotate-key", control.rotate_key, body=RotationOrder, gives=KeyGiven),
        Door("POST", "/identity/clients", control.clients, body=Client, gives=ClientShown),
    ]
