"""A copy of a whole database in one file, and a database made from it: the way from the embedded one to a server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import psycopg
from psycopg import IsolationLevel, sql

from avtale.storage import tables as t
from avtale.storage.migrate import migrate, upgrade_to
from avtale.storage.revisions import knows_revision

FORMAT = "avtale-copy-1"
HEADER = "copy.json"
#: Called with the name of each table when it is done, and how many rows it had.
Tell = Callable[[str, int], None]


class CopyRefused(Exception):
    """Why a file is not taken, or a database not filled from it, and what to do."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds: the schema's revision, and how many rows each table has."""

    revision: str
    rows: dict[str, int]

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())


def export_database(url: str, file: Path, tell: Tell) -> Copied:
    """Write every row to a file that only we may read, as of one instant, while the business goes on.

    Secrets stay sealed in it: it is of use only with AVTALE_ENCRYPTION_KEY. What the fleet is about to do is not in
    it, as the rows say what is due. Raises CopyRefused for a file that is there already.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CopyRefused(f"{file} is there already") from error
    try:
        with os.fdopen(descriptor, "wb") as raw, ZipFile(raw, "w", ZIP_DEFLATED) as made:
            return _export(url, made, tell)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def import_database(owner_url: str, url: str, file: Path, tell: Tell) -> Copied:
    """Fill an empty database from such a file, all or nothing, and bring it to today's schema.

    Raises CopyRefused for another file, one of a later version, or a database that has tenants.
    """
    try:
        with ZipFile(file) as made:
            header = json.loads(made.read(HEADER))
            if header["format"] != FORMAT or not knows_revision(header["revision"]):
                raise CopyRefused(f"{file} was made by a later version: install that")
            upgrade_to(owner_url, header["revision"])
            with psycopg.connect(owner_url) as connection:
                for table in header["tables"]:
                    _fill(connection, made, table)
                    tell(table["name"], table["rows"])
    except (BadZipFile, KeyError, ValueError, OSError, psycopg.Error) as error:
        raise CopyRefused(f"{file} is no whole copy of a database ({error})") from error
    migrate(owner_url, url)
    return Copied(header["revision"], {table["name"]: table["rows"] for table in header["tables"]})


def _export(url: str, made: ZipFile, tell: Tell) -> Copied:
    told: list[dict[str, Any]] = []
    with psycopg.connect(url) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        revision = str(_one(connection, "SELECT version_num FROM alembic_version"))
        tenants = connection.execute("SELECT tenant_id FROM tenants ORDER BY tenant_id").fetchall()
        for table in t.metadata.sorted_tables:
            names = [column.name for column in table.columns]
            with made.open(f"{table.name}.copy", "w", force_zip64=True) as to:
                rows = 0
                # Under row-level security each tenant's rows are read as that tenant.
                for (tenant,) in tenants if table.name in t.TENANT_TABLES else [("",)]:
                    connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant)])
                    rows += _read(connection, table.name, names, to)
            told.append({"name": table.name, "columns": names, "rows": rows})
            tell(table.name, rows)
        made.writestr(HEADER, json.dumps({"format": FORMAT, "revision": revision, "tables": told}, indent=1))
    return Copied(revision, {table["name"]: table["rows"] for table in told})


def _read(connection: psycopg.Connection[Any], table: str, names: list[str], to: IO[bytes]) -> int:
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(columns, sql.Identifier(table))
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for data in copy:
                to.write(data)
        return cursor.rowcount


def _fill(connection: psycopg.Connection[Any], made: ZipFile, table: dict[str, Any]) -> None:
    """Copy one table in; the owner is bound by forced row-level security too, which is forced again afterwards."""
    name = sql.Identifier(table["name"])
    connection.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(name))
    if _one(connection, sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(name)):
        raise CopyRefused(f"this database is not empty: {table['name']} has rows; make a new one")
    columns = sql.SQL(", ").join(map(sql.Identifier, table["columns"]))
    with connection.cursor() as cursor:
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(name, columns)
        with cursor.copy(statement) as copy, made.open(f"{table['name']}.copy") as data:
            while piece := data.read(1 << 20):
                copy.write(piece)
        if cursor.rowcount != table["rows"]:
            raise CopyRefused(f"{table['name']} has {cursor.rowcount} rows, not {table['rows']}: the file is damaged")


def _one(connection: psycopg.Connection[Any], statement: Any) -> Any:
    row = connection.execute(statement).fetchone()
    return None if row is None else row[0]
