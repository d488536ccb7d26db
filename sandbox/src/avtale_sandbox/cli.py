"""The command `avtale-sandbox`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from . import __doc__ as about
from .listening import CannotListen
from .settings import Settings
from .store import StateFileError

app = typer.Typer(add_completion=False, no_args_is_help=True, help=about, rich_markup_mode="markdown")


class ClockMode(StrEnum):
    """How business time passes."""

    RUNNING = "running"
    FROZEN = "frozen"


class Profile(StrEnum):
    """How strict the sandbox is where Vipps is and most tests need not."""

    LENIENT = "lenient"
    STRICT = "strict"


@app.callback()
def _root() -> None:
    """A stand-in for Vipps MobilePay, Stripe and an identity provider, on a clock that tests can turn."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8400,
    state: Annotated[
        str | None,
        typer.Option(
            help="File that every change is written to before it is answered, and read from at the start. "
            "Without it everything is forgotten at the end."
        ),
    ] = None,
    state_synced: Annotated[
        bool,
        typer.Option("--state-synced", help="Force each change to the disk too, so that a power cut loses nothing."),
    ] = False,
    ready_file: Annotated[
        str | None,
        typer.Option(help='File to write {"url", "pid", "port"} to once listening; removed at the end.'),
    ] = None,
    clock: Annotated[
        ClockMode,
        typer.Option(help="Whether business time runs by itself or stands still until it is moved."),
    ] = ClockMode.RUNNING,
    start_at: Annotated[
        str | None, typer.Option(help="Instant at which business time begins, such as 2027-01-15T09:00:00Z.")
    ] = None,
    seed: Annotated[str, typer.Option(help="What ids are drawn from; the same seed gives the same ids.")] = "avtale",
    profile: Annotated[
        Profile,
        typer.Option(help="`strict` minds the published limits of calls a minute, and answers 429 above them."),
    ] = Profile.LENIENT,
    merchants: Annotated[
        str | None,
        typer.Option(
            help="File (YAML or JSON) of the merchants and partners to begin with, in place of the one below."
        ),
    ] = None,
    issuer_base_url: Annotated[
        str | None,
        typer.Option(
            help="Name the identity provider by this address (and /identity) wherever it listens, so that people "
            "stay who they are when the port changes."
        ),
    ] = None,
) -> None:
    """Serve the sandbox until it is told to stop.

    Point any Vipps client at the address, with these keys:

        client_id                   dev-client-id
        client_secret               dev-client-secret
        Ocp-Apim-Subscription-Key   dev-subscription-key
        Merchant-Serial-Number      123456

    A person with the telephone 4791234567 waits in /phone to approve what you draft.

    Time is yours:

        curl -X POST localhost:8400/_sandbox/clock/advance -d '{"by": "P1M"}'
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings(
        host=host,
        port=port,
        state_path=state,
        state_synced=state_synced,
        ready_path=ready_file,
        clock_running=clock is ClockMode.RUNNING,
        start_at=start_at,
        seed=seed,
        profile=profile.value,
        merchants_path=merchants,
        issuer_base_url=None if issuer_base_url is None else issuer_base_url.rstrip("/"),
    )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings))
    except (StateFileError, CannotListen, ValueError) as problem:
        typer.echo(f"avtale-sandbox: {problem}", err=True)
        raise typer.Exit(2) from None


async def _serve(settings: Settings) -> None:
    # Imported late, so that --help and mistakes are answered at once.
    from .server import server_of

    server = server_of(settings)[0]
    server.on_listening = lambda url: typer.echo(f"avtale-sandbox listens on {url}")
    await server.serve([server.listener])


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def main() -> None:
    """Run the command."""
    app()
