"""Transactions: each belongs to one tenant (or to none), knows the time, and wakes the fleet after its commit."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy import event, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import SQLAlchemyError as DatabaseFault
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from avtale.storage import tables as t


class Job(StrEnum):
    """The kinds of work that a tenant can have waiting."""

    BILL = "bill"
    CHECK = "check"
    ABSORB = "absorb"
    SEND = "send"
    NOTIFY = "notify"
    ACCESS = "access"
    IMPORT = "import"


#: Jobs whose due instants are in business time; the others are in wall time.
BUSINESS_JOBS = frozenset({Job.BILL, Job.CHECK, Job.NOTIFY, Job.ACCESS})

__all__ = [
    "BUSINESS_JOBS",
    "Database",
    "DatabaseDown",
    "DatabaseFault",
    "Job",
    "Transaction",
    "sqlalchemy_url",
]

_ENTER = "BEGIN {kind}; SELECT set_config('app.tenant_id', '{tenant}', true)"
_READ_CLOCK = "; SELECT at, running, set_wall FROM business_clock WHERE id = 1"
_STILL = "ISOLATION LEVEL REPEATABLE READ READ ONLY"

_due = insert(t.due_tenants)
#: The row is locked even where the earlier instant stays, so that `refresh_due` waits for us.
_SAY_DUE = _due.on_conflict_do_update(
    index_elements=["tenant_id", "job"],
    set_={"due_at": func.least(t.due_tenants.c.due_at, _due.excluded.due_at)},
)

#: After so many seconds without a word from the other side, it is gone; and so long at most between two statements.
CUT_OFF_SECONDS = 20
IDLE_SECONDS_MAX = 60
#: The class of SQLSTATE of a database whose disk or memory is full (PostgreSQL, appendix A).
NO_RESOURCES = "53"

Waker = Callable[[UUID, frozenset[Job]], Awaitable[None]]


class DatabaseDown(Exception):
    """The database cannot be reached; nothing was done."""


async def _nobody_to_wake(tenant_id: UUID, jobs: frozenset[Job]) -> None:
    """Without a fleet the rows wait: they are the schedule."""


@dataclass(slots=True)
class Transaction:
    """One transaction. `now` is business time, `wall` the system's; `tenant_id` is None for routing tables only."""

    conn: AsyncConnection
    now: datetime
    wall: datetime
    tenant: UUID | None
    #: The monotonic clock of this process when the wall showed `wall`.
    began: float = field(default_factory=time.monotonic)
    _due: dict[Job, datetime] = field(default_factory=dict)

    @property
    def tenant_id(self) -> UUID:
        if self.tenant is None:
            raise RuntimeError("this transaction belongs to no tenant")
        return self.tenant

    def due(self, job: Job, at: datetime) -> None:
        """Say that this tenant has work for `job` at an instant of that job's clock."""
        earlier = self._due.get(job)
        self._due[job] = at if earlier is None else min(at, earlier)

    @property
    def says_due(self) -> bool:
        return bool(self._due)

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Have what is written in here go in one message; what is wrong with it is raised at its end.

        Nothing can be read meanwhile, nor can it be known how many rows were changed.
        """
        async with _driver(self.conn).pipeline():
            yield

    async def flush_due(self) -> frozenset[Job]:
        """Write what was said with `due`, as the last statements; returns the jobs that are due already."""
        for job, at in sorted(self._due.items()):
            await self.conn.execute(_SAY_DUE, {"tenant_id": self.tenant_id, "job": job, "due_at": at})
        clock = {job: self.now if job in BUSINESS_JOBS else self.wall for job in self._due}
        return frozenset(job for job, at in self._due.items() if at <= clock[job])


class Database:
    """The pool, and how to open a transaction. `virtual_clock` reads business time from its row."""

    def __init__(
        self, url: str, *, virtual_clock: bool = False, pool_size: int = 10, connect_seconds_max: int = 5
    ) -> None:
        self.virtual_clock = virtual_clock
        self.waker: Waker = _nobody_to_wake
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=connect_seconds_max,
            pool_pre_ping=False,
            isolation_level="AUTOCOMMIT",  # `_enter` begins each transaction and says whose it is, in one message
            connect_args=reachable(connect_seconds_max),
        )
        event.listen(self.engine.sync_engine, "connect", _let_go_in_time)

    async def close(self) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def tenant(self, tenant_id: UUID) -> AsyncIterator[Transaction]:
        """A transaction that sees and writes the rows of one tenant."""
        async with self._begin(tenant_id) as tx:
            yield tx

    @asynccontextmanager
    async def snapshot(self, tenant_id: UUID) -> AsyncIterator[Transaction]:
        """A transaction that reads the rows of one tenant, all as they are at one instant."""
        async with self._begin(tenant_id, _STILL) as tx:
            yield tx

    @asynccontextmanager
    async def routing(self) -> AsyncIterator[Transaction]:
        """A transaction that sees only the routing tables."""
        async with self._begin(None) as tx:
            yield tx

    @asynccontextmanager
    async def _begin(self, tenant_id: UUID | None, kind: str = "") -> AsyncIterator[Transaction]:
        async with self._connection() as (conn, driver):
            wall, began = datetime.now(UTC), time.monotonic()
            now = await self._enter(driver, tenant_id, wall, kind)
            tx = Transaction(conn, now, wall, tenant_id, began)
            yield tx
            ready = await self._end(tx, driver)
        if ready and tenant_id is not None:
            await self.waker(tenant_id, ready)

    async def _end(self, tx: Transaction, driver: psycopg.AsyncConnection) -> frozenset[Job]:
        """Commit, and with the same message say what is due; gives the jobs that are due already."""
        if not tx.says_due:
            await driver.commit()
            return frozenset()
        async with tx.together():
            ready = await tx.flush_due()
            await driver.commit()
        return ready

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[AsyncConnection, psycopg.AsyncConnection]]:
        """A connection of the pool, and the driver's own beneath it; what is open when it comes back is undone."""
        try:
            conn = await self.engine.connect()
        except (OperationalError, PoolTimeout) as error:
            raise DatabaseDown("the database cannot be reached") from error
        except DBAPIError as error:
            raise DatabaseDown("the database refuses the connection") from error
        driver = _driver(conn)
        try:
            yield conn, driver
        except DBAPIError as error:
            if error.connection_invalidated:
                raise DatabaseDown("the connection to the database was lost") from error
            if _is_full(error.orig):
                raise DatabaseDown("the database has no room left") from error
            raise
        except psycopg.Error as error:
            if driver.closed:
                await conn.invalidate()
                raise DatabaseDown("the connection to the database was lost") from error
            if _is_full(error):
                raise DatabaseDown("the database has no room left") from error
            raise DatabaseFault(str(error)) from error
        finally:
            await conn.close()

    async def _enter(
        self, driver: psycopg.AsyncConnection, tenant_id: UUID | None, wall: datetime, kind: str
    ) -> datetime:
        """Begin the transaction, say whose it is, and ask what time it is, all in one message; gives business time."""
        message = _ENTER.format(kind=kind, tenant="" if tenant_id is None else tenant_id.hex)
        if not self.virtual_clock:
            await driver.execute(message, prepare=False)
            return wall
        said = await driver.execute(message + _READ_CLOCK, prepare=False)
        while said.nextset():
            pass
        row = await said.fetchone()
        if row is None:
            return wall
        at, is_running, set_wall = row
        business: datetime = at + (wall - set_wall) if is_running else at
        return business


def _driver(conn: AsyncConnection) -> psycopg.AsyncConnection:
    assert conn.sync_connection is not None
    return cast(psycopg.AsyncConnection, conn.sync_connection.connection.driver_connection)


def _is_full(error: BaseException | None) -> bool:
    """Whether a driver's error says that the database has no disk or memory left."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith(NO_RESOURCES)


def _let_go_in_time(connection: Any, record: object) -> None:
    """Have the database end the transaction of somebody who is gone, so that its rows are free for others."""
    cursor = connection.cursor()
    cursor.execute(
        f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS_MAX}s'; "
        f"SET tcp_keepalives_idle = {CUT_OFF_SECONDS // 2}; SET tcp_keepalives_interval = {CUT_OFF_SECONDS // 4}; "
        f"SET tcp_keepalives_count = 2; SET tcp_user_timeout = '{CUT_OFF_SECONDS}s'"
    )
    cursor.close()
    connection.commit()


def reachable(connect_seconds_max: int) -> dict[str, str | int]:
    """How a connection is made that nobody waits for in vain: libpq's parameters, in seconds and milliseconds.

    Whoever is cut off from the database hears of it, and the database lets go of what they held.
    """
    return {
        "connect_timeout": connect_seconds_max,
        "keepalives_idle": CUT_OFF_SECONDS // 2,
        "keepalives_interval": CUT_OFF_SECONDS // 4,
        "keepalives_count": 2,
        "tcp_user_timeout": CUT_OFF_SECONDS * 1000,
    }


def sqlalchemy_url(url: str) -> str:
    """The same address with the driver that we use: `postgresql://…` becomes `postgresql+psycopg://…`."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg") or not rest:
        raise ValueError("a database address begins with postgresql://")
    return f"postgresql+psycopg://{rest}"
