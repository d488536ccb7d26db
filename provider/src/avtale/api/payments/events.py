"""Tag Events: what other systems are told, as a stream to read, and the endpoints that it is delivered to."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from avtale.api.contract import refusals
from avtale.api.doors import AdminDoor, Routes, TheHouse, TheVisit
from avtale.api.payments.event_shapes import (
    Cursor,
    Endpoint,
    EndpointDeleted,
    EndpointRequest,
    Endpoints,
    Event,
    Events,
    NewEndpoint,
    ReplayRequest,
    SecretRequest,
    TypesRequest,
)
from avtale.api.payments.paths import IdempotencyKey, parse_id
from avtale.service.endpoints import (
    add_endpoint,
    change_secret,
    choose_types,
    enable_endpoint,
    list_endpoints,
    remove_endpoint,
    replay_endpoint,
)
from avtale.service.notifying import read_events
from avtale.service.repeating import bind_key

EVENTS_COUNT_MAX = 1000

EndpointId = Annotated[str, Path(alias="endpointId", json_schema_extra={"format": "uuid"})]

routes = Routes("Events", AdminDoor)


@routes.get(
    "/api/v1/events",
    operation_id="listV1Events",
    summary="Read the stream of events (admin)",
    responses=refusals(400, 401, 403, 404, 500, 503),
)
async def stream(
    visit: TheVisit,
    house: TheHouse,
    after: Annotated[
        Cursor, Query(description="the cursor that the last answer gave; without it from the first")
    ] = "0",
    limit: Annotated[int, Query(ge=1, le=EVENTS_COUNT_MAX)] = 100,
) -> Events:
    """Events behind a cursor, the same that are delivered. No event ever appears behind a cursor given out before.

    Where the tenant keeps events for some days alone, "0" begins with the oldest that is kept, and a cursor behind
    which something is gone is refused (`cursor_expired`, with the `oldest` that is not).
    """
    found = await read_events(house.db, visit.tenant, int(after), limit, visit.caller.person)
    following = str(found[-1].position) if found else after
    return Events(events=[Event.of(event) for event in found], next=following)


@routes.get(
    "/api/v1/events/endpoints",
    operation_id="listV1EventsEndpoints",
    summary="List the endpoints that events are delivered to (admin)",
    responses=refusals(401, 403, 404, 500, 503),
)
async def endpoints(visit: TheVisit, house: TheHouse) -> Endpoints:
    """Each with what it has not taken yet, and why it was disabled, if it was."""
    return Endpoints(endpoints=[Endpoint.of(view) for view in await list_endpoints(house.db, visit.tenant)])


@routes.post(
    "/api/v1/events/endpoints",
    operation_id="postV1EventsEndpoints",
    summary="Deliver events to an address (admin)",
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 503),
)
async def add(
    wish: EndpointRequest, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> NewEndpoint:
    """From now on; a replay brings what was before. Only this answer has the secret that checks signatures."""
    by = visit.caller.person
    view, secret = await add_endpoint(house.db, house.sealer, visit.tenant, wish.url, by, idempotency_key, wish.types)
    return NewEndpoint.made(view, secret)


@routes.post(
    "/api/v1/events/endpoints/{endpointId}/secret",
    operation_id="postV1EventsEndpointsSecret",
    summary="Sign deliveries to an endpoint with a new secret (admin)",
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 503),
)
async def new_secret(
    endpoint_id: EndpointId,
    wish: SecretRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> NewEndpoint:
    """For `overlapHours` each delivery has two signatures, of the new secret and of the one before.

    Only this answer has the new secret. An endpoint of the tenants file gets its secret there, with a day's overlap.
    """
    wanted, by = parse_id(endpoint_id, "endpoint"), visit.caller.person
    view, secret = await change_secret(
        house.db, house.sealer, visit.tenant, wanted, wish.overlap_hours, by, idempotency_key
    )
    return NewEndpoint.made(view, secret)


@routes.post(
    "/api/v1/events/endpoints/{endpointId}/enable",
    operation_id="postV1EventsEndpointsEnable",
    summary="Deliver to a disabled endpoint again (admin)",
    responses=refusals(400, 401, 403, 404, 409, 500, 503),
)
async def enable(
    endpoint_id: EndpointId, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> Endpoint:
    """Whatever it has not taken is delivered now, in order: nothing is lost while an endpoint is disabled."""
    wanted = parse_id(endpoint_id, "endpoint")
    await bind_key(house.db, visit.tenant, visit.caller.person, "enable", idempotency_key, wanted)
    return Endpoint.of(await enable_endpoint(house.db, visit.tenant, wanted, visit.caller.person))


@routes.post(
    "/api/v1/events/endpoints/{endpointId}/replay",
    operation_id="postV1EventsEndpointsReplay",
    summary="Deliver events once more, from a cursor (admin)",
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 503),
)
async def replay(
    endpoint_id: EndpointId,
    wish: ReplayRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> Endpoint:
    """Every event behind the cursor, in the order of its agreement, with the id that it had."""
    wanted = parse_id(endpoint_id, "endpoint")
    await bind_key(house.db, visit.tenant, visit.caller.person, "replay", idempotency_key, (wanted, wish.after))
    return Endpoint.of(await replay_endpoint(house.db, visit.tenant, wanted, int(wish.after), visit.caller.person))


@routes.patch(
    "/api/v1/events/endpoints/{endpointId}",
    operation_id="patchV1EventsEndpoints",
    summary="Choose the types of events that an endpoint gets (admin)",
    responses=refusals(400, 401, 403, 404, 408, 409, 413, 415, 500, 503),
)
async def choose(
    endpoint_id: EndpointId,
    wish: TypesRequest,
    visit: TheVisit,
    house: TheHouse,
    idempotency_key: IdempotencyKey = None,
) -> Endpoint:
    """From now on; what was passed over before comes by a replay alone. One of the tenants file says it there."""
    wanted, by = parse_id(endpoint_id, "endpoint"), visit.caller.person
    await bind_key(house.db, visit.tenant, by, "choose-types", idempotency_key, (wanted, wish.types))
    return Endpoint.of(await choose_types(house.db, visit.tenant, wanted, wish.types, by))


@routes.delete(
    "/api/v1/events/endpoints/{endpointId}",
    operation_id="deleteV1EventsEndpoints",
    summary="Deliver events to an endpoint no more (admin)",
    responses=refusals(400, 401, 403, 404, 409, 500, 503),
)
async def remove(
    endpoint_id: EndpointId, visit: TheVisit, house: TheHouse, idempotency_key: IdempotencyKey = None
) -> EndpointDeleted:
    """What it has not taken is forgotten with it; the stream keeps everything. One of the tenants file stays."""
    wanted = parse_id(endpoint_id, "endpoint")
    await bind_key(house.db, visit.tenant, visit.caller.person, "remove-endpoint", idempotency_key, wanted)
    await remove_endpoint(house.db, visit.tenant, wanted, visit.caller.person)
    return EndpointDeleted(endpoint_id=wanted)
