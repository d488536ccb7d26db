"""Bring a database to today's schema as its owner, and give the application role what it may do, no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from psycopg import sql
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from avtale.storage.database import sqlalchemy_url
from avtale.storage.tables import ROUTING_TABLES

#: Rows here are only ever added: the application role cannot change or remove them.
APPEND_ONLY = frozenset({"acts", "ledger", "receipts"})
#: What may change in them all the same: whose they are, once that person is erased.
CHANGEABLE = {"receipts": ("issuer", "subject")}
_ALEMBIC_TABLE = "alembic_version"
#: How long a table is waited for (PostgreSQL looks for deadlocks after 1000 ms), the pause after giving way, and how
#: often that is done.
LOCK_MILLISECONDS_MAX = 500
GIVE_WAY_SECONDS = 0.2
TRIES_COUNT_MAX = 100

_SECURED = text(
    "SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'tenant' "
    "WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity AND c.relforcerowsecurity "
    "AND p.polcmd = '*' AND p.polpermissive AND p.polroles = '{0}' "
    "AND pg_get_expr(p.polqual, c.oid) = pg_get_expr(p.polwithcheck, c.oid) "
    "AND pg_get_expr(p.polqual, c.oid) LIKE '(tenant_id = (NULLIF(current_setting(''app.tenant_id''%'"
)

T = TypeVar("T")


def migrate(owner_url: str, application_url: str) -> str:
    """Upgrade the schema and secure every table; returns the revision. Running it again is safe."""
    role = make_url(sqlalchemy_url(application_url)).username
    if not role:
        raise ValueError("AVTALE_DATABASE_URL names no user: it is the role that serves")

    def upgrade(connection: Connection) -> str:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _secure(connection, role)
        return current_revision(connection) or ""

    return _alone(owner_url, upgrade)


def upgrade_to(owner_url: str, revision: str) -> None:
    """Upgrade the schema to a revision, and secure nothing yet; a database that is there or further stays as it is."""

    def upgrade(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    _alone(owner_url, upgrade)


def _alone(owner_url: str, work: Callable[[Connection], T]) -> T:
    """Do it in one transaction, one migration at a time, among processes that serve and work meanwhile.

    Their transactions hold some tables and want others, as ours does. Ours gives way: before PostgreSQL would look for
    a deadlock and end one of theirs, it lets everything go and begins anew.
    """
    engine = create_engine(sqlalchemy_url(owner_url), poolclass=NullPool)
    try:
        for left in reversed(range(TRIES_COUNT_MAX)):
            try:
                with engine.begin() as connection:
                    connection.execute(text("SELECT pg_advisory_xact_lock(727277)"))
                    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS_MAX}"))
                    return work(connection)
            except OperationalError as error:
                if not isinstance(error.orig, LockNotAvailable) or not left:
                    raise
            time.sleep(GIVE_WAY_SECONDS)
        raise AssertionError("unreachable")
    finally:
        engine.dispose()


def current_revision(connection: Connection) -> str | None:
    """The revision that a database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _secure(connection: Connection, role: str) -> None:
    """Forced row-level security on every table of tenants, and least privilege for the application role.

    Runs after every upgrade over the tables that are there, so that no new table can be forgotten; one that is secured
    already is not locked for it.
    """
    user = sql.Identifier(role).as_string(None)
    run = connection.exec_driver_sql
    secured = {row.relname for row in connection.execute(_SECURED)}
    run(f"GRANT USAGE ON SCHEMA public, jobs TO {user}")
    for table in inspect(connection).get_table_names("public"):
        if table == _ALEMBIC_TABLE:
            run(f"GRANT SELECT ON {table} TO {user}")
            continue
        if table not in ROUTING_TABLES and table not in secured:
            run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            run(f"DROP POLICY IF EXISTS tenant ON {table}")
            mine = "tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid"
            run(f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})")
        run(f"REVOKE ALL ON {table} FROM {user}")
        rights = "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
        run(f"GRANT {rights} ON {table} TO {user}")
        if columns := CHANGEABLE.get(table):
            run(f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO {user}")
    run(f"GRANT ALL ON ALL TABLES IN SCHEMA jobs TO {user}")
    run(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA jobs TO {user}")
    run(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO {user}")
