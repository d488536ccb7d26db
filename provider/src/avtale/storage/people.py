"""Everything that is stored about one person, found by issuer and subject: to read, and to make nobody's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, Table, delete, literal, or_, select, union, update
from sqlalchemy.dialects.postgresql import JSONB

from avtale.domain.agreement import AgreementStatus
from avtale.domain.charge import OPEN_ATTEMPTS, OPEN_REFUNDS
from avtale.domain.event import EventKind
from avtale.domain.purchase import OPEN_PURCHASES
from avtale.storage import tables as t
from avtale.storage.database import Transaction

#: What an erased person's issuer is called.
ERASED = "urn:avtale:erased"
_ENDED = (AgreementStatus.STOPPED, AgreementStatus.REJECTED, AgreementStatus.EXPIRED)
#: Rows that are of no use without the person, and of no account.
_FORGOTTEN = (
    t.additions,
    t.entitlement_objects,
    t.idempotency_keys,
    t.import_people,
    t.stripe_customers,
    t.turns,
)
#: Where a person may have rows without having agreed to anything or bought anything yet.
_BEFORE = (t.additions, t.entitlement_objects, t.import_people, t.stripe_customers)
#: What no copy needs: addresses that let somebody in, and what only machines read.
_UNTOLD = frozenset({"tenant_id", "version", "landing", "confirmation_url", "request_digest", "found", "position"})


async def people_named(tx: Transaction, subjects: Collection[str], issuer: str | None) -> set[tuple[str, str]]:
    """Who of these subjects has anything here, as pairs of issuer and subject."""
    # PostgreSQL's texts hold no NUL, so nobody is called so.
    named = sorted(subject for subject in subjects if "\0" not in subject)
    if not named or "\0" in (issuer or ""):
        return set()
    i = t.identity_issuers.c
    registered = select(i.issuer).where(i.tenant_id == tx.tenant_id)
    statements = []
    for table in (t.agreements, t.purchases, t.receipts, *_BEFORE):
        c = table.c
        mine = select(c.issuer, c.subject).where(c.tenant_id == tx.tenant_id, c.subject.in_(named))
        if issuer is not None:
            mine = mine.where(c.issuer == issuer)
        elif table in _BEFORE:
            mine = mine.where(c.issuer.in_(registered))
        statements.append(mine)
    return {(row.issuer, row.subject) for row in await tx.conn.execute(union(*statements))}


async def records(tx: Transaction, issuer: str, subject: str) -> dict[str, list[dict[str, Any]]]:
    """Every row about a person, by table, as JSON values; nothing sealed, and no bytes."""
    found: dict[str, list[dict[str, Any]]] = {}
    ids = await _ids(tx, issuer, subject)
    for table in _tables():
        wanted = _of_person(table, issuer, subject)
        if wanted is None:
            wanted = _linked(table, ids)
        if wanted is None:
            continue
        key = list(table.primary_key.columns)
        rows = await tx.conn.execute(select(table).where(table.c.tenant_id == tx.tenant_id, wanted).order_by(*key))
        told = [{name: _json(value) for name, value in row._mapping.items() if _is_told(table, name)} for row in rows]
        if told:
            found[table.name] = told
    return found


async def lock_ended(tx: Transaction, issuer: str, subject: str) -> bool:
    """Lock a person's agreements and purchases; False while any of them, or money of them, may still move."""
    for table, over in ((t.purchases, None), (t.agreements, _ENDED)):
        c = table.c
        mine = (c.tenant_id == tx.tenant_id) & (c.issuer == issuer) & (c.subject == subject)
        rows = await tx.conn.execute(select(c.status).where(mine).order_by(c.id).with_for_update())
        if any((row.status in OPEN_PURCHASES) if over is None else (row.status not in over) for row in rows.all()):
            return False
    ids = await _ids(tx, issuer, subject)
    a, r, c = t.attempts.c, t.refunds.c, t.calls.c
    open_ones = (
        select(a.id).where(a.tenant_id == tx.tenant_id, a.charge_id.in_(ids["charge_id"]), a.status.in_(OPEN_ATTEMPTS)),
        select(r.id).where(r.tenant_id == tx.tenant_id, r.charge_id.in_(ids["charge_id"]), r.status.in_(OPEN_REFUNDS)),
        select(c.id).where(c.tenant_id == tx.tenant_id, c.subject_id.in_(ids["call"]), c.send_wall.is_not(None)),
    )
    for statement in open_ones:
        if (await tx.conn.execute(statement.limit(1))).first() is not None:
            return False
    return True


async def erase(tx: Transaction, issuer: str, subject: str, pseudonym: str) -> None:
    """Make everything about a person a pseudonym's; what accounts need stays, and what they do not is forgotten."""
    ids = await _ids(tx, issuer, subject)
    rows, c = t.import_rows.c, t.calls.c
    imported = _of_person(t.import_rows, issuer, subject)
    moved = rows.agreement_id.in_(ids["agreement_id"])
    await _update(tx, t.import_rows, moved if imported is None else or_(imported, moved), said={}, found=None)
    await _update(tx, t.calls, c.subject_id.in_(ids["call"]), body=b"")
    await _update(tx, t.inbox, t.inbox.c.gateway_agreement_id.in_(ids["gateway"]), body=b"")
    await _update(tx, t.drafts, t.drafts.c.agreement_id.in_(ids["agreement_id"]), confirmation_url=None)
    await _update(tx, t.purchases, t.purchases.c.id.in_(ids["purchase_id"]), confirmation_url=None)
    # What somebody said of their own when they left; what others typed is not looked into.
    events, mine = t.events.c, t.events.c.agreement_id.in_(ids["agreement_id"])
    await _update(tx, t.agreements, t.agreements.c.id.in_(ids["agreement_id"]), stop_comment=None)
    said = mine & (events.type == EventKind.AGREEMENT_STOPPED)
    await _update(tx, t.events, said, data=events.data.concat(literal({"comment": None}, JSONB)))
    board = t.dashboard_agreements
    await _update(tx, board, board.c.agreement_id.in_(ids["agreement_id"]), subject=pseudonym)
    for table in _tables():
        wanted = _of_person(table, issuer, subject)
        if wanted is None:
            continue
        if table in _FORGOTTEN:
            await tx.conn.execute(delete(table).where(table.c.tenant_id == tx.tenant_id, wanted))
        else:
            await _update(tx, table, wanted, issuer=ERASED, subject=pseudonym)


async def _update(tx: Transaction, table: Table, wanted: ColumnElement[bool], **values: object) -> None:
    await tx.conn.execute(update(table).where(table.c.tenant_id == tx.tenant_id, wanted).values(**values))


async def _ids(tx: Transaction, issuer: str, subject: str) -> dict[str, Collection[Any]]:
    """What a person's rows are linked by: columns of other tables, what calls are about, and names at gateways."""

    async def of(table: Table, wanted: ColumnElement[bool] | None, name: str = "id") -> list[Any]:
        if wanted is None:
            return []
        rows = await tx.conn.execute(select(table.c[name]).where(table.c.tenant_id == tx.tenant_id, wanted))
        return [row[0] for row in rows if row[0] is not None]

    agreed = await of(t.agreements, _of_person(t.agreements, issuer, subject))
    bought = await of(t.purchases, _of_person(t.purchases, issuer, subject))
    charges = t.charges.c
    owed = await of(t.charges, or_(charges.agreement_id.in_(agreed), charges.purchase_id.in_(bought)))
    drafted = t.drafts.c.agreement_id.in_(agreed)
    tried = await of(t.attempts, t.attempts.c.charge_id.in_(owed))
    together = await of(t.attempts, t.attempts.c.charge_id.in_(owed), "batch_id")
    customers = await of(t.stripe_customers, _of_person(t.stripe_customers, issuer, subject))
    return {
        "agreement_id": agreed,
        "purchase_id": bought,
        "charge_id": owed,
        "call": [*await of(t.drafts, drafted), *tried, *together, *customers],
        "gateway": await of(t.drafts, drafted, "gateway_agreement_id"),
    }


def _tables() -> list[Table]:
    return [table for table in t.metadata.sorted_tables if table.name in t.TENANT_TABLES]


def _of_person(table: Table, issuer: str, subject: str) -> ColumnElement[bool] | None:
    if not {"issuer", "subject"} <= set(table.c.keys()):
        return None
    return (table.c.issuer == issuer) & (table.c.subject == subject)


def _linked(table: Table, ids: dict[str, Collection[Any]]) -> ColumnElement[bool] | None:
    links = [table.c[name].in_(ids[name]) for name in ("agreement_id", "purchase_id", "charge_id") if name in table.c]
    return or_(*links) if links else None


def _is_told(table: Table, name: str) -> bool:
    return name not in _UNTOLD and not isinstance(table.c[name].type, LargeBinary)


def _json(value: object) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return value
