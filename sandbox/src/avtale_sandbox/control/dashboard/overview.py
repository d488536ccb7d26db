"""The first page: how things stand, what waits for somebody, what went wrong, and how to begin."""

from __future__ import annotations

from itertools import islice
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...instants import parse_instant
from ...vipps.recurring import confirmation
from ..record import Sought
from .desk import Room

_SHOWN_MAX = 8
_LOOKED_AT_MAX = 500


class Overview(Room):
    """What one wants to know first."""

    title = "Overview"
    path = ""

    def routes(self) -> list[Route]:
        """One page."""
        return [Route("/", self.show, methods=["GET"])]

    async def show(self, request: Request) -> Response:
        """How things stand."""
        world, shelf = self.world, self.world.recurring.shelf
        events = world.record.events(Sought(limit=_SHOWN_MAX))[::-1]
        waiting = [one for msn in world.merchants.all() for one in self._waiting(msn.merchant_serial_number)]
        unanswered = [
            one
            for one in islice(world.deliveries.newest(), _LOOKED_AT_MAX)
            if one.state == "dropped" or (one.state == "waiting" and one.attempts)
        ]
        failed = [one for one in islice(shelf.newest_charges(), _LOOKED_AT_MAX) if one.status == "FAILED"]
        values = {
            "counts": shelf.counts(),
            "waiting": waiting[:_SHOWN_MAX],
            "events": [one | {"at": parse_instant(one["now"])} for one in events],
            "unanswered": unanswered[:_SHOWN_MAX],
            "failed": failed[:_SHOWN_MAX],
            "refused": world.record.exchanges(Sought(status="5xx", limit=_SHOWN_MAX)),
            "is_empty": world.is_empty,
            "origin": f"{request.url.scheme}://{request.url.netloc}",
            "merchant": world.merchants.all()[0],
            "account": world.stripe.books.accounts.all()[0],
            "people": world.people.all()[:_SHOWN_MAX],
        }
        return self.page(request, "overview.html", values)

    def _waiting(self, msn: str) -> list[dict[str, object]]:
        recurring = self.world.recurring
        found = islice(recurring.shelf.agreements_in(msn, "PENDING"), _SHOWN_MAX)
        return [
            {
                "agreement": agreement,
                "link": f"{confirmation.PATH}?"
                + urlencode({"v": "2", "token": recurring.confirmation_token(agreement)}),
            }
            for agreement in found
        ]
