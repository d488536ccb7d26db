"""Rows of imports: the files that were handed in, and what has become of each of their rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from avtale.domain.imports import WORKING, ImportKind, ImportStatus, RowState
from avtale.storage import tables as t
from avtale.storage.database import Job, Transaction


@dataclass(frozen=True, slots=True)
class ImportDoor:
    """How the migration's operations are entered: the digest of the secret in their paths, and whether an
    administrator's token is needed as well. The pace is that of readings at payment companies."""

    secret_digest: bytes
    admin_token: bool
    calls_per_minute_max: int


@dataclass(frozen=True, slots=True)
class Import:
    """A file that was handed in; `facts` are its encoding, its separator, and the columns that nobody reads.

    `problem` says what holds it up. Instants are wall time.
    """

    id: UUID
    kind: ImportKind
    status: ImportStatus
    dry_run: bool
    product_id: str | None
    requested_by: str
    row_count: int
    facts: dict[str, Any]
    problem: str | None
    created_wall: datetime
    touched_wall: datetime
    checked_wall: datetime | None


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row; `said` are its values by column, `found` is what the payment company said of it."""

    line: int
    state: RowState
    row_id: str | None = None
    code: str | None = None
    reason: str | None = None
    provider: str | None = None
    gateway_agreement_id: str | None = None
    issuer: str | None = None
    subject: str | None = None
    product_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    said: Mapping[str, str] | None = None
    found: Mapping[str, Any] | None = None
    misses: int = 0
    agreement_id: UUID | None = None

    @property
    def whose(self) -> tuple[str, str, str]:
        """Issuer, subject and product."""
        return self.issuer or "", self.subject or "", self.product_id or ""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows of a file share a state, a code and a currency, what they amount to, and where the first is."""

    state: RowState
    code: str | None
    currency: str | None
    count: int
    amount: int
    first_line: int
    a_reason: str | None


#: How many rows are refused at a time for another one's sake.
REFUSED_COUNT = 5000

_IMPORT = tuple(Import.__dataclass_fields__)
_ROW = tuple(ImportRow.__dataclass_fields__)


async def save_door(tx: Transaction, door: ImportDoor | None) -> None:
    """Open, change or (None) shut the migration's operations."""
    c = t.import_doors.c
    if door is None:
        await tx.conn.execute(delete(t.import_doors).where(c.tenant_id == tx.tenant_id))
        return
    values = {name: getattr(door, name) for name in ImportDoor.__dataclass_fields__}
    statement = upsert(t.import_doors).values(tenant_id=tx.tenant_id, **values)
    await tx.conn.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values))


async def get_door(tx: Transaction) -> ImportDoor | None:
    """How the migration's operations are entered, if at all."""
    c = t.import_doors.c
    row = (await tx.conn.execute(select(t.import_doors).where(c.tenant_id == tx.tenant_id))).first()
    return None if row is None else ImportDoor(bytes(row.secret_digest), row.admin_token, row.calls_per_minute_max)


async def insert_import(tx: Transaction, new: Import) -> None:
    """Write a file that begins to arrive."""
    await tx.conn.execute(insert(t.imports).values(tenant_id=tx.tenant_id, **{n: getattr(new, n) for n in _IMPORT}))


async def insert_rows(tx: Transaction, import_id: UUID, kind: ImportKind, rows: Sequence[ImportRow]) -> None:
    """Write rows as they were read."""
    if rows:
        owner = {"tenant_id": tx.tenant_id, "import_id": import_id, "kind": kind}
        await tx.conn.execute(
            insert(t.import_rows),
            [owner | {n: getattr(row, n) for n in _ROW} | {"said": row.said or {}} for row in rows],
        )


async def drop_import(tx: Transaction, import_id: UUID) -> None:
    """Forget a file that could not be taken in."""
    await tx.conn.execute(delete(t.imports).where(_this(tx, import_id)))


async def abandon_stale(tx: Transaction, older_than: timedelta) -> None:
    """Files whose arrival broke off."""
    c = t.imports.c
    stale = (c.status == ImportStatus.RECEIVING) & (c.touched_wall < tx.wall - older_than)
    await tx.conn.execute(
        update(t.imports).where(c.tenant_id == tx.tenant_id, stale).values(status=ImportStatus.ABANDONED)
    )


async def touch(tx: Transaction, import_id: UUID, row_count: int) -> None:
    """More of the file has arrived."""
    await tx.conn.execute(
        update(t.imports).where(_this(tx, import_id)).values(touched_wall=tx.wall, row_count=row_count)
    )


async def move(
    tx: Transaction, import_id: UUID, status: ImportStatus, work_wall: datetime | None = None, **values: object
) -> None:
    """Bring a file into a status; if that wants any work, there is some from `work_wall` (default: now)."""
    at = (work_wall or tx.wall) if status in WORKING else None
    await tx.conn.execute(
        update(t.imports)
        .where(_this(tx, import_id))
        .values(status=status, work_wall=at, touched_wall=tx.wall, **values)
    )
    if at is not None:
        tx.due(Job.IMPORT, at)


async def claim_work(tx: Transaction, lease_seconds: float) -> Import | None:
    """The oldest file for which there is something to do, left to this worker for so long."""
    c = t.imports.c
    row = (
        await tx.conn.execute(
            select(t.imports)
            .where(c.tenant_id == tx.tenant_id, c.work_wall <= tx.wall)
            .order_by(c.created_wall, c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
    ).first()
    if row is None:
        return None
    await keep_lease(tx, row.id, lease_seconds)
    return _import(row)


async def keep_lease(tx: Transaction, import_id: UUID, lease_seconds: float) -> None:
    """This worker is still at it."""
    until = tx.wall + timedelta(seconds=lease_seconds)
    await tx.conn.execute(
        update(t.imports)
        .where(_this(tx, import_id), t.imports.c.work_wall.is_not(None))
        .values(work_wall=until, touched_wall=tx.wall)
    )
    tx.due(Job.IMPORT, until)


async def get_import(tx: Transaction, import_id: UUID, *, lock: bool = False) -> Import | None:
    """One file, locked until the transaction ends when asked for."""
    statement = select(t.imports).where(_this(tx, import_id))
    row = (await tx.conn.execute(statement.with_for_update() if lock else statement)).first()
    return None if row is None else _import(row)


async def list_imports(tx: Transaction, count_max: int = 50) -> list[Import]:
    """The files, newest first."""
    c = t.imports.c
    rows = await tx.conn.execute(
        select(t.imports)
        .where(c.tenant_id == tx.tenant_id)
        .order_by(c.created_wall.desc(), c.id.desc())
        .limit(count_max)
    )
    return [_import(row) for row in rows]


async def rows_in(
    tx: Transaction, import_id: UUID, state: RowState, count_max: int, *, lock: bool = False
) -> list[ImportRow]:
    """The first rows in a state, by line; when asked for they are locked, but for those that somebody else holds."""
    c = t.import_rows.c
    mine = _rows_of(tx, import_id) & (c.state == state)
    statement = select(t.import_rows).where(mine).order_by(c.line).limit(count_max)
    if lock:
        statement = statement.with_for_update(skip_locked=True)
    return [_row(row) for row in await tx.conn.execute(statement)]


async def rows_after(
    tx: Transaction, import_id: UUID, line: int, count_max: int, states: Collection[RowState] = ()
) -> list[ImportRow]:
    """Rows after a line, in order; of these states, or of all."""
    c = t.import_rows.c
    wanted = _rows_of(tx, import_id) & (c.line > line)
    if states:
        wanted &= c.state.in_(sorted(states))
    rows = await tx.conn.execute(select(t.import_rows).where(wanted).order_by(c.line).limit(count_max))
    return [_row(row) for row in rows]


async def save_rows(tx: Transaction, import_id: UUID, rows: Sequence[ImportRow], was: RowState) -> None:
    """Write what has become of rows that were in a state; one that is not any more stays as it is."""
    if rows:
        names = ("state", "code", "reason", "found", "misses", "agreement_id")
        await tx.conn.execute(
            update(t.import_rows)
            .where(_rows_of(tx, import_id), t.import_rows.c.line == bindparam("this"), t.import_rows.c.state == was)
            .values({name: bindparam(f"new_{name}") for name in names}),
            [{"this": row.line} | {f"new_{name}": getattr(row, name) for name in names} for row in rows],
        )


async def set_back(tx: Transaction, import_id: UUID, was: RowState, state: RowState) -> None:
    """Bring every row that is in a state into another."""
    c = t.import_rows.c
    await tx.conn.execute(
        update(t.import_rows)
        .where(_rows_of(tx, import_id), c.state == was)
        .values(state=state, code=None, reason=None, misses=0)
    )


async def done_before(tx: Transaction, kind: ImportKind, row_ids: Collection[str]) -> dict[str, ImportRow]:
    """Which of these ids were applied already, by any file of the kind."""
    c = t.import_rows.c
    rows = await tx.conn.execute(
        select(t.import_rows).where(
            c.tenant_id == tx.tenant_id, c.kind == kind, c.state == RowState.APPLIED, c.row_id.in_(sorted(row_ids))
        )
    )
    return {row.row_id: _row(row) for row in rows}


async def moved_in(tx: Transaction) -> set[UUID]:
    """The agreements that a file has brought, for audits."""
    c = t.import_rows.c
    mine = (c.tenant_id == tx.tenant_id) & (c.kind == ImportKind.AGREEMENTS) & (c.state == RowState.APPLIED)
    return {row.agreement_id for row in await tx.conn.execute(select(c.agreement_id).where(mine))}


async def refuse_twins(tx: Transaction, import_id: UUID) -> None:
    """Refuse rows, of those that were read, that say the same thing twice: an id after its first line, and an agreement
    wherever it stands."""
    c = t.import_rows.c
    first = func.min(c.line).over(partition_by=c.row_id)
    every = (
        select(c.line, c.state, first.label("other")).where(_rows_of(tx, import_id), c.row_id.is_not(None)).subquery()
    )
    later = (every.c.state == RowState.READ) & (every.c.other < every.c.line)
    await _refuse(tx, import_id, select(every.c.line, every.c.other).where(later), RowState.READ, *_ROW_ID_TWICE)
    await _refuse_pairs(tx, import_id, RowState.READ, (c.provider, c.gateway_agreement_id), *_AGREEMENT_TWICE)


async def refuse_pairs_of_people(tx: Transaction, import_id: UUID) -> None:
    """Refuse both of two agreements that are ready, of one person about one product, each naming the other."""
    c = t.import_rows.c
    await _refuse_pairs(tx, import_id, RowState.READY, (c.issuer, c.subject, c.product_id), *_TWO_AGREEMENTS)


_ROW_ID_TWICE = "row_id_twice", "this row_id stands on line {line}"
_AGREEMENT_TWICE = "agreement_twice", "this agreement stands on line {line}"
_TWO_AGREEMENTS = (
    "two_agreements",
    "this person has two live agreements for this product; the other is {agreement} on line {line}",
)


async def _refuse_pairs(
    tx: Transaction, import_id: UUID, state: RowState, key: Sequence[Any], code: str, said: str
) -> None:
    """A row that was refused for this very reason still stands in the way of the others."""
    c = t.import_rows.c
    low, high = func.min(c.line).over(partition_by=key), func.max(c.line).over(partition_by=key)
    mine = _rows_of(tx, import_id) & ((c.state == state) | (c.code == code)) & key[-1].is_not(None)
    every = select(c.line, c.state, low.label("low"), high.label("high")).where(mine).subquery()
    other = func.coalesce(func.nullif(every.c.low, every.c.line), every.c.high).label("other")
    twins = select(every.c.line, other).where(every.c.state == state, every.c.low < every.c.high)
    await _refuse(tx, import_id, twins, state, code, said)


async def _refuse(tx: Transaction, import_id: UUID, which: Select[Any], state: RowState, code: str, said: str) -> None:
    """Refuse lines, each because of another one. Found by sorting and changed by their keys: a file that has just
    arrived is one that the database's planner knows nothing of."""
    c = t.import_rows.c
    while pairs := (await tx.conn.execute(which.limit(REFUSED_COUNT))).all():
        others = select(c.line, c.gateway_agreement_id).where(
            _rows_of(tx, import_id), c.line.in_({pair.other for pair in pairs})
        )
        named = {row.line: row.gateway_agreement_id for row in await tx.conn.execute(others)}
        await tx.conn.execute(
            update(t.import_rows)
            .where(_rows_of(tx, import_id), c.line == bindparam("this"), c.state == state)
            .values(state=RowState.REJECTED, code=code, reason=bindparam("why")),
            [{"this": p.line, "why": said.format(line=p.other, agreement=named[p.other])} for p in pairs],
        )


async def tally(tx: Transaction, import_id: UUID) -> list[Tally]:
    """The rows counted by state, code and currency."""
    c = t.import_rows.c
    rows = await tx.conn.execute(
        select(
            c.state,
            c.code,
            c.currency,
            func.count().label("number"),
            func.coalesce(func.sum(c.amount), 0).label("amount"),
            func.min(c.line).label("first_line"),
            func.min(c.reason).label("a_reason"),
        )
        .where(_rows_of(tx, import_id))
        .group_by(c.state, c.code, c.currency)
        .order_by(c.state, c.code, c.currency)
    )
    return [
        Tally(RowState(r.state), r.code, r.currency, r.number, int(r.amount), r.first_line, r.a_reason) for r in rows
    ]


def _this(tx: Transaction, import_id: UUID) -> Any:
    return (t.imports.c.tenant_id == tx.tenant_id) & (t.imports.c.id == import_id)


def _rows_of(tx: Transaction, import_id: UUID) -> Any:
    return (t.import_rows.c.tenant_id == tx.tenant_id) & (t.import_rows.c.import_id == import_id)


def _import(row: Row[Any]) -> Import:
    values = {n: getattr(row, n) for n in _IMPORT}
    return Import(**values | {"kind": ImportKind(row.kind), "status": ImportStatus(row.status)})


def _row(row: Row[Any]) -> ImportRow:
    return ImportRow(**{n: getattr(row, n) for n in _ROW} | {"state": RowState(row.state)})
