"""Statements about many rows at once: one message for any number of them, and one plan."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, TextClause, Uuid, any_, false, literal, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect

from avtale.storage.database import Transaction

Rows = Sequence[Mapping[str, object]]


async def insert_many(tx: Transaction, table: Table, rows: Rows, *, unless_there: bool = False) -> None:
    """Insert rows that all have the same columns; the tenant is added. `unless_there`: those that are there stay."""
    if rows:
        statement = _insertion(tx.conn.dialect, table, tuple(rows[0]), unless_there)
        await tx.conn.execute(statement, {"tenant_id": tx.tenant_id, "given": _given(rows)})


async def update_many(tx: Transaction, table: Table, rows: Rows, keys: tuple[str, ...], also: str = "") -> int:
    """Set the columns of rows that are found by their keys, the tenant's only; `also` is more SQL to set. Gives how
    many were found."""
    if not rows:
        return 0
    statement = _change(tx.conn.dialect, table, tuple(rows[0]), keys, also)
    return int((await tx.conn.execute(statement, {"tenant_id": tx.tenant_id, "given": _given(rows)})).rowcount)


def is_any(column: ColumnElement[Any], ids: Collection[UUID]) -> ColumnElement[bool]:
    """Whether the column is one of these ids: the same statement for any number of them.

    Of none it is known without a look; PostgreSQL may read a whole table to find nothing.
    """
    return column == any_(literal(list(ids), ARRAY(Uuid))) if ids else false()


def _given(rows: Rows) -> str:
    return json.dumps(rows, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


@cache
def _insertion(dialect: Dialect, table: Table, names: tuple[str, ...], unless_there: bool) -> TextClause:
    listed = ", ".join(names)
    given = f"SELECT CAST(:tenant_id AS uuid), {listed} FROM {_rows(dialect, table, names)}"
    ending = " ON CONFLICT DO NOTHING" if unless_there else ""
    return text(f"INSERT INTO {table.name} (tenant_id, {listed}) {given}{ending}")


@cache
def _change(dialect: Dialect, table: Table, names: tuple[str, ...], keys: tuple[str, ...], also: str) -> TextClause:
    changed = ", ".join([*(f"{name} = given.{name}" for name in names if name not in keys), *filter(None, [also])])
    found = " AND ".join(f"{table.name}.{key} = given.{key}" for key in keys)
    return text(
        f"UPDATE {table.name} SET {changed} FROM {_rows(dialect, table, names)} "
        f"WHERE {table.name}.tenant_id = :tenant_id AND {found}"
    )


def _rows(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    columns = ", ".join(f"{name} {table.c[name].type.compile(dialect)}" for name in names)
    return f"json_to_recordset(CAST(:given AS json)) AS given ({columns})"
