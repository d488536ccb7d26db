"""Tag Health: does this process live, and can it serve? Neither asks a payment company."""

from __future__ import annotations

from avtale.api.contract import refusals
from avtale.api.doors import Door, Routes, TheHouse
from avtale.api.payments.shapes import Health
from avtale.api.problems import Unready
from avtale.storage.readiness import NotReady, check_ready

routes = Routes("Health", Door)


@routes.get("/admin/health/live", operation_id="listAdminHealthLive", summary="Liveness check", responses=refusals(500))
async def live(house: TheHouse) -> Health:
    """The process answers."""
    return Health(status="live", version=house.version)


@routes.get(
    "/admin/health/ready",
    operation_id="listAdminHealthReady",
    summary="Readiness check",
    responses=refusals(500, 503),
)
async def ready(house: TheHouse) -> Health:
    """The database is reachable and migrated, and our role in it sees one tenant at a time."""
    try:
        await check_ready(house.db, running=True)
    except NotReady as reason:
        raise Unready("the database is not one to serve from; the log says why") from reason
    return Health(status="ready", version=house.version)
