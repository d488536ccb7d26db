"""The clock in the page: in a demonstration it turns the sandbox's time, which turns ours."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from avtale.console.forms import read_form
from avtale.console.look.page import page_headers, send_on
from avtale.console.rooms import Room, Visit
from avtale.console.signin import own_path
from avtale.domain.errors import GatewayBusy, Invalid

#: What the buttons turn the clock by (ISO 8601), and how long one turn may take in wall time.
TURNS = {"day": "P1D", "week": "P7D", "month": "P1M"}
TURN_SECONDS_MAX = 60.0


class ClockRoom(Room):
    """The one address that turns time; without a sandbox there is none."""

    def routes(self) -> list[Route]:
        """Where it is."""
        return [Route("/clock", self.guarded(self.turn), methods=["POST"])]

    async def turn(self, request: Request, visit: Visit) -> Response:
        """Turn the clock by a day, a week or a month, and answer when both sides have done what became due."""
        if self.house.sandbox_url is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        form = await read_form(request)
        by = TURNS.get(form.get("by", ""))
        if by is None:
            raise Invalid("the clock turns by a day, a week or a month", code="turn_unknown")
        try:
            await self._advance(self.house.sandbox_url, by)
        except GatewayBusy as late:
            if not _from_script(request):
                raise
            return JSONResponse({"said": late.detail}, HTTPStatus.SERVICE_UNAVAILABLE, page_headers())
        if _from_script(request):
            return JSONResponse({"said": ""}, headers=page_headers())
        return send_on(own_path(form.get("back")))

    async def _advance(self, sandbox_url: str, by: str) -> None:
        order = json.dumps({"by": by, "wallSecondsMax": TURN_SECONDS_MAX}).encode()
        url = f"{sandbox_url.rstrip('/')}/_sandbox/clock/advance"
        headers = {"Content-Type": "application/json"}
        try:
            status, said = await self.house.call_out("POST", url, headers, order, TURN_SECONDS_MAX + 30)
        except OSError as error:
            raise GatewayBusy("The sandbox, whose clock this is, does not answer", 2) from error
        if status != HTTPStatus.OK:
            busy = said.get("notQuiet")
            waits = f" ({'; '.join(map(str, busy))})" if isinstance(busy, list) else ""
            raise GatewayBusy(f"The clock stopped on its way: not everything was done in time{waits}", 2)


def _from_script(request: Request) -> bool:
    return request.headers.get("accept") == "application/json"
