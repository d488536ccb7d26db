"""Where the issuer's endpoints are: its own below `/identity`, and the controls below `/_sandbox`."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import BaseRoute, Route

from ..people import People
from ..phone.look.handlers import Handler, settled
from ..phone.look.page import static_files
from .control import Control
from .issuer import Identity
from .signin import SignIn
from .tokens import Tokens


def routes(identity: Identity, people: People, settle: Callable[[], object]) -> list[BaseRoute]:
    """Give the routes to mount at `/identity`; `settle` stores what a request changed before its answer."""
    sign_in, tokens = SignIn(identity, people), Tokens(identity, people)

    def route(path: str, handler: Handler, *methods: str) -> Route:
        return Route(path, settled(handler, settle), methods=list(methods))

    open_to_pages = [
        route("/.well-known/openid-configuration", tokens.discovery, "GET"),
        route("/jwks.json", tokens.jwks, "GET"),
        route("/token", tokens.token, "POST"),
        route("/userinfo", tokens.userinfo, "GET", "POST"),
    ]
    return [
        *open_to_pages,
        *(route(opened.path, tokens.preflight, "OPTIONS") for opened in open_to_pages),
        route("/authorize", sign_in.authorize, "GET", "POST"),
        route("/sign-in", sign_in.sign_in, "POST"),
        route("/end-session", sign_in.end_session, "GET", "POST"),
        static_files(),
    ]


def control_routes(identity: Identity, settle: Callable[[], object]) -> list[BaseRoute]:
    """Give the routes to mount at `/_sandbox`; `settle` as above."""
    control = Control(identity)
    handlers = {"tokens": control.tokens, "rotate-key": control.rotate_key, "clients": control.clients}
    return [
        Route(f"/identity/{name}", settled(handler, settle), methods=["POST"])
        for name, handler in handlers.items()
    ]
