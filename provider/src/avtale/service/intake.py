"""Keeps the webhooks that arrive at one time in one transaction: all that wait share its commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from avtale.domain.gateway import GatewayName
from avtale.domain.observations import EventSubject
from avtale.service.ids import new_id
from avtale.service.signers import Signers
from avtale.storage import inbox
from avtale.storage.database import Database, DatabaseDown
from avtale.storage.inbox import Arrival


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrival: Arrival
    kept: asyncio.Future[bool]


class Intake:
    """Whoever keeps an event waits for its commit, and shares it with all that came while the last one was made.

    Each of them alone would lock the row that says when its tenant has work, and force the log to the disk: of a
    burst of webhooks one could be kept after the other only.
    """

    #: Events of one transaction.
    TOGETHER_MAX = 500

    def __init__(self, db: Database) -> None:
        self.signers = Signers(db)
        self._db = db
        self._waiting: dict[UUID, list[_Waiting]] = {}
        self._writers: dict[UUID, asyncio.Task[None]] = {}

    async def keep(self, tenant_id: UUID, gateway: GatewayName, event: EventSubject, body: bytes) -> bool:
        """Store an authentic event; False when it was here already. Returns when that has been committed."""
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        arrival = Arrival(new_id(), gateway, event, body)
        self._waiting.setdefault(tenant_id, []).append(_Waiting(arrival, kept))
        if tenant_id not in self._writers:
            self._writers[tenant_id] = asyncio.create_task(self._write(tenant_id))
        return await kept

    async def _write(self, tenant_id: UUID) -> None:
        try:
            while waiting := self._waiting.pop(tenant_id, None):
                if len(waiting) > self.TOGETHER_MAX:
                    self._waiting[tenant_id] = waiting[self.TOGETHER_MAX :]
                await self._write_together(tenant_id, waiting[: self.TOGETHER_MAX])
        finally:
            del self._writers[tenant_id]

    async def _write_together(self, tenant_id: UUID, waiting: Sequence[_Waiting]) -> None:
        try:
            async with self._db.tenant(tenant_id) as tx:
                new = await inbox.keep(tx, [one.arrival for one in waiting])
        except Exception as error:
            if len(waiting) > 1 and not isinstance(error, DatabaseDown):
                # What one of them has done wrong is not the others' fault.
                for one in waiting:
                    await self._write_together(tenant_id, [one])
                return
            for one in waiting:
                if not one.kept.done():
                    one.kept.set_exception(error)
            return
        for one in waiting:
            if not one.kept.done():  # nobody waits for the answer to a request that went away
                one.kept.set_result(one.arrival.id in new)
