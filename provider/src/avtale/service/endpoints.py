"""Care for the endpoints that events go to: from the tenants file or an administrator, on, off, and back in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from avtale.domain.addresses import check_endpoint
from avtale.domain.errors import Conflict, Invalid, NotFound
from avtale.domain.event import check_secret
from avtale.service.checkout import Person
from avtale.service.ids import new_endpoint_secret, new_id
from avtale.service.noting import note
from avtale.service.repeating import first_use
from avtale.storage import event_lanes
from avtale.storage.database import Database, Transaction
from avtale.storage.event_lanes import Endpoint, Waiting
from avtale.storage.sealing import Sealer
from avtale.storage.tenants import Tenant

ENDPOINTS_COUNT_MAX = 20


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint, and what it has not taken yet."""

    endpoint: Endpoint
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class FileEndpoint:
    """An endpoint as the tenants file has it."""

    url: str
    secret: str


async def list_endpoints(db: Database, tenant: Tenant) -> list[EndpointView]:
    """The tenant's endpoints, oldest first."""
    async with db.tenant(tenant.id) as tx:
        waiting = await event_lanes.waiting(tx)
        return [EndpointView(one, waiting.get(one.id, Waiting())) for one in await event_lanes.endpoints(tx)]


async def add_endpoint(
    db: Database, sealer: Sealer, tenant: Tenant, url: str, by: Person, key: str | None = None
) -> tuple[EndpointView, str]:
    """Deliver events there from now on; the secret is what the receiver checks signatures with.

    A repeat with the same key answers the same endpoint. Raises Invalid (`endpoint_address`), Conflict
    (`endpoint_exists`, `endpoints_too_many`, `idempotency_conflict`), NotFound for one that was removed since.
    """
    new, secret = new_id(), new_endpoint_secret()
    async with db.tenant(tenant.id) as tx:
        made_before = await first_use(tx, by, "endpoint", key, url, new)
        if made_before != new:
            view = await _view(tx, made_before)
            return view, sealer.open(view.endpoint.secret_sealed)
        await _check(tx, tenant, url)
        there = await event_lanes.endpoints(tx)
        if any(one.url == url for one in there):
            raise Conflict("events go to this address already", code="endpoint_exists")
        if len(there) >= ENDPOINTS_COUNT_MAX:
            raise Conflict(f"a tenant has at most {ENDPOINTS_COUNT_MAX} endpoints", code="endpoints_too_many")
        made = Endpoint(new, None, url, sealer.seal(secret), tx.now)
        await event_lanes.save_endpoint(tx, made)
        await note(tx, by, "add endpoint", f"endpoint {new}", "", url=url)
    return EndpointView(made, Waiting()), secret


async def remove_endpoint(db: Database, tenant: Tenant, endpoint_id: UUID, by: Person) -> None:
    """Deliver nothing there any more, and forget what waits. Raises NotFound, Conflict (`endpoint_in_file`)."""
    async with db.tenant(tenant.id) as tx:
        found = await _get(tx, endpoint_id)
        if found.name is not None:
            raise Conflict("this endpoint is in the tenants file: take it out there", code="endpoint_in_file")
        await event_lanes.delete_endpoint(tx, endpoint_id)
        await note(tx, by, "remove endpoint", f"endpoint {endpoint_id}", "", url=found.url)


async def enable_endpoint(db: Database, tenant: Tenant, endpoint_id: UUID, by: Person) -> EndpointView:
    """Deliver there again, from the first event that it has not taken, at once. Raises NotFound."""
    async with db.tenant(tenant.id) as tx:
        await _get(tx, endpoint_id)
        await event_lanes.enable(tx, endpoint_id)
        await note(tx, by, "enable endpoint", f"endpoint {endpoint_id}", "")
        return await _view(tx, endpoint_id)


async def replay_endpoint(db: Database, tenant: Tenant, endpoint_id: UUID, after: int, by: Person) -> EndpointView:
    """Deliver once more every event behind a position of the stream, in order. Raises NotFound."""
    async with db.tenant(tenant.id) as tx:
        await _get(tx, endpoint_id)
        await event_lanes.replay(tx, endpoint_id, after)
        await note(tx, by, "replay", f"endpoint {endpoint_id}", "", after=after)
        return await _view(tx, endpoint_id)


async def apply_endpoints(
    tx: Transaction,
    sealer: Sealer,
    tenant: Tenant,
    wanted: Mapping[str, FileEndpoint],
    private_networks: bool,
) -> None:
    """Make the endpoints of the tenants file, by name, be as it says; those of administrators stay.

    Raises Invalid (`endpoint_address`, `endpoint_secret`, `endpoint_exists`).
    """
    await event_lanes.allow_private_networks(tx, private_networks)
    there = await event_lanes.endpoints(tx)
    for gone in there:
        if gone.name is not None and gone.name not in wanted:
            await event_lanes.delete_endpoint(tx, gone.id)
    others = {one.url for one in there if one.name is None}
    for name, said in sorted(wanted.items()):
        try:
            check_secret(said.secret)
        except ValueError as error:
            raise Invalid(f"endpoint {name!r}: {error}", code="endpoint_secret") from error
        if said.url in others:
            raise Invalid(f"endpoint {name!r}: an administrator added this address already", code="endpoint_exists")
        others.add(said.url)
        await _check(tx, tenant, said.url)
        before = next((one for one in there if one.name == name), None)
        if before is None:
            before = Endpoint(new_id(), name, said.url, sealer.seal(said.secret), tx.now)
        elif sealer.open(before.secret_sealed) != said.secret:
            before = replace(before, secret_sealed=sealer.seal(said.secret))
        await event_lanes.save_endpoint(tx, replace(before, url=said.url))


async def _check(tx: Transaction, tenant: Tenant, url: str) -> None:
    private = await event_lanes.private_networks(tx)
    check_endpoint(url, private_networks=private, secure_only=tenant.environment == "production")


async def _get(tx: Transaction, endpoint_id: UUID) -> Endpoint:
    found = await event_lanes.get_endpoint(tx, endpoint_id)
    if found is None:
        raise NotFound(f"there is no endpoint {endpoint_id}", code="endpoint_not_found")
    return found


async def _view(tx: Transaction, endpoint_id: UUID) -> EndpointView:
    return EndpointView(await _get(tx, endpoint_id), (await event_lanes.waiting(tx)).get(endpoint_id, Waiting()))
