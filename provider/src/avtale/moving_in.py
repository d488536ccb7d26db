"""`avtale migrate`: hand a file in, see how far it is, and read the report; works also where no worker runs."""

from __future__ import annotations

import asyncio
import getpass
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from avtale.domain.errors import Invalid, NotFound
from avtale.domain.imports import ImportKind, RowState
from avtale.domain.moving import KNOWN, NEEDED, NEEDED_V2
from avtale.runtime import Runtime, open_runtime
from avtale.service.imports import people, special
from avtale.service.imports.receiving import Order, receive
from avtale.service.imports.reporting import Report, report, result_file
from avtale.service.imports.running import KINDS, apply_import, undo_import, work_imports
from avtale.settings import Settings
from avtale.storage.readiness import check_ready
from avtale.storage.tenants import Tenant, tenant_by_name

PIECE_BYTES = 256 * 1024
LOOK_SECONDS = 0.5
_STATES = {
    RowState.READY: "ready to be applied",
    RowState.APPLIED: "applied",
    RowState.ALREADY: "here already",
    RowState.REJECTED: "rejected",
    RowState.UNDONE: "undone",
    RowState.KEPT: "kept, since something has happened to them",
}

out = Console()

TenantName = Annotated[str, typer.Option("--tenant", help="The tenant, as organization/name.")]
ImportId = Annotated[UUID, typer.Argument(help="The import's id.")]
Run = Callable[[Callable[[Runtime, Tenant], Awaitable[None]], str], None]


def migrate_app(run: Callable[..., None]) -> typer.Typer:
    """The commands; `run` runs one to its end and says what a person can mend."""
    words = "Move a living business in: files that are reported first, then applied."
    app = typer.Typer(help=words, no_args_is_help=True)

    @app.command("run")
    def hand_in(
        file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV; see docs/how-to/migrate.md.")],
        tenant: TenantName,
        product: Annotated[str | None, typer.Option(help="The product of every row, unless they name theirs.")] = None,
        kind: Annotated[str, typer.Option(help="agreements, special, fix_agreements or recreate.")] = "agreements",
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop at the report.")] = False,
    ) -> None:
        """Check every row of FILE, report, and apply what is right."""
        run(_inside(tenant, lambda runtime, found: _hand_in(runtime, found, file, _order(kind, product, dry_run))))

    @app.command()
    def apply(import_id: ImportId, tenant: TenantName) -> None:
        """Apply an import that was reported."""

        async def work(runtime: Runtime, found: Tenant) -> None:
            await apply_import(runtime.db, found, import_id)
            await _follow(runtime, found, import_id)

        run(_inside(tenant, work))

    @app.command()
    def undo(import_id: ImportId, tenant: TenantName) -> None:
        """Take back what was not charged or changed since."""

        async def work(runtime: Runtime, found: Tenant) -> None:
            await undo_import(runtime.db, found, import_id)
            await _follow(runtime, found, import_id)

        run(_inside(tenant, work))

    @app.command()
    def result(
        import_id: ImportId, tenant: TenantName, file: Annotated[Path, typer.Argument(help="Where it is written.")]
    ) -> None:
        """Write what has become of each row as CSV."""

        async def work(runtime: Runtime, found: Tenant) -> None:
            await report(runtime.db, found, import_id)
            with file.open("w", encoding="utf-8", newline="") as target:
                async for part in result_file(runtime.db, found, import_id):
                    target.write(part)
            out.print(f"wrote {file}", highlight=False)

        run(_inside(tenant, work))

    return app


async def _inside(tenant: str, work: Callable[[Runtime, Tenant], Awaitable[None]]) -> None:
    organization, _, name = tenant.partition("/")
    async with open_runtime(Settings()) as runtime:
        await check_ready(runtime.db)
        async with runtime.db.routing() as tx:
            found = await tenant_by_name(tx, organization, name)
        if found is None:
            raise NotFound(f"there is no tenant {tenant}: say organization/name", code="tenant_unknown")
        await work(runtime, found)


def _order(kind: str, product: str | None, dry_run: bool) -> Order:
    """What is to become of a file. Raises Invalid (`kind_unknown`, `product_needed`)."""
    match kind:
        case "agreements":
            return Order(ImportKind.AGREEMENTS, NEEDED if product else NEEDED_V2, KNOWN, dry_run, product)
        case "fix_agreements":
            return Order(ImportKind.FIX_AGREEMENTS, NEEDED_V2, KNOWN, dry_run)
        case "recreate":
            return Order(ImportKind.RECREATE, people.NEEDED, people.KNOWN, dry_run)
        case "special" if product:
            return Order(ImportKind.SPECIAL, special.NEEDED, special.KNOWN, dry_run, product)
        case "special":
            raise Invalid("special rights are of one product: say --product", code="product_needed")
        case _:
            raise Invalid(f"there are no files of the kind {kind}", code="kind_unknown")


async def _hand_in(runtime: Runtime, tenant: Tenant, file: Path, order: Order) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        with file.open("rb") as source:
            while piece := source.read(PIECE_BYTES):
                yield piece

    made = await receive(runtime.db, tenant, KINDS[order.kind], order, f"{getpass.getuser()} (command line)", pieces())
    out.print(f"import {made}", highlight=False)
    await _follow(runtime, tenant, made)


async def _follow(runtime: Runtime, tenant: Tenant, import_id: UUID) -> None:
    """Do what is due for it, with whatever workers there are, until nothing is; then say what has become of it."""
    columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    seen = await report(runtime.db, tenant, import_id)
    with Progress(*columns, console=out, transient=True) as bars:
        bar = bars.add_task(seen.this.status.value, total=seen.this.row_count)
        looked = time.monotonic()
        while seen.working:
            more = await work_imports(runtime.db, runtime.gateways, tenant)
            if more and time.monotonic() - looked < LOOK_SECONDS:
                continue
            if not more:
                await asyncio.sleep(LOOK_SECONDS)
            looked = time.monotonic()
            seen = await report(runtime.db, tenant, import_id)
            words = f"{seen.this.status.value}: {seen.this.problem}" if seen.this.problem else seen.this.status.value
            bars.update(bar, completed=seen.done, total=seen.this.row_count, description=words)
    _tell(seen)


def _tell(seen: Report) -> None:
    count = seen.this.row_count
    out.print(f"{seen.this.status.value}: {count} {'row' if count == 1 else 'rows'}", highlight=False)
    for state, words in _STATES.items():
        if count := seen.count(state):
            sums = [f"{amount / 100:.2f} {money}" for (money, at), amount in sorted(seen.sums.items()) if at is state]
            out.print(f"  {count} {words}{' (' + ', '.join(sums) + ')' if sums else ''}", highlight=False)
    if ignored := seen.this.facts.get("ignoredColumns"):
        out.print(f"  not read: {', '.join(ignored)}", highlight=False, markup=False)
    if seen.reasons:
        table = Table("rows", "first on line", "code", "for example")
        for one in seen.reasons:
            table.add_row(str(one.count), str(one.first_line), one.code, one.a_reason)
        out.print(table)
