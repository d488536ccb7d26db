"""The door of the migration's operations: a secret in the path, and an administrator's token beside it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Path
from starlette.exceptions import HTTPException
from starlette.requests import Request

from avtale.api.doors import AdminDoor, Visit, hall_of
from avtale.api.identity import Caller
from avtale.api.problems import BodyTooSlow, MediaTypeUnknown
from avtale.api.tenancy import TenantUnknown
from avtale.service.checkout import Person
from avtale.storage import imports

#: A file may take long to arrive, but not for ever between two pieces of it.
PIECE_SECONDS_MAX = 30.0
#: Who acts where a tenant asks for no token.
NOBODY = Person("", "(the secret in the path)")

OrganizationId = Annotated[str, Path(alias="organizationId", description="its id or its name")]
TenantId = Annotated[str, Path(alias="tenantId", description="its id or its name")]
RandomValue = Annotated[str, Path(alias="randomValue", description="the tenant's migration secret")]
SecretValue = Annotated[str, Path(alias="secretValue", description="the tenant's migration secret")]
ProductGroupId = Annotated[
    str, Path(alias="productGroupId", description="the product that every row is about, as the tenants file names it")
]


class MigrationDoor(AdminDoor):
    """A route that is there only for tenants with a migration secret, and for whoever knows it."""

    async def admit(self, request: Request) -> None:
        """As an AdminDoor, unless the tenant asks for no token; without the secret there is no such route (404)."""
        hall = hall_of(request)
        site = await hall.tenancy.at_host(request.headers.get("host"))
        async with hall.house.db.tenant(site.tenant.id) as tx:
            door = await imports.get_door(tx)
        if door is None or door.admin_token:
            await super().admit(request)
        else:
            request.state.visit = Visit(site.tenant, Caller(NOBODY, is_admin=True))
        said = request.path_params
        try:
            named = await hall.tenancy.named(said["organizationId"], said["tenantId"])
        except TenantUnknown:
            named = None
        given = str(said.get("randomValue") or said.get("secretValue") or "")
        digest = hashlib.sha256(given.encode("utf-8", "replace")).digest()
        known = hmac.compare_digest(digest, door.secret_digest if door else b"")
        if door is None or named is None or named.id != site.tenant.id or not known:
            raise HTTPException(404, "there is no such migration here")


async def file_of(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces. Raises MediaTypeUnknown, BodyTooSlow when nothing comes for a while."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("text/csv", "application/csv", "text/plain", "application/octet-stream"):
        raise MediaTypeUnknown("send the file itself as the body, as text/csv")
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(PIECE_SECONDS_MAX):
                piece = await anext(pieces, None)
        except TimeoutError as error:
            raise BodyTooSlow(f"nothing came for {PIECE_SECONDS_MAX:g} s") from error
        if piece is None:
            return
        yield piece
