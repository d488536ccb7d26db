"""Tag Operations: the books for an audit, and the clock that a test turns."""

from __future__ import annotations

import asyncio
import hmac
import time
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, Door, Routes, TheHouse, TheVisit, hall_of
from avtale.api.payments.kinds import iso
from avtale.api.payments.shapes import ClockTurn
from avtale.domain.errors import Invalid
from avtale.service.auditing import export
from avtale.service.turning import quietness, turn_clock

#: Pauses between two looks for quiet, in seconds of wall time: short at first, for most turns cause little work.
PAUSE_SECONDS_MIN = 0.005
PAUSE_SECONDS_MAX = 0.05


class ClockDoor(Door):
    """A route that is there only for whoever turns a virtual clock: to everybody else it does not exist."""

    async def admit(self, request: Request) -> None:
        house = hall_of(request).house
        expected = f"Bearer {house.clock_token}".encode()
        said = request.headers.get("authorization", "").encode("utf-8", "replace")
        known = hmac.compare_digest(said, expected)
        if not house.virtual_clock or not house.clock_token or not known:
            raise HTTPException(404)


routes = Routes("Operations", AdminDoor)
clock_routes = Routes("Operations", ClockDoor)


@routes.get(
    "/api/v1/audit/export",
    operation_id="exportV1Audit",
    summary="Export the tenant's books (admin)",
    response_class=JSONResponse,
    responses=refusals(401, 403, 404, 500, 503),
)
async def audit_export(visit: TheVisit, house: TheHouse) -> JSONResponse:
    """Agreements with their charges and attempts, ledger, receipts and access, for an audit by somebody else."""
    return JSONResponse(await export(house.db, visit.tenant))


@clock_routes.post("/admin/clock", operation_id="postAdminClock", include_in_schema=False)
async def turn(wish: ClockTurn, house: TheHouse) -> JSONResponse:
    """Take a new business time, and answer as soon as everything that is due then is done, or time is up."""
    give_up = time.monotonic() + wish.wait_seconds_max
    await turn_clock(house.db, _instant(wish.now), wish.running)
    pause = PAUSE_SECONDS_MIN
    seen = await quietness(house.db)
    while not seen.quiet and time.monotonic() + pause < give_up:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, PAUSE_SECONDS_MAX)
        seen = await quietness(house.db)
    return JSONResponse({"quiet": seen.quiet, "next": iso(seen.next) if seen.next else None, "busy": list(seen.busy)})


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text} is no instant") from error
