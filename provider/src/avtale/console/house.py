"""What the pages are given: the rows and gateways behind them, who tells tenants and people, and a way out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from avtale.domain.ports import Gateways
from avtale.entrance.callers import CallOut
from avtale.entrance.signing_in import Entrance
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
    entrance: Entrance
    call_out: CallOut
    wall: Callable[[], datetime]
    sandbox_url: str | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def gateway_origin(self) -> str:
        """Where a form that leads to Vipps ends: in a demonstration at the sandbox, else at any secure address."""
        if self.sandbox_url is None:
            return "https:"
        parts = urlsplit(self.sandbox_url)
        return f"{parts.scheme}://{parts.netloc}"
