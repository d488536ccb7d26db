"""The userinfo API: what a person agreed to share, for an access token of the merchant or of a sign-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..clock import Clock
from ..merchants import Merchants
from ..people import People
from .accesstoken import Tokens
from .claims import claims_of
from .consents import Consents
from .exchange import Answer, Request, json_answer
from .login.grants import Grants

PATH = "/vipps-userinfo-api/userinfo"
_JSON = b"application/json;charset=UTF-8"
_TITLES = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


class UserinfoApi:
    """Both operations. A subscription key may be sent along and does not matter."""

    def __init__(
        self,
        merchants: Merchants,
        people: People,
        consents: Consents,
        tokens: Tokens,
        grants: Grants,
        clock: Clock,
    ) -> None:
        self._merchants = merchants
        self._people = people
        self._consents = consents
        self._tokens = tokens
        self._grants = grants
        self._clock = clock

    def handlers(self) -> Mapping[str, Callable[[Request], Answer]]:
        """What does the work of each operation."""
        return {"getUserinfo": self.by_sub, "userinfoAuthorizationCode": self.by_sign_in}

    def by_sub(self, request: Request) -> Answer:
        """For the merchant, within 168 hours after the consent that came with an agreement or a payment."""
        client_id = self._tokens.holder_of(_bearer(request) or "")
        if client_id is None:
            return _refused(request, 401, "The access token is missing, wrong or expired")
        merchant = self._merchants.called_for(client_id, request.header(b"merchant-serial-number"))
        if merchant is None:
            return _refused(request, 403, "The Merchant-Serial-Number does not belong to the access token")
        consent = self._consents.of(merchant.merchant_serial_number, request.path.rstrip("/").rpartition("/")[2])
        person = None if consent is None else self._people.get(consent.phone_number)
        if consent is None or person is None:
            return _refused(request, 404, "There is no user with this sub")
        if not consent.is_readable(self._clock.now()):
            return _refused(request, 403, "The consent was given more than 168 hours ago")
        return _told(consent.sub, consent.sid, claims_of(person, consent.scopes))

    def by_sign_in(self, request: Request) -> Answer:
        """For whoever holds the access token of a sign-in, some minutes after it."""
        grant = self._grants.of_token(_bearer(request) or "")
        person = None if grant is None else self._people.get(grant.phone_number)
        if grant is None or person is None:
            return _refused(request, 401, "The access token is missing, wrong or expired")
        return _told(self._consents.sub(grant.msn, grant.phone_number), grant.sid, claims_of(person, grant.scopes))


def _told(sub: str, sid: str, claims: dict[str, Any]) -> Answer:
    return json_answer(200, {"sub": sub, "sid": sid} | claims, _JSON)


def _refused(request: Request, status: int, detail: str) -> Answer:
    body = {
        "type": "about:blank",
        "title": _TITLES[status],
        "status": str(status),
        "detail": detail,
        "instance": request.path,
        "extraInfo": {},
    }
    return json_answer(status, body, _JSON)


def _bearer(request: Request) -> str | None:
    scheme, _, token = (request.header(b"authorization") or "").partition(" ")
    return token.strip() if scheme == "Bearer" else None
