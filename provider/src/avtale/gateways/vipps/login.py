"""Vipps Login for one sales unit: the exchange of a code for tokens, with the secret that a browser must not hold."""

from __future__ import annotations

from urllib.parse import urlencode

from avtale.domain.ports import LoginAnswer
from avtale.gateways.outbound import Answer
from avtale.gateways.vipps.calling import VippsCalls
from avtale.gateways.vipps.reading import object_of

#: Vipps Login, browser flow.
AUTHORIZE = "/access-management-1.0/access/oauth2/auth"
TOKEN = "/access-management-1.0/access/oauth2/token"


class VippsLogin:
    """The port LoginGateway."""

    def __init__(self, calls: VippsCalls) -> None:
        self._calls = calls
        self.client_id = calls.client_id
        self.authorization_endpoint = calls.url(AUTHORIZE)

    async def exchange(self, code: str, redirect_uri: str, code_verifier: str | None) -> LoginAnswer | None:
        """See the port. The secret goes in the header (client_secret_basic), which is Vipps' default."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if code_verifier is not None:
            form["code_verifier"] = code_verifier
        answer = await self._calls.post_form(TOKEN, urlencode(form).encode())
        if not isinstance(answer, Answer) or not (answer.status == 200 or 400 <= answer.status < 500):
            return None
        try:
            return LoginAnswer(answer.status, object_of(answer.body))
        except ValueError:
            return None
