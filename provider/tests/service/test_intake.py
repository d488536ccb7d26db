"""Webhooks that arrive at one time: kept in few transactions, each once, and none for another's fault."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from avtale.domain.gateway import GatewayName
from avtale.domain.observations import EventSubject
from avtale.service.intake import Intake
from avtale.storage import inbox
from avtale.storage import tables as t

from .conftest import Shop

VIPPS = GatewayName.VIPPS


def events(count: int) -> list[EventSubject]:
    return [EventSubject(uuid4().hex, "recurring.charge-captured.v1", "agr_1", None, None) for _ in range(count)]


async def test_a_burst_shares_its_commits_and_a_repetition_is_none(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    honest = inbox.keep

    async def counted(tx: Any, arrivals: Any) -> Any:
        written.append(len(arrivals))
        return await honest(tx, arrivals)

    monkeypatch.setattr(inbox, "keep", counted)
    intake, told = Intake(shop.db), events(300)
    twice = [*told, *told]
    kept = await asyncio.gather(*(intake.keep(shop.tenant.id, VIPPS, event, b"{}") for event in twice))
    assert kept.count(True) == kept.count(False) == 300
    assert len(written) <= 3
    assert not intake._writers
    assert not await intake.keep(shop.tenant.id, VIPPS, told[0], b"{}")
    async with shop.db.tenant(shop.tenant.id) as tx:
        assert (await tx.conn.execute(select(func.count()).select_from(t.inbox))).scalar_one() == 300


async def test_one_that_cannot_be_kept_takes_no_other_with_it(shop: Shop) -> None:
    intake, told = Intake(shop.db), events(20)
    told[7] = replace(told[7], event_type="of\0nobody")
    tasks = [asyncio.create_task(intake.keep(shop.tenant.id, VIPPS, event, b"{}")) for event in told]
    await asyncio.sleep(0)
    tasks[3].cancel()  # a caller that goes away
    kept = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(kept[3], asyncio.CancelledError)
    assert isinstance(kept[7], Exception)
    assert [one for number, one in enumerate(kept) if number not in (3, 7)] == [True] * 18
    async with shop.db.tenant(shop.tenant.id) as tx:
        keys = (await tx.conn.execute(text("SELECT key FROM inbox"))).scalars().all()
    assert set(keys) == {event.key for number, event in enumerate(told) if number != 7}
