"""Networks of their own for processes of a run, joined to this machine by a cable that can be pulled."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from stories.houses import HOST

PIECE_BYTES_MAX = 65536


class NoNetworks(Exception):
    """This machine does not let us make networks; the text says why."""


@dataclass(frozen=True)
class Network:
    """A network namespace; `here` is this machine's address in it."""

    name: str
    here: str
    cable: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What a command begins with that is to run in it."""
        return ("ip", "netns", "exec", self.name)

    def pull(self) -> None:
        """Pull the cable: what is sent is lost, and nobody is told."""
        _ip("link", "set", self.cable, "down")

    def plug(self) -> None:
        """Plug it in again."""
        _ip("link", "set", self.cable, "up")


@contextmanager
def network(number: int) -> Iterator[Network]:
    """A network with a cable to this machine, until the end; numbers up to 50 differ. Raises NoNetworks."""
    # Addresses that RFC 2544 keeps for tests of networks, and names that another run at the same time does not have.
    base = 4 * (number + 50 * (os.getpid() % 160))
    here, there = (f"198.{18 + base // 65536}.{base // 256 % 256}.{base % 256 + host}" for host in (1, 2))
    made = Network(f"avtale-{os.getpid()}-{number}", here, f"av{os.getpid() % 10**7}-{number}")
    try:
        _ip("netns", "add", made.name)
        _ip("link", "add", made.cable, "type", "veth", "peer", "name", "eth0", "netns", made.name)
        _ip("addr", "add", f"{here}/30", "dev", made.cable)
        _ip("link", "set", made.cable, "up")
        _ip("-n", made.name, "addr", "add", f"{there}/30", "dev", "eth0")
        _ip("-n", made.name, "link", "set", "lo", "up")
        _ip("-n", made.name, "link", "set", "eth0", "up")
        _ip("-n", made.name, "route", "add", "default", "via", here)
        yield made
    finally:
        with suppress(NoNetworks):
            _ip("netns", "del", made.name)


@asynccontextmanager
async def passage(host: str, port: int) -> AsyncIterator[int]:
    """Let what comes to `host` on, to a port of this machine alone; gives the port to come to."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE_BYTES_MAX):
                writer.write(piece)
                await writer.drain()
        writer.close()

    ends: set[asyncio.StreamWriter] = set()
    joining: set[asyncio.Task[None]] = set()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, port)
        ends.update((writer, back))
        await asyncio.gather(carry(reader, back), carry(there, writer))
        ends.difference_update((writer, back))

    def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(join(reader, writer))
        joining.add(task)
        task.add_done_callback(joining.discard)

    server = await asyncio.start_server(come, host, 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for end in ends:
            end.transport.abort()
        await asyncio.gather(*joining, return_exceptions=True)


def _ip(*arguments: str) -> None:
    try:
        subprocess.run(("ip", *arguments), check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise NoNetworks(f"ip {' '.join(arguments)}: {said.strip()}") from error
