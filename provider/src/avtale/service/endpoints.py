"""Care for the endpoints that events go to: from the tenants file or an administrator, on, off, and back in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from avtale.domain.addresses import check_endpoint
from avtale.domain.errors import Conflict, Invalid, NotFound
from avtale.domain.event import EventKind, check_secret
from avtale.service.checkout import Person
from avtale.service.ids import new_endpoint_secret, new_id
from avtale.service.notifying import check_cursor
from avtale.service.noting import note
from avtale.service.repeating import first_use
from avtale.storage import event_keeping, event_lanes
from avtale.storage.database import Database, Transaction
from avtale.storage.event_lanes import Endpoint, Waiting
from avtale.storage.sealing import Sealer
from avtale.storage.tenants import Tenant

ENDPOINTS_COUNT_MAX = 20
#: How long both secrets sign when the tenants file has a new one; an administrator may say otherwise.
OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint, and what it has not taken yet."""

    endpoint: Endpoint
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class FileEndpoint:
    """An endpoint as the tenants file has it; without `types` it wants them all."""

    url: str
    secret: str
    types: Sequence[EventKind] | None = None


async def list_endpoints(db: Database, tenant: Tenant) -> list[EndpointView]:
    """The tenant's endpoints, oldest first."""
    async with db.tenant(tenant.id) as tx:
        waiting = await event_lanes.waiting(tx)
        return [EndpointView(one, waiting.get(one.id, Waiting())) for one in await event_lanes.endpoints(tx)]


async def add_endpoint(
    db: Database,
    sealer: Sealer,
    tenant: Tenant,
    url: str,
    by: Person,
    key: str | None = None,
    types: Sequence[EventKind] | None = None,
) -> tuple[EndpointView, str]:
    """Deliver events there from now on, of these types or of all; the receiver checks signatures with the secret.

    A repeat with the same key answers the same endpoint. Raises Invalid (`endpoint_address`), Conflict
    (`endpoint_exists`, `endpoints_too_many`, `idempotency_conflict`), NotFound for one that was removed since.
    """
    new, secret = new_id(), new_endpoint_secret()
    async with db.tenant(tenant.id) as tx:
        said = url if types is None else (url, *sorted(types))
        made_before = await first_use(tx, by, "endpoint", key, said, new)
        if made_before != new:
            view = await _view(tx, made_before)
            return view, sealer.open(view.endpoint.secret_sealed)
        await _check(tx, tenant, url)
        there = await event_lanes.endpoints(tx)
        if any(one.url == url for one in there):
            raise Conflict("events go to this address already", code="endpoint_exists")
        if len(there) >= ENDPOINTS_COUNT_MAX:
            raise Conflict(f"a tenant has at most {ENDPOINTS_COUNT_MAX} endpoints", code="endpoints_too_many")
        made = Endpoint(new, None, url, sealer.seal(secret), tx.now, types=_names(types))
        await event_lanes.save_endpoint(tx, made)
        await note(tx, by, "add endpoint", f"endpoint {new}", "", url=url)
    return EndpointView(made, Waiting()), secret


async def choose_types(
    db: Database, tenant: Tenant, endpoint_id: UUID, types: Sequence[EventKind] | None, by: Person
) -> EndpointView:
    """Deliver events of these types there from now on, or of all. What was passed over comes by a replay alone.

    Raises NotFound, Conflict (`endpoint_in_file`).
    """
    async with db.tenant(tenant.id) as tx:
        found = await _get_own(tx, endpoint_id)
        await event_lanes.save_endpoint(tx, replace(found, types=_names(types)))
        said = "all" if types is None else ", ".join(sorted(types))
        await note(tx, by, "choose types", f"endpoint {endpoint_id}", "", types=said)
        return await _view(tx, endpoint_id)


async def change_secret(
    db: Database, sealer: Sealer, tenant: Tenant, endpoint_id: UUID, overlap_hours: int, by: Person, key: str | None
) -> tuple[EndpointView, str]:
    """Sign with a new secret, and for some hours with the present one as well; a repeat with the same key makes none.

    Raises NotFound, Conflict (`endpoint_in_file`, `idempotency_conflict`).
    """
    async with db.tenant(tenant.id) as tx:
        found, mark = await _get_own(tx, endpoint_id), new_id()
        if await first_use(tx, by, "secret", key, (endpoint_id, overlap_hours), mark) == mark:
            found = _with_secret(tx, found, sealer.seal(new_endpoint_secret()), timedelta(hours=overlap_hours))
            await event_lanes.save_endpoint(tx, found)
            await note(tx, by, "change secret", f"endpoint {endpoint_id}", "", overlap_hours=overlap_hours)
        return await _view(tx, endpoint_id), sealer.open(found.secret_sealed)


async def remove_endpoint(db: Database, tenant: Tenant, endpoint_id: UUID, by: Person) -> None:
    """Deliver nothing there any more, and forget what waits. Raises NotFound, Conflict (`endpoint_in_file`)."""
    async with db.tenant(tenant.id) as tx:
        found = await _get_own(tx, endpoint_id)
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
    """Deliver once more every event behind a position of the stream, in order. Raises NotFound, Invalid
    (`cursor_expired`)."""
    async with db.tenant(tenant.id) as tx:
        # The stream before the endpoint, as whoever numbers it locks them.
        await check_cursor(tx, after)
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
    keep_days: int | None = None,
) -> None:
    """Make the endpoints of the tenants file, by name, be as it says; those of administrators stay.

    A secret that has changed there is followed by the new one with an overlap, so that its receiver can change later.

    Raises Invalid (`endpoint_address`, `endpoint_secret`, `endpoint_exists`).
    """
    await event_lanes.allow_private_networks(tx, private_networks)
    await event_keeping.keep_for(tx, keep_days)
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
            before = _with_secret(tx, before, sealer.seal(said.secret), OVERLAP)
        await event_lanes.save_endpoint(tx, replace(before, url=said.url, types=_names(said.types)))


async def _check(tx: Transaction, tenant: Tenant, url: str) -> None:
    private = await event_lanes.private_networks(tx)
    check_endpoint(url, private_networks=private, secure_only=tenant.environment == "production")


def _with_secret(tx: Transaction, endpoint: Endpoint, sealed: bytes, overlap: timedelta) -> Endpoint:
    """The endpoint with a new secret, and the one before it for a while, unless there is none."""
    until = tx.wall + overlap if overlap else None
    old = endpoint.secret_sealed if overlap else None
    return replace(endpoint, secret_sealed=sealed, old_secret_sealed=old, old_secret_wall=until)


def _names(types: Sequence[EventKind] | None) -> list[str] | None:
    return None if types is None else sorted({one.value for one in types})


async def _get_own(tx: Transaction, endpoint_id: UUID) -> Endpoint:
    """One that administrators care for. Raises Conflict (`endpoint_in_file`) for one of the tenants file."""
    found = await _get(tx, endpoint_id)
    if found.name is not None:
        raise Conflict("this endpoint is in the tenants file: change it there", code="endpoint_in_file")
    return found


async def _get(tx: Transaction, endpoint_id: UUID) -> Endpoint:
    found = await event_lanes.get_endpoint(tx, endpoint_id)
    if found is None:
        raise NotFound(f"there is no endpoint {endpoint_id}", code="endpoint_not_found")
    return found


async def _view(tx: Transaction, endpoint_id: UUID) -> EndpointView:
    return EndpointView(await _get(tx, endpoint_id), (await event_lanes.waiting(tx)).get(endpoint_id, Waiting()))
