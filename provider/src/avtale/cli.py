"""The command line: serve, work, and the care of tenants and database."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from avtale import __version__
from avtale.counting import Counting
from avtale.domain.errors import Refusal
from avtale.loading import loading
from avtale.logs import set_up_logs
from avtale.runtime import Runtime, open_runtime
from avtale.service.findings import Severity
from avtale.serving import Announced, bind, write_ready_file
from avtale.settings import Clock, SettingMissing, Settings, needed
from avtale.storage.database import DatabaseDown
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.embedded_programs import EmbeddedPostgresError
from avtale.storage.home import make_home
from avtale.storage.readiness import NotReady, check_ready
from avtale.storage.sealing import SealBroken, new_key
from avtale.storage.tenants import all_tenants
from avtale.worker.fleet import add_tasks, run_worker

# What only one command needs is imported by that command: a worker starts without the API, and `--help` at once.
app = typer.Typer(
    name="avtale",
    help="A payment provider for subscriptions and purchases on Vipps MobilePay and Stripe.\n\n"
    "Settings come from the environment: AVTALE_DATABASE_URL (the role that serves), AVTALE_DATABASE_OWNER_URL "
    "(the role that migrates), AVTALE_ENCRYPTION_KEY. `avtale doctor` says what is missing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
db_app = typer.Typer(help="The database: the embedded one, today's schema, and copies.", no_args_is_help=True)
keys_app = typer.Typer(help="The key that secrets are sealed with.", no_args_is_help=True)
tenants_app = typer.Typer(help="Say who sells what, with which accounts.", no_args_is_help=True)
app.add_typer(db_app, name="db")
app.add_typer(keys_app, name="keys")
app.add_typer(tenants_app, name="tenants")
out = Console()
err = Console(stderr=True)

ReadyFile = Annotated[Path | None, typer.Option(help="Write where we answer to this file, once we do.")]


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless you say otherwise.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 is any free one.")] = 8300,
    ready_file: ReadyFile = None,
) -> None:
    """Answer HTTP: the payment provider's API."""
    settings = Settings()
    set_up_logs(settings.log_format)
    try:
        bound = bind(host, port)
    except OSError as error:
        raise _stop(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from error
    _run(_serve(settings, bound, host, ready_file))


async def _serve(settings: Settings, bound: socket.socket, host: str, ready_file: Path | None) -> None:
    async with open_runtime(settings) as runtime:
        await check_ready(runtime.db)
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{bound.getsockname()[1]}"
        closing = asyncio.Event()
        with loading():
            application = runtime.application(closing)
        config = uvicorn.Config(application, log_level="warning", access_log=False, timeout_graceful_shutdown=20)
        out.print(f"avtale answers at {url}")
        await Announced(config, ready_file, url, closing.set).serve([bound])


@app.command()
def work() -> None:
    """Do what is due: plan charges, send them, read the truth, settle. Start as many as you like."""
    settings = Settings()
    set_up_logs(settings.log_format)
    _run(_work(settings))


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_runtime(settings) as runtime:
        await check_ready(runtime.db)
        add_tasks(runtime.fleet, runtime.db, runtime.gateways, runtime.sealer, runtime.courier)
        out.print("avtale works")
        await run_worker(runtime.fleet, runtime.db, settings.jobs_at_once_max, stop)


@app.command()
def demo(
    new_ports: Annotated[
        bool, typer.Option("--new-ports", help="Move to other ports; webhook and issuer move along.")
    ] = False,
    ready_file: ReadyFile = None,
) -> None:
    """Show everything on one machine: the sandbox, a database, a shop. Data stays in AVTALE_DATA_DIR/demo."""
    from avtale.demo.notes import DemoFailed
    from avtale.demo.run import run_demo

    try:
        run_demo(Settings().data_dir / "demo", new_ports, ready_file, lambda line: print(line, flush=True))
    except DemoFailed as error:
        raise _stop(str(error)) from error


@db_app.command("embedded")
def db_embedded(
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the data lives; default AVTALE_DATA_DIR/postgres.")
    ] = None,
    ready_file: ReadyFile = None,
) -> None:
    """Own an embedded PostgreSQL until interrupted. For development and tests, not for production."""
    folder = data_dir or Settings().data_dir / "postgres"
    stop = [signal.SIGTERM, signal.SIGINT]
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    try:
        with EmbeddedPostgres(folder) as server:
            home = make_home(server, folder)
            if ready_file is not None:
                write_ready_file(ready_file, {"url": home.url, "ownerUrl": home.owner_url})
            out.print(f"PostgreSQL runs from {folder}; interrupt to stop it")
            signal.sigwait(stop)
    except EmbeddedPostgresError as error:
        raise _stop(str(error)) from error
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


@db_app.command("migrate")
def db_migrate() -> None:
    """Bring the database to today's schema, as its owner. Running it again is safe."""
    from avtale.storage.migrate import migrate

    settings = Settings()
    try:
        owner = needed(settings.database_owner_url, "DATABASE_OWNER_URL")
        revision = migrate(owner, needed(settings.database_url, "DATABASE_URL"))
    except SettingMissing as error:
        raise _stop(str(error)) from error
    out.print(f"the schema is at {revision}")


@db_app.command("export")
def db_export(
    file: Annotated[Path, typer.Argument(help="Where to; a file that is there is left as it is.")],
) -> None:
    """Write a copy of the whole database to FILE, while the business goes on."""
    from avtale.storage.copies import CopyRefused, export_database

    try:
        url = needed(Settings().database_url, "DATABASE_URL")
        with Counting(err, "copying") as counting:
            copied = export_database(url, file, counting.tell)
    except (SettingMissing, CopyRefused, OSError) as error:
        raise _stop(str(error)) from error
    out.print(f"{file} has {copied.total} rows at revision {copied.revision}; keep AVTALE_ENCRYPTION_KEY with it")


@db_app.command("import")
def db_import(file: Annotated[Path, typer.Argument(help="What `avtale db export` wrote.")]) -> None:
    """Fill an empty database from FILE: all of it or nothing. So the embedded one moves to a server."""
    from avtale.storage.copies import CopyRefused, import_database

    settings = Settings()
    try:
        owner = needed(settings.database_owner_url, "DATABASE_OWNER_URL")
        url = needed(settings.database_url, "DATABASE_URL")
        with Counting(err, "filling") as counting:
            copied = import_database(owner, url, file, counting.tell)
    except (SettingMissing, CopyRefused) as error:
        raise _stop(str(error)) from error
    out.print(f"{copied.total} rows are in; `avtale doctor` and `avtale audit` say whether all is well")


@keys_app.command("rotate")
def keys_rotate() -> None:
    """Seal every stored secret with the first key of AVTALE_ENCRYPTION_KEY; the others may then be thrown away."""
    _run(_rotate(Settings()))


async def _rotate(settings: Settings) -> None:
    from avtale.service.rotating import rotate_key

    async with open_runtime(settings) as runtime:
        await check_ready(runtime.db)
        count = await rotate_key(runtime.db, runtime.sealer)
    said = "1 secret is" if count == 1 else f"{count} secrets are"
    out.print(f"{said} sealed anew; AVTALE_ENCRYPTION_KEY needs its first key alone")


@tenants_app.command("apply")
def tenants_apply(
    file: Annotated[Path, typer.Argument(help="A TOML file; see docs/how-to/tenants.md.")],
) -> None:
    """Make the database say what FILE says, and register each tenant's webhooks."""
    _run(_apply(Settings(), file))


async def _apply(settings: Settings, file: Path) -> None:
    from avtale.service.configuring import apply_tenant
    from avtale.service.registering import ensure_webhooks
    from avtale.service.tenants_file import read_tenants_file

    wanted = read_tenants_file(file)
    async with open_runtime(settings) as runtime:
        await check_ready(runtime.db)
        for organization in wanted.organizations:
            for entry in organization.tenants:
                tenant = await apply_tenant(runtime.db, runtime.gateways, runtime.sealer, organization.name, entry)
                for done in await ensure_webhooks(runtime.db, runtime.gateways, runtime.sealer, tenant):
                    out.print(f"{organization.name}/{tenant.name}: applied; webhook {done.outcome} at {done.url}")


@app.command()
def audit() -> None:
    """Check every tenant's books; exit 1 when anything is wrong in them."""
    _run(_audit(Settings()))


async def _audit(settings: Settings) -> None:
    from avtale.service.auditing import audit as audit_books

    async with open_runtime(settings) as runtime:
        async with runtime.db.routing() as tx:
            everyone = await all_tenants(tx)
        table = Table("tenant", "code", "about", "what is wrong")
        for tenant in everyone:
            for finding in await audit_books(runtime.db, tenant):
                name = f"{tenant.organization}/{tenant.name}"
                table.add_row(name, finding.code, finding.subject, finding.sentence)
    if table.row_count:
        err.print(table)
        raise typer.Exit(1)
    out.print(f"the books of {len(everyone)} {'tenant' if len(everyone) == 1 else 'tenants'} are in order")


@app.command()
def openapi(
    folder: Annotated[Path, typer.Argument(help="Where the contract is published.")] = Path("docs/openapi"),
) -> None:
    """Write the contract: the whole OpenAPI file, a slice for each tag, and an index for language models."""
    from avtale.api.app import create_contract
    from avtale.api.publishing import published

    files = published(create_contract(__version__).openapi())
    (folder / "tags").mkdir(parents=True, exist_ok=True)
    for stale in {*folder.glob("*.openapi.json"), *folder.glob("tags/*.openapi.json")}:
        if stale.relative_to(folder).as_posix() not in files:
            stale.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    out.print(f"wrote {len(files)} files to {folder}")


@app.command()
def doctor() -> None:
    """Say what a process with this environment could do, and what is missing."""
    settings = Settings()
    if settings.encryption_key is None:
        out.print(f"AVTALE_ENCRYPTION_KEY is not set; a new one would be\n  {new_key()}")
    if settings.clock is Clock.VIRTUAL and settings.clock_token is None:
        out.print("AVTALE_CLOCK is virtual, but nobody can turn it: AVTALE_CLOCK_TOKEN is not set")
    _run(_doctor(settings))


async def _doctor(settings: Settings) -> None:
    async with open_runtime(settings) as runtime:
        await check_ready(runtime.db)
        await _see_tenants(runtime)
    out.print("everything that a process needs is here")


async def _see_tenants(runtime: Runtime) -> None:
    from avtale.api.keys import IssuerKeys
    from avtale.service.inspecting import find_config_errors

    async with runtime.db.routing() as tx:
        everyone = await all_tenants(tx)
    if not everyone:
        out.print("there are no tenants: `avtale tenants apply FILE`")
    keys = IssuerKeys(runtime.fetch_json)
    wrong = False
    for tenant in everyone:
        name = f"{tenant.organization}/{tenant.name}"
        found = await find_config_errors(runtime.db, runtime.gateways, tenant, lambda one: keys.candidates(one, None))
        for one in found:
            out.print(f"{name}: {one.code} ({one.subject}): {one.message} {one.action}", markup=False)
        if not found:
            out.print(f"{name}: Vipps and the issuers answer, the webhook is registered")
        wrong = wrong or any(one.severity is Severity.ERROR for one in found)
    if wrong:
        raise typer.Exit(1)


def _run(work_to_do: Coroutine[Any, Any, None]) -> None:
    """Run to the end; what a person can mend is one sentence on standard error, and exit 1."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(work_to_do)
    except (SettingMissing, NotReady, DatabaseDown, SealBroken, ValueError) as error:
        raise _stop(str(error)) from error
    except Refusal as error:
        raise _stop(f"{error.detail} ({error.code})") from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """A loop that spends less of a processor on each call and query, where it is to be had."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _stop(sentence: str) -> typer.Exit:
    err.print(sentence, style="red", markup=False, highlight=False)
    return typer.Exit(1)


def main() -> None:
    """The `avtale` command."""
    if "migrate" in sys.argv[1:2] or "--help" in sys.argv[1:2] or len(sys.argv) == 1:
        from avtale.moving_in import migrate_app

        app.add_typer(migrate_app(_run), name="migrate")
    try:
        app()
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        # What was given is not repeated: it may be a secret in the wrong place.
        for one in error.errors(include_input=False, include_url=False):
            err.print(f"AVTALE_{one['loc'][0]}".upper() + f": {one['msg']}", style="red", markup=False, highlight=False)
        sys.exit(1)
