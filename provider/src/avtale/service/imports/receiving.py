"""Take a file in as it arrives: row by row into the database, never whole in memory, and nothing is done yet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from avtale.domain.errors import Invalid, Refusal
from avtale.domain.imports import ImportKind, ImportStatus, RowState
from avtale.domain.moving import check_columns
from avtale.domain.records import Record, Records
from avtale.service.ids import new_id
from avtale.service.imports.kinds import Catalogue, Kind, catalogue_of
from avtale.storage import imports
from avtale.storage.database import Database
from avtale.storage.imports import Import, ImportRow
from avtale.storage.tenants import Tenant

ROWS_COUNT_MAX = 1_000_000
FILE_BYTES_MAX = 1024 * 1024 * 1024
BATCH_COUNT = 1000
#: A file of which nothing more has come for so long will never be whole.
STALE_AFTER = timedelta(minutes=10)
VALUE_LENGTH_MAX = 1000


@dataclass(frozen=True, slots=True)
class Order:
    """What is to become of a file: its kind, what all of it is about, and whether to stop at the report."""

    kind: ImportKind
    needed: tuple[str, ...]
    known: tuple[str, ...]
    dry_run: bool
    product_id: str | None = None


@dataclass(slots=True)
class _Arrival:
    """A file on its way in."""

    order: Order
    kind: Kind
    catalogue: Catalogue
    records: Records = field(default_factory=Records)
    ignored: list[str] | None = None
    bytes_count: int = 0
    rows_count: int = 0
    pending: list[ImportRow] = field(default_factory=list)

    def feed(self, piece: bytes) -> None:
        self.bytes_count += len(piece)
        if self.bytes_count > FILE_BYTES_MAX:
            raise Invalid(f"a file has at most {FILE_BYTES_MAX} bytes", code="file_too_large")
        self._take(self.records.feed(piece))

    def end(self) -> None:
        self._take(self.records.end())

    def _take(self, found: Sequence[Record]) -> None:
        if self.records.header and self.ignored is None:
            self.ignored = check_columns(self.records.header, self.order.needed, self.order.known)
        for record in found:
            self.pending.append(self._row(record))
        self.rows_count += len(found)
        if self.rows_count > ROWS_COUNT_MAX:
            raise Invalid(f"a file has at most {ROWS_COUNT_MAX} rows", code="rows_too_many")

    def _row(self, record: Record) -> ImportRow:
        if record.fault is not None:
            return ImportRow(record.line, RowState.REJECTED, code=record.fault[0], reason=record.fault[1])
        pairs = zip(self.records.header, record.values, strict=True)
        said = {name: value for name, value in pairs if value and name in self.order.known}
        try:
            for name, value in said.items():
                if len(value) > VALUE_LENGTH_MAX:
                    raise Invalid(f"{name} is longer than {VALUE_LENGTH_MAX} characters", code="value_long")
            full = {name: said.get(name, "") for name in self.order.known}
            return self.kind.read(record.line, full, self.order.product_id, self.catalogue)
        except Refusal as refusal:
            return _unread(record.line, said, refusal)


async def receive(
    db: Database, tenant: Tenant, kind: Kind, order: Order, by: str, pieces: AsyncIterator[bytes]
) -> UUID:
    """Keep a file; its rows are checked next. Raises Invalid for what is no such file at all, and keeps nothing."""
    async with db.tenant(tenant.id) as tx:
        catalogue = await catalogue_of(tx)
        if order.product_id is not None:
            catalogue.terms(order.product_id)
        await imports.abandon_stale(tx, STALE_AFTER)
        new = Import(
            id=new_id(),
            kind=order.kind,
            status=ImportStatus.RECEIVING,
            dry_run=order.dry_run,
            product_id=order.product_id,
            requested_by=by,
            row_count=0,
            facts={},
            problem=None,
            created_wall=tx.wall,
            touched_wall=tx.wall,
            checked_wall=None,
        )
        await imports.insert_import(tx, new)
    arrival = _Arrival(order, kind, catalogue)
    try:
        async for piece in pieces:
            arrival.feed(piece)
            if len(arrival.pending) >= BATCH_COUNT:
                await _write(db, tenant, new, arrival)
        arrival.end()
        await _write(db, tenant, new, arrival)
        async with db.tenant(tenant.id) as tx:
            await imports.refuse_twins(tx, new.id)
            facts = {
                "encoding": arrival.records.encoding,
                "separator": arrival.records.separator,
                "ignoredColumns": arrival.ignored or [],
            }
            await imports.move(tx, new.id, ImportStatus.CHECKING, facts=facts)
    except BaseException:
        async with db.tenant(tenant.id) as tx:
            await imports.drop_import(tx, new.id)
        raise
    return new.id


async def _write(db: Database, tenant: Tenant, new: Import, arrival: _Arrival) -> None:
    rows, arrival.pending = arrival.pending, []
    async with db.tenant(tenant.id) as tx:
        await imports.insert_rows(tx, new.id, new.kind, rows)
        await imports.touch(tx, new.id, arrival.rows_count)


def _unread(line: int, said: Mapping[str, str], refusal: Refusal) -> ImportRow:
    """A row that says something impossible, with what can be told of it."""
    return ImportRow(
        line=line,
        state=RowState.REJECTED,
        row_id=said.get("row_id", "")[:255] or None,
        code=refusal.code,
        reason=refusal.detail,
        provider=said.get("provider", "")[:40] or None,
        gateway_agreement_id=said.get("provider_agreement_id", "")[:255] or None,
        said=said,
    )
