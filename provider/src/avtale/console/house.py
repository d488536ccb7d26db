"""What the pages are given: the rows and gateways behind them, who tells tenants and people, and a way out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from avtale.domain.ports import Gateways
from avtale.service.checkout import Person
from avtale.storage.database import Database
from avtale.storage.sealing import Sealer
from avtale.storage.tenants import Issuer, Tenant


class Site(Protocol):
    """A tenant, and the issuers whose tokens hold at it."""

    @property
    def tenant(self) -> Tenant: ...
    @property
    def issuers(self) -> tuple[Issuer, ...]: ...


class SiteFinder(Protocol):
    """The site that a Host header names. Raises NotFound."""

    async def __call__(self, host: str | None, /) -> Site: ...


class Caller(Protocol):
    """Somebody whose token holds."""

    @property
    def person(self) -> Person: ...
    @property
    def is_admin(self) -> bool: ...


class TokenReader(Protocol):
    """Whom a bearer token is about, once its signature and claims hold. Raises Refusal."""

    async def __call__(self, issuers: Sequence[Issuer], authorization: Sequence[str], /) -> Caller: ...


class CallOut(Protocol):
    """Make one HTTP call and give status and JSON object. Raises OSError without an answer that is an object."""

    async def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, call_seconds_max: float, /
    ) -> tuple[int, dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class ConsoleHouse:
    """Everything that drawing a page may need; joined by the composition root.

    `sandbox_url` is where the clock of a demonstration is turned; without it no page has one. `closing` is set
    when the process is asked to end, so that streams end too.
    """

    db: Database
    gateways: Gateways
    sealer: Sealer
    find_site: SiteFinder
    read_token: TokenReader
    call_out: CallOut
    wall: Callable[[], datetime]
    client_id: str
    discovery_url: str | None = None
    sandbox_url: str | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event)
