"""Agreements that are read at one time are settled together, and one that cannot be holds back no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from avtale.service import checking
from avtale.service.checkout import Person
from avtale.storage import checks, drafts
from avtale.storage import tables as t
from avtale.storage.checks import CheckKind

from .conftest import Shop


async def test_readings_are_settled_together_and_a_culprit_stands_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [Person("https://id.example", name) for name in ("anna", "bo", "cy", "dag")]
    ours = [await shop.subscribe(person) for person in people]
    async with shop.db.tenant(shop.tenant.id) as tx:
        asked = {draft.id: draft.agreement_id for draft in await drafts.drafts_of(tx, ours)}
        await checks.ask(tx, CheckKind.DRAFT, asked, tx.now)
    batches: list[int] = []
    honest = checking.follow_agreements

    async def follow(tx: Any, tenant: Any, told: Sequence[Any]) -> None:
        batches.append(len(told))
        if any(agreement.id == ours[2] for agreement, _ in told):
            raise RuntimeError("this one cannot be settled")
        await honest(tx, tenant, told)

    monkeypatch.setattr(checking, "follow_agreements", follow)
    assert not await checking.check(shop.db, shop.gateways, shop.tenant)
    assert sorted(batches) == [1, 1, 2, 2, 4]
    async with shop.db.tenant(shop.tenant.id) as tx:
        c = t.checks.c
        waiting = await tx.conn.execute(select(c.id).where(c.kind == "draft", c.due_at <= tx.now))
        assert [asked[row.id] for row in waiting] == [ours[2]]


async def test_who_asks_while_a_reading_is_under_way_is_answered_by_another_one(shop: Shop) -> None:
    await shop.subscribe()
    async with shop.db.tenant(shop.tenant.id) as tx:
        c = t.checks.c
        (draft,) = (await tx.conn.execute(select(c.id).where(c.kind == "draft"))).scalars()
        await checks.ask(tx, CheckKind.DRAFT, [draft], tx.now)
    async with shop.db.tenant(shop.tenant.id) as tx:
        (claimed,) = await checks.claim(tx, 10, lambda _: 60.0)
        assert await checks.claim(tx, 10, lambda _: 60.0) == []
    async with shop.db.tenant(shop.tenant.id) as tx:
        await checks.ask(tx, CheckKind.DRAFT, [draft], tx.now)
        await checks.finish(tx, [(claimed, None)])
    async with shop.db.tenant(shop.tenant.id) as tx:
        (again,) = await checks.claim(tx, 10, lambda _: 60.0)
        assert (again.id, again.seq) == (draft, claimed.seq + 1)
        await checks.finish(tx, [(again, None)])
        assert (await tx.conn.execute(select(c.id).where(c.kind == "draft"))).all() == []
