"""The fleet: jobs that any worker can run for any tenant, carried by PostgreSQL; losing one costs nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status

from avtale.domain.ports import Courier, Gateways
from avtale.service.absorbing import absorb_inbox
from avtale.service.billing import bill
from avtale.service.checking import check
from avtale.service.entitling import end_due_access
from avtale.service.imports.running import work_imports
from avtale.service.notifying import notify
from avtale.service.sending import resend
from avtale.service.turning import wake_due
from avtale.storage.database import Database, DatabaseDown, Job, reachable
from avtale.storage.sealing import Sealer
from avtale.storage.tenants import Tenant, tenant_by_id

#: How often a worker looks for due tenants, for jobs whose worker died, and how old such a job's heartbeat is.
WAKE_SECONDS = 1.0
SWEEP_SECONDS = 5.0
STALLED_SECONDS = 30.0
#: Jobs of one kind that a worker does for one tenant at a time: while the calls of one wait, the other goes on.
ALIKE_AT_ONCE_MAX = 2
#: How long a worker that is asked to stop may go on with what it began.
DRAIN_SECONDS_MAX = 20.0
#: How long a connection for jobs is waited for, how long it is tried for, and the pause after it was not to be had.
CONNECT_SECONDS_MAX = 5.0
RECONNECT_SECONDS_MAX = 2.0
BACK_SECONDS = 1.0

log = structlog.get_logger()


def open_fleet(url: str, connections_max: int = 4) -> App:
    """The carrier of jobs; they live in a PostgreSQL schema of their own."""
    connector = PsycopgConnector(
        conninfo=url,
        kwargs={"options": "-c search_path=jobs", **reachable(int(CONNECT_SECONDS_MAX))},
        min_size=1,
        max_size=connections_max,
        timeout=CONNECT_SECONDS_MAX,
        # Given up soon, so that whoever needs a connection next tries anew, and not minutes later.
        reconnect_timeout=RECONNECT_SECONDS_MAX,
    )
    return App(connector=connector)


class Waker:
    """Tells the fleet that a tenant has work. If that fails the rows still say so, and the rhythm finds them."""

    def __init__(self, fleet: App) -> None:
        self._fleet = fleet

    async def __call__(self, tenant_id: UUID, jobs: frozenset[Job]) -> None:
        for job in sorted(jobs):
            try:
                await self._fleet.configure_task(name=job.value, queueing_lock=f"{tenant_id}:{job.value}").defer_async(
                    tenant_id=str(tenant_id)
                )
            except AlreadyEnqueued:
                continue
            except ConnectorException:
                log.warning("not_woken", tenant_id=str(tenant_id), job=job.value)


def add_tasks(fleet: App, db: Database, gateways: Gateways, sealer: Sealer, courier: Courier) -> None:
    """Bind each job to its use case; a job works until nothing of its kind is due for the tenant."""
    work: dict[Job, Callable[[Tenant], Awaitable[bool]]] = {
        Job.BILL: lambda tenant: bill(db, gateways, tenant),
        Job.CHECK: lambda tenant: check(db, gateways, tenant),
        Job.ABSORB: lambda tenant: absorb_inbox(db, tenant),
        Job.SEND: lambda tenant: resend(db, gateways, tenant),
        Job.NOTIFY: lambda tenant: notify(db, sealer, courier, tenant),
        Job.ACCESS: lambda tenant: end_due_access(db, tenant),
        Job.IMPORT: lambda tenant: work_imports(db, gateways, tenant),
    }

    def add(job: Job, use_case: Callable[[Tenant], Awaitable[bool]]) -> None:
        running: Counter[str] = Counter()
        woken: set[str] = set()

        async def run(tenant_id: str) -> None:
            # What comes while enough of this kind is under way waits for them, and is one batch instead of many.
            woken.add(tenant_id)
            if running[tenant_id] >= ALIKE_AT_ONCE_MAX:
                return
            running[tenant_id] += 1
            try:
                while tenant_id in woken:
                    woken.discard(tenant_id)
                    async with db.routing() as tx:
                        tenant = await tenant_by_id(tx, UUID(tenant_id))
                    while tenant is not None and await use_case(tenant):
                        pass
            finally:
                running[tenant_id] -= 1

        fleet.task(name=job.value)(run)

    for job, use_case in work.items():
        add(job, use_case)


async def run_worker(fleet: App, db: Database, jobs_at_once_max: int, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then finish what was begun. A database that is away is waited for."""
    worker = asyncio.create_task(_keep_working(fleet, jobs_at_once_max))
    rhythm = [
        asyncio.create_task(_rhythm(WAKE_SECONDS, lambda: wake_due(db))),
        asyncio.create_task(_rhythm(SWEEP_SECONDS, lambda: _sweep(fleet))),
    ]
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*rhythm, stopped):
            task.cancel()
        worker.cancel()
        done = await asyncio.gather(worker, *rhythm, stopped, return_exceptions=True)
    if isinstance(done[0], Exception):
        raise done[0]


async def _keep_working(fleet: App, jobs_at_once_max: int) -> None:
    """Take jobs until cancelled; one that loses its database, or its ear for new jobs, begins anew."""
    while True:
        try:
            await fleet.run_worker_async(
                concurrency=jobs_at_once_max,
                install_signal_handlers=False,
                listen_notify=True,
                delete_jobs="always",
                fetch_job_polling_interval=WAKE_SECONDS,
                shutdown_graceful_timeout=DRAIN_SECONDS_MAX,
            )
        except ConnectorException:
            log.warning("database_unavailable")
        await asyncio.sleep(BACK_SECONDS)


async def _rhythm(seconds: float, beat: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await beat()
        except (DatabaseDown, ConnectorException):
            log.warning("database_unavailable")
        except Exception:
            log.exception("rhythm_failed")
        await asyncio.sleep(seconds)


async def _sweep(fleet: App) -> None:
    """Forget jobs whose worker died: their rows are due still, and wake new ones."""
    for job in await fleet.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        log.warning("worker_died", job=job.task_name, job_id=job.id)
        await fleet.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
