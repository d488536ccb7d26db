"""Runs the demonstration: database, sandbox, API and worker, on ports that stay, with data that stays."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from avtale.demo.cast import ORGANIZATION, demo_tenant, instruct_sandbox, let_it_turn_our_clock
from avtale.demo.notes import HOST, DemoFailed, Notes, read_notes, take_folder
from avtale.demo.processes import Processes, end_leftovers, installed
from avtale.domain.errors import Refusal
from avtale.runtime import open_runtime
from avtale.service.configuring import apply_tenant
from avtale.service.registering import ensure_webhooks
from avtale.serving import write_ready_file
from avtale.settings import Settings
from avtale.storage.embedded import EmbeddedPostgres
from avtale.storage.embedded_programs import EmbeddedPostgresError
from avtale.storage.home import Home, make_home
from avtale.storage.migrate import migrate

#: How often we look whether everything runs still, in seconds of wall time.
LOOK_SECONDS = 1.0

Say = Callable[[str], None]


def run_demo(folder: Path, new_ports: bool, ready_file: Path | None, say: Say) -> None:
    """Start everything, keep it running until SIGINT or SIGTERM, and end everything. Raises DemoFailed."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    folder = folder.resolve()
    lock = take_folder(folder)
    try:
        end_leftovers(folder)
        notes = read_notes(folder, new_ports)
        server = EmbeddedPostgres(folder / "postgres")
        processes = Processes(folder, lock, stop)
        try:
            for sentence in _starts(folder, notes, server, processes):
                if stop.is_set():
                    return
                say(sentence)
            if stop.is_set():
                return
            if ready_file is not None:
                write_ready_file(ready_file, {"shop": notes.shop_url, "sandbox": notes.sandbox_url})
            say(_addresses(notes, folder))
            _watch(server, processes, stop, say)
            say("Ending ...")
        finally:
            if ready_file is not None:
                ready_file.unlink(missing_ok=True)
            processes.end()
            server.stop()
    except EmbeddedPostgresError as error:
        if stop.is_set():
            return  # a terminal's interrupt also reaches what is just making the database; the next start makes it
        raise DemoFailed(str(error)) from error
    finally:
        os.close(lock)


def _starts(folder: Path, notes: Notes, server: EmbeddedPostgres, processes: Processes) -> Iterator[str]:
    """Start one thing after the other; says what comes next before each."""
    yield "Starting PostgreSQL and the sandbox ..."
    processes.start(
        "sandbox",
        [
            *(installed("avtale-sandbox"), "serve", "--host", HOST, "--port", str(notes.sandbox_port)),
            *("--state", str(folder / "sandbox.state"), "--issuer-base-url", notes.issuer_base_url),
        ],
        {},
        wave=2,
        announces=True,
    )
    server.start()
    home = make_home(server, folder / "postgres")
    migrate(home.owner_url, home.url)
    processes.ready("sandbox")
    yield "Applying the demo tenant ..."
    instruct_sandbox(notes)
    environment = _environment(notes, home)
    asyncio.run(_apply(environment, notes))
    yield "Starting the API and a worker ..."
    serve = [installed("avtale"), "serve", "--host", HOST, "--port", str(notes.shop_port)]
    processes.start("shop", serve, environment, wave=1, announces=True)
    processes.start("worker", [installed("avtale"), "work"], environment, wave=1, announces=False)
    processes.ready("shop")
    yield "Joining their clocks ..."
    let_it_turn_our_clock(notes)


async def _apply(environment: Mapping[str, str], notes: Notes) -> None:
    settings = Settings.model_validate({name.removeprefix("AVTALE_").lower(): v for name, v in environment.items()})
    try:
        async with open_runtime(settings) as runtime:
            entry = demo_tenant(notes)
            tenant = await apply_tenant(runtime.db, runtime.gateways, runtime.sealer, ORGANIZATION, entry)
            await ensure_webhooks(runtime.db, runtime.gateways, runtime.sealer, tenant)
    except Refusal as refusal:
        raise DemoFailed(f"the demo tenant cannot be applied: {refusal.detail}") from refusal


def _environment(notes: Notes, home: Home) -> dict[str, str]:
    return {
        "AVTALE_DATABASE_URL": home.url,
        "AVTALE_ENCRYPTION_KEY": notes.encryption_key,
        "AVTALE_CLOCK": "virtual",
        "AVTALE_CLOCK_TOKEN": notes.clock_token,
        "AVTALE_CONSOLE": "true",
        "AVTALE_SIGN_IN_DISCOVERY_URL": f"{notes.sandbox_url}/identity/.well-known/openid-configuration",
        "AVTALE_CONSOLE_SANDBOX_URL": notes.sandbox_url,
    }


def _watch(server: EmbeddedPostgres, processes: Processes, stop: threading.Event, say: Say) -> None:
    misses = 0
    while not stop.wait(LOOK_SECONDS):
        misses = 0 if server.alive() else misses + 1
        # On a busy machine one answer may be late.
        if misses > 1:
            misses = 0
            say("PostgreSQL has died; it is started again")
            server.start()
        for sentence in processes.revive():
            say(sentence[:1].upper() + sentence[1:])


def _addresses(notes: Notes, folder: Path) -> str:
    return "\n".join(
        [
            "",
            f"  The shop         {notes.shop_url}/shop/",
            f"  The operator     {notes.shop_url}/operator/   (sign in as Demo operator)",
            f"  The telephones   {notes.sandbox_url}/phone/",
            f"  The sandbox      {notes.sandbox_url}/_sandbox/",
            "",
            f"Everything is kept in {folder}. Ctrl-C ends it; the next start goes on from there.",
        ]
    )
