"""Which tenant is asked: by the host name of the request, or by the names in its path."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from avtale.domain.errors import NotFound
from avtale.storage import tenants
from avtale.storage.database import Database
from avtale.storage.tenants import Issuer, Tenant

#: How long a host's tenant is believed before its rows are read again, in seconds of wall time.
BELIEVED_SECONDS_MAX = 3.0

_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_.-]{1,253}?)\.?)(?::[0-9]{0,5})?")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class TenantUnknown(NotFound):
    """No tenant answers to this host or these names."""

    code = "tenant_unknown"


@dataclass(frozen=True, slots=True)
class Site:
    """A tenant, and the issuers whose tokens hold at it."""

    tenant: Tenant
    issuers: tuple[Issuer, ...]


class Tenancy:
    """Finds tenants, and remembers for a moment those that there are; who nobody knows is looked up each time."""

    def __init__(self, db: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._monotonic = monotonic
        self._sites: dict[str, tuple[float, Site]] = {}
        self._named: dict[tuple[str, str], tuple[float, Tenant]] = {}
        self._organized: dict[str, tuple[float, list[Tenant]]] = {}

    async def at_host(self, header: str | None) -> Site:
        """The site that a Host header names; raises TenantUnknown. Only known hosts are remembered."""
        host = host_name(header)
        if host is None:
            raise TenantUnknown("no tenant answers to this host")
        known = self._sites.get(host)
        if known is not None and self._monotonic() - known[0] < BELIEVED_SECONDS_MAX:
            return known[1]
        asked = self._monotonic()
        async with self._db.routing() as tx:
            tenant = await tenants.tenant_by_host(tx, host)
        if tenant is None:
            self._sites.pop(host, None)
            raise TenantUnknown("no tenant answers to this host")
        async with self._db.tenant(tenant.id) as tx:
            site = Site(tenant, tuple(await tenants.get_issuers(tx)))
        self._sites[host] = (asked, site)
        return site

    async def named(self, organization: str, name: str) -> Tenant:
        """The tenant of the names in a path, or of the ids (both are UUIDs); raises TenantUnknown."""
        known = self._named.get((organization, name))
        if known is not None and self._monotonic() - known[0] < BELIEVED_SECONDS_MAX:
            return known[1]
        asked = self._monotonic()
        tenant = await self._read_named(organization, name)
        self._named[organization, name] = asked, tenant
        return tenant

    async def _read_named(self, organization: str, name: str) -> Tenant:
        if _ID.fullmatch(organization) and _ID.fullmatch(name):
            async with self._db.routing() as tx:
                found = await tenants.tenant_by_ids(tx, UUID(organization), UUID(name))
            if found is not None:
                return found
        if not _NAME.fullmatch(organization) or not _NAME.fullmatch(name):
            raise TenantUnknown("there is no such tenant")
        async with self._db.routing() as tx:
            tenant = await tenants.tenant_by_name(tx, organization, name)
        if tenant is None:
            raise TenantUnknown("there is no such tenant")
        return tenant

    async def organized(self, organization: str) -> list[Tenant]:
        """The tenants of the organization that a path names; none for one that nobody knows."""
        if not _NAME.fullmatch(organization):
            return []
        known = self._organized.get(organization)
        if known is not None and self._monotonic() - known[0] < BELIEVED_SECONDS_MAX:
            return known[1]
        asked = self._monotonic()
        async with self._db.routing() as tx:
            found = await tenants.tenants_of(tx, organization)
        if found:
            self._organized[organization] = asked, found
        return found


def host_name(header: str | None) -> str | None:
    """The name in a Host header: lower case, without port, brackets or a root's dot; None for no host name."""
    found = _HOST.fullmatch((header or "").lower())
    return None if found is None else found[1] or found[2]
