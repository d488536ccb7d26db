"""Rows of the people who moved in: how they can be reached, until they have their new ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, false, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from avtale.storage import tables as t
from avtale.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class ImportedPerson:
    """Somebody who moved in with a file."""

    issuer: str
    subject: str
    email: str | None
    phone: str | None
    import_id: UUID


_COLUMNS = tuple(ImportedPerson.__dataclass_fields__)


async def save(tx: Transaction, people: Sequence[ImportedPerson]) -> None:
    """Write people; who is there already keeps what is known of them, and learns what was not."""
    if not people:
        return
    values = [{"tenant_id": tx.tenant_id, "recreated": False} | {n: getattr(p, n) for n in _COLUMNS} for p in people]
    statement = insert(t.import_people).on_conflict_do_nothing(index_elements=["tenant_id", "issuer", "subject"])
    await tx.conn.execute(statement, values)


async def forget(tx: Transaction, import_id: UUID, people: Collection[tuple[str, str]]) -> None:
    """These did not move in with this file after all."""
    c = t.import_people.c
    await tx.conn.execute(
        delete(t.import_people).where(
            c.tenant_id == tx.tenant_id, c.import_id == import_id, tuple_(c.issuer, c.subject).in_(sorted(people))
        )
    )


async def not_recreated(tx: Transaction, after: tuple[str, str], count_max: int) -> list[ImportedPerson]:
    """People who still have the ids with which they came, after somebody, in order of issuer and subject."""
    c = t.import_people.c
    rows = await tx.conn.execute(
        select(t.import_people)
        .where(c.tenant_id == tx.tenant_id, ~c.recreated, tuple_(c.issuer, c.subject) > after)
        .order_by(c.issuer, c.subject)
        .limit(count_max)
    )
    return [ImportedPerson(**{n: getattr(row, n) for n in _COLUMNS}) for row in rows]


async def reached_by(tx: Transaction, issuer: str, email: str | None, phone: str | None) -> list[ImportedPerson]:
    """Who can be reached by one of these and still has the id with which they came."""
    c = t.import_people.c
    ways = [column == value for column, value in ((c.email, email), (c.phone, phone)) if value]
    rows = await tx.conn.execute(
        select(t.import_people)
        .where(c.tenant_id == tx.tenant_id, c.issuer == issuer, ~c.recreated, or_(false(), *ways))
        .order_by(c.subject)
        .with_for_update()
    )
    return [ImportedPerson(**{n: getattr(row, n) for n in _COLUMNS}) for row in rows]


async def has_documents(tx: Transaction, person: ImportedPerson) -> bool:
    """Whether receipts or purchases name this person: those never change."""
    for table in (t.receipts, t.purchases):
        c = table.c
        mine = (c.tenant_id == tx.tenant_id) & (c.issuer == person.issuer) & (c.subject == person.subject)
        if (await tx.conn.execute(select(c.id).where(mine).limit(1))).first():
            return True
    return False


async def in_the_way(tx: Transaction, person: ImportedPerson, subject: str) -> tuple[UUID, UUID] | None:
    """Two active agreements about one product that would be one person's."""
    mine, theirs = t.agreements.alias("mine"), t.agreements.alias("theirs")
    row = (
        await tx.conn.execute(
            select(mine.c.id, theirs.c.id.label("other"))
            .join(theirs, (theirs.c.tenant_id == mine.c.tenant_id) & (theirs.c.product_id == mine.c.product_id))
            .where(
                mine.c.tenant_id == tx.tenant_id,
                mine.c.issuer == person.issuer,
                mine.c.subject == person.subject,
                mine.c.status == "active",
                theirs.c.issuer == person.issuer,
                theirs.c.subject == subject,
                theirs.c.status == "active",
            )
            .limit(1)
        )
    ).first()
    return None if row is None else (row.id, row.other)


async def rename(tx: Transaction, person: ImportedPerson, subject: str) -> None:
    """Give a person's agreements and access to a new id of the same issuer's, and remember that it was done."""
    for table in (t.agreements, t.entitlements):
        c = table.c
        mine = (c.tenant_id == tx.tenant_id) & (c.issuer == person.issuer) & (c.subject == person.subject)
        more = {"version": t.agreements.c.version + 1} if table is t.agreements else {}
        await tx.conn.execute(update(table).where(mine).values(subject=subject, **more))
    c = t.import_people.c
    mine = (c.tenant_id == tx.tenant_id) & (c.issuer == person.issuer) & (c.subject == person.subject)
    await tx.conn.execute(update(t.import_people).where(mine).values(subject=subject, recreated=True))
