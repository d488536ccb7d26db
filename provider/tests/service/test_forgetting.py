"""A person's data: all of it in a copy, and none of it after an erasure, while the books stay as they were."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Text, cast, func, literal, or_, select, text

from avtale.domain.agreement import Terms
from avtale.domain.errors import Conflict
from avtale.service.checkout import Person, new_agreement
from avtale.service.forgetting import erase_person, export_person
from avtale.service.noting import list_acts
from avtale.service.refunding import refund_charge
from avtale.service.stopping import stop_agreement
from avtale.storage import agreements, locks, people, tenants
from avtale.storage import tables as t

from .conftest import OPERATOR, PHONE, Shop

LEAVING = "Anna Berg moves to Bodø"
ANNA = Person("https://id.example", "auth0|5f7c8ec7c33c6c004bbafe82")


async def named(shop: Shop, *words: str) -> set[str]:
    """The tables in which any of these words stands."""
    found = set()
    async with shop.db.tenant(shop.tenant.id) as tx:
        for name in t.TENANT_TABLES:
            table = t.metadata.tables[name]
            texts = [
                func.encode(c, "escape") if isinstance(c.type, LargeBinary) else cast(c, Text) for c in table.columns
            ]
            hits = [func.strpos(func.coalesce(text, ""), literal(word)) > 0 for text in texts for word in words]
            if (await tx.conn.execute(select(table).where(or_(*hits)).limit(1))).first() is not None:
                found.add(name)
    return found


def money(books: dict[str, Any]) -> list[Any]:
    return [(row["kind"], row["amount"]) for row in books["ledger"]] + [row["number"] for row in books["receipts"]]


async def test_an_erased_person_is_nowhere_and_the_books_are_as_they_were(shop: Shop) -> None:
    agreement_id = await shop.subscribe(ANNA)
    other = await shop.subscribe()
    await shop.rent(ANNA)
    first = (await shop.see(agreement_id, ANNA)).charges[0]
    await refund_charge(shop.db, shop.gateways, shop.tenant, first.id, 900, "Sorry", by=OPERATOR)
    await shop.work()
    with pytest.raises(Conflict) as refused:
        await erase_person(shop.db, shop.tenant, ANNA, OPERATOR, "asked")
    assert refused.value.code == "person_active"
    await stop_agreement(shop.db, shop.gateways, shop.tenant, ANNA, agreement_id, why=LEAVING)
    await shop.advance_to(datetime(2027, 1, 20, tzinfo=UTC))

    copy = await export_person(shop.db, shop.tenant, ANNA)
    assert {"agreements", "purchases", "charges", "attempts", "refunds", "ledger", "receipts", "events"} <= set(copy)
    assert {row["subject"] for row in copy["receipts"]} == {ANNA.subject}
    assert str(other) not in str(copy)
    assert {"agreements", "receipts", "events", "calls"} <= await named(shop, ANNA.subject, PHONE)
    assert await named(shop, LEAVING) == {"agreements", "events"}
    before = money(await shop.books())

    pseudonym = await erase_person(shop.db, shop.tenant, ANNA, OPERATOR, "asked for it in writing")
    assert await named(shop, ANNA.subject, LEAVING) == set()
    # What is left of the telephone number is in the call of the other person, who has the same one here.
    async with shop.db.tenant(shop.tenant.id) as tx:
        c = t.calls.c
        bodies = (await tx.conn.execute(select(c.body).where(c.kind.in_(["draft", "payment"])))).scalars().all()
    assert [PHONE.encode() in bytes(body) for body in sorted(bodies)] == [False, False, True]
    assert money(await shop.books()) == before
    assert (await shop.see(other)).agreement.subject == shop.anna.subject
    assert await export_person(shop.db, shop.tenant, ANNA) == {}
    kept = await export_person(shop.db, shop.tenant, Person(people.ERASED, str(pseudonym)))
    assert len(kept["receipts"]) == len(copy["receipts"])
    acts = await list_acts(shop.db, shop.tenant)
    assert (acts[0].act, acts[0].subject) == ("erase person", f"person {pseudonym}")
    # The same person may come again, as somebody new.
    assert await shop.subscribe(ANNA) != agreement_id


async def test_an_erasure_waits_for_a_checkout_that_has_begun(shop: Shop) -> None:
    await stop_agreement(shop.db, shop.gateways, shop.tenant, ANNA, await shop.subscribe(ANNA))
    await shop.advance_to(datetime(2027, 1, 20, tzinfo=UTC))
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with shop.db.tenant(shop.tenant.id) as tx:
        await locks.lock_person_and_product(tx, ANNA.issuer, ANNA.subject, "film-month")
        erasing = asyncio.create_task(erase_person(shop.db, shop.tenant, ANNA, OPERATOR, "asked"))
        while not erasing.done() and not (await tx.conn.execute(waiting)).scalar_one():
            pass
        terms = await tenants.get_product(tx, "film-month")
        assert isinstance(terms, Terms)
        begun = new_agreement(tx, ANNA, terms)
        await agreements.insert_agreement(tx, begun)
    with pytest.raises(Conflict):
        await erasing
    assert (await shop.see(begun.id, ANNA)).agreement.subject == ANNA.subject
