"""The pages below `/signin`: they only send people on, to the identity provider and back."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from avtale.console.forms import read_form
from avtale.console.look.page import send_on
from avtale.console.rooms import Room, Visit
from avtale.entrance.signing_in import SignInFailed


class SignIn(Room):
    """Where people of the pages sign in and out."""

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/", self.guarded(self.begin), methods=["GET"]),
            Route("/callback", self.guarded(self.finish), methods=["GET"]),
            Route("/out", self.guarded(self.leave), methods=["POST"]),
        ]

    async def begin(self, request: Request, visit: Visit) -> Response:
        """Send the person to the identity provider. Raises IssuerSilent."""
        back = own_path(request.query_params.get("back"))
        public = visit.tenant.public_url.rstrip("/")
        if request.headers.get("host", "").lower() != urlsplit(public).netloc:
            # The answer comes to the public address, and so must the browser's cookie.
            return send_on(f"{public}/signin/?{urlencode({'back': back})}")
        # Whoever is signed in there may be somebody else than wants to enter here.
        return await self.house.entrance.begin(
            request, visit.tenant, visit.issuers, _redirect_uri(visit), back, prompt="select_account"
        )

    async def finish(self, request: Request, visit: Visit) -> Response:
        """Begin a session with what the identity provider answers. Raises SignInFailed or IssuerSilent."""
        entrance = self.house.entrance
        try:
            session, back = await entrance.finish(request, visit.tenant, visit.issuers, _redirect_uri(visit))
        except SignInFailed as failed:
            if failed.code == "sign_in_declined" and failed.back is not None:
                return send_on(failed.back if not failed.back.startswith("/operator") else "/shop/")
            raise
        response = send_on(back)
        entrance.open(request, response, session)
        return response

    async def leave(self, request: Request, visit: Visit) -> Response:
        """End the session here; at the identity provider it goes on."""
        await read_form(request)
        response = send_on("/shop/")
        self.house.entrance.cookies.close(request, response)
        return response


def _redirect_uri(visit: Visit) -> str:
    # The stored address, not the received Host: the identity provider compares it to the letter.
    return f"{visit.tenant.public_url.rstrip('/')}/signin/callback"


def own_path(path: str | None) -> str:
    """A path of ours to return to; anything that could lead elsewhere becomes the shop."""
    wanted = path or ""
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and " " not in wanted
    if not plain or not wanted.startswith(("/shop/", "/operator/")) or "//" in wanted or len(wanted) > 500:
        return "/shop/"
    return wanted
